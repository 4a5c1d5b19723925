"""Installs a wheel into fresh environments, as users do, and runs it there, outside the checkout.

    python release/try_wheel.py dist/*manylinux*x86_64.whl
    python release/try_wheel.py dist/*manylinux*x86_64.whl --with uv --packages 8

With each installer that is there (pip, pipx, uv), the environment's size and how long it took are
printed, then `brushreel --version`, `brushreel demo` and a call of the library run in it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = ROOT / "constraints.txt"
MEGABYTE = 1e6
_BIN = "Scripts" if os.name == "nt" else "bin"
_CALL = """
import numpy, brushreel
frame = numpy.random.default_rng(1).integers(0, 256, (360, 640, 3), numpy.uint8)
styles = brushreel.list_styles()
stylized = brushreel.Stylizer(styles[0].name)(frame)
assert stylized.shape == frame.shape and (stylized != frame).any()
print(len(styles), "styles;", brushreel.__file__)
"""


class Environment(NamedTuple):
    """An environment that an installer makes.

    Attributes:
        folder: Where it will be.
        commands: What makes it, one after the other.
        variables: What the commands are told by the environment's variables.
    """

    folder: Path
    commands: list[list[str]]
    variables: dict[str, str]


def environment(installer: str, wheel: Path, room: Path) -> Environment:
    """Return how a wheel is installed as the documents tell.

    Args:
        installer: "pip", "pipx" or "uv".
        wheel: Its file.
        room: An empty folder, which takes all.
    """
    file, limits = str(wheel.resolve()), str(CONSTRAINTS)
    if installer == "pip":
        folder = room / "venv"
        pip = [str(folder / _BIN / "python"), "-m", "pip", "install", "--quiet"]
        make = [sys.executable, "-m", "venv", str(folder)]
        return Environment(folder, [make, [*pip, "-c", limits, file]], {})
    if installer == "pipx":
        told = {"PIPX_HOME": str(room / "pipx"), "PIPX_BIN_DIR": str(room / "bin")}
        install = ["pipx", "install", "--python", sys.executable, f"--pip-args=-c {limits}", file]
        return Environment(room / "pipx" / "venvs" / "brushreel", [install], told)
    told = {"UV_TOOL_DIR": str(room / "tools"), "UV_TOOL_BIN_DIR": str(room / "bin")}
    install = ["uv", "tool", "install", "--quiet", "--python", sys.executable, "-c", limits, file]
    return Environment(room / "tools" / "brushreel", [install], told)


def largest_packages(folder: Path, count: int) -> list[tuple[str, int]]:
    """Return the folders of an environment's packages that hold most, with their bytes."""
    (packages,) = folder.glob("Lib/site-packages" if os.name == "nt" else "lib/*/site-packages")
    sizes = [(path.name, size_of(path)) for path in packages.iterdir()]
    return sorted(sizes, key=lambda each: -each[1])[:count]


def size_of(path: Path) -> int:
    """Return the bytes of a file or of all files under a folder, those of links not counted."""
    files = [path, *path.rglob("*")]
    return sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())


def try_installer(installer: str, wheel: Path, room: Path, packages: int) -> None:
    """Install with one installer and run what was installed; ends the program if that fails."""
    made = environment(installer, wheel, room)
    home = {"HOME": str(room), "XDG_DATA_HOME": str(room / "data")}
    # An environment that is active, and a folder that is imported from, are not the user's.
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    begin = time.monotonic()
    for command in made.commands:
        _run(command, room, inherited | made.variables)
    seconds = time.monotonic() - begin
    print(f"{installer}: {seconds:.0f} s, {size_of(made.folder) / MEGABYTE:.0f} MB", flush=True)
    for name, size in largest_packages(made.folder, packages):
        print(f"  {size / MEGABYTE:5.0f} MB  {name}")
    programs = made.folder / _BIN
    for command in (
        [str(programs / "brushreel"), "--version"],
        [str(programs / "python"), "-c", _CALL],
        [str(programs / "brushreel"), "demo"],
    ):
        said = _run(command, room, inherited | home)
        print("\n".join(f"  {line}" for line in said.splitlines()), flush=True)


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> str:
    """Run a command in a folder; return what it prints."""
    ended = subprocess.run(
        command, cwd=folder, env=variables, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        sys.exit(f"{ended.stdout}{ended.stderr}\n{' '.join(command)}: status {ended.returncode}")
    return ended.stdout


def main() -> None:
    """Try the installers of the command line."""
    parser = argparse.ArgumentParser(description="Install a wheel as users do, and run it.")
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--with", dest="installers", nargs="+", choices=("pip", "pipx", "uv"))
    parser.add_argument(
        "--packages", type=int, default=0, metavar="N", help="also show the N largest packages"
    )
    arguments = parser.parse_args()
    there = [name for name in ("pip", "pipx", "uv") if name == "pip" or shutil.which(name)]
    for installer in arguments.installers or there:
        with tempfile.TemporaryDirectory() as room:
            try_installer(installer, arguments.wheel, Path(room), arguments.packages)


if __name__ == "__main__":
    main()
