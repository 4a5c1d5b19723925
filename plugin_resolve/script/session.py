"""One job inside Resolve, from the click in the menu to shots that lie on the timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_videos_path

from ...batch.reporting.events import ClipProgress, Event
from ...core.errors import BrushreelError, EditorError
from ..bake import BakedShot, FailedShot, Shot, bake
from ..recipe import Recipe
from .bridge import Bridge
from .dialog_choice import Choice, remember
from .doctor import remember_resolve
from .options import make_offer
from .place import NotPlaced, Placed, Placing, Styled
from .resolve.application import Project, Resolve
from .resolve.timeline import Timeline
from .survey import Cut
from .take import add_takes
from .window import Window, chosen, told_in_page

_EVERY = 0.5


class _Cancelled(KeyboardInterrupt):
    """The user has stopped the painting; no error of a shot, and so not one."""


@dataclass(frozen=True)
class Outcome:
    """What became of a job.

    Attributes:
        placed: Shots that lie on the timeline.
        failed: A line for each shot that does not, with why.
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
    """Do a job.

    Args:
        bridge: To the script inside Resolve.
        folder: Where painted files go; by default Brushreel/<project> among the user's videos.

    Raises:
        BrushreelError: Nothing could be started; what goes wrong with a shot is told instead.
    """
    with told_in_page(bridge):
        resolve = Resolve(bridge.resolve)
        remember_resolve(resolve)
        project = resolve.project()
        timeline = project.timeline()
        bridge.tell("say", text=f"looking at {timeline.name!r}")
        offer = make_offer(timeline)
    with chosen(bridge, offer, timeline.name, float(timeline.rate)) as (window, choice):
        if choice is None:
            return Outcome(0, (), cancelled=True)
        remember(choice)
        try:
            part = offer.part(choice)
            for one in part.left_out:
                window.say(f"Left out: {one.name} {one.why}")
            goal = folder or user_videos_path() / "Brushreel" / _plain(project.name)
            job = _Job(resolve, project, timeline, choice, window, goal)
            outcome = job.run(part.cuts)
        except BrushreelError as error:
            window.finish(f"Not done: {error}")
            raise
        window.finish(str(outcome))
        return outcome


def _plain(name: str) -> str:
    """As a folder may be called everywhere."""
    plain = "".join(letter if letter.isalnum() or letter in " -_" else "_" for letter in name)
    return plain.strip() or "Project"


class _Job:
    """What was chosen, done: painting first, then all of the placing in one go."""

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
        self._recipe = Recipe(choice.style, choice.strength, choice.keep_colors, choice.codec)
        self._failed: list[str] = []
        self._cancelled = False

    def run(self, cuts: Sequence[Cut]) -> Outcome:
        """Paint, then place."""
        painted = list(self._painted(cuts))
        placed = self._place(painted) if painted else 0
        return Outcome(placed, tuple(self._failed), self._cancelled)

    def _painted(self, cuts: Sequence[Cut]) -> Iterator[Styled]:
        shots = [Shot(cut.name, cut.media, cut.first, cut.first + cut.frames) for cut in cuts]
        watch = _Watch(self._window, sum(cut.frames for cut in cuts))
        results = bake(
            shots,
            self._recipe,
            self._folder,
            handles=self._choice.handles,
            handle=watch.handle,
        )
        try:
            for cut, result in zip(cuts, results, strict=True):
                watch.next(cut)
                if isinstance(result, FailedShot):
                    self._tell_failure(cut, result.error)
                else:
                    yield _styled(cut, result)
        except _Cancelled:
            self._cancelled = True

    def _tell_failure(self, cut: Cut, error: Exception) -> None:
        self._failed.append(f"{cut.name}: {error}")
        self._window.say(self._failed[-1])

    def _place(self, painted: Sequence[Styled]) -> int:
        """Clips are appended to the current timeline: ours is made that, as short as it goes."""
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
                results = add_takes(self._resolve, self._project, placing, painted)
            else:
                results = placing(painted)
            return sum(self._told(result) for result in results)
        finally:
            if self._choice.mode != "copy":
                self._project.make_current(before)

    def _copy_name(self) -> str:
        names = self._project.timeline_names()
        name = f"{self._timeline.name} {self._choice.style}"
        numbered = (f"{name} {number}" for number in range(2, len(names) + 3))
        return name if name not in names else next(one for one in numbered if one not in names)

    def _told(self, result: Placed | NotPlaced) -> bool:
        cut = result.styled.cut
        if isinstance(result, NotPlaced):
            self._tell_failure(cut, result.error)
            return False
        for warning in result.warnings:
            self._window.say(f"{cut.name}: {warning}")
        return True


def _styled(cut: Cut, baked: BakedShot) -> Styled:
    return Styled(cut, baked.path, cut.first - baked.first, baked.frames)


class _Watch:
    """Tells the window how far it is, and stops the painting when the user wants that."""

    def __init__(self, window: Window, total: int):
        self._window, self._total = window, max(1, total)
        self._done = self._told = 0.0
        self._began = time.monotonic()

    def handle(self, event: Event) -> None:
        """Follow the shot under way."""
        if isinstance(event, ClipProgress):
            self.frame(event.frames)

    def frame(self, count: int) -> None:
        """Show the progress after a frame of the shot under way."""
        if self._window.cancelled.is_set():
            raise _Cancelled
        now = time.monotonic()
        if now - self._told > _EVERY:
            self._told = now
            share = min(1.0, (self._done + count) / self._total)
            left = (now - self._began) * (1 - share) / max(share, 1e-6)
            self._window.progress(share, f"Painting, {_clock(left)} to go")

    def next(self, cut: Cut) -> None:
        """A shot is done."""
        self._done += cut.frames


def _clock(seconds: float) -> str:
    minutes = round(seconds) // 60
    return f"{minutes} min" if minutes else f"{round(seconds)} s"


def serve(bridge: Bridge) -> int:
    """Do a job for the script that has started this process, and tell it the end.

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
    except EditorError:  # Resolve is gone: nobody is left to be told.
        status = EditorError.exit_status
    return status
