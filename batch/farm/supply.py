"""Supply of nodes that do not see a source: the packets of a range, or files."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...core.clips.packet_reader import Packets, cut, decodes_alike
from ...core.clips.range import FrameRange
from ...core.clips.range_reader import RangeReader
from ...core.clips.reader import Reader
from ..clips.piece import Piece
from ..clips.settings import ReadSettings
from ..clips.source import open_reader


class Supply:
    """Supply of one source. Used by any thread.

    Args:
        reader: Reader of the source.
        read: How it is read.
        output: The file that is written of it.
    """

    def __init__(self, reader: Reader, read: ReadSettings, output: Path):
        self._path, self._read, self._output = reader.path, read, output
        self._images = list(reader.images.values())
        self._first = 0 if reader.range is None else reader.range.first
        self._lock = threading.Lock()
        self._can_cut: bool | None = False if self._images else None

    def of(self, piece: Piece) -> Packets | Sequence[Path]:
        """Return what a node needs for a piece: packets, or else the files.

        Raises:
            MediaError, OSError: The source can't be read.
        """
        if self._images:
            return self._images[piece.frames.first : piece.frames.end]
        with self._lock:
            if self._can_cut is None:
                self._can_cut = self._tried()
        part = FrameRange(self._first + piece.frames.first, self._first + piece.frames.end)
        packets = self._cut(part) if self._can_cut else None
        return [self._path] if packets is None else packets

    def _tried(self) -> bool:
        """Find out whether a frame comes out of packets alone as out of the file."""
        part = FrameRange(self._first, self._first + 1)
        packets = self._cut(part)
        if packets is None:
            return False
        with self._reader(part) as reader:
            return isinstance(reader, RangeReader) and decodes_alike(reader, packets)

    def _cut(self, part: FrameRange) -> Packets | None:
        with self._reader(part) as reader:
            return cut(reader) if isinstance(reader, RangeReader) else None

    def _reader(self, part: FrameRange) -> Reader:
        return open_reader(self._path, replace(self._read, range=part), self._output)
