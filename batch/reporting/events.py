"""Events of a batch: one frozen class for each, with the fields that docs/events.md lists.

The NDJSON object of an event is `record` of it; its schema is docs/events.schema.json.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

from ...core.clips.clip_info import ClipInfo
from ...core.errors import BrushreelError
from ...core.human import counted
from ..clips.report import ClipReport
from .live_events import LiveBack, LiveDone, LiveLost, LiveStarted, LiveStatus

EVENTS_VERSION = 2
_NAMED_FILES = 5
# Fields for reporters in this program, which NDJSON leaves out.
_INTERNAL = {"internal": True}

Clip = tuple[Path, Path]
"""Input and output of a clip."""


@dataclass(frozen=True)
class _ClipEvent:
    """Event of one clip; several clips may be under way at a time.

    Attributes:
        input: The source.
        output: The file that is written.
    """

    input: Path
    output: Path

    @property
    def clip(self) -> Clip:
        """The clip that the event is of."""
        return self.input, self.output


@dataclass(frozen=True)
class BatchStarted:
    """First event of a batch: style, settings and devices are in order.

    Attributes:
        clips: The number of clips.
        jobs: The clips themselves.
    """

    name: ClassVar[str] = "batch_started"
    clips: int
    jobs: tuple[Clip, ...] = field(default=(), metadata=_INTERNAL)


@dataclass(frozen=True)
class FilesPassedOver:
    """Files and folders of the input folders that are not used.

    Attributes:
        files: Each with the reason.
    """

    name: ClassVar[str] = "files_passed_over"
    files: Mapping[str, str]

    @classmethod
    def of(cls, reasons: Mapping[Path, str]) -> FilesPassedOver:
        """Return the event of paths and reasons."""
        return cls({str(path): why for path, why in sorted(reasons.items())})

    def lines(self) -> Iterator[str]:
        """Yield a line for people for each reason: how many files, and some of their names."""
        for reason in sorted(set(self.files.values())):
            names = [name for name, why in self.files.items() if why == reason]
            named = ", ".join(names[:_NAMED_FILES])
            more = len(names) - _NAMED_FILES
            rest = f" and {more} more (--json and --report name all)" if more > 0 else ""
            yield f"passed over: {len(names)}, as each {reason}: {named}{rest}"


@dataclass(frozen=True)
class ClipStarted(_ClipEvent):
    """Start of a clip: it is open, and its output can be written.

    Attributes:
        frames_expected: The header's number of frames; None if it states none.
        width: Pixels.
        height: Pixels.
        frame_rate: Average frames a second, exact; None if it is not known.
        audio_tracks: The source's number of audio tracks.
        warnings: Losses, a line each.
        info: The probed clip.
    """

    name: ClassVar[str] = "clip_started"
    frames_expected: int | None
    width: int
    height: int
    frame_rate: Fraction | None
    audio_tracks: int
    warnings: tuple[str, ...]
    info: ClipInfo = field(metadata=_INTERNAL)

    @classmethod
    def of(cls, clip: Clip, info: ClipInfo, warnings: tuple[str, ...]) -> ClipStarted:
        """Return the event of a probed clip."""
        video = info.video
        return cls(
            *clip,
            frames_expected=video.frames,
            width=video.width,
            height=video.height,
            frame_rate=video.frame_rate,
            audio_tracks=len(info.audio),
            warnings=warnings,
            info=info,
        )


@dataclass(frozen=True)
class ClipResumed(_ClipEvent):
    """Continuation of an earlier run, after the frames that it had done."""

    name: ClassVar[str] = "clip_resumed"
    frames: int


@dataclass(frozen=True)
class ClipProgress(_ClipEvent):
    """Number of frames that are stylized so far; comes after each."""

    name: ClassVar[str] = "clip_progress"
    frames: int


@dataclass(frozen=True)
class ClipDone(_ClipEvent):
    """End of a clip: the output is written, verified, and has its name.

    Attributes:
        frames: Frames in and out.
        audio_tracks: Audio tracks copied packet for packet.
        seconds: Wall time, verification included.
        fps: Frames a second of wall time.
        stages: Share of the time in which each stage was busy; stages overlap.
        segments: Number of segments.
        segments_reused: Segments that an earlier run had left.
        warnings: Losses, a line each.
    """

    name: ClassVar[str] = "clip_done"
    frames: int
    audio_tracks: int
    seconds: float
    fps: float
    stages: Mapping[str, float]
    segments: int
    segments_reused: int
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, report: ClipReport) -> ClipDone:
        """Return the event of a clip that is done, its figures rounded."""
        return cls(
            report.input,
            report.output,
            frames=report.frames,
            audio_tracks=report.audio_tracks,
            seconds=round(report.seconds, 3),
            fps=round(report.fps, 3),
            stages=_shares(report),
            segments=report.segments,
            segments_reused=report.segments_reused,
            warnings=report.warnings,
        )


@dataclass(frozen=True)
class ClipKept(_ClipEvent):
    """Early end of a clip, whose finished frames are kept for the next run.

    Attributes:
        folder: Folder that holds them.
        frames: Their number.
    """

    name: ClassVar[str] = "clip_kept"
    folder: Path
    frames: int


@dataclass(frozen=True)
class ClipFailed(_ClipEvent):
    """Failure of a clip.

    Attributes:
        error: The error's class in core/errors.py.
        what: Description of the error.
        hint: A way out; None if there is none.
        cause: The error itself.
    """

    name: ClassVar[str] = "clip_failed"
    error: str
    what: str
    hint: str | None
    cause: BrushreelError = field(metadata=_INTERNAL)

    @property
    def reason(self) -> str:
        """Description and way out, without the clip."""
        return self.what if self.hint is None else f"{self.what} ({self.hint})"

    @classmethod
    def of(cls, clip: Clip, error: BrushreelError) -> ClipFailed:
        """Return the event of an error."""
        return cls(*clip, type(error).__name__, error.what, error.hint, error)


@dataclass(frozen=True)
class ClipSkipped(_ClipEvent):
    """Clip that was left alone because its output exists."""

    name: ClassVar[str] = "clip_skipped"


@dataclass(frozen=True)
class NodeJoined:
    """Worker of a cluster that takes part.

    Attributes:
        node: Name of its node.
        device: Where it stylizes.
        precision: What the network computes in.
    """

    name: ClassVar[str] = "node_joined"
    node: str
    device: str
    precision: str


@dataclass(frozen=True)
class NodeLeft:
    """Node, or one of its workers, that does not take part or no longer does.

    Attributes:
        node: Its name; with a clip's, where it is left out of that one alone.
        reason: Why.
    """

    name: ClassVar[str] = "node_left"
    node: str
    reason: str


@dataclass(frozen=True)
class SegmentDone(_ClipEvent):
    """Segment, or run of images, that a node of a cluster has made.

    Attributes:
        number: Number of the segment; for images, of the first frame, counted from 0.
        frames: Its frames.
        node: Name of the node.
        seconds: Time from the order to the result.
        sent: Bytes of the source that were sent to the node; 0 where it has read the source.
        received: Bytes of the result.
    """

    name: ClassVar[str] = "segment_done"
    number: int
    frames: int
    node: str
    seconds: float
    sent: int
    received: int


@dataclass(frozen=True)
class NodeFigures:
    """Work of a node: frames, seconds that its workers have worked, and frames a second."""

    node: str
    frames: int
    seconds: float
    fps: float


@dataclass(frozen=True)
class ClusterFinished:
    """Work of a cluster in a batch.

    Attributes:
        frames: Frames that the nodes have made.
        seconds: Wall time.
        fps: Frames a second of wall time.
        nodes: The work of each node.
    """

    name: ClassVar[str] = "cluster_finished"
    frames: int
    seconds: float
    fps: float
    nodes: tuple[NodeFigures, ...]

    def lines(self) -> Iterator[str]:
        """Yield a line for people on the cluster, and one on each node."""
        yield f"cluster: {counted(self.frames, 'frame')}, {self.fps:.1f} fps"
        for node in self.nodes:
            yield f"  {node.node}: {counted(node.frames, 'frame')}, {node.fps:.1f} fps"


@dataclass(frozen=True)
class BatchFinished:
    """Last event of a batch: the number of clips by what became of them, and the exit status."""

    name: ClassVar[str] = "batch_finished"
    done: int
    failed: int
    skipped: int
    not_started: int
    exit_status: int


@dataclass(frozen=True)
class BatchInterrupted:
    """Last event after Ctrl-C or SIGTERM.

    Attributes:
        unfinished: Inputs of the clips that were under way.
    """

    name: ClassVar[str] = "batch_interrupted"
    unfinished: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ClipPlanned(_ClipEvent):
    """Event of a clip in a dry run; None stands for what is not known.

    Attributes:
        frames: Expected frames.
        seconds: Time of the network on one device.
        disk: Bytes of the written clip.
        warnings: Losses, a line each.
    """

    name: ClassVar[str] = "clip_planned"
    frames: int | None
    seconds: float | None
    disk: int | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class DiskSpace:
    """Bytes needed and free on one disk, with a folder on it."""

    folder: str
    needed: int
    free: int

    @property
    def enough(self) -> bool:
        """True if it fits."""
        return self.needed <= self.free


@dataclass(frozen=True)
class PlanFinished:
    """Last event of a dry run; None stands for what is not known of every clip.

    Attributes:
        clips: Clips that would be done.
        failing: Clips that would fail.
        frames: Expected frames of all clips.
        seconds: Time of the network, on all devices together.
        disks: Every disk that is written to.
    """

    name: ClassVar[str] = "plan_finished"
    clips: int
    failing: int
    frames: int | None
    seconds: float | None
    disks: tuple[DiskSpace, ...]


Event = (
    BatchStarted
    | FilesPassedOver
    | ClipStarted
    | ClipResumed
    | ClipProgress
    | ClipDone
    | ClipKept
    | ClipFailed
    | ClipSkipped
    | NodeJoined
    | NodeLeft
    | SegmentDone
    | ClusterFinished
    | BatchFinished
    | BatchInterrupted
    | ClipPlanned
    | PlanFinished
    | LiveStarted
    | LiveStatus
    | LiveLost
    | LiveBack
    | LiveDone
)
Handler = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Do nothing with an event."""
    del event


def field_names(event: type[Event]) -> tuple[str, ...]:
    """Return the names of an event's fields in NDJSON."""
    return tuple(own.name for own in dataclasses.fields(event) if not own.metadata)


def record(event: Event) -> dict[str, object]:
    """Return the NDJSON object of an event."""
    values = {name: _plain(getattr(event, name)) for name in field_names(type(event))}
    return {"version": EVENTS_VERSION, "event": event.name, **values}


def details(event: Event) -> dict[str, object]:
    """Return the fields of an event as JSON has them, without its clip's names."""
    about = record(event)
    return {name: about[name] for name in about if name not in _COMMON}


_COMMON = ("version", "event", "input", "output")


def _plain(value: Any) -> object:  # noqa: ANN401  a field is of any type
    """Return a field's value in types that JSON has."""
    match value:
        case Path() | Fraction():
            return str(value)
        case str():
            return value
        case Mapping():
            return dict(value)
        case Sequence():
            return [_plain(item) for item in value]
        case DiskSpace() | NodeFigures():
            return dataclasses.asdict(value)
        case _:
            return value


def _shares(report: ClipReport) -> dict[str, float]:
    """Return the share of the clip's time in which each stage was busy."""
    seconds = max(report.seconds, 1e-9)
    return {stage: round(busy / seconds, 4) for stage, busy in report.stages.items()}
