"""One clip: read, stylize, write, verify, and only then give the file its name."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from time import monotonic

import av.error

from ...core.clips.clip_info import ClipInfo
from ...core.clips.reader import Reader
from ...core.clips.sequence import Pattern
from ...core.errors import BrushreelError, OutputError
from ...core.frames.frame import Frame
from ...core.options import Interlaced, Precision, RuntimeName, VerifyLevel
from ...core.style import Style
from ...core.stylizer import Stylizer
from ..encoding.encode import EncodeSettings, Encoding, choose
from ..reporting.events import (
    Clip,
    ClipKept,
    ClipProgress,
    ClipResumed,
    ClipStarted,
    Handler,
    ignore,
)
from .finish import FinishedFile, open_output
from .mux import MUXERS
from .not_kept import losses, met_on_the_way
from .output import check_free, check_output, give_name, removed_on_failure
from .pipeline import overlap
from .report import ClipReport
from .resume import Whole, Work, owned_work, run_key
from .segment import FreshEncoder, write_segment
from .sequences.writer import check_pictures, convert_to_pictures, inspect_pictures
from .settings import DEFAULT_READ, DEFAULT_WRITE, JobSettings, ReadSettings, WriteSettings
from .source import open_reader, span
from .verify import Expectation, verify


def stylize_clip(
    source: str | Path,
    output: str | Path,
    style: Style | str | Path,
    *,
    strength: float = 1.0,
    keep_colors: bool = False,
    device: str = "auto",
    precision: Precision = "auto",
    runtime: RuntimeName = "auto",
    codec: str = "auto",
    crf: int | None = None,
    overwrite: bool = False,
    segment: float = 10.0,
    resume: bool = True,
    verify: VerifyLevel = "standard",
    drop_unsupported: bool = False,
    interlaced: Interlaced = "deinterlace",
    start: float | str | None = None,
    end: float | str | None = None,
) -> ClipReport:
    """Stylize a clip: the same frames at the same times, every sound track untouched.

    Stopped at any moment, even by a loss of power, the same call goes on where it was.

    Args:
        source: The clip, or the names of numbered pictures (``shot.%06d.exr``).
        output: Where to write; .mp4, .mov or .mkv. Appears only when it is whole and verified. Or
            numbered pictures, each of which does.
        style: A `Style`, a library name or a style file.
        strength: 0 (the source) to 1.
        keep_colors: Keep the source's chroma.
        device: Where the network runs: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", "cuda:1",
            "mps".
        precision: What the network computes in: "auto", "fp32", "bf16", "fp16" or "int8"; input
            and output keep their bit depth.
        runtime: What runs the network: "amx", "torch", "openvino" or "onnxruntime"; "auto" takes
            the fastest on this machine, measured once.
        codec: "auto" (h264 for 8 bit, hevc for more, with transparency prores or ffv1), "h264",
            "hevc", "av1", "prores", "dnxhr", "ffv1".
        crf: Constant rate factor of the codec; None for a value that looks like the source.
        overwrite: Replace an output that exists.
        segment: Seconds of the clip that are encoded as one piece: what a crash can cost.
        resume: Continue from what an earlier call for the same clip and settings has left.
        verify: "standard" reads back frames, times and audio packets; "full" compares the packets
            of every copied stream.
        drop_unsupported: Leave out audio and subtitles that the container does not support,
            instead of refusing the clip.
        interlaced: "deinterlace" interlaced frames, one frame for each; "keep" them as they are;
            or "refuse" the clip.
        start: First moment of the range that is converted, counted from the clip's start: seconds,
            "00:00:12.5" or timecode "00:00:12:12"; None for the clip's start.
        end: End of the range, counted from the clip's start too; None for the clip's end.

    Raises:
        BrushreelError: The subclass says what; nothing is left under the output's name that
            was not there before.
    """
    settings = JobSettings(
        style,
        strength=strength,
        keep_colors=keep_colors,
        device=device,
        precision=precision,
        runtime=runtime,
        read=ReadSettings(interlaced=interlaced, range=span(start, end)),
        write=WriteSettings(
            encode=EncodeSettings(codec=codec, crf=crf),
            segment=segment,
            resume=resume,
            verify=verify,
            drop_unsupported=drop_unsupported,
            overwrite=overwrite,
        ),
    )
    stylizer = settings.stylizer()
    return convert(Path(source), Path(output), stylizer, read=settings.read, write=settings.write)


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
    frame, `ClipResumed`, a `ClipProgress` after each frame, and `ClipKept` if it ends early.
    """
    since = monotonic()
    with open_reader(source, read, output) as reader:
        if (pictures := Pattern.of(output)) is not None:
            check_pictures(reader, pictures, write.encode)
            return convert_to_pictures(reader, pictures, stylizer, handle, read, write)
        check_output(source, output, overwrite=write.overwrite)
        run = _Run(reader, output, stylizer, handle, read, write)
        kept = owned_work(output, run.key(), resume=write.resume)
        with kept as work, run.failures_told(work):
            if not run.was_finished(work):
                # Another process may have written it in the meantime, or a run with other settings.
                check_free(output, overwrite=write.overwrite)
                run.stylize(work)
                run.finish(work)
    return run.report(monotonic() - since)


def inspect_clip(
    source: Path,
    output: Path,
    *,
    read: ReadSettings = DEFAULT_READ,
    write: WriteSettings = DEFAULT_WRITE,
) -> tuple[ClipInfo, tuple[str, ...]]:
    """What `convert` finds out before the first frame: the clip, and what can't be kept of it.

    Nothing is written.

    Raises:
        BrushreelError: As `convert`.
    """
    with open_reader(source, read, output) as reader:
        if (pictures := Pattern.of(output)) is not None:
            check_pictures(reader, pictures, write.encode)
            return inspect_pictures(reader, pictures, read, overwrite=write.overwrite)
        check_output(source, output, overwrite=write.overwrite)
        _, warnings = _inspect(reader, output, read, write)
        return reader.info, warnings


def _inspect(
    reader: Reader, output: Path, read: ReadSettings, write: WriteSettings
) -> tuple[Encoding, tuple[str, ...]]:
    """How frames will be written, and what can't be kept, by beginning a file in memory."""
    muxer = MUXERS[output.suffix.lower()]
    try:
        encoding = choose(reader.info.video, write.encode, muxer)
        with open_output(io.BytesIO(), muxer, reader) as container:
            trial = FinishedFile(
                container, reader, write.encode, drop_unsupported=write.drop_unsupported
            )
    except BrushreelError as error:
        error.path = error.path or output
        raise
    lost = losses(reader.info, encoding, read.interlaced)
    return encoding, (*reader.warnings(), *trial.warnings, *encoding.warnings, *lost)


class _Run:
    """One clip's way through the stages."""

    def __init__(
        self,
        reader: Reader,
        output: Path,
        stylizer: Stylizer,
        handle: Handler,
        read: ReadSettings,
        write: WriteSettings,
    ):
        video = reader.info.video
        self._reader = reader
        self._output = output
        self._stylizer = stylizer
        self._handle = handle
        self._clip: Clip = (reader.path, output)
        self._read_settings = read
        self._write_settings = write
        self._muxer = MUXERS[output.suffix.lower()]
        self._encoding, self._warnings = _inspect(reader, output, read, write)
        self._size = write.frames_per_segment(video.frame_rate)
        self._expected = Expectation(video.time_base)
        self._stages: dict[str, float] = {}
        self._whole: Whole | None = None
        self._done = self._reused = 0

    def key(self) -> dict[str, object]:
        """What segments must agree in to be used."""
        reader = self._reader
        return run_key(
            reader.info,
            self._stylizer,
            {
                "muxer": self._muxer,
                "encoding": self._encoding.identity,
                "interlaced": self._read_settings.interlaced,
                "for_timeline": self._read_settings.for_timeline,
                **reader.identity,
                "frames": self._size,
            },
        )

    def was_finished(self, work: Work) -> bool:
        """Whether an earlier run had come to the end but for tidying up."""
        if work.whole is None or not work.whole.is_at(self._output):
            return False
        self._whole = work.whole
        self._handle(ClipStarted.of(self._clip, self._reader.info, self._warnings))
        self._handle(ClipResumed(*self._clip, work.whole.frames))
        self._reused = self._segments
        return True

    def stylize(self, work: Work) -> None:
        """Make the segments that are missing; the source is read from its start for all of them."""
        self._done, self._reused = work.frames, len(work.segments)
        self._handle(ClipStarted.of(self._clip, self._reader.info, self._warnings))
        if self._done:
            self._handle(ClipResumed(*self._clip, self._done))
        missing = self._missing(frozenset(work.segments))
        video = self._reader.info.video
        busy = overlap(
            missing,
            self._paint,
            lambda painted: self._write(painted, work),
            parallel=self._stylizer.parallel(video.height, video.width),
            on_result=self._count,
        )
        self._stages |= {"decode": busy.read, "stylize": busy.transform, "encode": busy.write}

    def _missing(self, done: Collection[int]) -> Iterator[tuple[int, Frame]]:
        """The frames to do, each with its segment's number; all of them are noted."""
        for frame in self._reader:
            number = len(self._expected.pts) // self._size
            self._expected.add(frame)
            if number not in done:
                yield number, frame

    def _paint(self, item: tuple[int, Frame]) -> tuple[int, Frame]:
        number, frame = item
        picture = self._encoding.picture
        painted = self._stylizer.stylize(
            frame, pixel_format=picture.pixel_format, colour=picture.colour
        )
        return number, painted

    def _count(self) -> None:
        self._done += 1
        self._handle(ClipProgress(*self._clip, self._done))

    def _write(self, painted: Iterator[tuple[int, Frame]], work: Work) -> None:
        for number, group in groupby(painted, key=lambda item: item[0]):
            video, encode = self._reader.info.video, self._write_settings.encode
            with FreshEncoder(video, encode, self._muxer) as encoder:
                frames = (frame for _, frame in group)
                work.add(write_segment(work.folder, number, frames, encoder))

    def finish(self, work: Work) -> None:
        """Put the segments together with the other tracks, verify, and give the name."""
        self._check(work)
        since = monotonic()
        with (
            removed_on_failure(work.partial),
            open_output(work.partial, self._muxer, self._reader) as container,
        ):
            whole = FinishedFile(
                container,
                self._reader,
                self._write_settings.encode,
                drop_unsupported=self._write_settings.drop_unsupported,
            )
            whole.write(work.folder, work.in_order(), self._expected)
        self._warnings = (*self._warnings, *whole.tracks.damage)
        self._stages["mux"] = monotonic() - since
        self._verify(work)
        # Hours may have passed.
        check_free(self._output, overwrite=self._write_settings.overwrite)
        self._whole = work.verified(len(self._expected.pts), len(whole.tracks.sound))
        give_name(work.partial, self._output)

    def _check(self, work: Work) -> None:
        """Segments of an earlier run must hold the frames that were read now."""
        pts, size = self._expected.pts, self._size
        found = {number: (own.frames, own.first, own.last) for number, own in work.segments.items()}
        read = {
            start // size: (len(part), part[0], part[-1])
            for start in range(0, len(pts), size)
            if (part := pts[start : start + size])
        }
        if found != read:
            work.forget()
            raise OutputError(
                "the source gave other frames than before", hint="run the same command again"
            )

    def _verify(self, work: Work) -> None:
        since = monotonic()
        try:
            verify(work.partial, self._expected, self._output, self._write_settings.verify)
        except OutputError as error:
            error.hint = f"what was written lies in {work.folder}; --no-resume starts anew"
            raise
        self._stages["verify"] = monotonic() - since

    def report(self, seconds: float) -> ClipReport:
        """What became of it."""
        assert self._whole is not None
        return ClipReport(
            input=self._reader.path,
            output=self._output,
            frames=self._whole.frames,
            audio_tracks=self._whole.audio_tracks,
            seconds=seconds,
            warnings=(
                *self._warnings,
                *met_on_the_way(self._reader, self._read_settings.interlaced),
            ),
            stages=self._stages,
            segments=self._segments,
            segments_reused=self._reused,
        )

    @property
    def _segments(self) -> int:
        return 0 if self._whole is None else -(-self._whole.frames // self._size)

    @contextmanager
    def failures_told(self, work: Work) -> Iterator[None]:
        """Failures become the package's own, and whoever listens hears what is kept."""
        try:
            with _own_errors(self._output, kept=work.segments):
                yield
        except BaseException:
            if work.segments:
                self._handle(ClipKept(*self._clip, work.folder, work.frames))
            raise


@contextmanager
def _own_errors(output: Path, *, kept: Collection[int]) -> Iterator[None]:
    try:
        yield
    except BrushreelError as error:
        error.path = error.path or output
        raise
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        hint = "the same command goes on from there" if kept else "nothing was left there"
        raise OutputError(f"can't be written: {reason}", path=output, hint=hint) from error
