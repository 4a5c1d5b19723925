"""Stylized shots of an earlier run, found in a timeline that was exported with them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .model import ClipUse

# Names of `plan_shot`. Sources may be in the media folder too, under other names.
_NAME = re.compile(r".+\..+\.[0-9a-f]{10}\.mov")


def is_styled_shot(use: ClipUse, folder: Path) -> bool:
    """Return whether a clip was written by an earlier run, and is not to be stylized again.

    Args:
        use: The clip.
        folder: Folder of this run's files, and of an earlier run's with the same output.
    """
    return use.on_styled_track or (_has_our_name(use) and _is_in(use.media, folder))


def outdated_shots(uses: Iterable[ClipUse], folder: Path) -> list[ClipUse]:
    """Return the clips that new ones replace; anything else on their tracks stays."""
    return [use for use in uses if _has_our_name(use) and is_styled_shot(use, folder)]


def _has_our_name(use: ClipUse) -> bool:
    return use.media is not None and _NAME.fullmatch(use.media.name) is not None


def _is_in(media: Path | None, folder: Path) -> bool:
    """Return whether a file is in a folder, by its path or by its name alone.

    Edit decision lists have no folders, and other machines have other ones.
    """
    if media is None:
        return False
    return media.parent == folder.absolute() or (folder / media.name).is_file()
