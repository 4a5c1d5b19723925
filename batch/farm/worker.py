"""A worker on a node: it keeps one style ready, and makes pieces of clips."""

from __future__ import annotations

import os
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import torch

from ...core.allocator import keep_freed_memory
from ...core.clips.packet_reader import PacketReader, Packets
from ...core.clips.range import FrameRange
from ...core.clips.reader import NumberedFrame, Reader
from ...core.errors import BrushreelError, unexpected
from ...core.source_stylizer import SourceStylizer
from ...core.style import SUFFIX, Style
from ...core.stylizer import Stylizer
from ..clips.frame_times import placed
from ..clips.piece import Made, Met, Piece
from ..clips.pipeline import overlap
from ..clips.resume import arithmetic
from ..clips.settings import JobSettings
from ..clips.source import open_reader
from .orders import Abilities, Failed, Order, Progress, Ready, Source, StyleFile, Unfit
from .temporary import TemporaryFolder

Answer = Abilities | Mapping[str, Any] | Ready | Unfit | Progress | Made | Met | Failed
# Seconds between two reports of progress.
_BETWEEN = 0.5


class _End:
    """Mark of the last answer."""


class Worker:
    """A worker. Whatever it is asked for, it answers by a few values, one after the other.

    Args:
        settings: Settings of every clip; style and device aside.
        style: The style.
        device: Where it stylizes.
        threads: Number of cores that it may use.
        places: Beginnings of paths on the driver, and what they are here.
        alone: Whether the process is this worker's own.

    Raises:
        BrushreelError: The device does not work here.
        OSError: There is no place for temporary files.
    """

    def __init__(
        self,
        settings: JobSettings,
        style: StyleFile,
        device: str,
        threads: int,
        places: tuple[tuple[str, str], ...] = (),
        *,
        alone: bool = True,
    ):
        self._temporary = TemporaryFolder()
        folder = self._temporary.path
        file = folder / f"{style.name}{SUFFIX}"
        file.write_bytes(style.content)
        self._settings = replace(settings, style=Style.load(file))
        self._device, self._places = device, places
        if alone:
            # What is measured or converted for a style goes with the folder.
            os.environ["XDG_CACHE_HOME"] = str(folder)
            torch.set_num_threads(threads)
            keep_freed_memory()
        self._stylizers: dict[str, Stylizer] = {}
        self._orders: dict[int, tuple[Order, Path | None]] = {}

    def start(self) -> Iterator[Answer]:
        """Load the style, and answer with `Abilities`."""

        def load() -> Iterator[Answer]:
            own = self._stylizer(self._settings.runtime)
            yield Abilities(own.device.type, own.precision, torch.__version__)

        yield from _answers(load)

    def arithmetic(self, source: Source) -> Iterator[Answer]:
        """Answer with the facts by which others give the same frames of a source."""

        def look() -> Iterator[Answer]:
            yield arithmetic(self._for(source, self._settings.runtime))

        yield from _answers(look)

    def prepare(self, order: Order) -> Iterator[Answer]:
        """Take an order, and answer with `Ready` or `Unfit`."""

        def take() -> Iterator[Answer]:
            own = arithmetic(self._for(order.source, _runtime(order)))
            if own != order.arithmetic:
                yield Unfit(_difference(own, order.arithmetic))
                return
            seen = self._place_of(order.source)
            self._orders[order.clip] = order, seen
            yield Ready(seen is not None)

        yield from _answers(take)

    def forget(self, clip: int) -> Iterator[Answer]:
        """Forget an order, and remove the files that were sent for it."""
        self._orders.pop(clip, None)
        shutil.rmtree(self._sent(clip), ignore_errors=True)
        yield from ()

    def receive(self, clip: int, name: str, offset: int, content: bytes) -> Iterator[Answer]:
        """Take a part of a file of a source that this node does not see."""

        def keep() -> Iterator[Answer]:
            path = self._sent(clip) / name
            path.parent.mkdir(exist_ok=True)
            with path.open("r+b" if offset else "wb") as file:
                file.seek(offset)
                file.write(content)
            yield from ()

        yield from _answers(keep)

    def make(self, clip: int, piece: Piece, packets: Packets | None = None) -> Iterator[Answer]:
        """Make a piece; answer with `Progress`, each `Made`, and `Met` in the end.

        Args:
            clip: Number of the clip in its batch.
            piece: The piece.
            packets: The packets to read; None where this node sees the source, or has its files.
        """
        yield from _answers(lambda: self._made(clip, piece, packets))

    def _sent(self, clip: int) -> Path:
        """Return the folder of the files that were sent of a source."""
        return self._temporary.path / f"clip{clip}"

    def _stylizer(self, runtime: str) -> Stylizer:
        if runtime not in self._stylizers:
            settings = replace(self._settings, runtime=runtime)  # pyright: ignore[reportArgumentType]
            self._stylizers[runtime] = settings.stylizer(self._device)
        return self._stylizers[runtime]

    def _for(self, source: Source, runtime: str) -> SourceStylizer:
        return SourceStylizer(self._stylizer(runtime), source.video, source.bars)

    def _place_of(self, source: Source) -> Path | None:
        """Return where this node sees a source; None if it does not."""
        path = str(source.path)
        mapped = [to + path[len(start) :] for start, to in self._places if path.startswith(start)]
        return next((Path(own) for own in (*mapped, path) if source.is_at(Path(own))), None)

    def _made(self, clip: int, piece: Piece, packets: Packets | None) -> Iterator[Answer]:
        order, _ = self._orders[clip]
        stylizer = self._for(order.source, _runtime(order))
        answers: queue.SimpleQueue[Answer | BaseException | _End] = queue.SimpleQueue()

        def stylize(item: NumberedFrame) -> NumberedFrame:
            form, colour = order.maker.form(item)
            return item._replace(frame=stylizer(item.frame, pixel_format=form, colour=colour))

        def write(frames: Iterator[NumberedFrame]) -> None:
            for made in order.maker.make(self._temporary.path, piece, frames):
                answers.put(made)

        def work() -> None:
            try:
                with self._reader(clip, piece, packets) as reader:
                    frames = placed(reader, piece.frames, order.times)
                    count = _counted(answers.put)
                    overlap(frames, stylize, write, parallel=stylizer.parallel, on_result=count)
                    answers.put(Met.of(reader))
            except BaseException as error:  # noqa: BLE001  crosses the thread, raised below
                answers.put(error)
            answers.put(_End())

        threading.Thread(target=work, name="piece", daemon=True).start()
        while not isinstance(answer := answers.get(), _End):
            if isinstance(answer, BaseException):
                raise answer
            yield answer

    @contextmanager
    def _reader(self, clip: int, piece: Piece, packets: Packets | None) -> Iterator[Reader]:
        """Open what a piece is read from; images that were sent are removed afterwards."""
        order, seen = self._orders[clip]
        part = FrameRange(order.first + piece.frames.first, order.first + piece.frames.end)
        read = replace(order.read, range=part, frame_rate=order.rate)
        if packets is not None:
            with PacketReader(packets) as reader:
                yield reader
            return
        path = seen or self._sent(clip) / order.source.path.name
        if seen is None and order.rate is not None:
            # There are no others.
            read = replace(read, range=None)
        with open_reader(path, read, order.output) as reader:
            yield reader
        if seen is None:
            for image in reader.images.values():
                image.unlink()


def _answers(work: Callable[[], Iterator[Answer]]) -> Iterator[Answer]:
    """Yield the answers, and what goes wrong as the last one."""
    try:
        yield from work()
    except BrushreelError as error:
        yield Failed(error)
    except Exception as error:  # noqa: BLE001  the driver decides what becomes of it
        yield Failed(unexpected(error))


def _counted(say: Callable[[Progress], None]) -> Callable[[], None]:
    """Return what counts frames, and says so now and then."""
    done, told = 0, monotonic()

    def count() -> None:
        nonlocal done, told
        done += 1
        if monotonic() - told >= _BETWEEN:
            told = monotonic()
            say(Progress(done))

    return count


def _runtime(order: Order) -> str:
    """Return the runtime that every identity begins with; at strength 0 there is none."""
    identity = order.arithmetic["stylizer"]["runtime"]
    return "auto" if identity is None else identity.split()[0]


def _difference(own: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Describe the first fact in which two arithmetics differ."""
    for name, value in wanted.items():
        if isinstance(value, Mapping) and isinstance(own.get(name), Mapping):
            if own[name] != value:
                return _difference(own[name], value)
        elif own.get(name) != value:
            return f"{name} {own.get(name)} instead of {value}"
    return "other settings"
