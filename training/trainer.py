"""Training, top to bottom: from a painting and footage to a style."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from math import inf
from pathlib import Path

import torch
from tqdm import tqdm

from ..core.errors import UsageError
from ..core.moving import moving, on_terminal
from ..core.style import Style
from .checkpoint import Checkpoint
from .interruption import deferred_interrupts
from .processes import joined
from .recipe import TrainingSettings
from .reporting.ndjson import TrainingEvents
from .reporting.report import prepare_report, write_report
from .reporting.scalars import Scalars
from .run import Material, Run

CHECKPOINT = "checkpoint.safetensors"


def train(
    material: Material,
    settings: TrainingSettings,
    *,
    name: str,
    output: Path,
    folder: Path,
    command: str = "",
    device: torch.device | str = "cpu",
    resume: bool = False,
    minutes: float | None = None,
    checkpoint_minutes: float = 5.0,
    events: TrainingEvents | None = None,
) -> Style:
    """Train a style and save it.

    Under torchrun every process trains on its own pairs, and the gradients are averaged.

    Args:
        material: Painting, footage, loss network, parent.
        settings: The recipe; a parent's network takes the place of the recipe's.
        name: Name of the style.
        output: The style file to write, at the end.
        folder: Folder of the run's checkpoint and report.
        command: The command that started the run, stored as provenance.
        device: Device to train on.
        resume: Resume from the checkpoint in `folder`, with the same result.
        minutes: Minutes of training in place of the settings' iterations: as many steps as that
            takes at the speed of the first ones. A resumed run keeps its number of steps.
        checkpoint_minutes: Minutes between checkpoints, 0 or more; an interrupted run also
            saves one.
        events: Is told of everything, in place of a progress bar.

    Raises:
        UsageError: `minutes` or `checkpoint_minutes` is out of its range.
        TrainingError: Painting, footage, loss network or checkpoint can't be used, or the run
            diverges (the last checkpoint stays).
        KeyboardInterrupt: After a checkpoint was saved.
        StyleError: The style file can't be written.
    """
    if not checkpoint_minutes >= 0:
        raise UsageError(f"checkpoint_minutes must be 0 or more, not {checkpoint_minutes}")
    if minutes is not None and not 0 < minutes < inf:
        raise UsageError(f"minutes must be above 0, not {minutes:g}")
    with joined(torch.device(device)) as processes:
        checkpoint = folder / CHECKPOINT
        saved = Checkpoint.load(checkpoint) if resume else None
        if saved and minutes is not None:
            settings = replace(settings, iterations=saved.run["settings"]["iterations"])
        run = Run(material, settings, processes)
        if saved:
            run.restore(saved, checkpoint)
        elif minutes is not None:
            run.fit(minutes)
        if processes.first:
            prepare_report(folder)
            tqdm.write(run.report, file=sys.stderr)
            if events:
                events.started(run, name, checkpoint)
        _finish(run, name, checkpoint, checkpoint_minutes, events)
        with moving("measuring the style") if processes.first else nullcontext():
            style = run.style(name, command)
            if processes.first:
                style.save(output)
                history, painting = torch.stack(run.history), run.painting[0].cpu()
                report = write_report(
                    folder, style, history, run.sheet(style), run.report, painting
                )
                checkpoint.unlink()
                if events:
                    events.finished(output, report, dict(style.figures))
        return style


def _finish(
    run: Run, name: str, checkpoint: Path, minutes: float, events: TrainingEvents | None
) -> None:
    """Train to the last step, saving checkpoints on the way."""
    saved = time.monotonic()
    with (
        deferred_interrupts() as stop_asked,
        _progress(run, name, checkpoint.parent, events) as show,
    ):
        for means in run.steps():
            show(means)
            stop = stop_asked() or (events is not None and events.abandoned)
            # All stop after the same step: otherwise the others would wait for this one.
            if run.processes.any_of_them(stop):
                run.save(checkpoint)
                raise KeyboardInterrupt
            if time.monotonic() - saved >= minutes * 60:
                run.save(checkpoint)
                saved = time.monotonic()
    run.save(checkpoint)


@contextmanager
def _progress(
    run: Run, name: str, folder: Path, events: TrainingEvents | None
) -> Iterator[Callable[[dict[str, float] | None], None]]:
    """Show a progress bar with losses and remaining time, or events, and log to TensorBoard."""
    if not run.processes.first:
        yield lambda _means: None
        return
    total = run.settings.iterations
    with (
        Scalars(folder, step=run.step) as log,
        tqdm(
            total=total,
            initial=run.step,
            desc=name,
            unit="step",
            dynamic_ncols=True,
            # In a file, now and then.
            mininterval=0.1 if on_terminal(sys.stderr) else 60.0,
            disable=events is not None,
        ) as bar,
    ):

        def show(means: dict[str, float] | None) -> None:
            bar.update()
            if means:
                bar.set_postfix({part: f"{value:.4g}" for part, value in means.items()})
                log(run.step, {f"loss/{part}": value for part, value in means.items()})
            if events:
                events.stepped(run, means)

        yield show
