"""A job inside Resolve, from the click in the menu to stylized shots on the timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...batch.reporting.events import ClipProgress, Event
from ...core.errors import BrushreelError, EditorError
from ...core.user_folders import videos_folder
from ..bake import FailedShot, Shot, bake
from ..recipe import Recipe
from .bridge import Bridge
from .dialog_choice import Choice, remember
from .doctor import remember_resolve
from .options import find_options
from .place import NotPlaced, Placed, Placing, Styled
from .resolve.application import Project, Resolve
from .resolve.timeline import Timeline
from .survey import Cut
from .take import add_takes
from .window import Window, errors_shown_in_page, open_window

_PROGRESS_SECONDS = 0.5


class _Cancelled(KeyboardInterrupt):
    """The user's stop; derived from no error, so that no shot is reported as failed."""


@dataclass(frozen=True)
class Outcome:
    """The result of a job.

    Attributes:
        placed: Number of shots on the timeline.
        failed: A line with the reason for each shot that failed.
        cancelled: Whether the user stopped it.
    """

    placed: int
    failed: tuple[str, ...]
    cancelled: bool = False

    def __str__(self) -> str:
        shots = "1 shot is" if self.placed == 1 else f"{self.placed} shots are"
        text = f"{'Stopped: ' if self.cancelled else ''}{shots} in place"
        return f"{text}, {len(self.failed)} failed" if self.failed else text


def run(bridge: Bridge, folder: Path | None = None) -> Outcome:
    """Run a job.

    Args:
        bridge: The bridge to the script inside Resolve.
        folder: Folder of the stylized files; by default Brushreel/<project> among the user's
            videos.

    Raises:
        BrushreelError: The job can't be started; a failed shot is reported in the window instead.
    """
    with errors_shown_in_page(bridge):
        resolve = Resolve(bridge.resolve)
        remember_resolve(resolve)
        project = resolve.project()
        timeline = project.timeline()
        bridge.tell("say", text=f"looking at {timeline.name!r}")
        options = find_options(timeline)
        target = folder or videos_folder() / "Brushreel" / _folder_name(project.name)
    with open_window(bridge, options, timeline.name, float(timeline.rate)) as (window, choice):
        if choice is None:
            return Outcome(0, (), cancelled=True)
        remember(choice)
        try:
            extent = options.extent(choice)
            for one in extent.left_out:
                window.say(f"Left out: {one.name} {one.why}")
            job = _Job(resolve, project, timeline, choice, window, target)
            outcome = job.run(extent.cuts)
        except BrushreelError as error:
            window.finish(f"Failed: {error}")
            raise
        window.finish(str(outcome))
        return outcome


def _folder_name(name: str) -> str:
    """Return a name that is valid for a folder on every system."""
    plain = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name)
    return plain.strip() or "Project"


class _Job:
    """A chosen job: shots are stylized first, then all are placed at once."""

    def __init__(
        self,
        resolve: Resolve,
        project: Project,
        timeline: Timeline,
        choice: Choice,
        window: Window,
        folder: Path,
    ):
        self._resolve, self._project, self._timeline = resolve, project, timeline
        self._choice, self._window, self._folder = choice, window, folder
        self._recipe = Recipe(
            choice.style,
            choice.strength,
            choice.keep_colors,
            choice.codec,
            stroke_size=choice.stroke_size,
            detail=choice.detail,
        )
        self._failed: list[str] = []
        self._cancelled = False

    def run(self, cuts: Sequence[Cut]) -> Outcome:
        """Stylize the cuts, then place the shots."""
        styled = list(self._styled(cuts))
        placed = self._place(styled) if styled else 0
        return Outcome(placed, tuple(self._failed), self._cancelled)

    def _styled(self, cuts: Sequence[Cut]) -> Iterator[Styled]:
        shots = [Shot(cut.name, cut.media, cut.first, cut.first + cut.frames) for cut in cuts]
        progress = _Progress(self._window, sum(cut.frames for cut in cuts))
        results = bake(
            shots,
            self._recipe,
            self._folder,
            handles=self._choice.handles,
            handle=progress.handle,
        )
        try:
            for cut, result in zip(cuts, results, strict=True):
                progress.next(cut)
                if isinstance(result, FailedShot):
                    self._report_failure(cut, result.error)
                else:
                    yield Styled(cut, result.path, cut.first - result.first, result.frames)
        except _Cancelled:
            self._cancelled = True

    def _report_failure(self, cut: Cut, error: Exception) -> None:
        self._failed.append(f"{cut.name}: {error}")
        self._window.say(self._failed[-1])

    def _place(self, styled: Sequence[Styled]) -> int:
        """Place shots while our timeline is the current one: clips are appended to that alone."""
        self._window.progress(1, "Putting the shots onto the timeline")
        before = self._project.timeline()
        timeline = self._timeline
        if self._choice.mode == "copy":
            self._project.make_current(timeline)
            timeline = timeline.copy(self._copy_name())
        self._project.make_current(timeline)
        try:
            placing = Placing(self._resolve, self._project, timeline, self._recipe)
            if self._choice.mode == "take":
                results = add_takes(self._resolve, self._project, placing, styled)
            else:
                results = placing.place(styled)
            return sum(self._reported(result) for result in results)
        finally:
            if self._choice.mode != "copy":
                self._project.make_current(before)

    def _copy_name(self) -> str:
        names = self._project.timeline_names()
        name = f"{self._timeline.name} {self._choice.style}"
        numbered = (f"{name} {number}" for number in range(2, len(names) + 3))
        return name if name not in names else next(one for one in numbered if one not in names)

    def _reported(self, result: Placed | NotPlaced) -> bool:
        cut = result.styled.cut
        if isinstance(result, NotPlaced):
            self._report_failure(cut, result.error)
            return False
        for warning in result.warnings:
            self._window.say(f"{cut.name}: {warning}")
        return True


class _Progress:
    """Progress of stylizing, shown in the window; raises when the user stops the job."""

    def __init__(self, window: Window, total: int):
        self._window, self._total = window, max(1, total)
        self._done = self._reported = 0.0
        self._began = time.monotonic()

    def handle(self, event: Event) -> None:
        """Receive the events of the current shot."""
        if isinstance(event, ClipProgress):
            self.frame(event.frames)

    def frame(self, count: int) -> None:
        """Show the progress after a frame; raise if the user has stopped the job."""
        if self._window.cancelled.is_set():
            raise _Cancelled
        now = time.monotonic()
        if now - self._reported > _PROGRESS_SECONDS:
            self._reported = now
            share = min(1.0, (self._done + count) / self._total)
            left = (now - self._began) * (1 - share) / max(share, 1e-6)
            self._window.progress(share, f"Stylizing, {_clock(left)} left")

    def next(self, cut: Cut) -> None:
        """Count a finished shot."""
        self._done += cut.frames


def _clock(seconds: float) -> str:
    minutes = round(seconds) // 60
    return f"{minutes} min" if minutes else f"{round(seconds)} s"


def serve(bridge: Bridge) -> int:
    """Run a job for the script that has started this process, and report its end.

    Returns:
        The exit status.
    """
    try:
        try:
            status = int(bool(run(bridge).failed))
        except BrushreelError as error:
            status = error.exit_status
            bridge.tell("say", text=str(error))
        bridge.tell("end")
    except EditorError:  # Resolve has ended: there is nobody to report to.
        status = EditorError.exit_status
    return status
