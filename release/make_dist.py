"""Builds the source distribution and a wheel for each system, and checks them: `make dist`.

    python release/make_dist.py
    python release/make_dist.py --wheel manylinux_2_17_x86_64

The wheels are built from the unpacked source distribution, so that it is known to be complete. What
is written in C is compiled for all systems by zig; its first run takes minutes, as it builds the
systems' C libraries, and later ones seconds.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from brushreel import native

from check_wheel import faults  # isort: skip

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
_BUILD = (sys.executable, "-m", "build", "--no-isolation", "--outdir")


def main() -> int:
    """Build all into dist/, which is emptied before; return how many wheels have a fault."""
    parser = argparse.ArgumentParser(description="Build the source distribution and wheels.")
    parser.add_argument(
        "--wheel",
        action="append",
        choices=native.WHEELS,
        help="a platform to build for; all by default",
    )
    platforms = parser.parse_args().wheel or list(native.WHEELS)
    shutil.rmtree(DIST, ignore_errors=True)
    environment = {**os.environ, "SOURCE_DATE_EPOCH": _time_of_commit()}
    _run([*_BUILD, str(DIST), "--sdist", str(ROOT)], environment)
    (source,) = DIST.glob("*.tar.gz")
    _show(source)
    wrong = 0
    for platform in platforms:
        wheel, seconds = _build_wheel(source, platform, environment)
        found = list(faults(wheel))
        wrong += bool(found)
        _show(wheel, f", {seconds:.0f} s: {'; '.join(found) or 'as it should be'}")
    files = sorted(map(str, DIST.iterdir()))
    _run([sys.executable, "-m", "twine", "check", "--strict", *files], environment)
    return wrong


def _build_wheel(source: Path, platform: str, environment: dict[str, str]) -> tuple[Path, float]:
    """Build a wheel from the source distribution; return it, and how long it took."""
    before, begin = set(DIST.iterdir()), time.monotonic()
    option = f"-C--build-option=--plat-name={platform}"
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(source) as packed:
            packed.extractall(folder, filter="data")
        (tree,) = Path(folder).iterdir()
        _run([*_BUILD, str(DIST), "--wheel", option, str(tree)], environment)
    (wheel,) = set(DIST.iterdir()) - before
    return wheel, time.monotonic() - begin


def _time_of_commit() -> str:
    """Return the time that files in a wheel get, so that the same commit gives the same wheel."""
    git = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    return subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()


def _run(command: list[str], environment: dict[str, str]) -> None:
    """Run a command that says something only if it fails."""
    ended = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ended.returncode:
        sys.exit(f"{ended.stdout}\n{' '.join(command)}\nended with status {ended.returncode}")


def _show(path: Path, rest: str = "") -> None:
    print(f"{path.name}, {path.stat().st_size / 1e6:.1f} MB{rest}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
