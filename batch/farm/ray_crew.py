"""Workers on a Ray cluster: an actor for each place, whose answers are streamed."""

from __future__ import annotations

import logging
import math
import signal
import socket
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic, sleep
from typing import Any

import av

from ...core.errors import BrushreelError, ClusterError, extra, unexpected
from ...core.style import SUFFIX
from ...core.version import __version__
from ..clips.settings import JobSettings
from .crew import Call, Ended, LeftOut, Lost, Slot, View
from .introduction import introduce
from .orders import Failed, StyleFile
from .temporary import TemporaryFolder
from .worker import Answer, Worker

# More cores than these are no faster in one pipeline of reading, stylizing and encoding.
_MOST_CORES = 16
# A node that has said nothing for so long is not waited for.
_INTRODUCTION_SECONDS = 300.0
_REACH_SECONDS = 10.0
# Calls that a worker answers while it makes a piece.
_AT_A_TIME = 4


def connect(address: str) -> None:
    """Connect this process with a Ray cluster.

    Args:
        address: "auto" for the cluster of this machine, or its head as HOST:PORT.

    Raises:
        ExtraError: Ray is not installed.
        ClusterError: There is no such cluster.
    """
    with extra("farm"):
        import ray  # noqa: PLC0415  # pyright: ignore[reportMissingImports]
    if address.startswith("ray://"):
        raise ClusterError(
            "Ray's client connection is not supported",
            hint="run the command on a machine of the cluster, with --ray auto",
        )
    # Ray's own handler would end this process without tidying up.
    handler = signal.getsignal(signal.SIGTERM)
    try:
        if address != "auto":
            _check_reachable(address)
        ray.init(
            address=address,
            logging_level=logging.ERROR,
            log_to_driver=False,
            configure_logging=False,
        )
    except (OSError, RuntimeError, ValueError) as error:
        raise ClusterError(
            f"there is no Ray cluster at {address}",
            hint="docs/cluster.md says how to start one",
        ) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)


def _check_reachable(address: str) -> None:
    """Refuse an address at which nobody listens: Ray would try for minutes.

    Raises:
        OSError, ValueError: Nobody does.
    """
    host, _, port = address.rpartition(":")
    socket.create_connection((host.strip("[]"), int(port)), timeout=_REACH_SECONDS).close()


def style_file(settings: JobSettings) -> StyleFile:
    """Return the style of a job as a file.

    Raises:
        StyleError: There is no such style, or it is damaged.
    """
    style, folder = settings.load_style(), TemporaryFolder()
    try:
        path = folder.path / f"{style.name}{SUFFIX}"
        style.save(path)
        return StyleFile(style.name, style.digest, path.read_bytes())
    finally:
        folder.remove()


@dataclass
class _Node:
    """Node of the cluster, with what it says of itself."""

    name: str
    cpus: float
    gpus: float
    asked: Any = None
    facts: dict[str, Any] | None = None
    refused: str | None = None
    slots: tuple[Slot, ...] = ()
    since: float = field(default_factory=monotonic)

    @property
    def is_coming(self) -> bool:
        """True if it has not answered yet, and may still."""
        return self.asked is not None and monotonic() - self.since < _INTRODUCTION_SECONDS


class RayCrew:
    """`Crew` of a Ray cluster that `connect` has reached.

    Args:
        settings: Settings of every job.
        style: Their style.
        device: "auto", "cpu" or "cuda".
        places: Beginnings of paths on the driver, and what they are on the nodes.
    """

    def __init__(
        self,
        settings: JobSettings,
        style: StyleFile,
        device: str = "auto",
        places: tuple[tuple[str, str], ...] = (),
    ):
        import ray  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

        self._ray: Any = ray
        self._settings, self._device, self._places = settings, device, places
        self._style = ray.put(style)
        self._nodes: dict[str, _Node] = {}
        self._calls: list[Any] = []

    def look(self) -> View:
        """Return the places that there are now, see `Crew`."""
        alive = {node["NodeID"]: node for node in self._ray.nodes() if node["Alive"]}
        for key in set(self._nodes) - set(alive):
            del self._nodes[key]
        for key, about in alive.items():
            if key not in self._nodes:
                self._nodes[key] = self._met(key, about)
            self._hear_introduction(key, self._nodes[key])
        slots = [slot for node in self._nodes.values() for slot in node.slots]
        left_out = [
            LeftOut(node.name, node.refused) for node in self._nodes.values() if node.refused
        ]
        return View(slots, left_out, any(node.is_coming for node in self._nodes.values()))

    def _met(self, key: str, about: dict[str, Any]) -> _Node:
        resources, name = about["Resources"], name_of(about)
        alike = [node for node in self._nodes.values() if node.name.startswith(name)]
        node = _Node(
            f"{name} {key[:6]}" if alike else name, resources.get("CPU", 0), resources.get("GPU", 0)
        )
        node.asked = introduction_of(self._ray, key)
        return node

    def _hear_introduction(self, key: str, node: _Node) -> None:
        if node.asked is None or not self._ray.wait([node.asked], timeout=0)[0]:
            return
        try:
            node.facts = self._ray.get(node.asked)
        except self._ray.exceptions.RayError as error:
            node.refused = reason_without_facts(error)
        else:
            node.refused = unfit(node.facts or {})
        node.asked = None
        if node.refused is None:
            node.slots = tuple(self._slots_of(key, node))
            if not node.slots:
                node.refused = f"it has no {self._device} to work with"

    def _slots_of(self, key: str, node: _Node) -> Sequence[Slot]:
        return slots_of(key, node.name, node.cpus, node.gpus, self._device)

    def share(self, value: object) -> object:
        """Put a value into Ray's object store, see `Crew`."""
        return self._ray.put(value)

    def hire(self, slot: Slot) -> Any:  # noqa: ANN401
        """Start an actor, see `Crew`."""
        actor: Any = self._ray.remote(Worker)
        return actor.options(
            num_cpus=slot.cpus,
            num_gpus=slot.gpus,
            max_concurrency=_AT_A_TIME,
            max_restarts=0,
            scheduling_strategy=_only_on(slot.node),
        ).remote(self._settings, self._style, slot.device, max(1, int(slot.cpus)), self._places)

    def ask(self, worker: Any, method: str, *arguments: object) -> Call:  # noqa: ANN401
        """Call a method of an actor, see `Crew`."""
        call = getattr(worker, method).options(num_returns="streaming").remote(*arguments)
        self._calls.append(call)
        return call

    def answers(self, seconds: float) -> Sequence[tuple[Call, Answer | Ended | Lost]]:
        """Return what has been answered, see `Crew`."""
        wait = self._ray.wait
        if not self._calls:
            sleep(seconds)
            return []
        ready, _ = wait(self._calls, num_returns=1, timeout=seconds)
        if ready:
            ready, _ = wait(self._calls, num_returns=len(self._calls), timeout=0)
        found = [(call, self._answer(call)) for call in ready]
        ended = {call for call, answer in found if isinstance(answer, Ended | Lost)}
        self._calls = [call for call in self._calls if call not in ended]
        return found

    def _answer(self, call: Any) -> Answer | Ended | Lost:  # noqa: ANN401  Ray's generator
        try:
            return self._ray.get(next(call))
        except StopIteration:
            return Ended()
        except self._ray.exceptions.RayTaskError as error:
            return Failed(_cause(error))
        except self._ray.exceptions.OutOfMemoryError:
            return Lost("it ran out of memory")
        except self._ray.exceptions.RayError as error:
            return Lost(_words(error))

    def dismiss(self, worker: Any) -> None:  # noqa: ANN401
        """Kill an actor, see `Crew`."""
        self._ray.kill(worker)

    def close(self) -> None:
        """Leave the cluster; Ray ends the actors of a driver that has left."""
        self._ray.shutdown()


def slots_of(node: str, name: str, cpus: float, gpus: float, device: str) -> Sequence[Slot]:
    """Return the places for workers on a node.

    Args:
        node: Identity of the node.
        name: Its name for people.
        cpus: Cores that it has declared to Ray.
        gpus: GPUs that it has declared to Ray.
        device: "auto" for its GPUs, or its CPU where it has none; "cpu" or "cuda".
    """
    count = int(gpus)
    if device in ("auto", "cuda") and count:
        return [Slot(node, name, number, "cuda", cpus / count, 1) for number in range(count)]
    if device == "cuda" or not cpus:
        return []
    count = math.ceil(cpus / _MOST_CORES)
    own = cpus / count if cpus < 1 else cpus // count
    return [Slot(node, name, number, "cpu", own) for number in range(count)]


def name_of(node: Mapping[str, Any]) -> str:
    """Return a node's name for people, from Ray's facts of it."""
    return f"{node['NodeManagerHostname']} ({node['NodeManagerAddress']})"


def introduction_of(ray: Any, node: str, paths: Sequence[str] = ()) -> Any:  # noqa: ANN401
    """Ask a node for its introduction, and return what stands for the answer.

    Args:
        ray: The module.
        node: Identity of the node.
        paths: Files and folders to look for.
    """
    task = ray.remote(introduce)
    return task.options(num_cpus=0, max_retries=1, scheduling_strategy=_only_on(node)).remote(paths)


def reason_without_facts(error: Exception) -> str:
    """Return why a node could not introduce itself."""
    cause = getattr(error, "cause", error)
    if isinstance(cause, ImportError | AttributeError) or "No module named" in str(error):
        return f"it has no Brushreel {__version__}, or can't load it"
    return _words(error)


def unfit(facts: Mapping[str, Any]) -> str | None:
    """Return why a node can't take part; None if it can."""
    if facts["brushreel"] != __version__:
        return f"it has Brushreel {facts['brushreel']} instead of {__version__}"
    own = [av.__version__, dict(av.library_versions)]
    if facts["av"] != own:
        return f"it has PyAV {facts['av'][0]} instead of {own[0]}, or other libraries of FFmpeg"
    return None


def _only_on(node: str) -> Any:  # noqa: ANN401
    from ray.util import scheduling_strategies  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    return scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=False)


def _cause(error: Exception) -> BrushreelError:
    cause = getattr(error, "cause", error)
    return cause if isinstance(cause, BrushreelError) else unexpected(cause)


def _words(error: Exception) -> str:
    kind = type(error).__name__
    if "Node" in kind or ("node" in str(error).split("\n")[0] and "died" in str(error)):
        return "the node is gone"
    return "its worker process ended"
