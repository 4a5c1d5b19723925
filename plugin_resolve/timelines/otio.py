"""OpenTimelineIO's own files, and edit decision lists read by its adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.clips.timecode import editing_rate
from ...core.errors import UsageError, extra
from ..styled_track import is_styled_track
from .model import (
    GENERATED,
    NESTED,
    NO_MEDIA,
    RETIMED,
    SWITCHED_OFF,
    ClipUse,
    ClipUses,
    StyledClip,
    StyledTrack,
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


class OtioTimeline:
    """A timeline in OpenTimelineIO's format, see `TimelineFile`.

    Raises:
        UsageError: It can't be read, or has no timeline.
    """

    def __init__(self, path: Path):
        self._otio = opentimelineio()
        self.timeline = self._read(path)
        self.warnings: list[str] = []
        self._tracks = self.timeline.video_tracks()
        self.rate = self._rate(path)
        uses = ClipUses()
        try:
            for number, track in enumerate(self._tracks):
                self._read_track(number, track, uses)
        except self._otio.exceptions.OTIOError as error:  # a clip without a range
            raise UsageError(f"can't be read as a timeline: {error}", path=path) from error
        self.uses: Sequence[ClipUse] = uses.found

    def _read(self, path: Path) -> otio.schema.Timeline:
        try:
            found = self._otio.adapters.read_from_file(str(path), **self._options())
        except Exception as error:  # whatever an adapter raises is about the file
            raise UsageError(f"can't be read as a timeline: {error}", path=path) from error
        if isinstance(found, self._otio.schema.Timeline):
            return found
        raise UsageError("does not hold exactly one timeline", path=path)

    def _options(self) -> dict[str, float]:
        """Return the adapter's options."""
        return {}

    def _rate(self, path: Path) -> Fraction:
        start = self.timeline.global_start_time
        if start is not None:
            return _exact(start.rate)
        for clip in self.timeline.find_clips():
            return _exact(clip.trimmed_range().duration.rate)
        raise UsageError("has no clip", path=path)

    def _read_track(self, number: int, track: otio.schema.Track, uses: ClipUses) -> None:
        schema = self._otio.schema
        for item in track:
            if isinstance(item, schema.Transition):
                self.warnings.append(f"{item.name or 'a transition'}: is a cut on the new track")
            elif not isinstance(item, schema.Gap):
                self._read_item(number, item, uses)

    def _read_item(self, track: int, item: otio.core.Item, uses: ClipUses) -> None:
        on_track, in_media = item.range_in_parent(), item.trimmed_range()
        reference = getattr(item, "media_reference", None)
        url = getattr(reference, "target_url", None) or ""
        available = None if reference is None else reference.available_range
        origin = 0 if available is None else self._frames(available.start_time)
        uses.add(
            track,
            item.name or path_of(url).name,
            self._frames(on_track.start_time),
            self._frames(on_track.duration),
            media=path_of(url) if url else None,
            first=self._frames(in_media.start_time) - origin,
            origin=available is None,
            texts=tuple(_texts(item)),
            color=_color(item),
            problem=self._problem(item, reference, url),
            on_styled_track=is_styled_track(self._tracks[track].name),
        )

    def _frames(self, time: otio.opentime.RationalTime) -> int:
        return round(time.rescaled_to(float(self.rate)).value)

    def _problem(self, item: otio.core.Item, reference: Any, url: str) -> str:  # noqa: ANN401
        schema = self._otio.schema
        if not (item.enabled and item.parent().enabled):
            return SWITCHED_OFF
        if not isinstance(item, schema.Clip):
            return NESTED
        if isinstance(reference, schema.GeneratorReference):
            return GENERATED
        if any(isinstance(effect, schema.TimeEffect) for effect in item.effects):
            return RETIMED
        rate = _exact(item.trimmed_range().duration.rate)
        if rate != self.rate:
            return f"runs at {float(rate):.5g} fps on a timeline of {float(self.rate):.5g}"
        return "" if url else NO_MEDIA

    def with_tracks(
        self, tracks: Sequence[StyledTrack], without: Collection[ClipUse] = ()
    ) -> bytes:
        """See `TimelineFile`; tracks are removed as a whole, once nothing else is on them."""
        timeline = self.timeline.deepcopy()
        old = timeline.video_tracks()
        for track in tracks:
            index = timeline.tracks.index(old[track.above])
            timeline.tracks.insert(index + 1, self.track(track))
        for number in emptied_tracks(self.uses, without):
            timeline.tracks.remove(old[number])
        return self._otio.adapters.write_to_string(timeline, "otio_json").encode()

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


def _exact(rate: float) -> Fraction:
    """Return the exact rate for a decimal number."""
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
