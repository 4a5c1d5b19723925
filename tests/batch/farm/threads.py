"""A crew whose workers are threads of this process: everything of a cluster but the cluster."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from brushreel.batch.clips.settings import JobSettings
from brushreel.batch.farm.crew import Ended, Lost, Slot, View
from brushreel.batch.farm.orders import StyleFile
from brushreel.batch.farm.worker import Worker


@dataclass(eq=False)
class Hired:
    slot: Slot
    worker: Worker
    calls: list = field(default_factory=list)
    is_dead: bool = False


class ThreadCrew:
    """Nodes are names; a test adds and removes them, kills workers, and meddles with answers.

    Attributes:
        nodes: Names of the nodes that are alive.
        asked: Every call of a worker: node, method, arguments.
        on_answer: Called with node, method and answer; returns what is heard, or None for nothing.
    """

    def __init__(self, settings: JobSettings, style: StyleFile, *nodes: str, device: str = "cpu"):
        self.nodes = list(nodes)
        self.left_out = []
        self.asked: list[tuple] = []
        self.hired: list[Hired] = []
        self.on_answer: Callable = lambda node, method, answer: answer
        self.settings, self.style, self.device = settings, style, device
        self.is_closed = False
        self.places = ()
        self._answers: queue.SimpleQueue = queue.SimpleQueue()

    def look(self):
        slots = [Slot(name, name, 0, self.device, 1) for name in self.nodes]
        return View(slots, self.left_out)

    def share(self, value):
        return value

    def hire(self, slot: Slot):
        self.hired.append(Hired(slot, self.worker(slot)))
        return self.hired[-1]

    def worker(self, slot: Slot) -> Worker:
        return Worker(self.settings, self.style, slot.device, 1, self.places, alone=False)

    def ask(self, worker: Hired, method: str, *arguments):
        self.asked.append((worker.slot.node, method, arguments))
        call = object()
        worker.calls.append(call)
        run = threading.Thread(
            target=self._run, args=(worker, call, method, arguments), daemon=True
        )
        run.start()
        return call

    def _run(self, hired: Hired, call, method: str, arguments) -> None:
        for answer in getattr(hired.worker, method)(*arguments):
            heard = self.on_answer(hired.slot.node, method, answer)
            if hired.is_dead:
                return
            if heard is not None:
                self._answers.put((call, heard))
        if not hired.is_dead:
            hired.calls.remove(call)
            self._answers.put((call, Ended()))

    def kill(self, node: str) -> None:
        """End the worker of a node, as SIGKILL does."""
        for hired in self.hired:
            if hired.slot.node == node and not hired.is_dead:
                hired.is_dead = True
                # Of several calls each one tells, of which the first ends the worker.
                for call in [*hired.calls, *hired.calls]:
                    self._answers.put((call, Lost("its worker process ended")))

    def answers(self, seconds: float):
        found = []
        try:
            found.append(self._answers.get(timeout=seconds))
            while not self._answers.empty():
                found.append(self._answers.get())
        except queue.Empty:
            pass
        return found

    def dismiss(self, worker: Hired) -> None:
        worker.is_dead = True

    def close(self) -> None:
        self.is_closed = True
