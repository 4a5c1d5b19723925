"""A watched folder, and a clock that nobody has to wait for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from brushreel.batch.plan import Job, PassOver, plan
from brushreel.batch.run import BatchResult
from brushreel.batch.watch import LOCK, STATE, Work, watch


@dataclass
class Folders:
    """A watched folder and what is done in it."""

    inbox: Path
    outbox: Path
    run: Callable[[list[Job], bool], BatchResult]
    key: str = "key"
    batches: list[tuple[list[str], bool]] = field(default_factory=list)

    def work(self) -> Work:
        def noted(jobs, overwrite):
            self.batches.append(([job.source.name for job in jobs], overwrite))
            return self.run(jobs, overwrite)

        return Work(self.plan, noted, self.key)

    def plan(self, pass_over: PassOver) -> list[Job]:
        return plan(
            [self.inbox], self.outbox, style_name="tiny", recursive=True, pass_over=pass_over
        )

    def once(self, **settings) -> int:
        return watch(self.inbox, self.outbox, self.work(), once=True, **settings)

    def taken(self) -> list[str]:
        """Return the names of the clips taken since the last call."""
        names = [name for batch, _ in self.batches for name in batch]
        self.batches.clear()
        return names

    def state(self) -> dict:
        return json.loads((self.outbox / STATE).read_text())["clips"]


class Clock:
    """Time that passes only when somebody sleeps; then, what was planned for it happens."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for event in [event for event in self.events if event[0] <= self.now]:
            self.events.remove(event)
            event[1]()

    def at(self, seconds: float, event: Callable[[], object]) -> None:
        self.events.append((seconds, event))

    def end(self, seconds: float) -> None:
        self.at(seconds, interrupt)


def interrupt() -> None:
    raise KeyboardInterrupt


def outputs(folders: Folders) -> list[str]:
    own = {STATE, LOCK}
    return sorted(
        path.relative_to(folders.outbox).as_posix()
        for path in folders.outbox.rglob("*")
        if path.is_file() and path.name not in own
    )
