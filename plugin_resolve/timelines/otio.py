"""OpenTimelineIO's own files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.clips.timecode import editing_rate
from ...core.errors import UsageError, extra
from ..styled_track import is_styled_track
from .model import (
    FREEZE,
    GENERATED,
    NESTED,
    NO_MEDIA,
    RETIMED,
    SWITCHED_OFF,
    ClipUse,
    ClipUses,
    StyledClip,
    StyledTrack,
    chosen,
    emptied_tracks,
    path_of,
)

if TYPE_CHECKING:
    import opentimelineio as otio


def opentimelineio() -> Any:  # noqa: ANN401  a module
    """Import and return OpenTimelineIO.

    Raises:
        ExtraError: It is not installed.
    """
    with extra("timeline"):
        import opentimelineio  # noqa: PLC0415
    return opentimelineio


_READ = """
import sys
from opentimelineio.adapters import read_from_file
read_from_file(sys.argv[1], adapter_name="otio_json")
"""
_NOT_A_TIMELINE = "it is damaged, or not OpenTimelineIO's JSON"


class OtioTimeline:
    """A timeline in OpenTimelineIO's format, see `TimelineFile`.

    Raises:
        UsageError: It can't be read, or has no timeline.
    """

    folders: Sequence[Path] = ()

    def __init__(self, path: Path, sequence: str | None = None):
        self._otio = opentimelineio()
        self.warnings: list[str] = []
        self._whole = self._read(path)
        timelines = self._timelines()
        if not timelines:
            raise UsageError("holds no timeline", path=path)
        names = [timeline.name or "" for timeline in timelines]
        self._taken = chosen(names, sequence, "timeline", self.warnings)
        self.timeline = timelines[self._taken]
        self._tracks = self.timeline.video_tracks()
        self.rate = self._rate(path)
        uses = ClipUses()
        for number, track in enumerate(self._tracks):
            self._read_track(number, track, uses)
        self.uses: Sequence[ClipUse] = uses.found

    def _read(self, path: Path) -> Any:  # noqa: ANN401  a timeline, or a collection of some
        try:
            # The library tells neither what is wrong nor where, and decodes texts when asked.
            json.loads(path.read_bytes().decode())
            _check_in_a_child(path)
            return self._otio.adapters.read_from_file(str(path), adapter_name="otio_json")
        except UsageError:
            raise
        except Exception as error:  # whatever an adapter raises is about the file
            raise UsageError.because(
                error, "can't be read as a timeline", path=path, otherwise=_NOT_A_TIMELINE
            ) from error

    def _timelines(self, whole: Any = None) -> list[otio.schema.Timeline]:  # noqa: ANN401
        """Return the timelines of what was read, or of a copy of it, in the file's order."""
        schema, whole = self._otio.schema, self._whole if whole is None else whole
        if isinstance(whole, schema.Timeline):
            return [whole]
        if isinstance(whole, schema.SerializableCollection):
            return list(whole.find_children(schema.Timeline))
        return []

    def _rate(self, path: Path) -> Fraction:
        """Return the rate that most clips of the video tracks have.

        Audio, transitions and the start may count in units of their own.
        """
        rates: Counter[Fraction] = Counter()
        for track in self._tracks:
            for clip in track.find_clips():
                with suppress(self._otio.exceptions.OTIOError):
                    rates[_exact(clip.trimmed_range().duration.rate)] += 1
        if not rates:
            raise UsageError("has no clip", path=path)
        start = self.timeline.global_start_time
        stated = None if start is None else _exact(start.rate)
        return max(rates, key=lambda rate: (rates[rate], rate == stated))

    def _read_track(self, number: int, track: otio.schema.Track, uses: ClipUses) -> None:
        schema = self._otio.schema
        for item in track:
            if isinstance(item, schema.Transition):
                self.warnings.append(f"{item.name or 'a transition'}: is a cut on the new track")
            elif not isinstance(item, schema.Gap):
                self._read_item(number, item, uses)

    def _read_item(self, track: int, item: otio.core.Item, uses: ClipUses) -> None:
        try:
            on_track, in_media = item.range_in_parent(), item.trimmed_range()
        except self._otio.exceptions.OTIOError as error:
            raise UsageError(f"its clip {item.name or 'without a name'} has no range") from error
        reference = getattr(item, "media_reference", None)
        media = self._media(reference)
        available = None if reference is None else reference.available_range
        origin = 0 if available is None else self._frames(available.start_time)
        if available is None:
            origin = getattr(reference, "start_frame", 0)
        uses.add(
            track,
            item.name or ("" if media is None else media.name),
            self._frames(on_track.start_time),
            self._frames(on_track.duration),
            media=media,
            first=self._frames(in_media.start_time) - origin,
            origin=available is None and not hasattr(reference, "start_frame"),
            texts=tuple(_texts(item)),
            color=_color(item),
            problem=self._problem(item, reference),
            on_styled_track=is_styled_track(self._tracks[track].name),
        )

    def _media(self, reference: Any) -> Path | None:  # noqa: ANN401
        """Return the media file; of an image sequence, a pattern of its names."""
        if not isinstance(reference, self._otio.schema.ImageSequenceReference):
            url = getattr(reference, "target_url", None)
            return path_of(url) if url else None
        digits = reference.frame_zero_padding
        place = f"%0{digits}d" if digits > 1 else "%d"
        name = f"{reference.name_prefix}{place}{reference.name_suffix}"
        return path_of(reference.target_url_base) / name

    def _frames(self, time: otio.opentime.RationalTime) -> int:
        return round(time.rescaled_to(float(self.rate)).value)

    def _problem(self, item: otio.core.Item, reference: Any) -> str:  # noqa: ANN401
        schema = self._otio.schema
        if not (item.enabled and item.parent().enabled):
            return SWITCHED_OFF
        if not isinstance(item, schema.Clip):
            return NESTED
        if isinstance(reference, schema.GeneratorReference):
            return GENERATED
        if retimed := max(map(self._retimed, item.effects), default=""):
            return retimed
        rate = _exact(item.trimmed_range().duration.rate)
        if rate != self.rate:
            return f"runs at {float(rate):.5g} fps on a timeline of {float(self.rate):.5g}"
        return "" if self._media(reference) else NO_MEDIA

    def _retimed(self, effect: otio.schema.Effect) -> str:
        schema = self._otio.schema
        if isinstance(effect, schema.LinearTimeWarp):
            return {0: FREEZE, 1: ""}.get(effect.time_scalar, RETIMED)
        return RETIMED if isinstance(effect, schema.TimeEffect) else ""

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """See `TimelineFile`; tracks are removed as a whole, once nothing else is on them."""
        whole = self._whole.deepcopy()
        timeline = self._timelines(whole)[self._taken]
        old = timeline.video_tracks()
        for track in tracks:
            index = timeline.tracks.index(old[track.above])
            timeline.tracks.insert(index + 1, self.track(track))
        for number in emptied_tracks(self.uses, without):
            timeline.tracks.remove(old[number])
        return self._otio.adapters.write_to_string(whole, "otio_json").encode()

    def track(self, track: StyledTrack) -> otio.schema.Track:
        """Return a stylized track with the gaps between its clips."""
        schema = self._otio.schema
        new = schema.Track(name=track.name, kind=schema.TrackKind.Video)
        end = 0
        for clip in track.clips:
            if clip.use.start > end:
                new.append(schema.Gap(source_range=self._range(0, clip.use.start - end)))
            new.append(self._clip(clip))
            end = clip.use.start + clip.use.frames
        return new

    def _clip(self, clip: StyledClip) -> otio.schema.Clip:
        schema, start = self._otio.schema, clip.start.number(self.rate)
        return schema.Clip(
            name=clip.use.name,
            # A bare path, and the media's own timecode: else Resolve imports nothing.
            media_reference=schema.ExternalReference(
                target_url=str(clip.shot.path.absolute()),
                available_range=self._range(start, clip.shot.frames),
            ),
            source_range=self._range(start + clip.offset, clip.use.frames),
            metadata={"brushreel": {"recipe": clip.recipe.to_json()}},
        )

    def _range(self, start: int, frames: int) -> otio.opentime.TimeRange:
        time, rate = self._otio.opentime, float(self.rate)
        return time.TimeRange(time.RationalTime(start, rate), time.RationalTime(frames, rate))


def _check_in_a_child(path: Path) -> None:
    """Read a file in a process that may crash, as the library does on some damaged files.

    Raises:
        UsageError: It does.
    """
    command = [sys.executable, "-c", _READ, str(path)]
    ended = subprocess.run(command, capture_output=True, check=False)
    if ended.returncode not in (0, 1):
        raise UsageError(f"can't be read as a timeline: {_NOT_A_TIMELINE}", path=path)


def _exact(rate: float) -> Fraction:
    """Return the exact rate for a decimal number."""
    if not (isfinite(rate) and rate > 0):
        raise UsageError(f"its rate {str(rate).replace('inf', 'Infinity')} is no frame rate")
    return editing_rate(Fraction(rate).limit_denominator(1001))


def _texts(item: otio.core.Item) -> Iterator[str]:
    yield item.name or ""
    for marker in item.markers:
        yield marker.name or ""
        yield marker.comment or ""
        # Resolve stores a marker's text here.
        yield from (text for text in _strings(marker.metadata))


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401  metadata of other programs
    if isinstance(value, str):
        yield value
    elif hasattr(value, "values"):
        for part in value.values():
            yield from _strings(part)


def _color(item: otio.core.Item) -> str:
    resolve = item.metadata.get("Resolve_OTIO", {})
    named = resolve.get("Clip Color") or resolve.get("Color") or ""
    return str(named)
