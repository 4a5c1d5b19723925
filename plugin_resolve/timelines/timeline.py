"""Timeline files: the clips of a cut, styled, on a new track above it, in the same format."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import groupby
from pathlib import Path

from ...batch.plan import Job
from ...batch.reporting.events import ClipSkipped
from ...batch.reporting.reporter import Reporter
from ...batch.run import BatchResult, begin, finish, note
from ...core.atomic import atomic_write
from ...core.clips.media import probe
from ...core.clips.timecode import Timecode, editing_rate
from ...core.errors import BrushreelError, MediaError, OutputError, UsageError
from ...core.options import EditCodec
from ..bake import Baker, Plan, Shot, plan_shot
from ..recipe import Recipe
from ..script.survey import TRACK_PREFIX
from .earlier_run import is_styled_shot
from .edl import EdlTimeline
from .fcpxml import FcpxmlTimeline
from .media_search import MediaSearch
from .model import LEFT_ALONE, StyledClip, StyledTrack, TimelineFile, Use, clock, start_timecode
from .otio import OtioTimeline
from .xmeml import XmemlTimeline

_NO_STYLE = "none"


@dataclass(frozen=True)
class Wish:
    """Which clips are styled, and how.

    Attributes:
        style: Of every clip that does not say otherwise; None leaves such clips alone.
        strength: Of that style.
        keep_colors: With that style.
        codec: Of all files.
        by_color: What counts as written on clips of a colour, such as ``style=wave strength=0.5``.
    """

    style: str | None = None
    strength: float = 1.0
    keep_colors: bool = False
    codec: EditCodec = "prores"
    by_color: Mapping[str, str] = field(default_factory=dict)

    def recipe(self, use: Use) -> Recipe | None:
        """How a clip is styled; None leaves it alone.

        Raises:
            UsageError: What is written on it makes no sense.
        """
        for text in (*use.texts, self.by_color.get(use.color.casefold(), "")):
            if (recipe := Recipe.parse(text, codec=self.codec)) is not None:
                return None if recipe.style == _NO_STYLE else recipe
        if self.style is None:
            return None
        return Recipe(self.style, self.strength, self.keep_colors, self.codec)


@dataclass(frozen=True)
class Task:
    """A clip of a cut that is to be styled.

    Attributes:
        use: Which.
        recipe: How.
        plan: Its file; or why it can't be done.
    """

    use: Use
    recipe: Recipe | None
    plan: Plan | BrushreelError


def read_timeline(path: Path, rate: Fraction | None = None) -> TimelineFile:
    """Read a cut.

    Args:
        path: An .otio, .xml (Final Cut Pro 7), .fcpxml or .edl.
        rate: Frames a second; only of an edit decision list, which does not say it.

    Raises:
        UsageError: It is of another kind, or can't be read.
    """
    if not path.is_file():
        raise UsageError("no such file", path=path)
    formats: dict[str, Callable[[Path], TimelineFile]] = {
        ".otio": OtioTimeline,
        ".xml": XmemlTimeline,
        ".fcpxml": FcpxmlTimeline,
        ".edl": partial(EdlTimeline, rate=rate),
    }
    if path.suffix.lower() not in formats:
        raise UsageError("is no timeline file", path=path, hint=f"use {', '.join(formats)}")
    try:
        return formats[path.suffix.lower()](path)
    except UsageError as error:
        raise UsageError(error.what, path=path, hint=error.hint) from error
    except (ValueError, KeyError, ArithmeticError) as error:
        # A number that is none, a rate of 0: whatever is wrong, it is the file.
        raise UsageError(f"can't be read as a timeline: {error}", path=path) from error


def plan_timeline(
    timeline: TimelineFile,
    wish: Wish,
    folder: Path,
    *,
    handles: int = 12,
    search: Sequence[Path] = (),
) -> list[Task]:
    """Decide what becomes of each clip of a cut; those that are left alone are left out.

    So are the styled shots of an earlier run: what they were made from is planned anew.

    Args:
        timeline: From `read_timeline`.
        wish: Which clips are styled, and how.
        folder: Where files will lie.
        handles: Frames before and after each shot, as far as the clip has them.
        search: Folders in which media is looked for by its name, if it is not at its place.

    Raises:
        StyleError: There is no such style.
    """
    tasks = []
    media_search = MediaSearch(search)
    for use in timeline.uses:
        if is_styled_shot(use, folder):
            continue
        recipe: Recipe | None = None
        try:
            recipe = wish.recipe(use)
            if recipe is None:
                continue
            if use.problem in LEFT_ALONE:
                timeline.warnings.append(f"{use.name} {use.problem}: left as it is")
                continue
            shot = _shot(use, timeline.rate, media_search)
            recipe.digest  # noqa: B018  no clip's fault, and not a reason to go on
            tasks.append(Task(use, recipe, plan_shot(shot, recipe, folder, handles=handles)))
        except (MediaError, UsageError) as error:
            tasks.append(Task(use, recipe, _named(error, use, timeline.rate)))
    return tasks


def _named(error: BrushreelError, use: Use, rate: Fraction) -> BrushreelError:
    where = f"{use.name} at {clock(use.start, rate)}"
    return type(error)(f"{where}: {error.what}", path=error.path, hint=error.hint)


def _shot(use: Use, rate: Fraction, search: MediaSearch) -> Shot:
    if use.problem:
        raise MediaError(use.problem)
    if use.media is None:
        raise MediaError("names no media file")
    media = search.find(use.media)
    own = probe(media).video.frame_rate
    if own is not None and editing_rate(own) != rate:
        raise MediaError(
            f"has {float(own):.5g} fps on a timeline of {float(rate):.5g}",
            path=media,
            hint="conform it to the timeline's rate first",
        )
    start = start_timecode(media) if use.origin else None
    first = use.first - (0 if start is None else start.number(rate))
    return Shot(use.name, media, first, first + use.frames)


def bake_tasks(
    tasks: Sequence[Task], folder: Path, reporter: Reporter, *, device: str = "auto"
) -> tuple[BatchResult, list[Task]]:
    """Bake what is planned; files that are there are used again.

    Returns:
        What became of everything, and the tasks whose file is there now.

    Raises:
        BrushreelError: Nothing can be done at all: the device, the folder.
    """
    result, done = BatchResult(), []
    reporter.handle(begin([_job(task, folder) for task in tasks]))
    for recipe, group in _by_recipe(tasks):
        baker = None if recipe is None else Baker(recipe, folder, device=device)
        for task in group:
            if isinstance(task.plan, BrushreelError) or baker is None:
                assert isinstance(task.plan, BrushreelError)
                note(_job(task, folder), task.plan, result, reporter)
            elif _bake(task.plan, baker, result, reporter):
                done.append(task)
    reporter.handle(finish(result))
    return result, sorted(done, key=lambda task: task.use.number)


def _by_recipe(tasks: Sequence[Task]) -> Iterator[tuple[Recipe | None, Iterator[Task]]]:
    """Each style is loaded once."""
    key = {recipe: place for place, recipe in enumerate({task.recipe: None for task in tasks})}
    return groupby(sorted(tasks, key=lambda task: key[task.recipe]), lambda task: task.recipe)


def _job(task: Task, folder: Path) -> Job:
    if isinstance(task.plan, Plan):
        return task.plan.job
    return Job(task.use.media or Path(task.use.name), folder / task.use.name)


def _bake(plan: Plan, baker: Baker, result: BatchResult, reporter: Reporter) -> bool:
    job = plan.job
    if plan.is_there:
        result.skipped.append(job)
        reporter.handle(ClipSkipped(*job.clip))
        return True
    outcome = baker.paint(plan, reporter.handle)
    note(job, outcome, result, reporter)
    return not isinstance(outcome, BrushreelError)


def write_timeline(
    timeline: TimelineFile, tasks: Sequence[Task], output: Path, without: Collection[Use] = ()
) -> None:
    """The cut with a new track above each that has styled clips.

    Args:
        timeline: From `read_timeline`.
        tasks: From `bake_tasks`.
        output: The file.
        without: From `outdated_shots`.

    Raises:
        OutputError: It can't be written.
    """
    content = timeline.with_tracks(list(styled_tracks(tasks, timeline.rate)), without)
    try:
        with atomic_write(output) as file:
            file.write(content)
    except OSError as error:
        raise OutputError(f"can't be written: {error.strerror}", path=output) from error


def styled_tracks(tasks: Sequence[Task], rate: Fraction) -> Iterator[StyledTrack]:
    """One for each track that has styled clips."""
    in_place = sorted(tasks, key=lambda task: (task.use.track, task.use.start))
    for above, group in groupby(in_place, lambda task: task.use.track):
        on_track = list(group)
        styles = dict.fromkeys(task.recipe.style for task in on_track if task.recipe)
        clips = [_styled(task, rate) for task in on_track]
        yield StyledTrack(above, f"{TRACK_PREFIX}{', '.join(styles)}", clips)


def _styled(task: Task, rate: Fraction) -> StyledClip:
    plan, recipe = task.plan, task.recipe
    assert isinstance(plan, Plan)
    assert recipe is not None
    video = probe(plan.path).video
    start = start_timecode(plan.path) or Timecode.of_number(plan.excerpt.first, rate)
    size = video.width, video.height
    return StyledClip(task.use, plan.baked(reused=True), start, size, recipe)
