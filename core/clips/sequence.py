"""Numbered pictures that are one moving picture: ``shot.%06d.exr``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from ..errors import MediaError, UsageError

PICTURE_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".exr"})
"""Of the pictures that are read and written."""

_PLACE = re.compile(r"%(?:0\d+)?d")
_NUMBER = re.compile(r"(\d+)$")
# So many gaps are named one by one.
_NAMED_GAPS = 12


@dataclass(frozen=True)
class Pattern:
    """Names of numbered pictures, or of a single one.

    Attributes:
        path: As it is written, with ``%d`` or ``%0Nd`` where the number stands; without one it is
            a picture's own name.
    """

    path: Path

    @classmethod
    def of(cls, path: Path) -> Pattern | None:
        """The pattern that a path is meant as; None where it is no picture's name.

        Raises:
            UsageError: It has several places for a number.
        """
        if path.suffix.lower() not in PICTURE_SUFFIXES or path.is_dir():
            return None
        if len(_PLACE.findall(path.name)) > 1 and not path.is_file():
            raise UsageError("has several places for a number", path=path)
        return cls(path)

    @property
    def numbered(self) -> bool:
        """Whether it has a place for a number, and is not a file's own name."""
        return has_place(self.path) and not self.path.is_file()

    @property
    def parts(self) -> tuple[str, str, str]:
        """Of a numbered name: what comes before the number's place, the place, and the rest."""
        place = _PLACE.search(self.path.name)
        assert place is not None
        text = self.path.name
        return text[: place.start()], place[0], text[place.end() :]

    def name(self, number: int) -> Path:
        """The picture of a number."""
        if not self.numbered:
            return self.path
        front, place, end = self.parts
        digits = int(place[1:-1] or 1)
        return self.path.with_name(f"{front}{number:0{digits}}{end}")

    def numbers(self) -> list[int]:
        """Of the pictures that are there, in their order; a single one has the number 0."""
        if not self.numbered:
            return [0] if self.path.exists() else []
        front, _, end = self.parts
        name = re.compile(f"{re.escape(front)}([0-9]+){re.escape(end)}")
        matches = (name.fullmatch(path.name) for path in _listed(self.path.parent))
        found = {(int(match[1]), match[0]) for match in matches if match}
        # "1" is no picture of "%04d".
        return sorted(number for number, text in found if self.name(number).name == text)


def has_place(path: Path) -> bool:
    """Whether a name has a place for a number, of a picture or of something else."""
    return _PLACE.search(path.name) is not None


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


@dataclass(frozen=True)
class PictureSequence:
    """Pictures that are there, one for each number from the first to the last.

    Attributes:
        pattern: Their names.
        numbers: Without gaps.
    """

    pattern: Pattern
    numbers: range

    @classmethod
    def find(cls, pattern: Pattern) -> PictureSequence:
        """Look which pictures there are.

        Raises:
            MediaError: None, or one is missing in between; all that are missing are named.
        """
        numbers = pattern.numbers()
        if not numbers:
            what = "no picture has such a name" if pattern.numbered else "no such file"
            raise MediaError(what, path=pattern.path)
        whole = range(numbers[0], numbers[-1] + 1)
        if len(whole) > len(numbers):
            raise MediaError(
                f"has pictures from {whole[0]} to {whole[-1]}, but not {_gaps(numbers)}",
                path=pattern.path,
                hint="render them again; nothing was begun",
            )
        return cls(pattern, whole)

    def files(self) -> list[Path]:
        """In their order."""
        return [self.pattern.name(number) for number in self.numbers]


def _gaps(numbers: Sequence[int]) -> str:
    """Such as "3, 7-9 and 2 more gaps"."""
    gaps = [(before + 1, after - 1) for before, after in pairwise(numbers) if after - before > 1]
    named = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in gaps[:_NAMED_GAPS])
    more = len(gaps) - _NAMED_GAPS
    return f"{named} and {more} more gaps" if more > 0 else named


def find_patterns(folder: Path, *, recursive: bool) -> list[Path]:
    """The sequences of a folder: names that differ in the number before the suffix alone.

    A picture without such a number, or the only one of its kind, is no moving picture. Hidden
    ones are left out.

    Raises:
        MediaError: There is no such folder.
    """
    if not folder.is_dir():
        raise MediaError("no such folder", path=folder)
    pictures = [
        path
        for path in (folder.rglob("*") if recursive else folder.iterdir())
        if path.suffix.lower() in PICTURE_SUFFIXES
        and _NUMBER.search(path.stem)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    return sorted(_patterns(pictures))


def _patterns(pictures: Iterable[Path]) -> Iterator[Path]:
    def front(path: Path) -> tuple[str, str, str]:
        return str(path.parent), _NUMBER.sub("", path.stem), path.suffix

    for (folder, stem, suffix), group in groupby(sorted(pictures, key=front), key=front):
        texts = [path.stem[len(stem) :] for path in group]
        for digits in sorted({_digits(text, texts) for text in texts}):
            pattern = Path(folder) / f"{stem}%{f'0{digits}' if digits > 1 else ''}d{suffix}"
            if len(Pattern(pattern).numbers()) > 1:
                yield pattern


def _digits(text: str, texts: Sequence[str]) -> int:
    """To how many digits the number was filled up."""
    if text.startswith("0") and text != "0":
        return len(text)
    if len({len(other) for other in texts}) == 1:
        return len(text)
    filled = {len(other) for other in texts if other.startswith("0") and other != "0"}
    return max((length for length in filled if length <= len(text)), default=1)
