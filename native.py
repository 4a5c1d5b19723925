"""Compiles what is written in C: the OpenFX effect, scaling, and the network's kernels.

For this machine with its own compiler, for all others with zig's:

    python native.py --all

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
from contextlib import suppress
from pathlib import Path
from typing import Any

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
EFFECT = Path("plugin_resolve", "ofx")
KERNELS = Path("core", "runtimes", "kernels.so")
SCALING = Path("core", "frames", "scaling.so")
"""Folder of the effect's bundle, and the kernels' libraries, all in the package."""

_KERNEL_SOURCES = ("kernels.c", "amx.c", "avx512.c")
BUNDLE = "Brushreel.ofx.bundle"
LIBRARY = "Brushreel.ofx"
PLUGIN = "org.brushreel.paint"
VERSION = "1.0"

FOLDERS = {"linux": "Linux-x86-64", "darwin": "MacOS", "win32": "Win64"}
"""Where OpenFX hosts look in a bundle, by `sys.platform`."""

_COMMON = ("plugin.c", "instance.c", "describe.c", "host.c", "link.c", "styles.c", "image.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fvisibility=hidden")
_KERNEL_FLAGS = (
    *("-O3", "-fPIC", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512bf16"),
    *("-mamx-tile", "-mamx-bf16", "-lpthread", "-lm"),
)
# The same bits on every CPU: no fused multiply-adds. Vectors are passed to inlined functions only.
_SCALING_FLAGS = ("-O3", "-ffp-contract=off", "-Wno-psabi", "-fPIC")
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
  <key>CFBundleName</key><string>Brushreel</string>
  <key>CFBundlePackageType</key><string>BNDL</string>
  <key>CFBundleShortVersionString</key><string>{VERSION}</string>
  <key>CFBundleVersion</key><string>{VERSION}</string>
</dict>
</plist>
"""


def library_in(bundle: Path, system: str = sys.platform) -> Path:
    """Return the path of a system's library (`sys.platform`) in a bundle."""
    return bundle / "Contents" / FOLDERS[system] / LIBRARY


def own_compiler() -> list[str] | None:
    """Return this machine's C compiler, by the environment's CC or its usual names, or None."""
    for command in (os.environ.get("CC", ""), "cc", "gcc", "clang"):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return None


def builds_here() -> bool:
    """Return whether this machine compiles its own effect; Windows has the cross-compiled one."""
    return (sys.platform == "darwin" or _is_linux_x86()) and own_compiler() is not None


def _is_linux_x86() -> bool:
    return sys.platform == "linux" and platform.machine() in ("x86_64", "AMD64")


def build_kernels(library: Path, compiler: list[str]) -> None:
    """Compile the network's kernels for Linux x86-64, whatever its CPU.

    Raises:
        subprocess.CalledProcessError: The compiler refuses, as one older than AMX does.
    """
    sources = [str(ROOT / KERNELS.with_name(source)) for source in _KERNEL_SOURCES]
    subprocess.run([*compiler, *_FLAGS, "-o", str(library), *sources, *_KERNEL_FLAGS], check=True)


def build_scaling(library: Path, compiler: list[str]) -> None:
    """Compile what scales pictures, for any CPU of the compiler's kind.

    Raises:
        subprocess.CalledProcessError: The compiler refuses.
    """
    source = ROOT / SCALING.with_suffix(".c")
    subprocess.run(
        [*compiler, *_FLAGS, *_SCALING_FLAGS, "-o", str(library), str(source)], check=True
    )


def build_own(root: Path) -> None:
    """Compile all that this machine can use, into the package's folder.

    Raises:
        FileNotFoundError: There is no compiler.
        subprocess.CalledProcessError: The compiler refuses.
    """
    build_scaling(root / SCALING, _compiler())
    build_own_effect(root / EFFECT / BUNDLE)
    if _is_linux_x86():
        build_kernels(root / KERNELS, _compiler())


def build_own_effect(bundle: Path) -> None:
    """Compile the effect for this machine, into a bundle; raises as `build_own`."""
    _compile(_compiler(), sys.platform, library_in(bundle))
    _write_info(bundle)


def _compiler() -> list[str]:
    compiler = own_compiler()
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    return compiler


def build_all(bundle: Path) -> None:
    """Compile the effect for Linux x86-64, macOS (both kinds in one file) and Windows x86-64.

    Needs `ziglang` from the package index.

    Raises:
        subprocess.CalledProcessError: The compiler refuses, or is not there.
    """
    zig = _zig()
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


def _zig() -> list[str]:
    return [sys.executable, "-m", "ziglang", "cc"]


def _compile(compiler: list[str], system: str, library: Path) -> None:
    sources = [*_COMMON, "system_windows.c" if system == "win32" else "system_posix.c"]
    libraries = {
        "linux": ["-fPIC", "-lpthread", "-ldl"],
        "darwin": ["-fPIC"],
        "win32": ["-ladvapi32"],
    }
    library.parent.mkdir(parents=True, exist_ok=True)
    arguments = [*compiler, *_FLAGS, "-o", str(library)]
    arguments += [str(ROOT / EFFECT / "native" / source) for source in sources]
    subprocess.run([*arguments, *libraries[system]], check=True)


def _write_info(bundle: Path) -> None:
    (bundle / "Contents" / "Info.plist").write_text(_INFO, encoding="utf-8")


def universal(thin: list[Path]) -> bytes:
    """Return one Mach-O file for several processors (<mach-o/fat.h>).

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


def _note_commit(root: Path) -> None:
    """Write which commit is built; the version shows it where there is no checkout."""
    git = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    if (ROOT / ".git").exists():
        with suppress(OSError, subprocess.CalledProcessError):
            text = subprocess.run(git, capture_output=True, text=True, check=True).stdout
            (root / "core" / "commit.txt").write_text(text, encoding="utf-8")


class BuildNative(build_py):
    """The build of the Python modules, and of what can be compiled next to them."""

    def run(self) -> None:
        """Build; without a compiler all but what it makes, which `doctor` then says."""
        super().run()
        root = ROOT if self.editable_mode else Path(self.build_lib, "brushreel")
        if not self.editable_mode:
            self._take_released(root)
            _note_commit(root)
        if is_released() or not builds_here():
            return
        try:
            build_own(root)
        except subprocess.CalledProcessError as error:
            ended = f"the compiler ended with status {error.returncode}"
            self.warn(f"not all that is written in C was compiled: {ended}")

    def _take_released(self, root: Path) -> None:
        """Copy what `main` compiled for all systems."""
        if (ROOT / EFFECT / BUNDLE).exists():
            shutil.copytree(ROOT / EFFECT / BUNDLE, root / EFFECT / BUNDLE, dirs_exist_ok=True)
        for library in (KERNELS, SCALING):
            if is_released() and (ROOT / library).exists():
                shutil.copy(ROOT / library, root / library)


def is_released() -> bool:
    """Return whether the libraries of all systems exist, and no compiler is needed here."""
    return all(library_in(ROOT / EFFECT / BUNDLE, system).exists() for system in FOLDERS)


class NativeWheel(bdist_wheel):
    """A wheel for every system if it holds what is compiled for each, else for this one."""

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tag; the Python part is the same everywhere."""
        if is_released() or not builds_here():
            return "py3", "none", "any"
        self.root_is_pure = False
        tag: Any = super().get_tag()
        self.root_is_pure = True
        return "py3", "none", tag[2]


def main() -> None:
    """Compile into the package."""
    parser = argparse.ArgumentParser(description="Compile what is written in C.")
    parser.add_argument("--all", action="store_true", help="for every system, with ziglang")
    if parser.parse_args().all:
        build_all(ROOT / EFFECT / BUNDLE)
        linux = [*_zig(), "-target", *_ZIG_TARGETS["linux"], "-g0", "-s"]
        build_kernels(ROOT / KERNELS, linux)
        build_scaling(ROOT / SCALING, linux)
    else:
        build_own(ROOT)


if __name__ == "__main__":
    main()
