"""A job of the queue: a clip rendered, a folder watched, or a style trained."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..batch.clips.work_folder import work_folder

State = Literal["waiting", "running", "paused", "done", "failed"]
Kind = Literal["render", "watch", "train"]
KINDS: tuple[Kind, ...] = ("render", "watch", "train")


@dataclass
class Job:
    """A clip that is to be rendered, a folder that is watched, or a style that is trained.

    Attributes:
        source: The clip's id; empty where there is none.
        words: The command line after `brushreel`.
        title: Name for people.
        kind: See `Kind`.
        id: Name in requests.
        state: See `State`.
        output: The file that is written, as soon as it is known.
        frames: Frames, or steps, that are done.
        expected: Frames of the clip, or steps of the run; None where they are not known.
        error: What went wrong, as the command line says it.
        warnings: What can't be kept, a line each.
        left: Seconds until it is done; None where that is not known.
        facts: What else is known of a watched folder or a training, see `job_events`.
    """

    source: str
    words: list[str]
    title: str
    kind: Kind = "render"
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    state: State = "waiting"
    output: str | None = None
    frames: int = 0
    expected: int | None = None
    error: str = ""
    warnings: list[str] = field(default_factory=list)
    left: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def checkpoint(self) -> Path | None:
        """The checkpoint that a training goes on from; None if there is none."""
        path = Path(self.facts.get("checkpoint") or "")
        return path if self.kind == "train" and path.is_file() else None

    def command(self) -> list[str]:
        """Return the arguments of the child that does it, or goes on with it."""
        resume = ["--resume"] if self.checkpoint and "--resume" not in self.words else []
        return [*self.words, *resume, "--json"]

    def discard(self) -> None:
        """Remove what an unfinished job has left to go on from."""
        if self.kind == "render" and self.output is not None:
            shutil.rmtree(work_folder(Path(self.output)), ignore_errors=True)
        if checkpoint := self.checkpoint:
            checkpoint.unlink(missing_ok=True)
