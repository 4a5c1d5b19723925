"""Styled shots that lie in a cut already: it was exported with an earlier run's tracks in it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from .model import Use

# What `plan_shot` calls files. Sources may lie in the media folder too, under names of their own.
_NAME = re.compile(r".+\..+\.[0-9a-f]{10}\.mov")


def is_styled_shot(use: Use, folder: Path) -> bool:
    """Whether a clip is what an earlier run wrote, and not to be styled once more.

    Args:
        use: The clip.
        folder: Where files of this run lie; those of an earlier one with the same output, too.
    """
    return use.on_styled_track or (_has_our_name(use) and _lies_in(use.media, folder))


def outdated_shots(uses: Iterable[Use], folder: Path) -> list[Use]:
    """The clips that new ones take the place of: whatever else was laid on their track stays."""
    return [use for use in uses if _has_our_name(use) and is_styled_shot(use, folder)]


def _has_our_name(use: Use) -> bool:
    return use.media is not None and _NAME.fullmatch(use.media.name) is not None


def _lies_in(media: Path | None, folder: Path) -> bool:
    """By its name as well: edit decision lists know no folders, and other machines have others."""
    if media is None:
        return False
    return media.parent == folder.absolute() or (folder / media.name).is_file()
