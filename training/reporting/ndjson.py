"""Events of a run for programs: one JSON object a line on stdout, as docs/training.md has them."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...core.errors import OutputError
from .so_far import SoFar

if TYPE_CHECKING:
    from ..run import Run

VERSION = 1
# Seconds between two lines about progress, and between two times that frames are stylized.
PACE, PICTURE_PACE = 1.0, 30.0


class TrainingEvents:
    """Writer of a run's events on stdout.

    Attributes:
        abandoned: True as soon as nobody reads them any more; the run then stops as it does when
            it is interrupted.

    Args:
        folder: The run's folder; frames as trained so far are written to its subfolder "so-far".
    """

    def __init__(self, folder: Path):
        self.abandoned = False
        self._folder = folder / "so-far"
        self._so_far: SoFar | None = None
        self._told = self._drawn = 0.0

    def started(self, run: Run, name: str, checkpoint: Path) -> None:
        """Tell that everything is ready for the first step, and show frames."""
        self._print(
            "training_started",
            name=name,
            step=run.step,
            steps=run.settings.iterations,
            checkpoint=str(checkpoint),
            footage=run.report,
        )
        self._so_far = SoFar(run, self._folder)
        self._draw(run)

    def stepped(self, run: Run, means: dict[str, float] | None) -> None:
        """Tell what a step has come to, as far as it is worth a line."""
        now, last = time.monotonic(), run.step == run.settings.iterations
        if means or last or now - self._told >= PACE:
            self._told = now
            self._print(
                "training_progress", step=run.step, steps=run.settings.iterations, losses=means
            )
        if last or now - self._drawn >= PICTURE_PACE:
            self._draw(run)

    def finished(self, style: Path, report: Path, figures: dict[str, Any]) -> None:
        """Tell that the style is there."""
        self._print("training_finished", style=str(style), report=str(report), figures=figures)

    def interrupted(self, checkpoint: Path) -> None:
        """Tell that the run has stopped, and where it is resumed from, if anywhere."""
        there = checkpoint.exists()
        self._print("training_interrupted", checkpoint=str(checkpoint) if there else None)

    def _draw(self, run: Run) -> None:
        assert self._so_far is not None
        self._print("training_frames", step=run.step, frames=self._so_far.draw())
        self._drawn = time.monotonic()

    def _print(self, event: str, **fields: Any) -> None:  # noqa: ANN401  JSON values
        if self.abandoned:
            return
        try:
            sys.stdout.write(json.dumps({"version": VERSION, "event": event, **fields}) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            self.abandoned = True
        except OSError as error:
            raise OutputError.because(error, "the events can't be written") from error
