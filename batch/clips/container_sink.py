"""Clip file as the sink: segments first, then one container that is verified before its name."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import av.error

from ...core.atomic import atomic_write
from ...core.clips.range import FrameRange
from ...core.clips.reader import NumberedFrame, Reader
from ...core.errors import BrushreelError, MediaError, OutputError
from ...core.frames.frame import Colour, PixelFormat
from ..encoding.encode import choose
from .boxes import add_boxes, carried_boxes
from .destination import FileDestination, removed_on_failure
from .finish import FinishedFile, open_output
from .frame_times import frame_times, frames_from
from .gif import ENCODE, check_gif, gif_losses, write_gif
from .inventory import Inventory, take
from .mux import BOXED
from .not_kept import INTERLACED, Losses, met_on_the_way
from .part import PartWriter
from .piece import Made, Met, Piece, SegmentMaker
from .resume import Work, owned_part, owned_work
from .segment_check import SegmentStream
from .settings import ReadSettings, WriteSettings
from .sink import Written
from .verify import Expectation, verify


class ContainerSink:
    """`Sink` of a clip file.

    Attributes:
        reader: The source.
        destination: The file.
        read, write: The settings.
        video: The source's video as it is read: without fields where it is deinterlaced.
        encoding: How the video stream is written.
        losses: The source's inventory, to compare with.
        lost: What can't be kept, as a trial shows.
        warnings: The same in words, with what the reader warns of.

    Raises:
        UsageError, OutputError: The file can't or may not be written.
    """

    def __init__(
        self,
        reader: Reader,
        destination: FileDestination,
        read: ReadSettings,
        write: WriteSettings,
    ):
        self.reader, self.destination = reader, destination
        if destination.is_gif:
            check_gif(reader.info, write.encode, destination.path)
            # Of the clip that the GIF is made of, whatever else it has is not used.
            write = replace(write, encode=ENCODE, drop_unsupported=True)
        self.read, self.write = read, write
        video = reader.info.video
        self.video = video if read.interlaced == "keep" else replace(video, fields=None)
        self.check_existing()
        self.losses = Losses.of(reader, "GIF" if destination.is_gif else destination.muxer)
        try:
            self.encoding = choose(self.video, write.encode, destination.muxer)
            trial, found = self._tried_out()
            self.lost = self.losses.found_in(
                found, () if destination.is_gif else trial.tracks.tracks
            )
            self.losses.check_promised(self.lost)
        except BrushreelError as error:
            error.path = error.path or destination.path
            raise
        self.warnings = tuple(self._warnings(trial))

    def _tried_out(self) -> tuple[FinishedFile, Inventory | None]:
        """Find out what container and encoder refuse and what they keep, by writing a short file.

        Returns:
            The file, and its inventory; None where it can't be written of the beginning alone.
        """
        content, file = io.BytesIO(), None
        try:
            with open_output(content, self.destination.muxer, self.reader) as container:
                file = FinishedFile(container, self.reader, self.video, self.write)
                file.write_trial()
        except av.error.FFmpegError:
            if file is None:
                raise
            return file, None
        self.add_boxes(content)
        if self.destination.is_gif:
            return file, self.losses.as_shown()
        try:
            return file, take(content, "mp4" if self.destination.muxer in BOXED else "matroska")
        except (av.error.FFmpegError, MediaError):
            return file, None

    def add_boxes(self, file: BinaryIO) -> None:
        """Put the source's boxes into the written file, if both are made of boxes."""
        if self.destination.muxer in BOXED:
            entry_boxes, track_boxes = carried_boxes(self.reader.info)
            if entry_boxes or track_boxes:
                add_boxes(file, entry_boxes, track_boxes)

    def _warnings(self, trial: FinishedFile) -> Iterator[str]:
        info = self.reader.info
        yield from self.reader.warnings()
        yield from gif_losses() if self.destination.is_gif else trial.warnings
        yield from self.encoding.warnings
        if info.video.interlaced:
            yield f"is interlaced: {INTERLACED[self.read.interlaced]}"
        yield from self.losses.lines(self.lost)

    @property
    def stream(self) -> SegmentStream:
        """The video stream that segments are made for."""
        return SegmentStream(self.video, self.write.encode, self.destination.muxer)

    @property
    def frames_per_segment(self) -> int:
        """Frames in every segment but the last."""
        video = self.reader.info.video
        return self.write.frames_per_segment(video.frame_rate, video.width * video.height)

    def key(self) -> dict[str, Any]:
        """Return the facts, besides the stylizer's, that decide what a segment contains."""
        return {
            "muxer": self.destination.muxer,
            "encoding": self.encoding.identity,
            "interlaced": self.read.interlaced,
            "for_timeline": self.read.for_timeline,
            **self.reader.identity,
            "frames": self.frames_per_segment,
        }

    def check_existing(self) -> None:
        """Refuse a file that exists, may not be replaced, and was not left by an earlier run."""
        self.destination.check(self.reader.path)

    @contextmanager
    def opened(self, key: Mapping[str, Any]) -> Iterator[SegmentWriter | PartWriter]:
        """Take the work folder, or share it where only some segments are made, see `Sink`."""
        if self.write.segments is not None:
            with owned_part(self.destination.path, key, self.write.segments) as work:
                yield PartWriter(
                    work,
                    self.reader,
                    self.read,
                    self.stream,
                    self.encoding.picture,
                    size=self.frames_per_segment,
                    output=self.destination.path,
                )
            return
        with owned_work(self.destination.path, key, resume=self.write.resume) as work:
            yield SegmentWriter(self, work)


class SegmentWriter:
    """`Writer` of a clip file.

    Attributes:
        done: Frames that an earlier run has done.
    """

    def __init__(self, sink: ContainerSink, work: Work):
        self._sink, self._reader, self._work = sink, sink.reader, work
        self._size = sink.frames_per_segment
        self._expected = Expectation(sink.reader.info.video.time_base)
        if not sink.destination.is_gif:
            self._expected.losses, self._expected.announced = sink.losses, sink.lost
        self._reused = frozenset(work.segments)
        self._stages = {"mux": 0.0, "verify": 0.0}
        self._elsewhere = Met()
        self.done = work.frames

    def look(self) -> Written | None:
        """Find out whether an earlier run had finished but for tidying up, see `Writer`."""
        whole = self._work.whole
        if whole is None or not whole.is_at(self._sink.destination.path):
            # Another process may have written it in the meantime, or a run with other settings.
            self._sink.destination.check_free()
            return None
        self.done = whole.frames
        segments = self._segments_of(whole.frames)
        return Written(whole.frames, whole.audio_tracks, segments, segments)

    def missing(self) -> Iterator[NumberedFrame]:
        """Yield the frames of segments that are missing, see `Writer`; every frame is noted."""
        for index, frame in enumerate(self._reader):
            self._expected.add(frame)
            if index // self._size not in self._reused:
                yield NumberedFrame(index, frame, None)

    @property
    def maker(self) -> SegmentMaker:
        """Maker of the segments."""
        return SegmentMaker(self._sink.stream, self._sink.encoding.picture)

    def form(self, item: NumberedFrame) -> tuple[PixelFormat, Colour]:
        """Return what the encoder is fed."""
        return self.maker.form(item)

    def pieces(self) -> list[Piece]:
        """Return the segments that are missing, see `CollectingWriter`; the clip is not decoded."""
        sink, reader = self._sink, self._reader
        times = frame_times(reader, sink.read)
        last = FrameRange(len(times) - 1, len(times))
        for item in frames_from(reader, sink.read, sink.destination.path, last, times):
            self._expected.pts.extend(times[:-1])
            self._expected.add(item.frame)
        starts = range(0, len(times), self._size)
        segments = (FrameRange(at, min(at + self._size, len(times))) for at in starts)
        return [
            Piece(number, frames)
            for number, frames in enumerate(segments)
            if number not in self._reused
        ]

    def take(self, made: Made) -> None:
        """Keep a segment that was made elsewhere, see `CollectingWriter`."""
        segment = made.segment
        assert segment is not None
        with atomic_write(self._work.folder / segment.name) as file:
            file.write(made.content)
        self._work.add(segment)

    def note(self, met: Met) -> None:
        """Note what was met on the way elsewhere, see `CollectingWriter`."""
        self._elsewhere += met

    def write(self, frames: Iterator[NumberedFrame]) -> None:
        """Encode every segment with a fresh encoder into a file of its own, which is checked."""
        for number, group in groupby(frames, key=lambda item: item.number // self._size):
            made, seconds = self._sink.stream.make(
                self._work.folder, number, (item.frame for item in group)
            )
            self._work.add(made)
            self._stages["verify"] += seconds

    def finish(self) -> Written:
        """Put the segments together with the other streams, verify, and give the name."""
        self._check()
        file = self._put_together()
        unannounced = self._verify()
        if self._sink.destination.is_gif:
            self._make_gif()
        # Hours may have passed.
        self._sink.destination.check_free()
        frames, audio = len(self._expected.pts), len(file.tracks.audio)
        if self._sink.destination.is_gif:
            audio = 0
        self._work.verified(frames, audio)
        self._sink.destination.give_name(self._work.partial)
        return Written(
            frames,
            audio,
            self._segments_of(frames),
            len(self._reused),
            warnings=(
                *unannounced,
                *file.tracks.damage,
                *self._met(),
            ),
            stages=self._stages,
        )

    def _met(self) -> Iterator[str]:
        met = Met.of(self._reader) + self._elsewhere
        for line in met_on_the_way(self._reader, met, self._sink.read.interlaced):
            if line not in self._sink.warnings:
                yield line

    def _check(self) -> None:
        """Compare the segments of an earlier run with the frames that were read now."""
        pts, size, work = self._expected.pts, self._size, self._work
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

    def _put_together(self) -> FinishedFile:
        since, work, write = monotonic(), self._work, self._sink.write
        with (
            removed_on_failure(work.partial),
            open_output(work.partial, self._sink.destination.muxer, self._reader) as container,
        ):
            file = FinishedFile(container, self._reader, self._sink.video, write)
            file.write(work.folder, work.in_order(), self._expected)
        with work.partial.open("r+b") as written:
            self._sink.add_boxes(written)
        self._stages["mux"] = monotonic() - since
        return file

    def _verify(self) -> Sequence[str]:
        since, work = monotonic(), self._work
        try:
            unannounced = verify(
                work.partial, self._expected, self._sink.destination.path, self._sink.write.verify
            )
        except OutputError as error:
            error.hint = f"what was written is in {work.folder}; remove it to start again"
            raise
        self._stages["verify"] += monotonic() - since
        return unannounced

    def _make_gif(self) -> None:
        """Replace the verified clip by the GIF that is made of it."""
        since, work = monotonic(), self._work
        made = work.folder / "gif.partial"
        try:
            with removed_on_failure(made):
                write_gif(work.partial, made)
                made.replace(work.partial)
        except OutputError as error:
            error.path = self._sink.destination.path
            raise
        self._stages["mux"] += monotonic() - since

    def _segments_of(self, frames: int) -> int:
        return -(-frames // self._size)

    def kept(self) -> tuple[Path, int] | None:
        """Return the work folder and the frames of its segments; None where there is none."""
        return (self._work.folder, self._work.frames) if self._work.segments else None
