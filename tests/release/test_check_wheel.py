"""Contents of wheels, for each system that is released."""

from __future__ import annotations

import importlib.util
import struct
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

import brushreel
from brushreel import native
from brushreel.core.version import __version__

ROOT = Path(str(brushreel.__file__)).resolve().parent
INFO = f"brushreel-{__version__}.dist-info"
MAC, WINDOWS = "macosx_11_0_universal2", "win_amd64"
SCALING = f"brushreel/{native.SCALING.as_posix()}"


@pytest.fixture(scope="module")
def check_wheel() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_wheel", ROOT / "release/check_wheel.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def windows_library(machine: int = 0x8664) -> bytes:
    """Return the beginning of a DLL (PE/COFF: the header's place is at 0x3C)."""
    return (
        b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + b"PE\0\0" + struct.pack("<H", machine)
    )


def mac_library(processor: int, *, signed: bool) -> bytes:
    """Return a Mach-O file of one load command (<mach-o/loader.h>)."""
    command = 0x1D if signed else 0x19
    header = struct.pack("<8I", 0xFEEDFACF, processor, 0, 6, 1, 16, 0, 0)
    return header + struct.pack("<4I", command, 16, 0, 0)


def mac_file(*, signed: bool) -> bytes:
    return native.universal(
        [mac_library(0x01000007, signed=False), mac_library(0x0100000C, signed=signed)]
    )


@pytest.fixture
def contents(check_wheel) -> dict[str, bytes]:
    """The files of a wheel for Windows, as they should be."""
    files = dict.fromkeys(check_wheel.wanted_files(), b"")
    for library in native.libraries("win32", "x86_64"):
        files[f"brushreel/{library.path.as_posix()}"] = windows_library()
    return files | {
        f"{INFO}/WHEEL": b"Root-Is-Purelib: false\nTag: py3-none-win_amd64\n",
        f"{INFO}/METADATA": f"Version: {__version__}\n".encode(),
        f"{INFO}/entry_points.txt": b"[console_scripts]\nbrushreel = brushreel.cli:main\n",
        f"{INFO}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes(),
        "brushreel/core/commit.txt": b"0123456789ab\n",
    }


@pytest.fixture
def found(check_wheel, contents, tmp_path):
    """Faults of a wheel with these files added, or (None) left out."""

    def find(changes: dict[str, bytes | None], platform: str = WINDOWS) -> list[str]:
        wheel = tmp_path / f"brushreel-{__version__}-py3-none-{platform}.whl"
        with zipfile.ZipFile(wheel, "w") as packed:
            for name, content in (contents | changes).items():
                if content is not None:
                    packed.writestr(name, content)
        return list(check_wheel.faults(wheel))

    return find


def test_a_wheel_as_it_should_be(found):
    assert found({}) == []


@pytest.mark.parametrize(
    ("path", "content", "fault"),
    [
        ("brushreel/core/stylizer.py", None, "is missing"),
        ("brushreel/core/weights/wave.safetensors", None, "is missing"),
        ("brushreel/batch/page/parts/base.css", None, "is missing"),
        ("brushreel/studio/page/index.html", None, "is missing"),
        ("brushreel/plugin_resolve/script/scripts/Brushreel.lua", None, "is missing"),
        ("brushreel/py.typed", None, "is missing"),
        (SCALING, None, "is missing"),
        (SCALING, windows_library(0xAA64), "is for ('win32', ('unknown',)), not for win32"),
        (SCALING, b"\x7fELF".ljust(18, b"\0") + struct.pack("<H", 62), "is for ('linux'"),
        ("brushreel/core/runtimes/kernels.so", b"", "has no use for"),
        ("brushreel/tests/test_x.py", b"", "does not belong"),
        ("brushreel/core/frames/scaling.c", b"", "does not belong"),
        (f"{INFO}/licenses/LICENSE", None, "licence"),
        (f"{INFO}/METADATA", b"Version: 0\n", "states version 0"),
        (f"{INFO}/WHEEL", b"Root-Is-Purelib: true\nTag: py3-none-win_amd64\n", "libraries"),
        (f"{INFO}/WHEEL", b"Root-Is-Purelib: false\nTag: py3-none-any\n", "WHEEL states"),
        (f"{INFO}/entry_points.txt", b"", "command"),
        ("brushreel/core/commit.txt", None, "commit"),
    ],
)
def test_what_is_wrong_is_found(found, path, content, fault):
    (said,) = found({path: content})
    assert fault in said


def test_a_platform_that_is_not_released(found):
    assert found({}, "any") == ["any is no platform that is released"]


def test_code_for_arm_macs_has_to_be_signed(check_wheel):
    assert check_wheel.machines(mac_file(signed=True)) == ("darwin", ("x86_64", "arm64"))
    _, processors = check_wheel.machines(mac_file(signed=False))
    assert "arm64" not in processors


def test_every_library_of_a_system_is_known():
    held = {
        platform: {library.path.name for library in native.libraries(system, processors[0])}
        for platform, (system, processors, _) in native.WHEELS.items()
    }
    assert held == {
        "manylinux_2_17_x86_64": {"scaling.so", "kernels.so", "Brushreel.ofx"},
        "manylinux_2_17_aarch64": {"scaling.so"},
        MAC: {"scaling.so", "Brushreel.ofx"},
        WINDOWS: {"scaling.so", "Brushreel.ofx"},
    }


def test_whatever_lies_in_the_package_goes_into_a_wheel(check_wheel):
    folders = ("core", "batch", "training", "plugin_resolve", "studio")
    found = {
        f"brushreel/{path.relative_to(ROOT).as_posix()}"
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and native.BUNDLE not in path.parts
    }
    compiled = {name for name in found if name.endswith((".c", ".h", ".so"))}
    assert found - compiled - check_wheel.wanted_files() == set()


def test_older_systems_than_a_tag_are_told(check_wheel):
    assert check_wheel.glibc("manylinux_2_5_x86_64") < check_wheel.glibc("manylinux_2_17_x86_64")
    assert check_wheel.glibc("manylinux_2_17_x86_64") < check_wheel.glibc("manylinux_2_28_x86_64")


@pytest.mark.slow
def test_the_wheels_of_a_release(tmp_path):
    """Compiled for all systems, if ziglang is there: its first run takes minutes."""
    for package in ("ziglang", "build", "auditwheel", "twine"):
        pytest.importorskip(package, reason="the extra dist is not installed")
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    clone = tmp_path / "clone"
    git = ["git", "clone", "--quiet", "--depth", "1", ROOT.as_uri(), str(clone)]
    subprocess.run(git, check=True)
    make = [sys.executable, "release/make_dist.py"]
    made = subprocess.run(make, cwd=clone, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    assert made.stdout.count("as it should be") == len(native.WHEELS)
