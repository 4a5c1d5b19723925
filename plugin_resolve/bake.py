"""Shots of a cut to files that an editing program lays above them: styled, with handles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..batch.clips.report import ClipReport
from ..batch.clips.settings import JobSettings, ReadSettings, WriteSettings
from ..batch.clips.source import open_reader
from ..batch.encoding.encode import EncodeSettings
from ..batch.plan import Job
from ..batch.reporting.events import Handler, ignore
from ..batch.run import Skipped, attempt
from ..core.clips.range import FrameRange, TimeRange
from ..core.errors import BrushreelError, MediaError, OutputError
from ..core.file_identity import clip_identity
from ..core.keys import key_digest
from ..core.stylizer import Stylizer
from .recipe import Recipe

_ENCODED = {
    "prores": EncodeSettings(codec="prores"),
    "dnxhr": EncodeSettings(codec="dnxhr", profile="hqx"),
}
_NOT_IN_NAMES = re.compile(r'[\x00-\x1f<>:"/\\|?*%]+')
_LONGEST_STEM = 80  # bytes: file systems count those


@dataclass(frozen=True)
class Shot:
    """A used range of a clip.

    Attributes:
        name: What the editor calls it.
        media: The clip.
        first: Number of its first frame in the clip, from 0.
        end: Of the frame after its last.
    """

    name: str
    media: Path
    first: int
    end: int


@dataclass(frozen=True)
class BakedShot:
    """A styled shot.

    Attributes:
        shot: Which.
        path: Its file.
        first: Number in the clip of the file's first frame.
        frames: How many the file holds.
        reused: Whether it was there already.
    """

    shot: Shot
    path: Path
    first: int
    frames: int
    reused: bool


@dataclass(frozen=True)
class FailedShot:
    """A shot that could not be done, and why."""

    shot: Shot
    error: BrushreelError


@dataclass(frozen=True)
class Plan:
    """A shot's file, before it is there.

    Attributes:
        shot: Which.
        excerpt: What of the clip it holds: the shot with its handles.
        path: Where it lies; the name tells recipe, clip and frames apart.
    """

    shot: Shot
    excerpt: FrameRange
    path: Path

    @property
    def job(self) -> Job:
        """As reporters know it."""
        return Job(self.shot.media, self.path)

    def baked(self, *, reused: bool) -> BakedShot:
        """What it is when it is there."""
        first, end = self.excerpt.first, self.excerpt.end
        return BakedShot(self.shot, self.path, first, end - first, reused)

    @property
    def is_there(self) -> bool:
        """Whether a file of that name is whole; one only gets its name when it is verified."""
        try:
            with open_reader(self.path, ReadSettings()) as reader:
                return reader.info.video.frames == self.excerpt.end - self.excerpt.first
        except BrushreelError:
            return False


def plan_shot(shot: Shot, recipe: Recipe, folder: Path, *, handles: int = 12) -> Plan:
    """Decide what a shot's file holds and is called.

    Raises:
        MediaError: The clip can't be read, its frames are not evenly spaced, or it has not all
            frames of the shot.
        StyleError: There is no such style.
    """
    with open_reader(shot.media, ReadSettings(range=TimeRange(), for_timeline=True)) as reader:
        count = reader.info.video.frames or 0
    if not 0 <= shot.first < shot.end <= count:
        raise MediaError(
            f"has {count} frames, and not {shot.first} to {shot.end} of {shot.name}",
            path=shot.media,
        )
    excerpt = FrameRange(max(0, shot.first - handles), min(count, shot.end + handles))
    return Plan(shot, excerpt, folder / _file_name(shot, recipe, excerpt))


def _file_name(shot: Shot, recipe: Recipe, excerpt: FrameRange) -> str:
    about = [recipe.digest, clip_identity(shot.media), excerpt.first, excerpt.end]
    code = key_digest(about, size=5, sort=False)
    whole = os.fsencode(_NOT_IN_NAMES.sub("_", shot.media.stem))
    stem = whole[:_LONGEST_STEM].decode(errors="ignore")
    return f"{stem}.{recipe.style_name}.{code}.mov"


def bake(
    shots: Iterable[Shot],
    recipe: Recipe,
    folder: Path,
    *,
    handles: int = 12,
    handle: Handler = ignore,
    device: str = "auto",
) -> Iterator[BakedShot | FailedShot]:
    """Style shots, one file each; what is there already is used again.

    The files are .mov at the clip's exact frame rate, with its timecode at their first frame and
    its reel's name, and hold no sound: that stays in the cut.

    Args:
        shots: Ranges of clips.
        recipe: How they are styled.
        folder: Where the files lie.
        handles: Frames before and after each shot, as far as the clip has them.
        handle: Is given the events of the shot under way.
        device: See `Stylizer`.

    Raises:
        StyleError: There is no such style.
        DeviceError: There is no such device.
        OutputError: The folder can't be made.
    """
    baker = Baker(recipe, folder, device=device)
    for shot in shots:
        try:
            plan = plan_shot(shot, recipe, folder, handles=handles)
        except BrushreelError as error:
            yield FailedShot(shot, error)
            continue
        if plan.is_there:
            yield plan.baked(reused=True)
            continue
        outcome = baker.paint(plan, handle)
        failed = isinstance(outcome, BrushreelError)
        yield FailedShot(shot, outcome) if failed else plan.baked(reused=False)


class Baker:
    """Paints planned shots with one recipe.

    Args:
        recipe: How they are styled.
        folder: Where the files lie.
        device: See `Stylizer`.

    Raises:
        StyleError: There is no such style.
        OutputError: The folder can't be made.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, device: str = "auto"):
        self._recipe, self._device = recipe, device
        self._stylizer: Stylizer | None = None
        recipe.digest  # noqa: B018  an unknown style is nobody's shot's fault
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"can't be made: {error.strerror}", path=folder) from error

    def paint(self, plan: Plan, handle: Handler) -> ClipReport | BrushreelError:
        """Write a shot's file; whatever goes wrong with it is returned.

        Raises:
            DeviceError: There is no such device.
        """
        recipe = self._recipe
        settings = JobSettings(
            recipe.style,
            strength=recipe.strength,
            keep_colors=recipe.keep_colors,
            device=self._device,
            read=ReadSettings(range=plan.excerpt, for_timeline=True),
            # Whatever has the name by now does not hold what it should.
            write=WriteSettings(encode=_ENCODED[recipe.codec], overwrite=True),
        )
        self._stylizer = self._stylizer or settings.stylizer()
        outcome = attempt(
            plan.job, self._stylizer, handle, read=settings.read, write=settings.write
        )
        assert not isinstance(outcome, Skipped)
        return outcome
