"""Verification of a written clip: it is read back and compared with what was meant."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from av.stream import AttachmentStream

from ...core.clips.media import ClipInfo, ClipReader
from ...core.errors import MediaError, OutputError
from ...core.frames.frame import Frame
from ...core.options import VerifyLevel
from .mux import CopiedTrack, TrackDigest

# Matroska counts in milliseconds; MP4 starts a track to the tick, but in ticks of its own.
_AUDIO_START_TOLERANCE = Fraction(1, 1000)


@dataclass
class Expectation:
    """Expected content of a clip, noted while it is written; 8 bytes a frame.

    Attributes:
        time_base: Seconds; the unit of the times.
        tolerance: Seconds by which a time may be rounded; 0 where the container is exact.
        pts: Presentation time of every frame.
        last_end: End of the last frame, in units of `time_base`.
        tracks: Every stream but the video, in order, with a digest of what was written.
    """

    time_base: Fraction
    tolerance: Fraction = Fraction(0)
    pts: array[int] = field(default_factory=lambda: array("q"))
    last_end: int = 0
    tracks: Sequence[CopiedTrack] = ()

    def add(self, frame: Frame) -> None:
        """Note a frame."""
        self.pts.append(frame.pts)
        self.last_end = frame.pts + frame.duration


def verify(path: Path, expected: Expectation, name: Path, level: VerifyLevel = "standard") -> None:
    """Decode a written clip whole; every frame, time, stream and audio packet must be there.

    Args:
        path: The written file.
        expected: What it should contain.
        name: Final name of the file, for errors.
        level: "full" compares the packets of every copied stream, "standard" those of audio alone.

    Raises:
        OutputError: Something differs; it says what.
    """
    try:
        with ClipReader(path, interlaced="keep") as reader:
            info = reader.info
            frames, found = _read_back(reader, expected)
    except MediaError as error:
        raise OutputError(f"did not read back: {error.what}", path=name) from error
    if frames != len(expected.pts):
        raise OutputError(f"has {frames} frames instead of {len(expected.pts)}", path=name)
    _check_duration(info, expected, name)
    for kind in sorted({track.about.type for track in expected.tracks} | {"audio"}):
        wanted = [track.digest for track in expected.tracks if track.about.type == kind]
        _check_tracks(kind, found.get(kind, []), wanted, name, level)


def _read_back(
    reader: ClipReader, expected: Expectation
) -> tuple[int, dict[str, list[TrackDigest]]]:
    """Return the number of frames, and digests of the other streams by their type."""
    digests = {stream.index: TrackDigest() for stream in reader.info.others}
    count = 0
    for item in reader.frames_and_packets():
        if isinstance(item, Frame):
            _check_time(item, count, expected)
            count += 1
        else:
            digests[item.stream.index].add(item)
    found: dict[str, list[TrackDigest]] = {}
    for about in reader.info.others:
        stream = reader.container.streams[about.index]
        if isinstance(stream, AttachmentStream):
            digests[about.index].add_content(stream.data)
        found.setdefault(about.type, []).append(digests[about.index])
    return count, found


def _check_time(frame: Frame, index: int, expected: Expectation) -> None:
    if index >= len(expected.pts):
        return
    wanted = expected.pts[index] * expected.time_base
    if abs(frame.time - wanted) > expected.tolerance:
        raise MediaError(
            f"frame {index} is at {float(frame.time):.6f} s instead of {float(wanted):.6f} s"
        )


def _check_duration(info: ClipInfo, expected: Expectation, name: Path) -> None:
    """Check that the video ends with its last frame, to a tick; Matroska does not state it."""
    if info.video.duration is None:
        return
    end = expected.pts[0] * expected.time_base + info.video.duration
    wanted = expected.last_end * expected.time_base
    if abs(end - wanted) > max(expected.tolerance, info.video.time_base):
        raise OutputError(f"ends at {float(end):.6f} s instead of {float(wanted):.6f} s", path=name)


def _check_tracks(
    kind: str, found: list[TrackDigest], expected: list[TrackDigest], name: Path, level: VerifyLevel
) -> None:
    if kind != "audio":
        # MP4 drops a track that stayed empty.
        found, expected = _filled(found), _filled(expected)
    if kind == "data":
        # MP4 and MOV add tracks of their own, for timecode and chapters, after these.
        found = found[: len(expected)]
    if len(found) != len(expected):
        raise OutputError(f"has {len(found)} {kind} tracks instead of {len(expected)}", path=name)
    for index, (track, wanted) in enumerate(zip(found, expected, strict=True)):
        if (kind == "audio" or level == "full") and not track.same_content(wanted):
            raise OutputError(f"{kind} track {index} differs from the source's", path=name)
        if kind == "audio" and _starts_apart(track, wanted):
            raise OutputError(f"audio track {index} starts at another time", path=name)


def _filled(tracks: list[TrackDigest]) -> list[TrackDigest]:
    return [track for track in tracks if track.packets]


def _starts_apart(one: TrackDigest, other: TrackDigest) -> bool:
    return abs((one.start or 0) - (other.start or 0)) > _AUDIO_START_TOLERANCE
