"""Segments of a clip under way and their manifest, from which an interrupted run continues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import av
import torch

from ...core.atomic import atomic_write
from ...core.file_identity import FileIdentity, file_identity
from ...core.keys import stored
from ...core.source_stylizer import SourceStylizer
from ...core.version import __version__
from .segment import SUFFIX, Segment, intact
from .work_folder import owned_folder, shared_folder, work_folder

_FORMAT = 1
_MANIFEST = "manifest.json"
_PART = ".part"


def arithmetic(stylizer: SourceStylizer) -> dict[str, Any]:
    """Return the facts by which two machines give the same frames of a source.

    Args:
        stylizer: The stylizer of the source's frames.
    """
    facts = {
        **stylizer.identity,
        "versions": {
            "brushreel": __version__,
            "av": [av.__version__, dict(av.library_versions)],
            "torch": torch.__version__,
        },
    }
    return stored(facts)


def run_key(facts: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that decide what is written; work of another key is not used.

    Args:
        facts: See `arithmetic`.
        others: Whatever else decides it.
    """
    return stored(dict(facts) | dict(others))


@dataclass(frozen=True)
class Whole:
    """Finished file, noted when it is verified and about to get its name.

    Attributes:
        size, mtime_ns: Identity by which it is recognised under its name.
        frames: Frames of the video stream.
        audio_tracks: Number of audio streams.
    """

    size: int
    mtime_ns: int
    frames: int
    audio_tracks: int

    def is_at(self, path: Path) -> bool:
        """Return whether the file of this name is the finished one."""
        try:
            return file_identity(path) == FileIdentity(self.size, self.mtime_ns)
        except OSError:
            return False


class Work:
    """Work folder of a clip that belongs to this process.

    Attributes:
        folder: The folder.
        partial: The finished file before it has its name.
        segments: Segments that are done, by number.
        whole: The finished file, once it is verified.
    """

    def __init__(self, output: Path, key: Mapping[str, Any], *, resume: bool):
        self.folder = work_folder(output)
        self.partial = self.folder / f"whole{output.suffix}"
        self._key, self._manifest = key, self.folder / _MANIFEST
        found, self.whole = _read_manifest(self._manifest, key) if resume else ([], None)
        parts = [*self.folder.glob(f"*{_PART}")] if resume else []
        found += [segment for path in parts for segment in _read_manifest(path, key)[0]]
        self.segments = {
            segment.number: segment for segment in found if intact(self.folder, segment)
        }
        if parts:
            self._note()
        self._clear(keep={segment.name for segment in self.segments.values()})

    @property
    def frames(self) -> int:
        """Number of frames that are done."""
        return sum(segment.frames for segment in self.segments.values())

    def in_order(self) -> list[Segment]:
        """Return the segments from the clip's start to its end."""
        return [self.segments[number] for number in sorted(self.segments)]

    def add(self, segment: Segment) -> None:
        """Note a segment whose file is complete.

        Raises:
            OSError: The manifest can't be written.
        """
        self.segments[segment.number] = segment
        self._note()

    def forget(self) -> None:
        """Forget all that is noted: none of it can be trusted."""
        self.segments.clear()
        self.whole = None
        self._note()

    def verified(self, frames: int, audio_tracks: int) -> Whole:
        """Note that `partial` is whole, so that it is recognised under its final name.

        Raises:
            OSError: The manifest can't be written.
        """
        found = file_identity(self.partial)
        self.whole = Whole(found.size, found.mtime_ns, frames, audio_tracks)
        self._note()
        return self.whole

    def _note(self) -> None:
        about = {
            "brushreel_segments": _FORMAT,
            "key": self._key,
            "segments": [asdict(segment) for segment in self.segments.values()],
            "whole": None if self.whole is None else asdict(self.whole),
        }
        with atomic_write(self._manifest) as file:
            file.write(json.dumps(about, indent=1).encode())

    def remove(self) -> None:
        """Remove what was collected; the manifest is removed with the folder, last."""
        self._clear(keep=set())

    def _clear(self, *, keep: set[str]) -> None:
        for path in self.folder.iterdir():
            own = path.suffix in (SUFFIX, _PART, ".partial") or path.stem == self.partial.stem
            if own and path.name not in keep:
                with suppress(OSError):
                    path.unlink()


class PartialWork(Work):
    """Work folder of a clip that this process shares with those that make other segments.

    It touches nothing but its own segments, and lists them in a file of its own, which whoever
    takes the whole folder finds.

    Attributes:
        numbers: Numbers of its segments.
    """

    def __init__(self, output: Path, key: Mapping[str, Any], numbers: range):
        self.folder, self._key, self.numbers = work_folder(output), key, numbers
        self._manifest = self.folder / f"{_part_name(numbers)}{_PART}"
        found, self.whole = _read_manifest(self.folder / _MANIFEST, key)
        found += _read_manifest(self._manifest, key)[0]
        self.segments = {
            segment.number: segment
            for segment in found
            if segment.number in numbers and intact(self.folder, segment)
        }


def _part_name(numbers: range) -> str:
    return f"{numbers.start:06}-{numbers.stop - 1:06}"


def _read_manifest(
    path: Path, key: Mapping[str, Any] | None = None
) -> tuple[list[Segment], Whole | None]:
    """Read what was noted for this key, or for any; nothing where there is doubt."""
    try:
        about = json.loads(path.read_text())
        if about["brushreel_segments"] != _FORMAT or key not in (None, about["key"]):
            return [], None
        whole = about["whole"]
        segments = [Segment(**segment) for segment in about["segments"]]
        return segments, None if whole is None else Whole(**whole)
    except (OSError, ValueError, KeyError, TypeError):
        return [], None


def noted_key(output: Path) -> dict[str, Any] | None:
    """Return the key of the work that an earlier run has left; None where there is none."""
    try:
        return dict(json.loads((work_folder(output) / _MANIFEST).read_text())["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def left_by_a_run(output: Path) -> bool:
    """Return whether a run gave this file its name and was interrupted before it tidied up."""
    _, whole = _read_manifest(work_folder(output) / _MANIFEST)
    return whole is not None and whole.is_at(output)


@contextmanager
def owned_work(output: Path, key: Mapping[str, Any], *, resume: bool) -> Iterator[Work]:
    """Make an output's work folder, or take over an earlier run's; nobody else gets it meanwhile.

    Afterwards the folder is removed, unless the block failed and there are segments to continue
    from.

    Args:
        output: The file that is written.
        key: See `run_key`.
        resume: Use what an earlier run with the same key has left.

    Raises:
        OutputError: It can't be made, or another process has it.
    """
    with owned_folder(output, is_kept=_has_segments, leftover=(_MANIFEST,)):
        work = Work(output, key, resume=resume)
        try:
            yield work
        except BaseException:
            if not work.segments:
                work.remove()
            raise
        else:
            work.remove()


@contextmanager
def owned_part(output: Path, key: Mapping[str, Any], numbers: range) -> Iterator[PartialWork]:
    """Share an output's work folder with processes that make other segments.

    Afterwards it stays, with the segments to continue from.

    Args:
        output: The file that the segments are for.
        key: See `run_key`.
        numbers: Numbers of the segments that this process makes.

    Raises:
        OutputError: It can't be made, or another process has the folder or these segments.
    """
    with shared_folder(output, _part_name(numbers), is_kept=_has_segments):
        yield PartialWork(output, key, numbers)


def _has_segments(folder: Path) -> bool:
    return any(folder.glob(f"*{SUFFIX}"))
