"""Warnings: what a clip has and its output does not, a line each, with the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from ...core.clips.clip_info import ClipInfo
from ...core.clips.reader import Reader
from ...core.errors import OutputError
from ...core.human import counted
from ...core.options import Interlaced
from .inventory import Inventory, Key, missing, of_source
from .mux import BOXED, CopiedTrack
from .piece import Met

IMAGES = "images"
"""Place of the frames of a clip that becomes image files."""
INTERLACED = {
    "deinterlace": "deinterlaced with bwdif, one frame for each",
    "keep": "each frame is stylized as one, and its fields stay",
}
_ONLY_BOXED = "only MP4 or MOV to MP4 or MOV keeps it"
# Of the picture, what is said elsewhere: by the reader and the choice of the encoder.
_SAID = frozenset({"fields"})
_COLOUR_TAGS = ("primaries", "transfer", "matrix", "range")
_MASTERING = ("mastering display", "content light level")
# What images and GIFs show or state of a clip's picture.
_SHOWN = frozenset(
    {
        *("bits", "chroma resolution", "transparency", "sample aspect ratio", "rotation"),
        *(*_SAID, *_COLOUR_TAGS),
    }
)
_WORDS = {
    "transparency": "transparency is not kept",
    "bits": "written with {other} bits instead of {value}",
    "chroma resolution": "written as {other[2]} instead of {value[2]}",
    "crop": (
        "cropped to {video.width}x{video.height}, as the container asks, from "
        "{video.decoded_size[0]}x{video.decoded_size[1]}"
    ),
    "spherical projection": f"its spherical projection is not kept: {_ONLY_BOXED}",
    "stereo": f"that its frames hold two views (stereo) is not kept: {_ONLY_BOXED}",
    "second view": "its second view (MV-HEVC) is not kept: the first is stylized",
    "ICC profile": "its ICC profile is not kept: only MP4 and MOV have a place for it",
    "Dolby Vision": (
        "Dolby Vision metadata (profile {value[0]}.{value[1]}) are not kept: its base is"
    ),
    "sample aspect ratio": "its sample aspect ratio of {value} is not kept: {no_place} it",
    "ambient viewing environment": "its ambient viewing environment is not kept",
    "rotation": "its rotation is not kept: {no_place} it",
    "timecode": "its timecode is not kept: {no_place} it",
    "reel name": "its reel name is not kept: {no_place} it",
}
_FAULTS = frozenset({"picture", "stream", "chapter"})
Lost = Mapping[Key, tuple[Any, Any]]
"""What an output does not have as its source does, see `missing`."""


def met_on_the_way(reader: Reader, met: Met, interlaced: Interlaced) -> Iterator[str]:
    """Yield what is known only when the whole clip is read.

    Args:
        reader: Reader of the clip.
        met: What was met, by this reader or by those of pieces that were made elsewhere.
        interlaced: How interlaced frames are handled.
    """
    if met.damaged_frames:
        yield f"damaged in the source: {counted(met.damaged_frames, 'frame')}"
    if met.recoloured_frames and "recoloured_frames" not in reader.foreseen:
        frames = counted(met.recoloured_frames, "frame")
        yield f"{frames} state another matrix or range than the first: converted to the first's"
    if met.repaired_frames and "repaired_frames" not in reader.foreseen:
        yield f"times that did not rise, repaired: {counted(met.repaired_frames, 'frame')}"
    for name in sorted(met.beside):
        yield f"{name} of later frames are not kept"
    if met.interlaced_frames and not reader.info.video.interlaced:
        frames = counted(met.interlaced_frames, "interlaced frame")
        yield f"has {frames}: {INTERLACED[interlaced]}"


def pairs(tracks: Sequence[CopiedTrack], found: Inventory) -> dict[int, int]:
    """Return which of an output's streams each of the source's became, by index.

    Containers keep the order of streams of one type; MP4 and MOV drop those that stayed empty.
    """
    paired: dict[int, int] = {}
    for kind in {track.about.type for track in tracks}:
        written = [own.index for own in found.streams if own.type == kind]
        wanted = [track for track in tracks if track.about.type == kind]
        if len(written) < len(wanted):
            wanted = [track for track in wanted if track.digest.packets]
        paired |= zip((track.about.index for track in wanted), written, strict=False)
    return paired


def _promised(info: ClipInfo, muxer: str) -> Collection[Key]:
    """Return what a container always keeps: if a trial shows that it does not, it is a fault."""
    facts, boxed = info.facts, muxer in BOXED
    names = {"sample aspect ratio", "rotation"}
    if boxed and facts.profile is not None:
        names.add("ICC profile")
    if boxed and "mp4" in info.container:
        names |= {"spherical projection"} if facts.projection else set()
        names |= {"stereo"} if facts.stereo else set()
    return {("picture", name) for name in names}


@dataclass(frozen=True)
class Losses:
    """Losses of a clip in an output, in words.

    Attributes:
        source: Inventory of the source.
        info: Facts of the source as it is read.
        place: Where it is written, as the reason names it: "mp4", "images".
    """

    source: Inventory
    info: ClipInfo
    place: str

    @classmethod
    def of(cls, reader: Reader, place: str) -> Self:
        """Read the inventory of a source.

        Raises:
            MediaError: It can't be read.
        """
        return cls(of_source(reader), reader.info, place)

    def as_shown(self, *more: str) -> Inventory:
        """Return the inventory of images or a GIF: they show the picture, and have little else.

        Args:
            more: What they state beside that.
        """
        picture = self.source.picture
        return Inventory({name: picture[name] for name in picture if name in (*_SHOWN, *more)})

    def found_in(self, found: Inventory | None, tracks: Sequence[CopiedTrack]) -> Lost:
        """Compare the source with what is written, or with a trial of it.

        Args:
            found: Its inventory; None where the trial could not be written: only which streams
                are left out is known then.
            tracks: The streams that are written.
        """
        if found is None:
            same = {track.about.index: track.about.index for track in tracks}
            return missing(self.source, self.source, same)
        lost = missing(self.source, found, pairs(tracks, found))
        # That a stream is empty is said of itself.
        empty = {str(track.about.index) for track in tracks if not track.digest.packets}
        return {key: lost[key] for key in lost if not (key[0] == "stream" and key[1] in empty)}

    def check_promised(self, lost: Lost) -> None:
        """Refuse an output that would lose what its container keeps.

        Raises:
            OutputError: It would.
        """
        broken = {key: lost[key] for key in lost if key in _promised(self.info, self.place)}
        if broken:
            raise OutputError(f"would not be as its source: {'; '.join(self.lines(broken))}")

    def unannounced(self, lost: Lost, announced: Lost) -> tuple[str, ...]:
        """Return what was lost without having been announced, a line each.

        Raises:
            OutputError: It is more than a text or a mark.
        """
        new = {key: lost[key] for key in lost if key not in announced}
        faults = {key: new[key] for key in new if key[0] in _FAULTS and len(key) == 2}
        if faults:
            raise OutputError(f"is not as its source: {'; '.join(self.lines(faults))}")
        return tuple(f"unexpectedly, {line}" for line in self.lines(new))

    def lines(self, lost: Lost) -> Iterator[str]:
        """Yield a line for each loss, or for several of a kind."""
        yield from self._of_picture({key[1]: lost[key] for key in lost if key[0] == "picture"})
        for own in self.source.streams:
            yield from self._of_stream(own.index, lost)
        chapters = sum(key[0] == "chapter" for key in lost)
        if chapters:
            yield f"not kept, as {self._no_place} them: {counted(chapters, 'chapter')}"
        tags = sorted(key[1] for key in lost if key[0] == "tag")
        if tags:
            yield f"not kept of its metadata, as {self._no_place} it: {', '.join(tags)}"
        places = sorted(key[1] for key in lost if key[0] == "box")
        if places:
            yield f"boxes that only other programs read are not kept: {', '.join(places)}"

    def _of_picture(self, lost: Mapping[str, tuple[Any, Any]]) -> Iterator[str]:
        for name, (value, other) in lost.items():
            if name not in (*_SAID, *_COLOUR_TAGS, *_MASTERING):
                words = _WORDS.get(name, f"{name} are not kept")
                yield words.format(
                    value=value, other=other, video=self.info.video, no_place=self._no_place
                )
        if any(name in lost for name in _MASTERING):
            yield "mastering metadata is not kept"
        tags = [f"{name} {lost[name][0]}" for name in _COLOUR_TAGS if name in lost]
        if tags:
            yield f"its colour tags are not kept: {', '.join(tags)}"

    def _of_stream(self, index: int, lost: Lost) -> Iterator[str]:
        keys = [key[2:] for key in lost if key[:2] == ("stream", str(index))]
        if () in keys:
            own = lost["stream", str(index)][0]
            yield f"track {index} ({own.type}, {own.codec}) is left out: {self._no_place} it"
            return
        tags = sorted(key[0] for key in keys if len(key) == 1)
        if tags:
            yield f"not kept of track {index}, as {self._no_place} it: {', '.join(tags)}"
        if marks := ", ".join(sorted(key[1] for key in keys if len(key) == 2)):
            yield f"that track {index} is marked {marks} is not kept: {self._no_place} it"

    @property
    def _no_place(self) -> str:
        return f"{self.place} {'have' if self.place == IMAGES else 'has'} no place for"
