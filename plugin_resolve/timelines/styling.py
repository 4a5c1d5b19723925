"""The clips of a timeline file, stylized on new tracks above them, in the same format."""

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
from ...core.errors import BrushreelError, MediaError, OutputError, StyleError, UsageError
from ...core.frames.stroke_size import DETAIL, NATURAL, StrokeSize
from ...core.options import EditCodec
from ..bake import Baker, Plan, Shot, plan_shot
from ..recipe import Recipe
from ..styled_track import styled_track_name
from .earlier_run import is_styled_shot
from .edl import EdlTimeline
from .fcpxml import FcpxmlTimeline
from .media_search import MediaSearch, is_image_sequence
from .model import LEFT_ALONE, ClipUse, StyledClip, StyledTrack, TimelineFile, clock, start_timecode
from .otio import OtioTimeline
from .xmeml import XmemlTimeline

_NO_STYLE = "none"
BUNDLED = "Info.fcpxml"
"""The timeline file in an .fcpxmld folder, as Final Cut Pro exports it."""


@dataclass(frozen=True)
class Request:
    """The request which clips are stylized, and how.

    Attributes:
        style: Style of every clip without a recipe of its own; None leaves such clips alone.
        strength: Strength of that style, 0 to 1.
        keep_colors: Keep the source's colours with that style.
        codec: Codec of all files.
        by_color: Recipes for clips of a colour, such as ``style=wave strength=0.5``.
        stroke_size: Size of strokes with that style, see `Stylizer`.
        detail: Share of the source's finest detail that comes back with that style, 0 to 1.
    """

    style: str | None = None
    strength: float = 1.0
    keep_colors: bool = False
    codec: EditCodec = "prores"
    by_color: Mapping[str, str] = field(default_factory=dict)
    stroke_size: StrokeSize = NATURAL
    detail: float = DETAIL

    def recipe(self, use: ClipUse) -> Recipe | None:
        """Return the recipe of a clip; None leaves it alone.

        Raises:
            UsageError: The recipe written on it is not valid.
        """
        for text in (*use.texts, self.by_color.get(use.color.casefold(), "")):
            if (recipe := Recipe.parse(text, codec=self.codec)) is not None:
                return None if recipe.style == _NO_STYLE else recipe
        if self.style is None:
            return None
        return Recipe(
            self.style,
            self.strength,
            self.keep_colors,
            self.codec,
            stroke_size=self.stroke_size,
            detail=self.detail,
        )


@dataclass(frozen=True)
class Task:
    """A clip that is to be stylized.

    Attributes:
        use: The clip.
        recipe: How it is stylized; None if its recipe is not valid.
        plan: The plan for its file, or the error.
    """

    use: ClipUse
    recipe: Recipe | None
    plan: Plan | BrushreelError


def read_timeline(
    path: Path, rate: Fraction | None = None, sequence: str | None = None
) -> TimelineFile:
    """Read a timeline file.

    Args:
        path: An .otio, .xml (Final Cut Pro 7), .fcpxml or .edl file, or an .fcpxmld folder.
        rate: Frame rate, needed only for an edit decision list, which does not state it.
        sequence: Name of the sequence, project or timeline; None for the file's first.

    Raises:
        UsageError: Its format is unsupported, or it can't be read.
    """
    file = path / BUNDLED if path.suffix.lower() == ".fcpxmld" and path.is_dir() else path
    if not file.is_file():
        raise UsageError("no such file", path=file)
    formats: dict[str, Callable[[Path], TimelineFile]] = {
        ".otio": partial(OtioTimeline, sequence=sequence),
        ".xml": partial(XmemlTimeline, sequence=sequence),
        ".fcpxml": partial(FcpxmlTimeline, sequence_name=sequence),
        ".edl": partial(EdlTimeline, rate=rate),
    }
    if file.suffix.lower() not in formats:
        raise UsageError(
            "is not a supported timeline file", path=path, hint=f"use {', '.join(formats)}"
        )
    try:
        cut = formats[file.suffix.lower()](file)
    except UsageError as error:
        raise UsageError(error.what, path=path, hint=error.hint) from error
    except (ValueError, LookupError, ArithmeticError, TypeError, AttributeError) as error:
        # A malformed number, a rate of 0: it is the file's fault.
        raise UsageError("can't be read as a timeline: it is damaged", path=path) from error
    cut.folders = [file.absolute().parent]
    if file != path:
        cut.folders.append(path.absolute().parent)
    return cut


def plan_timeline(
    timeline: TimelineFile,
    request: Request,
    folder: Path,
    *,
    handles: int = 12,
    search: Sequence[Path] = (),
) -> list[Task]:
    """Plan the file of each clip that is to be stylized.

    Stylized shots of an earlier run are left out: their sources are planned again.

    Args:
        timeline: From `read_timeline`.
        request: Which clips are stylized, and how.
        folder: Folder of the stylized files.
        handles: Frames before and after each shot, as far as the clip has them.
        search: Folders in which missing media is looked for by its name.

    Raises:
        StyleError: There is no such style as `request` asks for.
    """
    tasks = []
    media_search = MediaSearch(search, timeline.folders)
    for use in timeline.uses:
        if is_styled_shot(use, folder):
            continue
        recipe: Recipe | None = None
        try:
            recipe = request.recipe(use)
            if recipe is None:
                continue
            if use.problem in LEFT_ALONE:
                timeline.warnings.append(f"{use.name} {use.problem}: left as it is")
                continue
            shot = _shot(use, timeline.rate, media_search)
            tasks.append(Task(use, recipe, plan_shot(shot, recipe, folder, handles=handles)))
        except StyleError as error:
            # A note on the clip concerns the clip alone, an option the whole run.
            assert recipe is not None
            if not any(recipe.style in text for text in use.texts):
                raise
            tasks.append(Task(use, None, _named(error, use, timeline.rate)))
        except (MediaError, UsageError) as error:
            tasks.append(Task(use, recipe, _named(error, use, timeline.rate)))
    return tasks


def _named(error: BrushreelError, use: ClipUse, rate: Fraction) -> BrushreelError:
    where = f"{use.name} at {clock(use.start, rate)}"
    return type(error)(f"{where}: {error.what}", path=error.path, hint=error.hint)


def _shot(use: ClipUse, rate: Fraction, search: MediaSearch) -> Shot:
    if use.problem:
        raise MediaError(use.problem)
    if use.media is None:
        raise MediaError("names no media file")
    media = search.find(use, rate)
    if is_image_sequence(media):
        return Shot(use.name, media, use.first, use.first + use.frames, rate)
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
    """Stylize what is planned; existing files are used again.

    Returns:
        The result of the batch, and the tasks whose file exists now.

    Raises:
        BrushreelError: No clip can be stylized: the device or the folder can't be used.
    """
    result, done = BatchResult(), []
    reporter.handle(begin([_job(task, folder) for task in tasks]))
    for recipe, group in _by_recipe(tasks):
        baker: Baker | None = None
        for task in group:
            if isinstance(task.plan, BrushreelError):
                note(_job(task, folder), task.plan, result, reporter)
                continue
            # A recipe of nothing but failed clips may name a style that is not there.
            assert recipe is not None
            baker = baker or Baker(recipe, folder, device=device)
            if _bake(task.plan, baker, result, reporter):
                done.append(task)
    reporter.handle(finish(result))
    return result, sorted(done, key=lambda task: task.use.number)


def _by_recipe(tasks: Sequence[Task]) -> Iterator[tuple[Recipe | None, Iterator[Task]]]:
    """Group tasks by recipe, so that each style is loaded once."""
    order = {recipe: n for n, recipe in enumerate({task.recipe: None for task in tasks})}
    return groupby(sorted(tasks, key=lambda task: order[task.recipe]), lambda task: task.recipe)


def _job(task: Task, folder: Path) -> Job:
    if isinstance(task.plan, Plan):
        return task.plan.job
    return Job(task.use.media or Path(task.use.name), folder / task.use.name)


def _bake(plan: Plan, baker: Baker, result: BatchResult, reporter: Reporter) -> bool:
    job = plan.job
    if plan.is_done:
        result.skipped.append(job)
        reporter.handle(ClipSkipped(*job.clip))
        return True
    outcome = baker.bake(plan, reporter.handle)
    note(job, outcome, result, reporter)
    return not isinstance(outcome, BrushreelError)


def write_timeline(
    timeline: TimelineFile, tasks: Sequence[Task], output: Path, without: Collection[ClipUse] = ()
) -> None:
    """Write the timeline with a new track above each that has stylized clips.

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
        raise OutputError.because(error, "can't be written", path=output) from error


def styled_tracks(tasks: Sequence[Task], rate: Fraction) -> Iterator[StyledTrack]:
    """Yield a new track for each track that has stylized clips."""
    ordered = sorted(tasks, key=lambda task: (task.use.track, task.use.start))
    for above, group in groupby(ordered, lambda task: task.use.track):
        on_track = list(group)
        styles = dict.fromkeys(task.recipe.style for task in on_track if task.recipe)
        clips = [_styled(task, rate) for task in on_track]
        yield StyledTrack(above, styled_track_name(styles), clips)


def _styled(task: Task, rate: Fraction) -> StyledClip:
    plan, recipe = task.plan, task.recipe
    assert isinstance(plan, Plan)
    assert recipe is not None
    video = probe(plan.path).video
    start = start_timecode(plan.path) or Timecode.of_number(plan.frames.first, rate)
    size = video.width, video.height
    return StyledClip(task.use, plan.baked(reused=True), start, size, recipe)
