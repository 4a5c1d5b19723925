"""A clip whose frames the workers of a cluster stylize: the driver's side."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...core.clips.reader import Reader
from ...core.errors import UsageError
from ..clips.frame_times import frame_times
from ..clips.resume import noted_key
from ..clips.settings import ReadSettings
from ..clips.sink import CollectingWriter, Sink, Writer, Written
from ..clips.source import kept_bars
from ..reporting.events import Clip as Names
from ..reporting.events import Handler
from .dispatch import Dispatcher
from .orders import Order, Source
from .supply import Supply
from .work import Clip, Result


class OnCluster:
    """`Hands` of a cluster.

    Args:
        dispatcher: Deals the work.
        number: Number of the clip in its batch.
        output: The file that is written.
        strength: Strength of the style.
        reader: The source.
        sink: What describes it; it makes no difference.
        read: How the source is read.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        number: int,
        output: Path,
        strength: float,
        reader: Reader,
        sink: Sink,
        read: ReadSettings,
    ):
        del sink
        self._dispatcher, self._number, self._output = dispatcher, number, output
        self._reader, self._read = reader, read
        self._source = Source.of(reader, kept_bars(reader, read, strength))

    def arithmetic(self) -> Mapping[str, Any]:
        """Return the facts of the workers that stylize this source, see `Hands`."""
        noted = noted_key(self._output)
        self._group, self._facts = self._dispatcher.pin(self._source, noted)
        return self._facts

    def stylized(self, clip: Names, writer: Writer, handle: Handler) -> Written:
        """Order the missing pieces, and take them as they come, see `Hands`."""
        del handle  # progress is reported by who hears of it
        if not isinstance(writer, CollectingWriter):
            raise UsageError("some segments alone are made on one machine", path=self._output)
        pieces = writer.pieces()
        results: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
        order = self._order(writer)
        supply = Supply(self._reader, self._read, self._output)
        waiting = deque(pieces)
        under_way = Clip(order, clip, waiting, writer.done, results, supply, group=self._group)
        self._dispatcher.begin(under_way)
        try:
            for _ in pieces:
                result = results.get()
                if isinstance(result, BaseException):
                    raise result
                for made in result.made:
                    writer.take(made)
                writer.note(result.met)
        except BaseException:
            self._dispatcher.drop(under_way)
            raise
        return writer.finish()

    def _order(self, writer: CollectingWriter) -> Order:
        reader = self._reader
        return Order(
            clip=self._number,
            source=self._source,
            read=self._read,
            output=self._output,
            first=0 if reader.range is None else reader.range.first,
            rate=reader.info.video.frame_rate if reader.images else None,
            times=frame_times(reader, self._read),
            maker=writer.maker,
            arithmetic=self._facts,
        )
