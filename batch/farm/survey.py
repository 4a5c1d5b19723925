"""Survey of a cluster: what every node is and can, and what it sees."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.finding import Finding
from .ray_crew import connect, introduction_of, name_of, reason_without_facts, slots_of, unfit

# A node that has not answered by then does not answer.
_SECONDS = 120.0


@dataclass(frozen=True)
class SurveyedNode:
    """Node of a cluster.

    Attributes:
        name: Its name.
        cpus: Cores that it has declared to Ray.
        gpus: GPUs that it has declared to Ray.
        facts: What it says of itself, see `introduce`; None where it does not.
        refused: Why it can't take part; None if it can.
    """

    name: str
    cpus: float
    gpus: float
    facts: Mapping[str, Any] | None
    refused: str | None

    def workers(self, device: str) -> int:
        """Return the number of workers that it has place for."""
        return 0 if self.refused else len(slots_of("", self.name, self.cpus, self.gpus, device))


def survey_cluster(address: str, paths: Sequence[Path] = ()) -> list[SurveyedNode]:
    """Ask every node of a cluster what it is.

    Args:
        address: As `connect` takes it.
        paths: Files and folders to look for there.

    Raises:
        ExtraError, ClusterError: As `connect`.
    """
    connect(address)
    import ray  # noqa: PLC0415  # pyright: ignore[reportMissingImports]

    texts = [str(path.absolute()) for path in paths]
    alive = [node for node in ray.nodes() if node["Alive"]]
    asked = {node["NodeID"]: introduction_of(ray, node["NodeID"], texts) for node in alive}
    ray.wait(list(asked.values()), num_returns=len(asked), timeout=_SECONDS)
    try:
        return [_surveyed(ray, node, asked[node["NodeID"]]) for node in alive]
    finally:
        ray.shutdown()


def _surveyed(ray: Any, node: Mapping[str, Any], answer: Any) -> SurveyedNode:  # noqa: ANN401
    facts, refused = None, "it does not answer"
    try:
        if ray.wait([answer], timeout=0)[0]:
            facts = ray.get(answer)
            refused = unfit(facts)
    except ray.exceptions.RayError as error:
        refused = reason_without_facts(error)
    resources = node["Resources"]
    cpus, gpus = resources.get("CPU", 0), resources.get("GPU", 0)
    return SurveyedNode(name_of(node), cpus, gpus, facts, refused)


def findings(nodes: Sequence[SurveyedNode]) -> Iterator[Finding]:
    """Yield a line of the doctor's report for each node, and for each path that one lacks."""
    for node in nodes:
        if node.refused is not None:
            fix = "install the same Brushreel there, or leave the node out of the cluster"
            yield Finding(node.name, "broken", node.refused, fix)
        if node.facts is None:
            continue
        if node.refused is None:
            yield Finding(node.name, "ok", _described(node))
        for path, seen in node.facts["sees"].items():
            words = "sees" if seen else "does not see"
            yield Finding(node.name, "ok", f"{words} {path}")


def _described(node: SurveyedNode) -> str:
    assert node.facts is not None
    devices = ", ".join(
        f"{name} {own['precision']} ({', '.join(own['runtimes'])})"
        for name, own in node.facts["devices"].items()
    )
    about = f"Brushreel {node.facts['brushreel']}, torch {node.facts['torch']}"
    return f"{about}; {devices}; declares {node.cpus:g} cores, {node.gpus:g} GPUs"


def spread(nodes: Sequence[SurveyedNode], device: str) -> Iterator[str]:
    """Yield how work would be spread, a line for each node.

    Args:
        nodes: From `survey_cluster`.
        device: "auto", "cpu" or "cuda".
    """
    workers = sum(node.workers(device) for node in nodes)
    yield f"cluster: {len(nodes)} nodes, {workers} workers"
    for node in nodes:
        count = node.workers(device)
        yield f"  {node.name}: {node.refused or f'{count} of the workers'}"
