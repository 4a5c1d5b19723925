"""Times of frames that rise from frame to frame, whatever a clip states."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from ..errors import MediaError
from ..human import counted
from ..options import Timestamps
from .survey import MOST_IN_A_ROW, Disorder


class RisingTimes:
    """Times of the frames of one pass over a clip.

    Attributes:
        last: Time of the latest frame, in units of the time base; None before the first.
        repaired: Frames so far whose times did not rise.

    Args:
        path: The clip.
        time_base: Unit of the times.
        timestamps: See `ClipReader`.
    """

    def __init__(self, path: Path, time_base: Fraction, timestamps: Timestamps):
        self._path, self._time_base, self._timestamps = path, time_base, timestamps
        self.last: int | None = None
        self.repaired = self._in_a_row = 0

    def next(self, pts: int | None, step: int) -> int:
        """Return the next frame's time.

        Args:
            pts: What the clip states; None where it states nothing.
            step: Duration of the frame.

        Raises:
            MediaError: It does not rise, and that is refused, or has lasted for some frames.
        """
        if pts is None:
            pts = 0 if self.last is None else self.last + step
        if self.last is not None and pts <= self.last:
            pts = self._repaired(pts, self.last)
        else:
            self._in_a_row = 0
        self.last = pts
        return pts

    def _repaired(self, pts: int, last: int) -> int:
        self._in_a_row += 1
        lasting = self._in_a_row > MOST_IN_A_ROW
        if self._timestamps == "refuse" or lasting:
            raise self._no_rise(pts, last, lasting=lasting)
        self.repaired += 1
        return last + 1

    def check(self, found: Disorder, *, whole: bool) -> None:
        """Refuse what a survey has found.

        Args:
            found: Of the whole clip.
            whole: Whether all of it is read.

        Raises:
            MediaError: Times do not rise, and that is refused, or the clock starts again.
        """
        if found.restart is not None and whole:
            raise self._no_rise(*found.restart, lasting=True)
        if found.frames and self._timestamps == "refuse":
            raise MediaError(
                f"has {counted(found.frames, 'frame')} that by their times do not come after the "
                "one before",
                path=self._path,
                hint="--timestamps repair puts each a tick after it",
            )

    def _no_rise(self, pts: int, last: int, *, lasting: bool) -> MediaError:
        base, repair = self._time_base, "--timestamps repair puts it a tick after it"
        return MediaError(
            f"has a frame at {place(pts, base)} that does not come after the one before it, at "
            f"{place(last, base)}",
            path=self._path,
            hint="its clock starts again: split it there" if lasting else repair,
        )


def place(pts: int | None, time_base: Fraction) -> str:
    """Return where in a clip a time is, in words; None is its start."""
    return "its start" if pts is None else f"{float(pts * time_base):.3f} s"
