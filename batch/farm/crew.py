"""Workers of a cluster as the dispatcher sees them, whatever library reaches them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from .worker import Answer


@dataclass(frozen=True)
class Slot:
    """Place for a worker on a node.

    Attributes:
        node: Identity of the node.
        name: Its name for people.
        number: 0 for the first place of the node.
        device: Where a worker stylizes.
        cpus, gpus: What is declared to the cluster.
    """

    node: str
    name: str
    number: int
    device: str
    cpus: float
    gpus: float = 0


@dataclass(frozen=True)
class LeftOut:
    """Node that can't take part, with the reason."""

    name: str
    reason: str


@dataclass(frozen=True)
class View:
    """View of a cluster.

    Attributes:
        slots: Places for workers.
        left_out: Nodes that can't take part.
        coming: Whether there are nodes that have not said yet what they are.
    """

    slots: Sequence[Slot]
    left_out: Sequence[LeftOut] = ()
    coming: bool = False


class Ended:
    """Mark of the end of the answers to a call."""


@dataclass(frozen=True)
class Lost:
    """End of a worker, with the reason."""

    reason: str


Call = Hashable


class Crew(Protocol):
    """The workers of a cluster. Used by one thread."""

    def look(self) -> View:
        """Return the places that there are now, and the nodes that can't take part."""
        ...

    def share(self, value: object) -> object:
        """Return what stands for a value in calls; it travels to a node once."""
        ...

    def hire(self, slot: Slot) -> Any:  # noqa: ANN401  whatever the library has
        """Start a worker; it is ready when it answers."""
        ...

    def ask(self, worker: Any, method: str, *arguments: object) -> Call:  # noqa: ANN401
        """Call a method of a worker, which answers by and by."""
        ...

    def answers(self, seconds: float) -> Sequence[tuple[Call, Answer | Ended | Lost]]:
        """Return what has been answered, after waiting so long for the first one at most."""
        ...

    def dismiss(self, worker: Any) -> None:  # noqa: ANN401
        """End a worker, whatever it does."""
        ...

    def close(self) -> None:
        """End all workers, and leave the cluster."""
        ...
