"""Findings on Resolve's installation, with a way out where something is missing."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from ...core.atomic import atomic_write
from ...core.finding import Finding
from ...core.user_folders import config_folder
from .folders import Folders
from .install import CONFIG, contents, folder, is_ours
from .resolve.application import Resolve

# From this version on, only Studio runs Python scripts.
STUDIO_ONLY = (21, 1)


def examine(folders: Folders) -> list[Finding]:
    """Check everything that the script in Resolve depends on."""
    scripts = {system: _scripts(folders, system=system) for system in (False, True)}
    # One folder with scripts is enough.
    useful = [one for one in scripts.values() if one.status != "missing"] or [scripts[False]]
    return [_program(folders), _edition(), _python(folders), *_sandbox(folders), *useful]


def _program(folders: Folders) -> Finding:
    there = next((path for path in folders.programs if path.exists()), None)
    if there is None:
        return Finding("resolve", "missing", f"no {folders.programs[0]}", "install DaVinci Resolve")
    return Finding("resolve", "ok", str(there))


def _edition() -> Finding:
    seen = _seen()
    if seen is None:
        way = "start Workspace > Scripts > Brushreel once, or see About DaVinci Resolve"
        return Finding("edition", "missing", "not known yet", way)
    version = ".".join(map(str, seen["version"]))
    detail = f"{seen['product']} {version}, when the script last ran"
    if "Studio" in seen["product"] or tuple(seen["version"]) < STUDIO_ONLY:
        return Finding("edition", "ok", detail)
    way = "use timeline files (brushreel timeline) or the OpenFX effect"
    return Finding("edition", "broken", f"{detail}: runs no Python scripts", way)


def remember_resolve(resolve: Resolve) -> None:
    """Store edition and version for the doctor; ignore errors of writing."""
    seen = {"product": resolve.product, "version": list(resolve.version)}
    try:
        with atomic_write(_seen_file()) as file:
            file.write(json.dumps(seen).encode())
    except OSError:
        return


def _seen_file() -> Path:
    return config_folder() / "resolve-seen.json"


def _seen() -> dict[str, Any] | None:
    try:
        seen = json.loads(_seen_file().read_text(encoding="utf-8"))
        return {"product": str(seen["product"]), "version": [int(n) for n in seen["version"]]}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _python(folders: Folders) -> Finding:
    """Find the Python with which Resolve would run scripts."""
    own = next((path for path in folders.own_python if path.exists()), None)
    if own is not None:
        return Finding("python", "ok", f"Resolve's own, {own}")
    if sys.platform == "win32":
        registered = _registered()
        found = registered[-1] if registered else None
    elif sys.platform == "darwin":
        usual = "/usr/local/bin/python3"
        found = os.environ.get("PYTHON3HOME") or (usual if Path(usual).exists() else None)
    else:
        found = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        way = "install Python 3.10 to 3.12 from python.org for all users"
        return Finding("python", "missing", "none that Resolve would find", way)
    return Finding("python", "ok", f"{found}, used by Resolve up to 21.0")


def _registered() -> list[str]:
    """Return the versions in the registry of Windows; Resolve takes the highest."""
    if sys.platform != "win32":
        return []
    import winreg  # noqa: PLC0415  only there on Windows

    found = []
    for hive in (winreg.HKEY_LOCAL_MACHINE, winreg.HKEY_CURRENT_USER):
        try:
            with winreg.OpenKey(hive, r"Software\Python\PythonCore") as key:
                count = winreg.QueryInfoKey(key)[0]
                found += [winreg.EnumKey(key, number) for number in range(count)]
        except OSError:
            continue
    return sorted(found, key=lambda version: [int(n) for n in version.split(".") if n.isdecimal()])


def _sandbox(folders: Folders) -> list[Finding]:
    if folders.sandbox is None or not folders.sandbox.exists():
        return []
    return [
        Finding(
            "app store",
            "broken",
            "the App Store's Resolve can't start other programs",
            "install the one from blackmagicdesign.com",
        )
    ]


def _scripts(folders: Folders, *, system: bool) -> Finding:
    target = folder(folders, system=system)
    subject = "all users" if system else "scripts"
    command = "brushreel resolve install" + (" --system" if system else "")
    wanted = contents()
    there = [name for name in wanted if (target / name).exists()]
    if not there:
        return Finding(subject, "missing", f"none in {target}", command)
    if foreign := [name for name in there if not is_ours(target / name)]:
        return Finding(
            subject,
            "broken",
            f"{target / foreign[0]} was not written by Brushreel",
            "move it elsewhere",
        )
    if any(not _has_text(target / name, text) for name, text in wanted.items()):
        return Finding(subject, "broken", f"{target} has {_outdated(target)}", f"{command}, again")
    return Finding(subject, "ok", str(target))


def _has_text(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8", errors="replace") == text


def _outdated(target: Path) -> str:
    """Describe an installation that is not the current one."""
    try:
        python = Path(json.loads((target / CONFIG).read_text(encoding="utf-8"))["python"])
    except (OSError, ValueError, KeyError, TypeError):
        return "an incomplete installation"
    if not python.exists():
        return f"scripts that start {python}, which no longer exists"
    same = python == Path(sys.executable)
    return "scripts of an older version" if same else f"the scripts of {python}"
