"""Events of a command (docs/events.md, docs/training.md) entered into its job."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from .job import Job

# Points of a curve that are kept; of more, every second one is dropped.
_MOST_POINTS = 400
# Failures of a watched folder that are shown.
_MOST_TOLD = 5


class Follower:
    """A reader of one child's events.

    The facts of a watched folder are `clip`, the name of the one under way, `done` and `failed`,
    numbers of clips, and `said`, the latest line for people. Those of a training are `checkpoint`,
    `losses`, points (step, mean) by name, `step` and `pictures`, see `training_frames`, `style`,
    the name of the finished style, and `figures`.

    Args:
        job: The job that the child does.
    """

    def __init__(self, job: Job):
        self._job = job
        self._pace = _Pace()
        self._last = ""

    def note(self, event: dict[str, Any]) -> bool:
        """Enter an event; return whether it is worth keeping the list on disk."""
        name = event["event"]
        if name.startswith("training_"):
            return self._note_training(name, event)
        self._note_clip(name, event)
        return name in ("clip_started", "clip_done", "clip_failed")

    def _note_clip(self, name: str, event: dict[str, Any]) -> None:
        job, watching = self._job, self._job.kind == "watch"
        match name:
            case "clip_started":
                job.output, job.expected = event["output"], event["frames_expected"]
                job.frames, self._pace = 0, _Pace()
                job.facts["clip"] = Path(event["input"]).name
                job.warnings = job.warnings if watching else event["warnings"]
            case "clip_resumed" | "clip_kept":
                job.frames = event["frames"]
            case "clip_progress":
                job.frames = event["frames"]
                job.left = self._pace.left(job.frames, job.expected)
            case "clip_done":
                job.output, job.left = event["output"], None
                job.frames = job.expected = event["frames"]
                job.warnings = job.warnings if watching else event["warnings"]
                job.facts["done"] = job.facts.get("done", 0) + 1
            case "clip_failed":
                hint = f" ({event['hint']})" if event["hint"] else ""
                told = f"{event['what']}{hint}"
                if watching:
                    job.facts["failed"] = job.facts.get("failed", 0) + 1
                    job.warnings = [*job.warnings, f"{event['input']}: {told}"][-_MOST_TOLD:]
                else:
                    job.error = told
            case _:
                return
        if watching and name in ("clip_done", "clip_failed"):
            job.frames, job.expected, job.left = 0, None, None
            job.facts["clip"] = ""

    def _note_training(self, name: str, event: dict[str, Any]) -> bool:
        job, facts = self._job, self._job.facts
        match name:
            case "training_started":
                facts["checkpoint"] = event["checkpoint"]
                facts["losses"] = {
                    part: [point for point in points if point[0] <= event["step"]]
                    for part, points in facts.get("losses", {}).items()
                }
                job.frames, job.expected = event["step"], event["steps"]
            case "training_progress":
                job.frames, job.expected = event["step"], event["steps"]
                job.left = self._pace.left(job.frames, job.expected)
                for part, mean in (event["losses"] or {}).items():
                    points = facts["losses"].setdefault(part, [])
                    points.append([event["step"], mean])
                    if len(points) > _MOST_POINTS:
                        del points[1::2]
                return False
            case "training_frames":
                facts["step"], facts["pictures"] = event["step"], event["frames"]
            case "training_finished":
                job.output, job.left = event["style"], None
                facts["style"], facts["figures"] = Path(event["style"]).stem, event["figures"]
        return True

    def hear(self, line: str) -> None:
        """Note a line that the child tells its terminal."""
        self._last = line
        if self._job.kind == "watch":
            self._job.facts["said"] = line

    def end(self, status: int) -> None:
        """Enter how a child has ended that was not asked to."""
        job = self._job
        job.state, job.left = "done" if status == 0 else "failed", None
        if status and not job.error:
            job.error = self._last or f"it ended with status {status}"


class _Pace:
    """The pace of a job, measured since its first frame of this run."""

    def __init__(self) -> None:
        self._first: tuple[int, float] | None = None

    def left(self, frames: int, expected: int | None) -> float | None:
        """Return the seconds that are left, as far as that can be told."""
        now = time.monotonic()
        if self._first is None:
            self._first = (frames, now)
        done, seconds = frames - self._first[0], now - self._first[1]
        if not done or expected is None:
            return None
        return max(0, expected - frames) * seconds / done
