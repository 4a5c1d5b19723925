"""A source of frames as they come: paced like a camera, looped, connected again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av

from ...core.clips.clip_info import VideoInfo
from ...core.errors import BrushreelError, MediaError
from ...core.frames.frame import Frame
from ...core.human import human_seconds
from ..reporting.events import Handler
from ..reporting.live_events import LiveBack, LiveLost
from .address import Address
from .clock import Clock
from .connection import Connection, Sound
from .settings import InputSettings
from .timeline import Timeline

# Seconds between two attempts to connect again.
_PAUSE = 1.0
# Seconds by which a sender's clock may differ from this machine's before it counts as another.
_MOST_ASTRAY = 5


@dataclass(frozen=True)
class Captured:
    """A frame, and when it was there to be taken, by the clock."""

    frame: Frame
    at: float


class LiveSource:
    """Frames and audio of an input, each as it comes.

    Attributes:
        video: Facts of the video.
        audio: The audio streams.

    Args:
        address: The input.
        settings: How it is read.
        clock: The clock that files are paced by.
        names: Input and output as events name them.
        handle: Is given what happens.

    Raises:
        MediaError: It can't be opened.
    """

    def __init__(
        self,
        address: Address,
        settings: InputSettings,
        clock: Clock,
        names: tuple[str, str],
        handle: Handler,
    ):
        self._address, self._settings, self._clock = address, settings, clock
        self._names, self._handle = names, handle
        self._connection = Connection(address, settings)
        self.video: VideoInfo = self._connection.video
        self.audio: list[av.AudioStream] = self._connection.audio
        self._times = Timeline(self.video.time_base)
        self._ended, self._wanted = threading.Event(), threading.Event()
        self._since: float | None = None

    def start(self) -> None:
        """Begin the time: what a camera or stream gives until then is nobody's."""
        self._wanted.set()

    def stop(self) -> None:
        """End it at its next frame."""
        self._ended.set()
        self._wanted.set()

    def close(self) -> None:
        """Close the input."""
        self._connection.close()

    def __iter__(self) -> Iterator[Captured | Sound]:
        """Yield frames and packets of audio in the time of the output.

        Raises:
            MediaError: It is lost, and does not come back.
        """
        at = Fraction(0)
        if self._address.kind == "file":
            self._wanted.wait()
        while not self._ended.is_set():
            self._times.begin(
                at, zero=self._address.kind == "file" and not self._connection.is_clocked
            )
            lost: BrushreelError | None = None
            try:
                yield from self._items()
            except MediaError as error:
                lost = error
            if self._ended.is_set():
                return
            if self._address.kind != "file":
                if lost is None and not self._connection.is_endless:
                    return
                self._connect_again(lost)
                at = Fraction(self._clock.now() - (self._since or 0)).limit_denominator(1000)
            elif lost is not None:
                raise lost
            elif not self._settings.loop:
                return
            else:
                self._connection.close()
                self._connection = Connection(self._address, self._settings)
                at = self._times.end * self.video.time_base

    def _items(self) -> Iterator[Captured | Sound]:
        for item in self._connection.items():
            if self._ended.is_set():
                return
            if not self._wanted.is_set():
                continue
            if isinstance(item, Sound):
                if self._times.moved(item.packet):
                    yield item
            elif self._address.kind == "file":
                yield from self._paced(item)
            else:
                yield self._arrived(item)

    def _paced(self, frame: Frame) -> Iterator[Captured]:
        """Hold a file's frame back until its time."""
        frame = self._times.placed(frame)
        time = float(frame.pts * frame.time_base)
        if self._since is None:
            self._since = self._clock.now() - time
        due = self._since + time
        if not self._clock.wait(self._ended, due - self._clock.now()):
            yield Captured(frame, due)

    def _arrived(self, frame: Frame) -> Captured:
        now = self._clock.now()
        if self._since is None:
            self._since = now
        passed = Fraction(now - self._since).limit_denominator(1000)
        if abs(self._times.seconds(frame) - passed) > _MOST_ASTRAY:
            # Its clock began again, or jumped.
            self._times.begin(passed)
        return Captured(self._times.placed(frame), now)

    def _connect_again(self, lost: BrushreelError | None) -> None:
        """Try to open the input until it is there again.

        Raises:
            MediaError: It did not come back in time, or is of another size.
        """
        what = f"{self._address.shown}: has ended" if lost is None else lost.what
        since, within = self._clock.now(), self._settings.reconnect
        self._connection.close()
        self._handle(LiveLost(*self._names, what))
        while not self._ended.is_set():
            left = within - (self._clock.now() - since)
            if left <= 0:
                waited = f", and did not come back in {human_seconds(within)}" if within else ""
                hint = None if lost is None else lost.hint
                raise MediaError(f"{what}{waited}", hint=hint)
            try:
                self._connection = Connection(self._address, self._settings)
            except BrushreelError:
                self._clock.wait(self._ended, min(_PAUSE, left))
                continue
            self._check_size()
            self._handle(LiveBack(*self._names, round(self._clock.now() - since, 3)))
            return

    def _check_size(self) -> None:
        video, first = self._connection.video, self.video
        if (video.width, video.height) != (first.width, first.height):
            raise MediaError(
                f"{self._address.shown}: comes back with {video.width}x{video.height} in place of "
                f"{first.width}x{first.height}",
                hint="start again",
            )
