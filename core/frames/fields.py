"""Interlaced pictures: two fields of different moments, woven line by line into one frame.

A network paints the comb of teeth along everything that moves. So a frame's first field is kept
and the lines of the other are filled in from it and its neighbours in time, by FFmpeg's bwdif
(w3fdif's filter for moving places, yadif's decision which these are; Weston, EBU Technical Review
1988; BBC R&D WHP 127). One frame comes out for each that goes in: no time changes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import av
import av.error
from av.filter import Graph

from ..errors import MediaError
from .frame import Range

"""What to do with interlaced frames; "keep" takes them as if they were progressive."""

# bwdif does not take these, and libswscale changes codes on the way to what it takes instead.
_NOT_TAKEN = frozenset({"gray10le", "gray12le", "gbrap10le", "gbrap12le"})


class Deinterlacer:
    """Makes interlaced frames progressive, and hands on progressive ones as they are.

    Which ones are interlaced, and which field comes first, is each frame's own flag. What becomes
    of a frame depends on the one before and the one after it, so from the first interlaced frame
    on, a frame comes out when the next has gone in.

    Raises:
        MediaError: When called with an interlaced frame of a pixel format that bwdif can't take.
    """

    def __init__(self):
        self._graph: Graph | None = None
        self._before: av.VideoFrame | None = None
        self._waiting: deque[_Timing | None] = deque()

    def __call__(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        """The frames that are ready once this one is known: all of one size and format."""
        if self._graph is None and not picture.interlaced_frame:
            self._before = picture
            yield picture
            return
        if self._graph is None:
            self._graph = _bwdif(picture)
            if self._before is not None:
                # It was handed on already, and is only what the first interlaced one is seen with.
                self._push(self._graph, self._before, None)
        timing = _Timing(picture.pts, picture.duration, picture.time_base)
        self._push(self._graph, picture, timing)
        yield from self._ready(self._graph)

    def flush(self) -> Iterator[av.VideoFrame]:
        """The frame that still waits for a next one, if any."""
        if self._graph is not None:
            self._graph.push(None)
            yield from self._ready(self._graph)

    def _push(self, graph: Graph, picture: av.VideoFrame, timing: _Timing | None) -> None:
        # A range would be taken for a wish to convert to it.
        picture.color_range = Range.UNSPECIFIED
        self._waiting.append(timing)
        graph.push(picture)

    def _ready(self, graph: Graph) -> Iterator[av.VideoFrame]:
        while True:
            try:
                picture = graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            assert isinstance(picture, av.VideoFrame)
            timing = self._waiting.popleft()
            if timing is not None:
                picture.pts, picture.duration = timing.pts, timing.duration
                if timing.time_base:
                    picture.time_base = timing.time_base
                yield picture


class _Timing(NamedTuple):
    """Of the frame that went in; bwdif counts in half ticks."""

    pts: int | None
    duration: int
    time_base: Fraction | None


def _bwdif(like: av.VideoFrame) -> Graph:
    form = like.format.name
    time_base = like.time_base or Fraction(1, 1000)
    if form in _NOT_TAKEN:
        raise MediaError(
            f"is interlaced, and {form} can't be deinterlaced here",
            hint="deinterlace it first, or take it as it is with --interlaced keep",
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
