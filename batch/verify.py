"""Read a written clip back, and compare it with what was meant to be written."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from ..core.errors import MediaError, OutputError
from ..core.frame import Frame
from ..core.media import ClipInfo, ClipReader
from .mux import TrackDigest

# Matroska counts in milliseconds; MP4 starts a track to the tick, but in ticks of its own.
_SOUND_START_TOLERANCE = Fraction(1, 1000)


@dataclass
class Expectation:
    """What was written, noted as it went by; 16 bytes a frame.

    Attributes:
        time_base: Seconds; the unit of the times.
        tolerance: Seconds by which a time may be rounded; 0 where the container is exact.
        pts: Of every frame.
        last_end: Of the last frame, in units of `time_base`.
        sound: The packets of each sound track, in the tracks' order.
    """

    time_base: Fraction
    tolerance: Fraction = Fraction(0)
    pts: array[int] = field(default_factory=lambda: array("q"))
    last_end: int = 0
    sound: list[TrackDigest] = field(default_factory=list)

    def add(self, frame: Frame) -> None:
        """Note a frame."""
        self.pts.append(frame.pts)
        self.last_end = frame.pts + frame.duration


def verify(path: Path, expected: Expectation, name: Path) -> None:
    """Decode a written clip whole; every frame, every time, every sound packet must be there.

    Args:
        path: The written file.
        expected: What it should hold.
        name: What to call the file in an error: the name it was going to get.

    Raises:
        OutputError: Something differs; says what.
    """
    try:
        with ClipReader(path) as reader:
            info = reader.info
            frames, sound = _read_back(reader, expected)
    except MediaError as error:
        raise OutputError(f"did not read back: {error.what}", path=name) from error
    if frames != len(expected.pts):
        raise OutputError(f"has {frames} frames instead of {len(expected.pts)}", path=name)
    _check_duration(info, expected, name)
    _check_sound(sound, expected.sound, name)


def _read_back(reader: ClipReader, expected: Expectation) -> tuple[int, list[TrackDigest]]:
    # By their order, not by their index: MP4 drops a track of another kind that stayed empty.
    sound = {stream.index: TrackDigest() for stream in reader.info.audio}
    count = 0
    for item in reader:
        if isinstance(item, Frame):
            _check_time(item, count, expected)
            count += 1
        elif item.stream.index in sound:
            sound[item.stream.index].add(item)
    return count, list(sound.values())


def _check_time(frame: Frame, index: int, expected: Expectation) -> None:
    if index >= len(expected.pts):
        return
    wanted = expected.pts[index] * expected.time_base
    if abs(frame.time - wanted) > expected.tolerance:
        raise MediaError(
            f"frame {index} is at {float(frame.time):.6f} s instead of {float(wanted):.6f} s"
        )


def _check_duration(info: ClipInfo, expected: Expectation, name: Path) -> None:
    """The track lasts to the end of its last frame, to a tick; Matroska does not say."""
    if info.video.duration is None:
        return
    end = expected.pts[0] * expected.time_base + info.video.duration
    wanted = expected.last_end * expected.time_base
    if abs(end - wanted) > max(expected.tolerance, info.video.time_base):
        raise OutputError(f"ends at {float(end):.6f} s instead of {float(wanted):.6f} s", path=name)


def _check_sound(found: list[TrackDigest], expected: list[TrackDigest], name: Path) -> None:
    if len(found) != len(expected):
        raise OutputError(f"has {len(found)} sound tracks instead of {len(expected)}", path=name)
    for index, (track, wanted) in enumerate(zip(found, expected, strict=True)):
        if not track.same_content(wanted):
            raise OutputError(f"sound track {index} differs from the source's", path=name)
        if abs((track.start or 0) - (wanted.start or 0)) > _SOUND_START_TOLERANCE:
            raise OutputError(f"sound track {index} starts at another time", path=name)
