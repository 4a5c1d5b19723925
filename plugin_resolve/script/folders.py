"""The folders of DaVinci Resolve and its scripts on each system."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...core.user_folders import home_folder

_BRAND = Path("Blackmagic Design") / "DaVinci Resolve"
_UTILITY = Path("Fusion") / "Scripts" / "Utility"


@dataclass(frozen=True)
class Folders:
    """The folders on one system.

    Attributes:
        user: Folder of scripts that Resolve lists for this user on every page.
        system: Folder of scripts that it lists for all users; needs an administrator.
        programs: Possible paths of the program.
        own_python: Possible paths of the Python that Resolve 21.1 and later bring along.
        sandbox: Container of the App Store's build, which can't start programs; None elsewhere.
    """

    user: Path
    system: Path
    programs: tuple[Path, ...]
    own_python: tuple[Path, ...]
    sandbox: Path | None = None

    @classmethod
    def here(
        cls,
        platform: str = sys.platform,
        home: Path | None = None,
        environment: Mapping[str, str] = os.environ,
        root: Path = Path("/"),
    ) -> Folders:
        """Return the folders of this machine.

        Args:
            platform: The system, see `sys.platform`.
            home: The user's home folder.
            environment: Environment with the folders of Windows, and XDG_DATA_HOME.
            root: Start of absolute paths on POSIX systems.
        """
        home = home or home_folder()
        if platform == "darwin":
            return _mac(home, root)
        if platform == "win32":
            return _windows(home, environment)
        return _linux(home, environment, root)


def _mac(home: Path, root: Path) -> Folders:
    support = Path("Library") / "Application Support"
    app = root / "Applications" / "DaVinci Resolve" / "DaVinci Resolve.app"
    container = home / "Library" / "Containers" / "com.blackmagic-design.DaVinciResolveLite"
    return Folders(
        user=home / support / _BRAND / _UTILITY,
        system=root / support / _BRAND / _UTILITY,
        programs=(app, root / "Applications" / "DaVinci Resolve.app"),
        own_python=(app / "Contents" / "Applications" / "ResolvePython",),
        sandbox=container,
    )


def _windows(home: Path, environment: Mapping[str, str]) -> Folders:
    roaming = Path(environment.get("APPDATA", home / "AppData" / "Roaming"))
    everyone = Path(environment.get("PROGRAMDATA", "C:/ProgramData"))
    program = Path(environment.get("PROGRAMFILES", "C:/Program Files")) / _BRAND
    return Folders(
        user=roaming / _BRAND / "Support" / _UTILITY,
        system=everyone / _BRAND / _UTILITY,
        programs=(program / "Resolve.exe",),
        own_python=(program / "ResolvePython",),
    )


def _linux(home: Path, environment: Mapping[str, str], root: Path) -> Folders:
    data = Path(environment.get("XDG_DATA_HOME") or home / ".local" / "share")
    roots = (root / "opt" / "resolve", root / "home" / "resolve")
    program = next((one for one in roots if one.exists()), roots[0])
    return Folders(
        user=data / "DaVinciResolve" / _UTILITY,
        system=program / _UTILITY,
        programs=tuple(one / "bin" / "resolve" for one in roots),
        own_python=tuple(one / "ResolvePython" for one in roots),
    )
