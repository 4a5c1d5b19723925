"""Shots of a timeline as stylized files with handles, which an editing program lays above them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
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
    """A range of a clip, as used on a timeline.

    Attributes:
        name: Name on the timeline.
        media: The clip's file.
        first: Index of its first frame in the clip, from 0.
        end: Index of the frame after its last.
        rate: Frames a second of an image sequence; None for a clip, which states them.
    """

    name: str
    media: Path
    first: int
    end: int
    rate: Fraction | None = None


@dataclass(frozen=True)
class BakedShot:
    """A stylized shot.

    Attributes:
        shot: The shot.
        path: Its file.
        first: Index in the clip of the file's first frame.
        frames: Number of frames in the file.
        reused: True if the file is from an earlier run.
    """

    shot: Shot
    path: Path
    first: int
    frames: int
    reused: bool


@dataclass(frozen=True)
class FailedShot:
    """A shot that failed, and why."""

    shot: Shot
    error: BrushreelError


@dataclass(frozen=True)
class Plan:
    """A plan for a shot's file.

    Attributes:
        shot: The shot.
        frames: Range of the clip that the file holds: the shot with its handles.
        path: Path of the file; its name depends on recipe, clip and frames.
    """

    shot: Shot
    frames: FrameRange
    path: Path

    @property
    def job(self) -> Job:
        """The job that reporters show."""
        return Job(self.shot.media, self.path)

    def baked(self, *, reused: bool) -> BakedShot:
        """Return the shot as it is when the file exists."""
        first, end = self.frames.first, self.frames.end
        return BakedShot(self.shot, self.path, first, end - first, reused)

    @property
    def is_done(self) -> bool:
        """True if the file exists and is complete; a file gets its name once it is verified."""
        try:
            with open_reader(self.path, ReadSettings()) as reader:
                return reader.info.video.frames == self.frames.end - self.frames.first
        except BrushreelError:
            return False


def plan_shot(shot: Shot, recipe: Recipe, folder: Path, *, handles: int = 12) -> Plan:
    """Decide on the frames and the name of a shot's file.

    Raises:
        MediaError: The clip can't be read, has no constant frame rate, or lacks frames of the
            shot.
        StyleError: There is no such style.
    """
    whole = ReadSettings(range=TimeRange(), for_timeline=True, frame_rate=shot.rate)
    with open_reader(shot.media, whole) as reader:
        count = reader.info.video.frames or 0
        images = reader.identity["pictures"] if reader.images else None
        identity = clip_identity(shot.media) if images is None else images
    if not 0 <= shot.first < shot.end <= count:
        raise MediaError(
            f"has {count} frames, but {shot.name} uses frames {shot.first} to {shot.end}",
            path=shot.media,
        )
    frames = FrameRange(max(0, shot.first - handles), min(count, shot.end + handles))
    return Plan(shot, frames, folder / _file_name(shot, recipe, frames, identity))


def _file_name(shot: Shot, recipe: Recipe, frames: FrameRange, identity: object) -> str:
    about = [recipe.digest, identity, frames.first, frames.end]
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
    """Stylize shots, one file each; files of earlier runs are used again.

    The files are .mov at the clip's exact frame rate, with its timecode at their first frame and
    its reel's name, and without audio: that stays on the timeline.

    Args:
        shots: Ranges of clips.
        recipe: How they are stylized.
        folder: Folder of the files.
        handles: Frames before and after each shot, as far as the clip has them.
        handle: Receives the events of the shot that is being stylized.
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
        if plan.is_done:
            yield plan.baked(reused=True)
            continue
        outcome = baker.bake(plan, handle)
        failed = isinstance(outcome, BrushreelError)
        yield FailedShot(shot, outcome) if failed else plan.baked(reused=False)


class Baker:
    """A worker that stylizes planned shots with one recipe.

    Args:
        recipe: How they are stylized.
        folder: Folder of the files.
        device: See `Stylizer`.

    Raises:
        StyleError: There is no such style.
        OutputError: The folder can't be made.
    """

    def __init__(self, recipe: Recipe, folder: Path, *, device: str = "auto"):
        self._recipe, self._device = recipe, device
        self._stylizer: Stylizer | None = None
        recipe.digest  # noqa: B018  an unknown style is no shot's fault
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError.because(error, "can't be made", path=folder) from error

    def bake(self, plan: Plan, handle: Handler) -> ClipReport | BrushreelError:
        """Write a shot's file; return the error if it fails.

        Raises:
            DeviceError: There is no such device.
        """
        recipe = self._recipe
        settings = JobSettings(
            recipe.style,
            strength=recipe.strength,
            keep_colors=recipe.keep_colors,
            stroke_size=recipe.stroke_size,
            detail=recipe.detail,
            device=self._device,
            read=ReadSettings(range=plan.frames, for_timeline=True, frame_rate=plan.shot.rate),
            # A file that has the name by now is not a complete one.
            write=WriteSettings(encode=_ENCODED[recipe.codec], overwrite=True),
        )
        self._stylizer = self._stylizer or settings.stylizer()
        outcome = attempt(
            plan.job, self._stylizer, handle, read=settings.read, write=settings.write
        )
        assert not isinstance(outcome, Skipped)
        return outcome
