"""Deinterlacing: frames whose two fields were taken at different times, made progressive.

A network stylizes the combs along everything that moves. So a frame's first field is kept and the
lines of the other are interpolated from it and its neighbours in time, by FFmpeg's bwdif (w3fdif's
filter where there is motion, which yadif's test decides; Weston, EBU Technical Review 1988; BBC R&D
WHP 127). Each frame gives one frame: no time changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Literal, NamedTuple

import av
import av.error
import numpy as np
from av.filter import Graph

from ..errors import MediaError
from .frame import Range

# bwdif does not support these, and libswscale changes codes on the way to those it does.
_UNSUPPORTED = frozenset({"gray10le", "gray12le", "gbrap10le", "gbrap12le"})


FieldOrder = Literal["tff", "bff"]
"""Top field first, or bottom field first."""


def field_order(image: av.VideoFrame) -> FieldOrder | None:
    """Return which field of a frame comes first; None where it is progressive.

    PyAV does not tell, but a filter that changes the order does: it moves the lines of a frame
    that has the other one.
    """
    if not image.interlaced_frame:
        return None
    ramp = _through(image, "copy", "")
    plane = ramp.planes[0]
    rows = (np.arange(plane.height) % 251).astype(np.uint8)
    plane.update(np.repeat(rows, abs(plane.line_size)).tobytes())
    moved = _through(ramp, "fieldorder", "bff").planes[0]
    # The first byte of each line; how lines are padded may differ.
    first = np.frombuffer(bytes(moved), np.uint8).reshape(moved.height, -1)[:, 0]
    return "bff" if np.array_equal(first, rows) else "tff"


def flagged(image: av.VideoFrame, order: FieldOrder) -> av.VideoFrame:
    """Return a frame that says that it is interlaced; pixels, times and tags stay."""
    facts = {name: getattr(image, name) for name in _FACTS}
    found = _through(image, "setfield", order)
    for name, value in facts.items():
        setattr(found, name, value)
    return found


_FACTS = (
    *("pts", "duration", "time_base"),
    *("colorspace", "color_range", "color_primaries", "color_trc"),
)


def _through(image: av.VideoFrame, name: str, options: str) -> av.VideoFrame:
    """Return a frame as a filter gives it."""
    graph = Graph()
    source = graph.add_buffer(
        width=image.width,
        height=image.height,
        format=image.format,
        time_base=image.time_base or Fraction(1, 1000),
    )
    graph.link_nodes(source, graph.add(name, options), graph.add("buffersink")).configure()
    graph.push(image)
    graph.push(None)
    found = graph.pull()
    assert isinstance(found, av.VideoFrame)
    return found


class Deinterlacer:
    """A filter that makes interlaced frames progressive and passes progressive ones through.

    Each frame's own flags say whether it is interlaced and which field comes first. A frame's
    result depends on the frames before and after it, so from the first interlaced frame on, a
    frame is returned when the next has been given.

    Raises:
        MediaError: When called with an interlaced frame of a pixel format that bwdif lacks.
    """

    def __init__(self):
        self._graph: Graph | None = None
        self._before: av.VideoFrame | None = None
        self._waiting: deque[_Timing | None] = deque()

    def __call__(self, image: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """Take a frame and yield those that are ready; all must have one size and format."""
        if self._graph is None and not image.interlaced_frame:
            self._before = image
            yield image
            return
        if self._graph is None:
            self._graph = _bwdif(image)
            if self._before is not None:
                # It was returned already; the first interlaced one needs it as a neighbour.
                self._push(self._graph, self._before, None)
        timing = _Timing(image.pts, image.duration, image.time_base, image.color_range)
        self._push(self._graph, image, timing)
        yield from self._ready(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """Yield the frame that still waits for a next one, if any."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready(self._graph)

    def _push(self, graph: Graph, image: av.VideoFrame, timing: _Timing | None) -> None:
        # A range would be taken for a request to convert to it.
        image.color_range = Range.UNSPECIFIED
        self._waiting.append(timing)
        graph.push(image)

    def _ready(self, graph: Graph) -> Iterator[av.VideoFrame]:
        while True:
            try:
                image = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(image, av.VideoFrame)
            timing = self._waiting.popleft()
            if timing is not None:
                image.pts, image.duration = timing.pts, timing.duration
                if timing.time_base:
                    image.time_base = timing.time_base
                image.color_range = timing.color_range
                yield image


class _Timing(NamedTuple):
    """Timing and range of the frame that was given; bwdif counts in half ticks."""

    pts: int | None
    duration: int
    time_base: Fraction | None
    color_range: int


def _bwdif(like: av.VideoFrame) -> Graph:
    form = like.format.name
    time_base = like.time_base or Fraction(1, 1000)
    if form in _UNSUPPORTED:
        raise MediaError(
            f"is interlaced, and {form} can't be deinterlaced here",
            hint="deinterlace it first, or stylize it with --interlaced keep",
        )
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=like.width, height=like.height, format=like.format, time_base=time_base
        ),
        graph.add("bwdif", "mode=send_frame:parity=auto:deint=interlaced"),
        graph.add("format", form),
        graph.add("buffersink"),
    ).configure()
    return graph
