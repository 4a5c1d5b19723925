"""One clip: read, stylize, write, verify, and only then give the file its name."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
from av.container import OutputContainer

from ..core.av_frame import to_av
from ..core.errors import HousestyleError, OutputError, UsageError
from ..core.frame import Frame
from ..core.media import ClipInfo, ClipReader
from ..core.style import Style
from ..core.stylizer import Precision, Stylizer
from .encode import EncodeSettings, Picture, add_video_stream
from .mux import CopiedTracks, copy_metadata, movie_timescale
from .pipeline import overlap
from .verify import Expectation, verify

MUXERS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
# Matroska as FFmpeg writes it counts in milliseconds.
_MATROSKA_TICK = Fraction(1, 1000)

Item = Frame | av.Packet


@dataclass(frozen=True)
class ClipReport:
    """What became of one clip.

    Attributes:
        input: The source.
        output: The written file.
        frames: Frames in and out.
        audio_tracks: Sound tracks copied packet for packet.
        seconds: Wall time, verification included.
        warnings: What could not be kept, a line each.
    """

    input: Path
    output: Path
    frames: int
    audio_tracks: int
    seconds: float
    warnings: tuple[str, ...]

    @property
    def fps(self) -> float:
        """Frames a second of wall time."""
        return self.frames / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class Observer:
    """Who wants to hear how a clip goes on.

    Attributes:
        on_start: Called with the probed clip and the warnings before the first frame.
        on_frame: Called after each stylized frame with the number of frames so far.
    """

    on_start: Callable[[ClipInfo, tuple[str, ...]], None] = lambda _info, _warnings: None
    on_frame: Callable[[int], None] = lambda _count: None


def stylize_clip(
    source: str | Path,
    output: str | Path,
    style: Style | str | Path,
    *,
    strength: float = 1.0,
    keep_colors: bool = False,
    device: str = "auto",
    precision: Precision = "auto",
    codec: str = "auto",
    crf: int | None = None,
    overwrite: bool = False,
) -> ClipReport:
    """Stylize a clip: the same frames at the same times, every sound track untouched.

    Args:
        source: The clip.
        output: Where to write; .mp4, .mov or .mkv. Appears only when it is whole and verified.
        style: A `Style`, a library name or a style file.
        strength: 0 (the source) to 1.
        keep_colors: Keep the source's chroma.
        device: See `Stylizer`.
        precision: See `Stylizer`.
        codec: "auto" (h264 for 8 bit, hevc for more), "h264", "hevc", "prores", "ffv1".
        crf: Constant rate factor of the codec; None for a value that looks like the source.
        overwrite: Replace an output that exists.

    Raises:
        HousestyleError: The subclass says what; nothing is left under the output's name that
            was not there before.
    """
    stylizer = Stylizer(
        style, device=device, precision=precision, strength=strength, keep_colors=keep_colors
    )
    settings = EncodeSettings(codec=codec, crf=crf)
    return convert(Path(source), Path(output), stylizer, settings, overwrite=overwrite)


def convert(
    source: Path,
    output: Path,
    stylizer: Stylizer,
    settings: EncodeSettings,
    *,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> ClipReport:
    """`stylize_clip` with a stylizer that is ready, for many clips in a row."""
    started = time.monotonic()
    observer = observer or Observer()
    with ClipReader(source) as reader:
        check_output(source, output, overwrite=overwrite)
        with _partial(output) as partial:
            expected, warnings = _write(reader, partial, output, stylizer, settings, observer)
            verify(partial, expected, output)
            _give_name(partial, output)
    return ClipReport(
        input=source,
        output=output,
        frames=len(expected.pts),
        audio_tracks=len(expected.sound),
        seconds=time.monotonic() - started,
        warnings=warnings,
    )


def check_output(source: Path, output: Path, *, overwrite: bool) -> None:
    """Refuse an output that would harm something.

    Raises:
        UsageError: It is the input, or of an unknown kind.
        OutputError: It exists and `overwrite` is not set.
    """
    if output.suffix.lower() not in MUXERS:
        raise UsageError(
            f"can't write a {output.suffix or 'file without a suffix'}",
            path=output,
            hint=f"use {', '.join(MUXERS)}",
        )
    if output.exists() and source.exists() and output.samefile(source):
        raise UsageError("input and output are the same file", path=output, hint="choose another")
    if output.is_dir():
        raise OutputError("is a folder", path=output)
    if output.exists() and not overwrite:
        raise OutputError("exists already", path=output, hint="use --overwrite to replace it")


@contextmanager
def _partial(output: Path) -> Iterator[Path]:
    """A hidden file beside the output that is gone afterwards, whatever happens."""
    # Shortened, because a name that just fits would not fit with what is added to it.
    owner = f"{os.getpid()}-{threading.get_native_id()}"
    partial = output.with_name(f".{output.stem[:32]}.{owner}.partial{output.suffix}")
    new_folders = [folder for folder in output.parents if not folder.exists()]
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        # Found out now, not after the first frame.
        partial.touch()
    except OSError as error:
        raise OutputError(
            f"can't be written: {error.strerror}", path=output, hint="choose another folder"
        ) from error
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)
        for folder in new_folders:
            # Fails, as it should, where the output or anything else lies in it.
            with suppress(OSError):
                folder.rmdir()


def _give_name(partial: Path, output: Path) -> None:
    try:
        partial.replace(output)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", path=output) from error


def _write(
    reader: ClipReader,
    partial: Path,
    output: Path,
    stylizer: Stylizer,
    settings: EncodeSettings,
    observer: Observer,
) -> tuple[Expectation, tuple[str, ...]]:
    try:
        with _open(partial, reader) as container:
            writer = ClipWriter(container, reader, settings)
            observer.on_start(reader.info, tuple(writer.warnings))
            overlap(reader, _Stage(stylizer, writer.picture, observer), writer.write)
            # Close errors are errors: the index of an MP4 is written here.
            container.close()
            writer.warnings.extend(_damage(reader))
    except HousestyleError as error:
        error.path = error.path or output
        raise
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise OutputError(
            f"can't be written: {reason}", path=output, hint="nothing was left there"
        ) from error
    return writer.expected, tuple(writer.warnings)


@contextmanager
def _open(partial: Path, reader: ClipReader) -> Iterator[OutputContainer]:
    muxer = MUXERS[partial.suffix.lower()]
    if muxer == "matroska":
        # Sound may start a little before zero; Matroska can say so without moving everything.
        options = {"avoid_negative_ts": "disabled"}
    else:
        options = {"movie_timescale": str(movie_timescale(reader.container))}
    container = av.open(
        f"file:{partial}", "w", format=muxer, container_options=options, metadata_errors="replace"
    )
    try:
        yield container
    except BaseException:
        _close_quietly(container)
        raise


def _close_quietly(container: OutputContainer) -> None:
    """After a failure: the trailer of a file that is thrown away may fail as well."""
    with suppress(av.error.FFmpegError, OSError):
        container.close()


class _Stage:
    """The middle stage: frames are stylized into the written format, packets pass through."""

    def __init__(self, stylizer: Stylizer, picture: Picture, observer: Observer):
        self._stylizer = stylizer
        self._picture = picture
        self._observer = observer
        self._count = 0

    def __call__(self, item: Item) -> Item:
        if not isinstance(item, Frame):
            return item
        frame = self._stylizer.stylize(
            item, pixel_format=self._picture.pixel_format, colour=self._picture.colour
        )
        self._count += 1
        self._observer.on_frame(self._count)
        return frame


class ClipWriter:
    """Encodes frames and copies packets into one container.

    Attributes:
        picture: What frames must look like.
        expected: What was written so far, for `verify`.
        warnings: What the container or codec can't keep, known before the first frame.
    """

    def __init__(self, container: OutputContainer, reader: ClipReader, settings: EncodeSettings):
        video = reader.info.video
        self._container = container
        self._stream, self.picture = add_video_stream(container, video, settings)
        self._tracks = CopiedTracks(reader.container, reader.info, container)
        copy_metadata(reader.container, reader.info, container)
        self.expected = Expectation(video.time_base, sound=self._tracks.sound)
        self.warnings = [*self._tracks.left_out, *_losses(reader.info, self.picture)]
        if container.format.name == "matroska" and (video.time_base / _MATROSKA_TICK) % 1:
            self.expected.tolerance = _MATROSKA_TICK / 2
            self.warnings.append("mkv counts in milliseconds: times are rounded to the nearest")
        self._durations: dict[int, int] = {}
        # Whatever the container or the encoder refuses, it refuses here.
        container.start_encoding()

    def write(self, items: Iterator[Item]) -> None:
        """Write every item, then what the encoder still holds."""
        for item in items:
            if isinstance(item, Frame):
                self.expected.add(item)
                self._durations[item.pts] = item.duration
                self._mux(self._stream.encode(to_av(item)))
            else:
                self._tracks.mux(item)
        self._mux(self._stream.encode(None))

    def _mux(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            # Encoders forget how long a frame lasts; the last one has no successor to tell.
            assert packet.pts is not None
            packet.duration = self._durations.pop(packet.pts, 0)
            if len(self.expected.pts) <= 2:
                # One frame or two are never reordered, but libx265 leaves their dts to chance.
                packet.dts = packet.pts
            self._container.mux(packet)


def _damage(reader: ClipReader) -> Iterator[str]:
    if reader.damaged_frames:
        yield f"{reader.damaged_frames} frames are damaged in the source"


def _losses(info: ClipInfo, picture: Picture) -> Iterator[str]:
    video, form = info.video, picture.pixel_format
    if video.has_alpha:
        yield "transparency is not kept"
    if form.depth < video.pixel_format.depth:
        yield f"written with {form.depth} bits instead of {video.pixel_format.depth}"
    if form.chroma_shift != video.pixel_format.chroma_shift and form.family == "yuv":
        yield f"written as {form.name} instead of {video.pixel_format.name}"
    if video.interlaced:
        yield "is interlaced, and stylized as if it were progressive"
    if video.hdr:
        yield f"is {video.hdr}: stylized on its code values, mastering metadata is not kept"
