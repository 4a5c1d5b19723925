"""Checks what is in a wheel: files, libraries for the right machines, version, tag, licence.

python release/check_wheel.py dist/*.whl
"""

from __future__ import annotations

import argparse
import re
import struct
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from fnmatch import fnmatch
from pathlib import Path

from brushreel import native
from brushreel.core.version import __version__

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "brushreel"
METADATA = f"{PACKAGE}-{__version__}.dist-info"

_ELF = {62: "x86_64", 183: "aarch64"}
_PE = {0x8664: "x86_64"}
_MACH = {0x01000007: "x86_64", 0x0100000C: "arm64"}
_FAT = 0xCAFEBABE
_CODE_SIGNATURE = 0x1D
_HEADERS = {"linux": b"\x7fELF", "win32": b"MZ", "darwin": b"\xca\xfe\xba\xbe"}
_LIBRARIES = ("*.so", "*.ofx", "*.dll", "*.dylib", "*.pyd")
_AUDITED = re.compile(r'following platform\s+tag:\s+"(\w+)"')
_UNWANTED = ("*/tests/*", "*/benchmarks/*", "*.c", "*.h", "*.pyc", "*/test_*.py", "*/conftest.py")


def faults(wheel: Path) -> Iterator[str]:
    """Yield what is wrong with a wheel; nothing if it can be released.

    Args:
        wheel: Its file, by the name that it was built under.
    """
    name, version, *tag = wheel.stem.split("-")
    platform = tag[-1]
    if (name, version, *tag[:-1]) != (PACKAGE, __version__, "py3", "none"):
        yield f"its name should start with {PACKAGE}-{__version__}-py3-none"
    if platform not in native.WHEELS:
        yield f"{platform} is no platform that is released"
        return
    with zipfile.ZipFile(wheel) as packed:
        files = {entry: packed.read(entry) for entry in packed.namelist()}
    yield from _wrong_metadata(files, f"py3-none-{platform}")
    yield from _wrong_files(set(files))
    yield from _wrong_libraries(files, platform)
    if platform.startswith("manylinux"):
        yield from _wrong_symbols(wheel, platform)


def _wrong_metadata(files: dict[str, bytes], tag: str) -> Iterator[str]:
    wheel = message_from_bytes(files.get(f"{METADATA}/WHEEL", b""))
    if wheel.get_all("Tag") != [tag]:
        yield f"WHEEL states {wheel.get_all('Tag')}, not {tag}"
    if wheel["Root-Is-Purelib"] != "false":
        yield "WHEEL does not say that there are libraries in it"
    described = message_from_bytes(files.get(f"{METADATA}/METADATA", b""))
    if described["Version"] != __version__:
        yield f"METADATA states version {described['Version']}, not {__version__}"
    if (
        f"{PACKAGE} = {PACKAGE}.cli:main"
        not in files.get(f"{METADATA}/entry_points.txt", b"").decode()
    ):
        yield "the command is not there"
    licence = (ROOT / "LICENSE").read_bytes()
    if files.get(f"{METADATA}/licenses/LICENSE") != licence:
        yield "the licence is not there"
    if not re.fullmatch(rb"[0-9a-f]{12}\n", files.get(f"{PACKAGE}/core/commit.txt", b"")):
        yield "the commit is not there"


def _wrong_files(held: set[str]) -> Iterator[str]:
    for path in sorted(wanted_files() - held):
        yield f"{path} is missing"
    for path in sorted(held):
        if any(fnmatch(path, pattern) for pattern in _UNWANTED):
            yield f"{path} does not belong into a wheel"


def wanted_files() -> set[str]:
    """Return the modules and data files that pyproject.toml lists, by their paths in a wheel."""
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    setuptools = listed["tool"]["setuptools"]
    patterns = [(package, "*.py") for package in setuptools["packages"]]
    for package, data in setuptools["package-data"].items():
        patterns += [(package, pattern) for pattern in data]
    found = set[str]()
    for package, pattern in patterns:
        folder = Path(*package.split(".")[1:])
        files = [path for path in (ROOT / folder).glob(pattern) if path.is_file()]
        found |= {f"{PACKAGE}/{path.relative_to(ROOT).as_posix()}" for path in files}
    return found


def _wrong_libraries(files: dict[str, bytes], platform: str) -> Iterator[str]:
    system, processors, _ = native.WHEELS[platform]
    wanted = {
        f"{PACKAGE}/{library.path.as_posix()}"
        for library in native.libraries(system, processors[0])
    }
    held = {path for path in files if any(fnmatch(path, kind) for kind in _LIBRARIES)}
    for path in sorted(wanted - held):
        yield f"{path} is missing"
    for path in sorted(held - wanted):
        yield f"{path} is a library that {platform} has no use for"
    for path in sorted(held & wanted):
        made_for = machines(files[path])
        if made_for != (system, processors):
            yield f"{path} is for {made_for}, not for {system}, {processors}"


def machines(library: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the system and the processors that a library is for, as `native.Machines`.

    ELF (System V ABI), PE/COFF, and Mach-O for several processors (<mach-o/fat.h>), where code for
    arm64 that is not signed does not count: macOS does not load it.
    """
    system = next(
        (name for name, header in _HEADERS.items() if library.startswith(header)), "unknown"
    )
    if system == "linux":
        return system, (_ELF.get(struct.unpack_from("<H", library, 18)[0], "unknown"),)
    if system == "win32":
        header = struct.unpack_from("<I", library, 0x3C)[0]
        return system, (_PE.get(struct.unpack_from("<H", library, header + 4)[0], "unknown"),)
    if system == "darwin":
        return system, tuple(_mach_processors(library))
    return system, ()


def _mach_processors(library: bytes) -> Iterator[str]:
    count = struct.unpack_from(">I", library, 4)[0]
    for index in range(count):
        processor, _, start, _, _ = struct.unpack_from(">5I", library, 8 + 20 * index)
        name = _MACH.get(processor, "unknown")
        yield name if name != "arm64" or _is_signed(library, start) else "arm64 without a signature"


def _is_signed(library: bytes, start: int) -> bool:
    commands, place = struct.unpack_from("<I", library, start + 16)[0], start + 32
    for _ in range(commands):
        kind, size = struct.unpack_from("<II", library, place)
        if kind == _CODE_SIGNATURE:
            return True
        place += size
    return False


def _wrong_symbols(wheel: Path, platform: str) -> Iterator[str]:
    """Yield a line if the libraries need more than the systems of the platform's tag have."""
    audit = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    said = subprocess.run(audit, capture_output=True, text=True, check=False).stdout
    found = _AUDITED.search(said)
    if found is None or glibc(found[1]) > glibc(platform):
        yield f"auditwheel finds it to be {found[1] if found else 'for no manylinux'}"


def glibc(platform: str) -> tuple[int, ...]:
    """Return the version of glibc that a tag such as manylinux_2_17_x86_64 names."""
    return tuple(int(part) for part in platform.split("_")[1:3])


def main() -> int:
    """Check the wheels of the command line; return how many have a fault."""
    parser = argparse.ArgumentParser(description="Check what is in wheels.")
    parser.add_argument("wheels", nargs="+", type=Path)
    wrong = 0
    for wheel in parser.parse_args().wheels:
        found = list(faults(wheel))
        wrong += bool(found)
        print(f"{wheel.name}: {'; '.join(found) or 'as it should be'}")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
