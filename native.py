"""Compiles what is written in C: the OpenFX effect, scaling, and the network's kernels.

For this machine with its own compiler, or for the machines of a wheel with zig's:

    python native.py
    pip wheel . --no-deps --no-build-isolation -C--build-option=--plat-name=win_amd64

The file is read by the package's build, too, before the package is there: it imports nothing of it.
"""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

ROOT = Path(__file__).parent
EFFECT = Path("plugin_resolve", "ofx")
KERNELS = Path("core", "runtimes", "kernels.so")
SCALING = Path("core", "frames", "scaling.so")
"""Folder of the effect's bundle, and the kernels' libraries, all in the package."""

BUNDLE = "Brushreel.ofx.bundle"
LIBRARY = "Brushreel.ofx"
PLUGIN = "org.brushreel.paint"
VERSION = "1.0"

FOLDERS = {"linux": "Linux-x86-64", "darwin": "MacOS", "win32": "Win64"}
"""Where OpenFX hosts look in a bundle, by `sys.platform`."""

_COMMIT = Path("core", "commit.txt")
_EFFECT_SOURCES = (
    "plugin.c",
    "instance.c",
    "describe.c",
    "host.c",
    "link.c",
    "styles.c",
    "image.c",
)
_KERNEL_SOURCES = ("kernels.c", "amx.c", "avx512.c")
_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra", "-shared", "-fvisibility=hidden")
_EFFECT_FLAGS = {
    "linux": ("-fPIC", "-lpthread", "-ldl"),
    "darwin": ("-fPIC",),
    "win32": ("-ladvapi32",),
}
_KERNEL_FLAGS = (
    *("-O3", "-fPIC", "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512bf16"),
    *("-mamx-tile", "-mamx-bf16", "-lpthread", "-lm"),
)
# The same bits on every CPU: no fused multiply-adds. Vectors are passed to inlined functions only.
_SCALING_FLAGS = ("-O3", "-ffp-contract=off", "-Wno-psabi", "-fPIC")


class Machines(NamedTuple):
    """Machines that a wheel is for.

    Attributes:
        system: As `sys.platform`.
        processors: As `platform.machine` on Linux; several share one file, as on macOS.
        targets: zig's name of each.
    """

    system: str
    processors: tuple[str, ...]
    targets: tuple[str, ...]


# glibc 2.17 is that of CentOS 7, the oldest system that current hosts run on.
WHEELS = {
    "manylinux_2_17_x86_64": Machines("linux", ("x86_64",), ("x86_64-linux-gnu.2.17",)),
    "manylinux_2_17_aarch64": Machines("linux", ("aarch64",), ("aarch64-linux-gnu.2.17",)),
    "macosx_11_0_universal2": Machines(
        "darwin", ("x86_64", "arm64"), ("x86_64-macos.11.0", "aarch64-macos.11.0")
    ),
    "win_amd64": Machines("win32", ("x86_64",), ("x86_64-windows-gnu",)),
}
"""Wheels that are released, by the tag of their platform."""


class Library(NamedTuple):
    """Library: what is compiled into one file.

    Attributes:
        path: Its place in the package.
        sources: Likewise.
        flags: What the compiler is told about it, beyond what it is told about all.
    """

    path: Path
    sources: tuple[Path, ...]
    flags: tuple[str, ...]


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


def libraries(system: str, processor: str) -> list[Library]:
    """Return all that machines of one kind can use.

    Args:
        system: As `sys.platform`.
        processor: As `platform.machine` on Linux.
    """
    found = [Library(SCALING, (SCALING.with_suffix(".c"),), _SCALING_FLAGS)]
    # No host of the effect runs on Linux on ARM.
    if system in FOLDERS and (system != "linux" or processor == "x86_64"):
        own = "system_windows.c" if system == "win32" else "system_posix.c"
        sources = tuple(EFFECT / "native" / name for name in (*_EFFECT_SOURCES, own))
        found.append(Library(library_in(EFFECT / BUNDLE, system), sources, _EFFECT_FLAGS[system]))
    if (system, processor) == ("linux", "x86_64"):
        sources = tuple(KERNELS.with_name(name) for name in _KERNEL_SOURCES)
        found.append(Library(KERNELS, sources, _KERNEL_FLAGS))
    return found


def own_compiler() -> list[str] | None:
    """Return this machine's C compiler, by the environment's CC or its usual names, or None."""
    # On Windows gcc does not align a function's vectors; what CC names there is meant.
    names = () if sys.platform == "win32" else ("cc", "gcc", "clang")
    for command in (os.environ.get("CC", ""), *names):
        words = shlex.split(command)
        if words and shutil.which(words[0]):
            return words
    return None


def build_own(root: Path, names: Collection[str] = ()) -> None:
    """Compile all that this machine can use, with its own compiler.

    Args:
        root: The package's folder.
        names: File names of the libraries to compile, if not all.

    Raises:
        FileNotFoundError: There is no compiler.
        subprocess.CalledProcessError: The compiler refuses, as one older than AMX does the kernels,
            which come last.
    """
    compiler = own_compiler()
    if compiler is None:
        raise FileNotFoundError("there is no C compiler")
    for library in libraries(sys.platform, platform.machine()):
        if not names or library.path.name in names:
            _compile(compiler, library, root / library.path)
            _complete(root, library.path)


def build_for(tag: str, root: Path) -> None:
    """Compile what a wheel holds, into the package's folder; needs `ziglang`.

    Args:
        tag: One of `WHEELS`.
        root: The package's folder.

    Raises:
        subprocess.CalledProcessError: The compiler refuses, or is not there.
    """
    system, processors, targets = WHEELS[tag]
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        parts = {
            library.path: [threads.submit(_cross_compile, library, target) for target in targets]
            for library in libraries(system, processors[0])
        }
    for path, compiled in parts.items():
        thin = [part.result() for part in compiled]
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(universal(thin) if len(thin) > 1 else thin[0])
        (root / path).chmod(0o755)
        _complete(root, path)


def _cross_compile(library: Library, target: str) -> bytes:
    """Return a library for one of zig's targets; zig keeps what it compiled, by content."""
    # -g0: zig's own default embeds paths of this machine, and so does macOS' name of a library.
    compiler = [sys.executable, "-m", "ziglang", "cc", "-target", target, "-g0", "-s"]
    if "macos" in target:
        compiler.append(f"-Wl,-install_name,@rpath/{library.path.name}")
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / library.path.name
        _compile(compiler, library, made)
        return made.read_bytes()


def _compile(compiler: list[str], library: Library, made: Path) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    sources = [str(ROOT / source) for source in library.sources]
    command = [*compiler, *_FLAGS, "-o", str(made), *sources, *library.flags]
    subprocess.run(command, check=True)


def _complete(root: Path, path: Path) -> None:
    if path.name == LIBRARY:
        (root / EFFECT / BUNDLE / "Contents" / "Info.plist").write_text(_INFO, encoding="utf-8")


def universal(contents: list[bytes]) -> bytes:
    """Return one Mach-O file for several processors (<mach-o/fat.h>).

    Args:
        contents: 64-bit Mach-O files of one processor each.
    """
    alignment = 14  # 2**14: a page of the larger kind
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
    """Write which commit is built; the version shows it where there is no checkout.

    Args:
        root: Folder that is built: of the package, or of a source distribution.
    """
    git = ["git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD"]
    if (ROOT / ".git").exists():
        with suppress(OSError, subprocess.CalledProcessError):
            text = subprocess.run(git, capture_output=True, text=True, check=True).stdout
            (root / _COMMIT).write_text(text, encoding="utf-8")
    elif (ROOT / _COMMIT).exists():
        shutil.copy(ROOT / _COMMIT, root / _COMMIT)


class SourceDistribution(sdist):
    """The source distribution, which notes its commit."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        """Gather what is packed."""
        super().make_release_tree(base_dir, files)
        _note_commit(Path(base_dir))


class BuildNative(build_py):
    """The build of the Python modules, and of what can be compiled next to them."""

    def run(self) -> None:
        """Build; without a compiler all but what it makes, which `doctor` then says."""
        if not self.editable_mode:
            # What an earlier build for other machines has left would be packed as well.
            shutil.rmtree(self.build_lib, ignore_errors=True)
        super().run()
        root = ROOT if self.editable_mode else Path(self.build_lib, "brushreel")
        if not self.editable_mode:
            _note_commit(root)
        wheel: Any = self.distribution.get_command_obj("bdist_wheel", create=False)
        if wheel is not None and wheel.plat_name in WHEELS:
            build_for(wheel.plat_name, root)
        elif own_compiler():
            self._build_own(root)

    def _build_own(self, root: Path) -> None:
        try:
            build_own(root)
        except subprocess.CalledProcessError as error:
            ended = f"the compiler ended with status {error.returncode}"
            self.warn(f"not all that is written in C was compiled: {ended}")


class NativeWheel(bdist_wheel):
    """A wheel for the machines of `--plat-name`, else for this one; for any without libraries."""

    def finalize_options(self) -> None:
        """Decide whether it has libraries, which the tag states."""
        if self.plat_name in WHEELS or own_compiler():
            self.distribution.has_ext_modules = lambda: True
        super().finalize_options()

    def get_tag(self) -> tuple[str, str, str]:
        """Return the wheel's tag; the Python part is the same everywhere."""
        tag: Any = super().get_tag()
        return "py3", "none", tag[2]


if __name__ == "__main__":
    build_own(ROOT)
