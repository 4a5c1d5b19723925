"""Work of a cluster, as its dispatcher keeps it: clips, pieces under way, workers and questions."""

from __future__ import annotations

import queue
from collections import Counter, deque
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from ...core.errors import BrushreelError
from ..clips.piece import Made, Met, Piece
from .crew import Slot
from .orders import Abilities, Order, Ready, Source, Unfit
from .supply import Supply


@dataclass(frozen=True)
class Result:
    """A piece that is done."""

    piece: Piece
    made: tuple[Made, ...]
    met: Met


@dataclass(eq=False)
class Clip:
    """Clip under way.

    Attributes:
        order: What workers are told of it.
        names: Its input and output.
        supply: What is sent to nodes that do not see the source.
        waiting: Pieces that nobody works on.
        done: Frames that are done.
        results: Pieces that are done, or the error that ended the clip.
    """

    order: Order
    names: tuple[Any, Any]
    waiting: deque[Piece]
    done: int
    results: queue.SimpleQueue[Result | BaseException]
    supply: Supply
    shared: object = None
    group: Abilities | None = None
    left: int = 0
    shown: int = 0
    ended: bool = False
    tries: Counter[int] = field(default_factory=Counter)
    finished: set[int] = field(default_factory=set)
    alone_since: float | None = None
    reason: str = ""


@dataclass(eq=False)
class Task:
    """Piece that a worker makes."""

    clip: Clip
    piece: Piece
    since: float = field(default_factory=monotonic)
    done: int = 0
    sent: int = 0
    files: deque[tuple[Path, int]] = field(default_factory=deque)
    made: list[Made] = field(default_factory=list)
    met: Met = field(default_factory=Met)
    error: BrushreelError | None = None

    def seconds_left(self, now: float) -> float:
        """Estimate how long it takes still, by what it has taken."""
        spent = now - self.since
        return spent if not self.done else spent * (len(self.piece) - self.done) / self.done


@dataclass(frozen=True)
class Sending:
    """Transfer of files for a task."""

    task: Task


@dataclass(eq=False)
class Member:
    """Worker, as the dispatcher sees it.

    Attributes:
        slot: Its place.
        abilities: What it has answered; None until it is ready.
        clips: Its answer to each order; None while it is asked.
        has: Files that were sent to it, each with the clip's number.
        task: What it makes.
        frames, seconds: Work that it has done.
    """

    slot: Slot
    worker: Any
    abilities: Abilities | None = None
    clips: dict[int, Ready | Unfit | None] = field(default_factory=dict)
    has: set[tuple[int, Path]] = field(default_factory=set)
    task: Task | None = None
    frames: int = 0
    seconds: float = 0.0

    @property
    def idle(self) -> bool:
        """True if it waits for work."""
        return self.abilities is not None and self.task is None and None not in self.clips.values()

    @property
    def fps(self) -> float | None:
        """Frames a second; None until it is known."""
        return self.frames / self.seconds if self.seconds else None


@dataclass(eq=False)
class Pin:
    """Question of a clip for the arithmetic that it is to be made with."""

    source: Source
    wanted: Mapping[str, Any] | None
    answer: Future[tuple[Abilities, Mapping[str, Any]]]
    tries: int = 0
    asked: bool = False
    group: Abilities | None = None
