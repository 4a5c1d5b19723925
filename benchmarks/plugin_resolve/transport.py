"""Time of a frame's way to the render server and back, compared with copying its bytes twice.

    python benchmarks/plugin_resolve/transport.py [--rounds 41] [--json FILE]

A host (the tests' own, in ctypes) renders float RGBA frames through the compiled effect. At
strength 0 the server gives a frame back as it came, so that what is left is transport: into shared
memory, a message there and back, out of it. "Parked" is a stylized frame that is asked for again.
The two copies are numpy's, of the same bytes between the same kinds of memory, done in turns with
the renders; times are medians, the fastest round in brackets, which other work on the machine
disturbs least. Exit status 1 if the ratio is above 2.5 anywhere.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from brushreel import native
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.style import Painting, Style
from brushreel.plugin_resolve.ofx import bundle

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "plugin_resolve"))
from ofx.minihost import OK, Image, Instance, MiniHost

SIZES = ((1920, 1080), (3840, 2160))
MOST = 2.5


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=41)
    parser.add_argument("--json", type=Path, help="write the figures there, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="br-") as folder:
        rows = _measure_all(Path(folder), options.rounds)
    print("| size | two copies | transport | ratio | parked frame |")
    print("| --- | --- | --- | --- | --- |")
    for row in rows:
        copies, transport, parked = (
            _shown(row[name]) for name in ("copies", "transport", "parked")
        )
        print(f"| {row['size']} | {copies} | {transport} | {row['ratio']:.2f} | {parked} |")
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))
    return int(any(row["ratio"] > MOST for row in rows))


def _shown(times: tuple[float, float]) -> str:
    return f"{times[0]:.1f} ms ({times[1]:.1f})"


def _measure_all(folder: Path, rounds: int) -> list[dict]:
    os.environ |= {"XDG_RUNTIME_DIR": str(folder), "XDG_DATA_HOME": str(folder / "data")}
    os.environ["OFX_PLUGIN_PATH"] = str(folder / "plugins")
    spec = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)
    weights = StylizingNetwork(spec).state_dict()
    style = Style("tiny", "Tiny", Painting("-", "-", "-", "-"), spec, weights)
    style.save(folder / "data" / "brushreel" / "styles" / "tiny.safetensors")
    bundle.install()
    # It must not outlive the folder by much.
    server = folder / "plugins" / native.BUNDLE / "Contents" / "Resources" / "server"
    server.write_text(server.read_text() + "--idle\n20\n")
    host = MiniHost(folder / "plugins" / native.BUNDLE)
    effect = host.create()
    effect.change(style="tiny")
    rows = [_measure(effect, *size, rounds) for size in SIZES]
    effect.destroy()
    return rows


def _measure(effect: Instance, width: int, height: int, rounds: int) -> dict:
    source = Image(np.random.default_rng(0).random((height, width, 4), np.float32))
    output = Image(np.zeros((height, width, 4), np.float32))
    between = torch.zeros(source.memory.shape, dtype=torch.uint8).share_memory_().numpy()

    def copies() -> None:
        np.copyto(between, source.memory)
        np.copyto(output.memory, between)

    def render() -> None:
        status, _ = effect.render(source, output)
        if status != OK:
            raise SystemExit(f"the render failed: {effect.shown}")

    effect.change(strength=0.0)
    transport, copied = _in_turns(rounds, render, copies)
    effect.change(strength=1.0)
    (parked,) = _in_turns(rounds, render)
    row = {"size": f"{width}x{height}", "copies": copied, "transport": transport}
    return row | {"ratio": transport[0] / copied[0], "parked": parked}


def _in_turns(rounds: int, *tasks: Callable[[], None]) -> list[tuple[float, float]]:
    """Return the median and the lowest milliseconds of each; the first round warms up."""
    times: list[list[float]] = [[] for _ in tasks]
    for _ in range(rounds):
        for task, taken in zip(tasks, times, strict=True):
            begun = time.perf_counter()
            task()
            taken.append((time.perf_counter() - begun) * 1000)
    return [(median(taken[1:]), min(taken[1:])) for taken in times]


if __name__ == "__main__":
    sys.exit(main())
