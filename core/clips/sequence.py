"""Image sequences by their names: ``shot.%06d.exr``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

from ..errors import MediaError, UsageError
from ..pictures.picture_header import is_animated
from .folder import listing
from .recognition import is_clip

IMAGE_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".exr"})
"""Suffixes of the images that are read and written."""
READ_SUFFIXES = IMAGE_SUFFIXES | {".jpeg", ".jpg"}
"""Suffixes of the images that are read."""

_PLACE = re.compile(r"%(?:0\d+)?d")
# How other programs write the place: #### and @@@@ (Nuke, Shake, RV), $F4 (Houdini), [0001-0100]
# (Resolve).
_OTHER_PLACES = re.compile(r"(#+)|(@+)|\$F(\d*)|\[(\d+)-\d+\]")
# A minus is a sign after a joint, and a joint after letters.
_NUMBER = re.compile(r"((?:(?:^|(?<=[._ ]))-)?\d+)$")
_SIGNED = re.compile(r"(?:^|[._ ])$")
# So many gaps are named one by one.
_NAMED_GAPS = 12


@dataclass(frozen=True)
class Pattern:
    """Names of numbered images, or of a single one.

    Attributes:
        path: Name with ``%d`` or ``%0Nd`` in place of the number; without one it is an image's own
            name.
    """

    path: Path

    @classmethod
    def of(cls, path: Path, suffixes: frozenset[str] = IMAGE_SUFFIXES) -> Pattern | None:
        """Return the pattern that a path stands for; None where it is not an image's name.

        Raises:
            UsageError: It has several places for a number.
        """
        if path.suffix.lower() not in suffixes or path.is_dir():
            return None
        path = usual_pattern(path)
        if len(_PLACE.findall(path.name)) > 1 and not path.is_file():
            raise UsageError("has several places for a number", path=path)
        return cls(path)

    @classmethod
    def of_source(cls, path: Path) -> Pattern | None:
        """Return the pattern that a source's path stands for; None where it is a clip.

        A PNG of several frames is a clip, whatever its suffix.

        Raises:
            UsageError: See `of`.
        """
        pattern = cls.of(path, READ_SUFFIXES)
        return None if pattern is None or is_animated(path) else pattern

    @property
    def numbered(self) -> bool:
        """True for a name with a place for a number that is not a file's own name."""
        return has_place(self.path) and not self.path.is_file()

    @property
    def parts(self) -> tuple[str, str, str]:
        """Parts of a numbered name: before the number's place, the place, and after it."""
        place = _PLACE.search(self.path.name)
        assert place is not None
        text = self.path.name
        return text[: place.start()], place[0], text[place.end() :]

    def name(self, number: int) -> Path:
        """Return the name of the image with a number."""
        if not self.numbered:
            return self.path
        front, place, end = self.parts
        digits = int(place[1:-1] or 1)
        return self.path.with_name(f"{front}{number:0{digits}}{end}")

    def numbers(self) -> list[int]:
        """Return the numbers of the images that exist, in order; a single one has the number 0."""
        if not self.numbered:
            return [0] if self.path.exists() else []
        front, _, end = self.parts
        sign = "-?" if _SIGNED.search(front) else ""
        name = re.compile(f"{re.escape(front)}({sign}[0-9]+){re.escape(end)}")
        matches = (name.fullmatch(path.name) for path in _listed(self.path.parent))
        found = {(int(match[1]), match[0]) for match in matches if match}
        # "1" is not an image of "%04d".
        return sorted(number for number, text in found if self.name(number).name == text)


def has_place(path: Path) -> bool:
    """Return whether a name has a place for a number, be it an image's or not."""
    return _PLACE.search(usual_pattern(path).name) is not None


def usual_pattern(path: Path) -> Path:
    """Return a name in which another program has marked the number's place, with ``%0Nd``.

    A file's own name stays as it is, and so does one that has ``%0Nd`` already.
    """
    if _PLACE.search(path.name) or not _OTHER_PLACES.search(path.name) or path.is_file():
        return path

    def place(match: re.Match[str]) -> str:
        hashes, ats, digits, first = match.groups()
        width = len(hashes or ats or first or "") or int(digits or 1)
        return f"%0{width}d" if width > 1 else "%d"

    return path.with_name(_OTHER_PLACES.sub(place, path.name))


def _listed(folder: Path) -> Iterator[Path]:
    try:
        yield from folder.iterdir()
    except OSError:
        return


@dataclass(frozen=True)
class ImageSequence:
    """Images that exist, one for each number from the first to the last.

    Attributes:
        pattern: Names of the images.
        numbers: Numbers of the images, without gaps.
    """

    pattern: Pattern
    numbers: range

    @classmethod
    def find(cls, pattern: Pattern) -> ImageSequence:
        """Find out which images exist.

        Raises:
            MediaError: There is none, or some are missing in between; it names all of them.
        """
        numbers = pattern.numbers()
        if not numbers:
            what = "no image has such a name" if pattern.numbered else "no such file"
            raise MediaError(what, path=pattern.path)
        whole = range(numbers[0], numbers[-1] + 1)
        if len(whole) > len(numbers):
            raise MediaError(
                f"has images from {whole[0]} to {whole[-1]}, but not {_gaps(numbers)}",
                path=pattern.path,
                hint="render the missing ones; nothing was written",
            )
        return cls(pattern, whole)

    def files(self) -> list[Path]:
        """Return the paths of the images, in order."""
        return [self.pattern.name(number) for number in self.numbers]


def _gaps(numbers: Sequence[int]) -> str:
    """Describe the gaps, such as "3, 7-9 and 2 more gaps"."""
    gaps = [(before + 1, after - 1) for before, after in pairwise(numbers) if after - before > 1]
    named = ", ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in gaps[:_NAMED_GAPS])
    more = len(gaps) - _NAMED_GAPS
    return f"{named} and {more} more gaps" if more > 0 else named


def find_patterns(folder: Path, *, recursive: bool) -> list[Path]:
    """Return the sequences of a folder: names that differ only in the number before the suffix.

    An image without such a number, or the only one of its kind, is not a sequence. Hidden files
    are left out.

    Raises:
        MediaError: There is no such folder.
    """
    images = [
        path
        for path in listing(folder, recursive=recursive).files
        if path.suffix.lower() in READ_SUFFIXES
        and _NUMBER.search(path.stem)
        and not (path.suffix.lower() == ".png" and is_clip(path))
    ]
    return sorted(_patterns(images))


def _patterns(images: Iterable[Path]) -> Iterator[Path]:
    def front(path: Path) -> tuple[str, str, str]:
        return str(path.parent), _NUMBER.sub("", path.stem), path.suffix

    for (folder, stem, suffix), group in groupby(sorted(images, key=front), key=front):
        texts = [path.stem[len(stem) :] for path in group]
        for digits in sorted({_digits(text, texts) for text in texts}):
            pattern = Path(folder) / f"{stem}%{f'0{digits}' if digits > 1 else ''}d{suffix}"
            if len(Pattern(pattern).numbers()) > 1:
                yield pattern


def _digits(text: str, texts: Sequence[str]) -> int:
    """Return to how many digits the number is padded."""
    if _is_filled(text):
        return len(text)
    if len({len(other) for other in texts}) == 1:
        return len(text)
    filled = {len(other) for other in texts if _is_filled(other)}
    return max((length for length in filled if length <= len(text)), default=1)


def _is_filled(text: str) -> bool:
    """Return whether a number has leading zeros; a sign takes the place of one."""
    digits = text.removeprefix("-")
    return digits.startswith("0") and digits != "0"
