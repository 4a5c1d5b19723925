"""Simulate one driver and many nodes: how many it feeds, and what fails on the way costs.

    python benchmarks/batch/scale_simulation.py [--hours 50] [--nodes 10,100,1000] [--json FILE]

A discrete simulation of the scheduler of `brushreel stylize --ray`: a driver with one core that
gives out segments, sends what they need, takes and joins the results, one after the other; a link
of the driver, one transfer after the other; and nodes that make one segment at a time and fail at
random, after which the segment is given out again. The figures that it starts from are options;
docs/scale.md says where the defaults are from. Assumptions:

- a node's time for a segment varies by a fifth (normal distribution);
- nodes fail independently (exponential distribution), are noticed after `--notice` seconds, and
  come back after `--return` seconds;
- the driver's work on a segment is the same for every clip, and is not parallel.

For each number of nodes: hours of footage an hour, the share of time that nodes work, that the
driver computes and that its link transfers, and the share of segments made twice.
"""

from __future__ import annotations

import argparse
import heapq
import json
import random
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figures:
    """Figures that a simulation starts from.

    Attributes:
        footage: Seconds of footage in a segment.
        making: Seconds that a node makes a segment.
        driver: CPU seconds of the driver for a segment.
        sent, received: Bytes of a segment over the driver's link.
        link: Bytes a second of the link.
        failure: Hours between two failures of a node.
        notice: Seconds until a failure is noticed.
        back: Seconds until a node is back.
    """

    footage: float
    making: float
    driver: float
    sent: float
    received: float
    link: float
    failure: float
    notice: float
    back: float


@dataclass
class Outcome:
    """Outcome of a simulation: seconds, and what was busy how long."""

    segments: int
    nodes: int
    seconds: float = 0.0
    worked: float = 0.0
    driver: float = 0.0
    link: float = 0.0
    again: int = 0

    def line(self, figures: Figures) -> str:
        """Return a row of the table."""
        hours = self.segments * figures.footage / self.seconds
        return (
            f"{self.nodes:6d} {hours:10.1f} {self.worked / self.nodes / self.seconds:9.1%} "
            f"{self.driver / self.seconds:9.1%} {self.link / self.seconds:9.1%} "
            f"{self.again / self.segments:9.2%}"
        )


class Server:
    """Something that does one thing after the other; `busy` is for how long in all."""

    def __init__(self) -> None:
        self.free, self.busy = 0.0, 0.0

    def serve(self, now: float, seconds: float) -> float:
        """Return when something is done that is asked for now."""
        self.free = max(self.free, now) + seconds
        self.busy += seconds
        return self.free


class Simulation:
    """Simulation of a batch, event by event.

    Args:
        figures: What it starts from.
        nodes: Number of nodes.
        segments: Number of segments.
        seed: Seed of chance.
    """

    def __init__(self, figures: Figures, nodes: int, segments: int, seed: int = 0):
        self._figures, self._waiting = figures, segments
        self._random = random.Random(seed)  # noqa: S311  nothing secret
        self._driver, self._link = Server(), Server()
        self._outcome = Outcome(segments, nodes)
        self._done = self._number = 0
        self._events: list[tuple[float, int, str]] = []
        for _ in range(nodes):
            self._at(0.0, "idle")

    def _at(self, time: float, what: str) -> None:
        """Note what happens later; of two events at a time the earlier noted comes first."""
        self._number += 1
        heapq.heappush(self._events, (time, self._number, what))

    def run(self) -> Outcome:
        """Simulate until all segments are there."""
        while self._done < self._outcome.segments:
            now, _, what = heapq.heappop(self._events)
            getattr(self, f"_{what}")(now)
        self._outcome.driver, self._outcome.link = self._driver.busy, self._link.busy
        return self._outcome

    def _idle(self, now: float) -> None:
        """Give a node a segment; where none waits, one may come back."""
        if not self._waiting:
            self._at(now + self._figures.notice, "idle")
            return
        self._waiting -= 1
        self._at(self._driver.serve(now, self._figures.driver / 2), "ordered")

    def _ordered(self, now: float) -> None:
        self._at(self._link.serve(now, self._figures.sent / self._figures.link), "begun")

    def _begun(self, now: float) -> None:
        figures = self._figures
        seconds = max(0.1, self._random.gauss(1, 0.2)) * figures.making
        until = self._random.expovariate(1 / (figures.failure * 3600))
        self._outcome.worked += min(until, seconds)
        if until < seconds:
            self._at(now + until + figures.notice, "lost")
            self._at(now + until + figures.back, "idle")
        else:
            self._at(now + seconds, "made")

    def _lost(self, now: float) -> None:
        del now
        self._waiting += 1
        self._outcome.again += 1

    def _made(self, now: float) -> None:
        """Take the result, while the node gets its next segment."""
        self._at(self._link.serve(now, self._figures.received / self._figures.link), "arrived")
        self._at(now, "idle")

    def _arrived(self, now: float) -> None:
        self._at(self._driver.serve(now, self._figures.driver / 2), "kept")

    def _kept(self, now: float) -> None:
        self._done += 1
        self._outcome.seconds = now


def main() -> int:
    """Simulate and print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--hours", type=float, default=50, help="Hours of footage, at least 3 segments a node.")
    add("--nodes", default="10,30,100,300,1000,3000")
    add("--footage", type=float, default=10, help="Seconds of footage in a segment.")
    add("--making", type=float, default=30, help="Seconds that a node makes a segment.")
    add("--driver", type=float, default=DRIVER, help="CPU seconds of the driver for a segment.")
    add("--sent", type=float, default=SENT, help="Bytes sent for a segment, not shared.")
    add("--received", type=float, default=RECEIVED, help="Bytes received for a segment.")
    add("--link", type=float, default=1.1e9, help="Bytes a second of the driver's link.")
    add("--failure", type=float, default=100, help="Hours between two failures of a node.")
    add("--notice", type=float, default=30)
    add("--return", dest="back", type=float, default=300)
    add("--json", type=Path)
    options = parser.parse_args()
    found: dict[str, list[dict[str, float]]] = {}
    for name, sent in (("shared folder", 0.0), ("no shared folder", options.sent)):
        figures = Figures(
            options.footage,
            options.making,
            options.driver,
            sent,
            options.received,
            options.link,
            options.failure,
            options.notice,
            options.back,
        )
        print(f"{name}: {options.making / options.footage:.1f} node hours an hour of footage")
        print(
            f"{'nodes':>6} {'hours/hour':>10} {'nodes':>9} {'driver':>9} {'link':>9} {'again':>9}"
        )
        found[name] = []
        for nodes in map(int, options.nodes.split(",")):
            segments = max(round(options.hours * 3600 / options.footage), 20 * nodes)
            outcome = Simulation(figures, nodes, segments).run()
            print(outcome.line(figures), flush=True)
            found[name].append(vars(outcome))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


# The driver's as benchmarks/batch/cluster.py printed it; bytes of sources of 50 Mbit/s, and of
# outputs of 10 Mbit/s.
DRIVER, SENT, RECEIVED = 0.4, 62.5e6, 12.5e6

if __name__ == "__main__":
    sys.exit(main())
