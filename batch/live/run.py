"""Live work from its settings to its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TypeVar

import numpy as np

from ...core.clips.clip_info import VideoInfo
from ...core.errors import OutputError, UsageError
from ...core.frames.bars import Bars
from ...core.frames.frame import Frame
from ...core.source_stylizer import SourceStylizer
from ...core.stylizer import Stylizer
from ..reporting.events import Handler
from ..reporting.live_events import LiveDone, LiveStarted, LiveStatus
from .address import Address
from .clock import Clock
from .session import Session
from .settings import InputSettings, OutputSettings
from .sink import LiveSink
from .source import LiveSource
from .stream_sink import StreamSink
from .virtual_camera import VirtualCamera

Made = TypeVar("Made")


@dataclass(frozen=True)
class LiveJob:
    """An input, an output, and how the one becomes the other.

    Attributes:
        source: The input.
        output: The output.
        read: How the input is read.
        write: How the output is written.
        duration: Seconds after which it ends; None for the input's end, or Ctrl-C.
    """

    source: Address
    output: Address
    read: InputSettings = field(default_factory=InputSettings)
    write: OutputSettings = field(default_factory=OutputSettings)
    duration: Fraction | None = None

    @property
    def names(self) -> tuple[str, str]:
        """Input and output as events name them."""
        return self.source.shown, self.output.shown

    def check(self) -> None:
        """Refuse what makes no sense, before anything is opened.

        Raises:
            UsageError: The output is the input, or only files can be looped.
        """
        if self.read.loop and self.source.kind != "file":
            raise UsageError("--loop is for files", hint="a stream comes back by itself")
        if (self.source.kind, self.source.text) == (self.output.kind, self.output.text):
            raise UsageError(f"{self.output.shown}: is the input", hint="choose another output")


def stylize_live(job: LiveJob, stylizer: Stylizer, handle: Handler, clock: Clock) -> None:
    """Stylize frames as they come, until the input ends, the duration is over, or Ctrl-C.

    Args:
        job: What is live.
        stylizer: The style.
        handle: Is given `LiveStarted`, a `LiveStatus` every second, and `LiveDone`.
        clock: The clock that it goes by.

    Raises:
        BrushreelError: The subclass says what failed; the output is finished, unless it is what
            failed.
    """
    job.check()
    source = patiently(lambda: LiveSource(job.source, job.read, clock, job.names, handle))
    stylize = SourceStylizer(stylizer, source.video, Bars())
    sink = patiently(lambda: _sink(job, source), job.read.timeout + 1, job.output)

    def styled(frame: Frame) -> Frame:
        return stylize(frame, pixel_format=sink.pixel_format, colour=sink.colour)

    session = Session(source, styled, sink, clock, job.duration)
    try:
        session.run(
            lambda: _get_ready(job, source, sink, styled, handle),
            lambda: handle(_state(LiveStatus, job, session, sink, clock)),
        )
    finally:
        # Whatever has ended it: what was written until then counts.
        if session.counter.frames:
            handle(_state(LiveDone, job, session, sink, clock))


def patiently(
    make: Callable[[], Made], seconds: float | None = None, output: Address | None = None
) -> Made:
    """Return what a function returns; Ctrl-C works meanwhile, which FFmpeg would not heed.

    Args:
        make: The function.
        seconds: How long it may take; None for any time.
        output: What it opens, where there is a limit.

    Raises:
        Whatever the function raises; OutputError where it takes too long.
    """
    made: list[Made] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            made.append(make())
        except BaseException as error:  # noqa: BLE001  crosses the thread, raised below
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failures:
        raise failures[0]
    if not made:
        shown = "the output" if output is None else output.shown
        raise OutputError(
            f"{shown}: does not answer within {seconds or 0:g} s",
            hint="check the address; --timeout waits longer",
        )
    return made[0]


def _sink(job: LiveJob, source: LiveSource) -> LiveSink:
    if job.output.kind == "camera":
        return VirtualCamera(job.output, job.write, source.video)
    return StreamSink(job.output, job.write, source.video, source.audio, job.read.timeout)


def _get_ready(
    job: LiveJob,
    source: LiveSource,
    sink: LiveSink,
    stylize: Callable[[Frame], Frame],
    handle: Handler,
) -> None:
    """Run the network once, so that it has and has chosen what it needs, and say that it begins."""
    video = source.video
    stylize(_black(video))
    handle(
        LiveStarted(
            *job.names,
            width=video.width,
            height=video.height,
            frame_rate=video.frame_rate,
            audio_tracks=sink.audio_tracks,
            warnings=sink.warnings,
        )
    )


def _black(video: VideoInfo) -> Frame:
    form = video.pixel_format
    shapes = [
        form.plane_shape(number, video.width, video.height) for number in range(form.plane_count)
    ]
    return Frame(
        planes=tuple(np.zeros(shape, form.dtype) for shape in shapes),
        pixel_format=form,
        width=video.width,
        height=video.height,
        pts=0,
        duration=1,
        time_base=video.time_base,
        colour=video.colour,
    )


def _state(
    kind: type[LiveStatus] | type[LiveDone],
    job: LiveJob,
    session: Session,
    sink: LiveSink,
    clock: Clock,
) -> LiveStatus | LiveDone:
    counter, now = session.counter, clock.now()
    whole = counter.whole(now)
    shown = whole if kind is LiveDone else counter.latest(now)
    return kind(
        *job.names,
        seconds=whole.seconds,
        frames=counter.frames,
        left_out=session.left_out,
        repeated=sink.repeated,
        fps=shown.fps,
        latency=shown.latency,
    )
