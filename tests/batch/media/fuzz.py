"""Conversion of damaged files by the command, in one batch, and what came of each."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from .mutate import mutants, whole_clips

# Of the batch; a decoder that hangs is a failure.
PATIENCE = 1500
# In a process of its own: what is read may bring a decoder down.
_COUNT = """
import sys, av
with av.open("file:" + sys.argv[1]) as container:
    print(sum(1 for _ in container.decode(video=0)))
"""


@dataclass
class Outcome:
    """Outcome of a batch of damaged files.

    Attributes:
        files: How many there were.
        done: How many were converted, each read back whole by PyAV alone.
        failed: The messages of the others, and how often.
        crashed: Files whose decoder brought its worker down, with the message that names them.
        wrong: What must not be, a line each.
    """

    files: int = 0
    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    crashed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


def fuzz(folder: Path, style: Path, count: int, seed: int) -> Outcome:
    """Damage files, convert them, and judge.

    Args:
        folder: An empty one.
        style: Any style file.
        count: How many files.
        seed: Of the damage.
    """
    source, output = folder / "in", folder / "out"
    source.mkdir()
    paths = mutants(source, whole_clips(source), count, seed)
    command = [sys.executable, "-m", "brushreel", "stylize", str(source), "-s", str(style)]
    command += ["-o", str(output), "--device", "cpu", "--drop-unsupported", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    outcome = Outcome(len(paths))
    if done.returncode not in (0, 1):
        outcome.wrong.append(f"exit status {done.returncode}")
    if "Traceback" in done.stderr + done.stdout:
        outcome.wrong.append(f"a traceback: {done.stderr[-2000:]}")
    events = [json.loads(line) for line in done.stdout.splitlines()]
    ended = {e["input"]: e for e in events if e["event"] in ("clip_done", "clip_failed")}
    for path in paths:
        _judge(path, ended.pop(str(path), None), outcome)
    named = {event["output"] for event in events if event["event"] == "clip_done"}
    found = {str(path) for path in output.iterdir() if not path.name.startswith(".")}
    outcome.wrong += [f"{name}: nobody said that it is there" for name in sorted(found - named)]
    return outcome


def _judge(path: Path, event: dict | None, outcome: Outcome) -> None:
    if event is None:
        outcome.wrong.append(f"{path.name}: nothing was said of it")
    elif event["event"] == "clip_done":
        outcome.done += 1
        frames = _frames(Path(event["output"]))
        if frames != event["frames"]:
            outcome.wrong.append(f"{path.name}: {frames} frames where {event['frames']} were said")
    else:
        what = event["what"]
        outcome.failed[" ".join(w for w in what.split() if not any(c.isdigit() for c in w))] += 1
        if "worker process ended" in what:
            outcome.crashed.append(f"{path.name}: {what}")
        if "unexpected" in what:
            outcome.wrong.append(f"{path.name}: {what}")


def _frames(path: Path) -> int | str:
    command = [sys.executable, "-c", _COUNT, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return int(done.stdout) if done.returncode == 0 else f"no ({done.stderr.strip()[-200:]})"
