"""The effect's bundle: installed where OpenFX hosts look, removed, and checked."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from ...core.errors import OutputError
from ...core.finding import Finding
from ...core.library import SHIPPED
from ...core.user_folders import data_folder

BUNDLE = "Brushreel.ofx.bundle"
_OURS = Path(__file__).parent / BUNDLE
_COMPILE = "install a C compiler, then Brushreel again"
_LIBRARIES = {"linux": "Linux-x86-64", "darwin": "MacOS", "win32": "Win64"}
_SYSTEM_FOLDERS = {
    "linux": Path("/usr/OFX/Plugins"),
    "darwin": Path("/Library/OFX/Plugins"),
    "win32": Path(os.environ.get("COMMONPROGRAMFILES", "C:/Program Files/Common Files"))
    / "OFX/Plugins",
}


def plugin_folders() -> list[Path]:
    """Return the folders that hosts search: those of OFX_PLUGIN_PATH, then the system's."""
    paths = os.environ.get("OFX_PLUGIN_PATH", "").split(os.pathsep)
    return [*(Path(path) for path in paths if path), _SYSTEM_FOLDERS[sys.platform]]


def own_folder() -> Path:
    """Return the user's folder for effects, which hosts search if OFX_PLUGIN_PATH names it."""
    return data_folder() / "ofx"


def _folder(root: Path | None, *, system: bool) -> Path:
    if root:
        return root
    if system:
        return _SYSTEM_FOLDERS[sys.platform]
    first = plugin_folders()[0]
    return first if os.access(_first_existing(first), os.W_OK) else own_folder()


def _first_existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _library(bundle: Path) -> Path:
    return bundle / "Contents" / _LIBRARIES[sys.platform] / "Brushreel.ofx"


def install(root: Path | None = None, *, system: bool = False, dry_run: bool = False) -> list[str]:
    """Install the effect, replacing an older one.

    Args:
        root: The plug-in folder. By default the first of OFX_PLUGIN_PATH, else the system's if it
            is writable, else `own_folder`.
        system: Use the system's folder; may need an administrator.
        dry_run: Change nothing.

    Returns:
        Lines on what was done (or would be), and what is left to do.

    Raises:
        OutputError: There is no effect for this machine, or the folder can't be written to.
    """
    if not _library(_OURS).exists():
        raise OutputError(
            "this installation of Brushreel has no OpenFX effect for this machine",
            hint=_COMPILE,
        )
    folder = _folder(root, system=system)
    bundle = folder / BUNDLE
    if dry_run:
        return [f"would install {bundle}", *_next_steps(folder)]
    try:
        _put(bundle)
    except OSError as error:
        raise OutputError.because(
            error, "can't be written", path=bundle, hint=_write_hint(folder)
        ) from error
    return [f"installed {bundle}", *_next_steps(folder)]


def _put(bundle: Path) -> None:
    partial = bundle.with_name(f".{BUNDLE}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(_OURS, partial)
        _write_command(partial)
        _exchange(partial, bundle)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _exchange(new: Path, bundle: Path) -> None:
    old = bundle.with_name(f".{BUNDLE}.old")
    replaces = bundle.exists()
    if replaces:
        shutil.rmtree(old, ignore_errors=True)
        bundle.rename(old)
    try:
        new.rename(bundle)
    except OSError:  # on Windows a virus scanner may be reading the new files
        if replaces:
            old.rename(bundle)
        raise
    # A host that has the old one open may keep Windows from removing it.
    shutil.rmtree(old, ignore_errors=True)


def _write_command(bundle: Path) -> None:
    """Write the folder of the styles and the command of the server; see native/link.h.

    -P keeps Python from importing from the host's working folder.
    """
    lines = [str(SHIPPED), sys.executable, "-P", "-m", "brushreel", "serve", "--detach"]
    resources = bundle / "Contents" / "Resources"
    resources.mkdir(parents=True, exist_ok=True)
    with (resources / "server").open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)


def _next_steps(folder: Path) -> list[str]:
    lines = []
    if folder not in plugin_folders():
        lines.append(
            f"set OFX_PLUGIN_PATH={folder} in the host's environment, so that it finds the effect"
        )
    return [*lines, "restart the host to see it"]


def _write_hint(folder: Path) -> str:
    if folder != _SYSTEM_FOLDERS[sys.platform]:
        return "choose a folder of your own"
    return "as an administrator" if sys.platform == "win32" else "with sudo"


def uninstall(
    root: Path | None = None, *, system: bool = False, dry_run: bool = False
) -> list[str]:
    """Remove the effect from where `install` puts it.

    Args:
        root: The plug-in folder. By default all folders that hosts search, and `own_folder`.
        system: Use the system's folder alone.
        dry_run: Change nothing.

    Returns:
        Lines on what was done (or would be).

    Raises:
        OutputError: It can't be removed.
    """
    everywhere = [*plugin_folders(), own_folder()]
    folders = [_folder(root, system=system)] if root or system else everywhere
    found = [folder / BUNDLE for folder in folders if (folder / BUNDLE).is_dir()]
    if dry_run:
        return [f"would remove {bundle}" for bundle in found]
    for bundle in found:
        try:
            shutil.rmtree(bundle)
        except OSError as error:
            raise OutputError.because(
                error, "can't be removed", path=bundle, hint=_write_hint(bundle.parent)
            ) from error
    return [f"removed {bundle}" for bundle in found] or ["the effect was not installed"]


def installed() -> list[Path]:
    """Return the bundles that hosts find, and the one of `own_folder`."""
    folders = dict.fromkeys([*plugin_folders(), own_folder()])
    return [folder / BUNDLE for folder in folders if (folder / BUNDLE).is_dir()]


def examine() -> Finding:
    """Report whether there is an effect for this machine, for the doctor."""
    if _library(_OURS).exists():
        return Finding(
            "openfx",
            "ok",
            "the effect is compiled; install it with brushreel resolve install --ofx",
        )
    return Finding("openfx", "missing", "the effect is not compiled for this machine", _COMPILE)


def check() -> list[str]:
    """Load the effect as a host does.

    Returns:
        A line for each problem; none when hosts find the effect and can load it.
    """
    if not _library(_OURS).exists():
        return [f"the effect is not compiled for this machine: {_COMPILE}"]
    bundles = installed()
    if not bundles:
        return ["the effect is not installed: brushreel resolve install --ofx"]
    wrong = [line for bundle in bundles for line in _problems(bundle)]
    if not any(bundle.parent in plugin_folders() for bundle in bundles):
        wrong.append(f"hosts don't search {own_folder()}: add it to OFX_PLUGIN_PATH")
    return wrong


def _problems(bundle: Path) -> list[str]:
    try:
        library = ctypes.CDLL(str(_library(bundle)))
        count = library.OfxGetNumberOfPlugins()
    except (OSError, AttributeError):
        return [f"{bundle} can't be loaded: it is damaged or of another system: install it again"]
    if count < 1:
        return [f"{bundle} has no effect"]
    if _library(bundle).read_bytes() != _library(_OURS).read_bytes():
        return [f"{bundle} is from another version: install it again"]
    with suppress(OSError, IndexError):
        text = (bundle / "Contents" / "Resources" / "server").read_text(encoding="utf-8")
        if Path(text.splitlines()[1]).exists():
            return []
    return [f"{bundle} does not know how to start Brushreel: install it again"]
