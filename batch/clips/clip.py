"""Conversion of a clip or an image sequence: read, stylize, write, verify."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import av.error

from ...core.allocator import give_back_large_blocks
from ...core.clips.clip_info import ClipInfo
from ...core.clips.reader import NumberedFrame, Reader
from ...core.errors import BrushreelError, OutputError, UsageError
from ...core.frames.stroke_size import DETAIL, NATURAL, StrokeSize
from ...core.options import AudioCodec, BarsMode, Interlaced, Precision, RuntimeName, VerifyLevel
from ...core.reasons import reason_of
from ...core.source_stylizer import SourceStylizer
from ...core.style import Style
from ...core.stylizer import Stylizer
from ..config import DELIVERIES
from ..encoding.encode import EncodeSettings
from ..plan import plan
from ..reporting.events import (
    Clip,
    ClipKept,
    ClipProgress,
    ClipResumed,
    ClipStarted,
    Event,
    Handler,
    ignore,
)
from .container_sink import ContainerSink
from .destination import FileDestination, destination
from .frame_times import frame_times
from .part import PartWriter
from .pipeline import overlap
from .report import ClipReport
from .resume import arithmetic, run_key
from .sequences.writer import ImageSink
from .settings import DEFAULT_READ, DEFAULT_WRITE, JobSettings, ReadSettings, WriteSettings
from .sink import Sink, Writer, Written
from .source import open_reader, source_stylizer, span

Progress = Callable[[int, int | None], None]
"""Is called with the number of frames that are done, and of those expected; None if unknown."""


def stylize_clip(
    source: str | Path,
    output: str | Path | None,
    style: Style | str | Path,
    *,
    strength: float = 1.0,
    keep_colors: bool = False,
    stroke_size: StrokeSize = NATURAL,
    detail: float = DETAIL,
    device: str = "auto",
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    codec: str = "auto",
    profile: str | None = None,
    crf: int | None = None,
    container: str | None = None,
    delivery: str | None = None,
    overwrite: bool = False,
    segment: float = 10.0,
    resume: bool = True,
    verify: VerifyLevel = "standard",
    audio: AudioCodec = "copy",
    drop_unsupported: bool = False,
    interlaced: Interlaced = "deinterlace",
    bars: BarsMode = "keep",
    start: float | str | None = None,
    end: float | str | None = None,
    on_progress: Progress | None = None,
) -> ClipReport:
    """Stylize a clip: the same frames at the same times, every sound track untouched.

    Stopped at any moment, even by a loss of power, the same call goes on where it was.

    Args:
        source: The clip, or the names of numbered pictures (``shot.%06d.exr``).
        output: Where to write; .mp4, .mov, .mkv, .webm or .gif. Appears only when it is whole and
            verified. Or numbered pictures, each of which does; a folder; or None for next to the
            source, named as `brushreel stylize` does.
        style: A `Style`, a library name or a style file.
        strength: 0 (the source) to 1.
        keep_colors: Keep the source's chroma.
        stroke_size: Size of strokes as a share of the frame, 0.25 to 4 times the style's own; or
            "native" for the style's own size in pixels.
        detail: Share of the source's finest detail that comes back, 0 to 1.
        device: Where the network runs: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:1",
            "mps".
        precision: What the network computes in: "auto", "fp32", "bf16", "fp16" or "int8"; input
            and output keep their bit depth.
        runtime: What runs the network: "amx", "avx512", "torch", "openvino" or "onnxruntime";
            "auto" takes the fastest on this machine, measured once.
        codec: "auto" (h264 for 8 bit, hevc for more, with transparency prores or ffv1), "h264",
            "hevc", "vp9", "av1", "prores", "dnxhr", "ffv1".
        profile: Profile of the codec, such as "hq"; None for one by pixel format.
        crf: Constant rate factor of the codec; None for a value that looks like the source.
        container: "mp4", "mov", "mkv" or "webm", where `output` is a folder or None; None for the
            source's.
        delivery: "prores-master", "h264-review" or "dnxhr-resolve": codec, profile, quality and
            container for a purpose, where these are not given.
        overwrite: Replace an output that exists.
        segment: Seconds of the clip that are encoded as one piece: what a crash can cost.
        resume: Continue from what an earlier call for the same clip and settings has left.
        verify: "standard" reads back frames, times and audio packets; "full" compares the packets
            of every copied stream.
        audio: Codec to which audio is converted that the container does not support: "aac", "flac"
            or "opus"; "copy" converts none.
        drop_unsupported: Leave out audio and subtitles that the container does not support,
            instead of refusing the clip.
        interlaced: "deinterlace" interlaced frames, one frame for each; "keep" them as they are;
            or "refuse" the clip.
        bars: "keep" passes burnt-in black bars through untouched; "style" takes them for a part
            of the picture.
        start: First moment of the range that is converted, counted from the clip's start: seconds,
            "00:00:12.5" or timecode "00:00:12:12"; None for the clip's start.
        end: End of the range, counted from the clip's start too; None for the clip's end.
        on_progress: Is called after each frame, in this thread, with the number of frames that are
            done and the number that the clip states; None where it states none. What it raises
            ends the call.

    Raises:
        BrushreelError: The subclass says what; nothing is left under the output's name that
            was not there before.
    """
    purpose = _purpose(delivery)
    encode = EncodeSettings(
        codec=purpose.get("codec", codec) if codec == "auto" else codec,
        profile=profile or purpose.get("profile"),
        crf=purpose.get("crf") if crf is None else crf,
    )
    settings = JobSettings(
        style,
        strength=strength,
        keep_colors=keep_colors,
        stroke_size=stroke_size,
        detail=detail,
        device=device,
        precision=precision,
        runtime=runtime,
        read=ReadSettings(interlaced=interlaced, bars=bars, range=span(start, end)),
        write=WriteSettings(
            encode=encode,
            segment=segment,
            resume=resume,
            verify=verify,
            audio=audio,
            drop_unsupported=drop_unsupported,
            overwrite=overwrite,
        ),
    )
    if Path(source).is_dir():
        raise UsageError("is a folder", path=source, hint="give its clips one by one")
    stylizer = settings.stylizer()
    (job,) = plan(
        [Path(source)],
        None if output is None else Path(output),
        style_name=stylizer.style.name,
        container=container or purpose.get("container"),
        codec=encode.codec,
    )
    handle = ignore if on_progress is None else _progress_handler(on_progress)
    return convert(
        job.source, job.output, stylizer, read=settings.read, write=settings.write, handle=handle
    )


def _purpose(delivery: str | None) -> Mapping[str, Any]:
    if delivery is None:
        return {}
    if delivery not in DELIVERIES:
        raise UsageError(f"delivery must be one of {', '.join(DELIVERIES)}, not {delivery!r}")
    return DELIVERIES[delivery]


def _progress_handler(on_progress: Progress) -> Handler:
    expected: int | None = None

    def handle(event: Event) -> None:
        nonlocal expected
        if isinstance(event, ClipStarted):
            expected = event.frames_expected
        elif isinstance(event, ClipProgress):
            on_progress(event.frames, expected)

    return handle


def convert(
    source: Path,
    output: Path,
    stylizer: Stylizer,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
    handle: Handler = ignore,
) -> ClipReport:
    """Convert a clip as `stylize_clip` does, with a stylizer that may serve many clips.

    `handle` is given the clip's events while it is under way: `ClipStarted` before the first
    frame, `ClipResumed`, a `ClipProgress` after each frame, and `ClipKept` if it ends early, or
    makes some segments only.
    """
    hands = partial(Here, stylizer)
    return convert_by(source, output, hands, read=read, write=write, handle=handle)


class Hands(Protocol):
    """Process, or processes, that stylize the frames of one source."""

    def arithmetic(self) -> Mapping[str, Any]:
        """Return the facts by which two machines give the same frames, see `arithmetic`.

        Raises:
            BrushreelError: Nobody can stylize this source.
        """
        ...

    def stylized(self, clip: Clip, writer: Writer, handle: Handler) -> Written:
        """Stylize and write the frames that are missing.

        Raises:
            BrushreelError: They can't be read, stylized or written.
        """
        ...


class Here:
    """`Hands` of this process.

    Args:
        stylizer: The style.
        reader: The source.
        sink: What is written; it makes no difference.
        read: How the source is read.
    """

    def __init__(self, stylizer: Stylizer, reader: Reader, sink: Sink, read: ReadSettings):
        del sink
        self._stylizer = source_stylizer(stylizer, reader, read)

    def arithmetic(self) -> Mapping[str, Any]:
        """Return the facts of this machine, see `Hands`."""
        return arithmetic(self._stylizer)

    def stylized(self, clip: Clip, writer: Writer, handle: Handler) -> Written:
        """Stylize and write the frames that are missing, see `Hands`."""
        return _stylized(clip, writer, self._stylizer, handle)


HandsFor = Callable[[Reader, Sink, ReadSettings], Hands]
"""Makes those who stylize the frames of a source."""


def convert_by(
    source: Path,
    output: Path,
    hands: HandsFor,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
    handle: Handler = ignore,
) -> ClipReport:
    """Convert a clip as `convert` does, stylized by whoever is given.

    Args:
        source: The clip.
        output: Where to write.
        hands: Whoever stylizes its frames.
        read: Settings for reading it.
        write: Settings for writing the output.
        handle: Receiver of the clip's events.

    Raises:
        BrushreelError: As `stylize_clip`.
    """
    since, clip = monotonic(), (source, output)
    with open_reader(source, read, output) as reader:
        sink = _sink(reader, output, read, write)
        workers = hands(reader, sink, read)
        key = run_key(workers.arithmetic(), sink.key())
        with sink.opened(key) as writer, _failures_reported(clip, writer, handle):
            finished = writer.look()
            started = ClipStarted.of(clip, reader.info, sink.warnings)
            if isinstance(writer, PartWriter):
                started = replace(started, frames_expected=writer.frames_wanted)
            handle(started)
            if writer.done:
                handle(ClipResumed(*clip, writer.done))
            written = finished or workers.stylized(clip, writer, handle)
            if write.segments is not None and (kept := writer.kept()) is not None:
                handle(ClipKept(*clip, *kept))
    return ClipReport(
        source,
        output,
        frames=written.frames,
        audio_tracks=written.audio_tracks,
        seconds=monotonic() - since,
        warnings=(*sink.warnings, *written.warnings),
        stages=written.stages,
        segments=written.segments,
        segments_reused=written.segments_reused,
        is_written=write.segments is None,
    )


def inspect_clip(
    source: Path,
    output: Path,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> tuple[ClipInfo, tuple[str, ...]]:
    """Find out what `convert` does before the first frame; nothing is written.

    Returns:
        The clip, and what can't be kept of it.

    Raises:
        BrushreelError: As `convert`.
    """
    with open_reader(source, read, output) as reader:
        sink = _sink(reader, output, read, write)
        sink.check_existing()
        return reader.info, sink.warnings


def count_segments(
    source: Path,
    output: Path,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> int | None:
    """Return the number of segments in which a clip is made; None where images are written.

    Raises:
        BrushreelError: As `convert`.
    """
    with open_reader(source, read, output) as reader:
        sink = _sink(reader, output, read, write)
        if not isinstance(sink, ContainerSink):
            return None
        return -(-len(frame_times(reader, read)) // sink.frames_per_segment)


def _sink(reader: Reader, output: Path, read: ReadSettings, write: WriteSettings) -> Sink:
    target = destination(output, overwrite=write.overwrite)
    if isinstance(target, FileDestination):
        return ContainerSink(reader, target, read, write)
    if write.segments is not None:
        raise UsageError(
            "images have no segments", path=output, hint="--start and --end make a part of them"
        )
    return ImageSink(reader, target, read, write)


def _stylized(clip: Clip, writer: Writer, stylizer: SourceStylizer, handle: Handler) -> Written:
    """Stylize and write the frames that are missing; three stages overlap."""
    done = writer.done

    def stylize(item: NumberedFrame) -> NumberedFrame:
        form, colour = writer.form(item)
        frame = stylizer(item.frame, pixel_format=form, colour=colour)
        return item._replace(frame=frame)

    def count() -> None:
        nonlocal done
        done += 1
        handle(ClipProgress(*clip, done))

    # Frames were looked at; from now on blocks of other sizes are needed, in every segment anew.
    give_back_large_blocks()
    busy = overlap(
        writer.missing(),
        stylize,
        writer.write,
        parallel=stylizer.parallel,
        on_result=count,
    )
    written = writer.finish()
    stages = {"decode": busy.read, "stylize": busy.transform, "encode": busy.write}
    return replace(written, stages={**stages, **written.stages})


@contextmanager
def _failures_reported(clip: Clip, writer: Writer, handle: Handler) -> Iterator[None]:
    """Raise failures as the package's own, and report what the next run can use."""
    output = clip[1]
    try:
        yield
    except BaseException as failure:
        kept = writer.kept()
        if kept is not None:
            handle(ClipKept(*clip, *kept))
        if isinstance(failure, BrushreelError):
            failure.path = failure.path or output
        elif isinstance(failure, av.error.FFmpegError | OSError):
            rest = "the same command continues from there" if kept else "nothing was left there"
            way_out = reason_of(failure).way_out
            hint = rest if way_out is None else f"{way_out}; {rest}"
            raise OutputError.because(
                failure, "can't be written", path=output, hint=hint
            ) from failure
        raise
