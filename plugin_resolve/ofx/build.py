"""Compiles the effect: for this machine with its own compiler, for all others with zig's.

    python plugin_resolve/ofx/build.py --all

The file is read by the package's build, too, before the package is there: it imports nothing of it.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
BUNDLE = "Housestyle.ofx.bundle"
LIBRARY = "Housestyle.ofx"
PLUGIN = "org.housestyle.paint"
VERSION = "1.0"

FOLDERS = {"linux": "Linux-x86-64", "darwin": "MacOS", "win32": "Win64"}
"""Where OpenFX hosts look in a bundle, by `sys.platform`."""

_COMMON = ("plugin.c", "instance.c", "describe.c", "host.c", "link.c", "styles.c", "picture.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fvisibility=hidden")
# glibc 2.17 is that of CentOS 7, the oldest system that current hosts run on.
_ZIG_TARGETS = {
    "linux": ("x86_64-linux-gnu.2.17",),
    "darwin": ("x86_64-macos.11.0", "aarch64-macos.11.0"),
    "win32": ("x86_64-windows-gnu",),
}
_INFO = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>CFBundleDevelopmentRegion</key><string>English</string>
  <key>CFBundleExecutable</key><string>{LIBRARY}</string>
  <key>CFBundleIdentifier</key><string>{PLUGIN}</string>
  <key>CFBundleInfoDictionaryVersion</key><string>6.0</string>
  <key>CFBundleName</key><string>Housestyle</string>
  <key>CFBundlePackageType</key><string>BNDL</string>
  <key>CFBundleShortVersionString</key><string>{VERSION}</string>
  <key>CFBundleVersion</key><string>{VERSION}</string>
</dict>
</plist>
"""


def library_in(bundle: Path, system: str = sys.platform) -> Path:
    """Where a bundle holds the library of a system (`sys.platform`)."""
    return bundle / "Contents" / FOLDERS[system] / LIBRARY


def own_compiler() -> list[str] | None:
    """This machine's C compiler, as the environment's CC or by its usual name; None without."""
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return None


def builds_here() -> bool:
    """Whether this machine can compile its own library; Windows has the cross-compiled one."""
    known = sys.platform == "darwin" or (
        sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")
    )
    return known and own_compiler() is not None


def build_own(bundle: Path) -> None:
    """Compile for this machine, into a bundle.

    Raises:
        subprocess.CalledProcessError: The compiler refuses.
    """
    compiler = own_compiler()
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    _compile(compiler, sys.platform, library_in(bundle))
    _write_info(bundle)


def build_all(bundle: Path) -> None:
    """Cross-compile for Linux x86-64, macOS (both kinds in one file) and Windows x86-64.

    Needs `ziglang` from the package index.

    Raises:
        subprocess.CalledProcessError: The compiler refuses, or is not there.
    """
    zig = [sys.executable, "-m", "ziglang", "cc"]
    for system, targets in _ZIG_TARGETS.items():
        with tempfile.TemporaryDirectory() as folder:
            parts = [Path(folder) / target / LIBRARY for target in targets]
            for target, part in zip(targets, parts, strict=True):
                # -g0: zig's own default embeds paths of this machine.
                _compile([*zig, "-target", target, "-g0", "-s"], system, part)
            library = library_in(bundle, system)
            library.parent.mkdir(parents=True, exist_ok=True)
            library.write_bytes(universal(parts) if len(parts) > 1 else parts[0].read_bytes())
            library.chmod(0o755)
    _write_info(bundle)


def _compile(compiler: list[str], system: str, library: Path) -> None:
    sources = [*_COMMON, "system_windows.c" if system == "win32" else "system_posix.c"]
    libraries = {
        "linux": ["-fPIC", "-lpthread", "-ldl"],
        "darwin": ["-fPIC"],
        "win32": ["-ladvapi32"],
    }
    library.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*compiler, *_FLAGS, "-o", str(library)]
    arguments += [str(HERE / "native" / source) for source in sources]
    subprocess.run([*arguments, *libraries[system]], check=True)


def _write_info(bundle: Path) -> None:
    (bundle / "Contents" / "Info.plist").write_text(_INFO, encoding="utf-8")


def universal(thin: list[Path]) -> bytes:
    """One Mach-O file for several processors (<mach-o/fat.h>).

    Args:
        thin: 64-bit Mach-O files of one processor each.
    """
    alignment = 14  # 2**14: a page of the larger kind
    contents = [path.read_bytes() for path in thin]
    offset = 1 << alignment
    header = struct.pack(">II", 0xCAFEBABE, len(contents))
    body = b""
    for content in contents:
        processor, subtype = struct.unpack_from("<II", content, 4)
        start = offset + len(body)
        header += struct.pack(">5I", processor, subtype, start, len(content), alignment)
        body += content + b"\0" * (-len(content) % (1 << alignment))
    return header.ljust(offset, b"\0") + body


class BuildEffect(build_py):
    """Python modules, and the effect beside them where it can be compiled."""

    def run(self) -> None:
        """Build; without a compiler everything but the effect, which `doctor` then says."""
        super().run()
        folder = (
            HERE if self.editable_mode else Path(self.build_lib, "housestyle/plugin_resolve/ofx")
        )
        if not self.editable_mode and (HERE / BUNDLE).exists():
            shutil.copytree(HERE / BUNDLE, folder / BUNDLE, dirs_exist_ok=True)
        if library_is_released(folder / BUNDLE) or not builds_here():
            return
        try:
            build_own(folder / BUNDLE)
        except subprocess.CalledProcessError as error:
            self.warn(f"the OpenFX effect is left out: {error}")


def library_is_released(bundle: Path) -> bool:
    """Whether the bundle holds the libraries of all systems, and needs no compiler here."""
    return all(library_in(bundle, system).exists() for system in FOLDERS)


class EffectWheel(bdist_wheel):
    """A wheel for every system if it holds the effect of every system, else for this one."""

    def get_tag(self) -> tuple[str, str, str]:
        """The wheel's tag; the Python part is the same everywhere."""
        if library_is_released(HERE / BUNDLE) or not builds_here():
            return "py3", "none", "any"
        self.root_is_pure = False
        tag: Any = super().get_tag()
        self.root_is_pure = True
        return "py3", "none", tag[2]


def main() -> None:
    """Compile into this folder's bundle."""
    parser = argparse.ArgumentParser(description="Compile the OpenFX effect.")
    parser.add_argument("--all", action="store_true", help="for every system, with ziglang")
    if parser.parse_args().all:
        build_all(HERE / BUNDLE)
    else:
        build_own(HERE / BUNDLE)


if __name__ == "__main__":
    main()
