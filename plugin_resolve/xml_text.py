"""XML files changed at one place: every other byte stays as it was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from ..core.errors import UsageError


class XmlText:
    """An XML file's elements, and where in the file each lies.

    Attributes:
        root: The elements.

    Raises:
        UsageError: It can't be read, or is no XML.
    """

    def __init__(self, path: Path):
        try:
            self._text = path.read_bytes()
            # Expat expands no external entities, and refuses bombs of internal ones.
            self.root = ElementTree.fromstring(self._text)  # noqa: S314
        except OSError as error:
            raise UsageError(f"can't be read: {error.strerror}", path=path) from error
        except ElementTree.ParseError as error:
            raise UsageError(f"is no XML: {error}", path=path) from error
        self._spans = dict(zip(self.root.iter(), _spans(self._text), strict=True))

    def with_inserted(self, pieces: Sequence[tuple[Element, Element | None, Element]]) -> bytes:
        """The file with new elements.

        Args:
            pieces: For each: its parent, the child of that before which it goes (None: at the
                end), and the new element.
        """
        edits: dict[int, list[str]] = {}
        opened: dict[int, tuple[int, str, list[str]]] = {}
        for parent, before, new in pieces:
            _, head_end, end_tag, _ = self._spans[parent]
            text = ElementTree.tostring(new, encoding="us-ascii").decode() + "\n"
            if before is not None:
                edits.setdefault(self._spans[before][0], []).append(text)
            elif self._text[head_end - 2 : head_end] == b"/>":
                opened.setdefault(head_end, (head_end, parent.tag, []))[2].append(text)
            else:
                edits.setdefault(end_tag, []).append(text)
        return self._edited(edits, opened)

    def _edited(
        self, edits: dict[int, list[str]], opened: dict[int, tuple[int, str, list[str]]]
    ) -> bytes:
        """From the end to the start, so that places stay what they are."""
        text = self._text
        for place in sorted([*edits, *opened], reverse=True):
            if place in opened:
                end, tag, pieces = opened[place]
                head = text[:end].rstrip()[: -len("/>")]
                text = head + f">\n{''.join(pieces)}</{tag}>".encode() + text[end:]
            if place in edits:
                text = text[:place] + "".join(edits[place]).encode() + text[place:]
        return text


def _spans(text: bytes) -> list[tuple[int, int, int, int]]:
    """Of every element, in order: start and end of its first tag, the same of its last."""
    found: list[list[int]] = []
    open_elements: list[int] = []
    parser = expat.ParserCreate()

    def started(_tag: str, _attributes: dict[str, str]) -> None:
        open_elements.append(len(found))
        place = parser.CurrentByteIndex
        found.append([place, _tag_end(text, place)])

    def ended(_tag: str) -> None:
        place = parser.CurrentByteIndex
        found[open_elements.pop()] += [place, _tag_end(text, place)]

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.Parse(text, True)
    return [(one, two, three, four) for one, two, three, four in found]


def _tag_end(text: bytes, place: int) -> int:
    """Past a tag's bracket; one within quotes is none."""
    quote = 0
    for index in range(place, len(text)):
        byte = text[index]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return index + 1
    return len(text)
