"""XML files edited locally: every other byte stays as it was."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from ...core.errors import UsageError


class XmlText:
    """The elements of an XML file and the bytes that each occupies.

    Attributes:
        root: The elements.

    Raises:
        UsageError: It can't be read, or is not valid XML.
    """

    def __init__(self, path: Path):
        try:
            self._text = path.read_bytes()
            if self._text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise UsageError("is written in UTF-16", path=path, hint="save it as UTF-8")
            # Expat expands no external entities, and refuses bombs of internal ones.
            self.root = ElementTree.fromstring(self._text)  # noqa: S314
        except OSError as error:
            raise UsageError.because(error, "can't be read", path=path) from error
        except ElementTree.ParseError as error:
            raise UsageError.because(error, "is not valid XML", path=path) from error
        self._spans = dict(zip(self.root.iter(), _spans(self._text), strict=True))

    def edited(
        self,
        inserted: Sequence[tuple[Element, Element | None, Element]],
        texts: Mapping[Element, str] | None = None,
        attributes: Mapping[tuple[Element, str], str] | None = None,
        removed: Iterable[Element] = (),
    ) -> bytes:
        """Return the file with changes.

        Args:
            inserted: For each new element: its parent, the child of that before which it is put
                (None: at the end), and the element.
            texts: New texts of elements that hold nothing else.
            attributes: New values, by element and name.
            removed: Elements that are left out, none within another; nothing else changes in
                them.
        """
        edits = [*self._insertions(inserted)]
        for element, new in (texts or {}).items():
            _, head_end, end_tag, _ = self._spans[element]
            edits.append((head_end, end_tag, new))
        for (element, name), value in (attributes or {}).items():
            edits.append((*self._attribute(element, name), value))
        edits += [(*self._whole_span(element), "") for element in removed]
        text = self._text
        # From the end to the start, so that offsets stay valid; insertions at the offset of a
        # removed element come after its removal.
        for start, end, new in sorted(edits, reverse=True):
            text = text[:start] + new.encode() + text[end:]
        return text

    def new_ids(self, prefix: str, removed: Iterable[Element] = ()) -> Iterator[str]:
        """Yield unused ids without end; the ids of removed elements count as unused."""
        gone = {element for top in removed for element in top.iter()}
        taken = {element.get("id") for element in self.root.iter() if element not in gone}
        names = (f"{prefix}-{number}" for number in count(1))
        return (name for name in names if name not in taken)

    def _whole_span(self, element: Element) -> tuple[int, int]:
        """Return an element's bytes with the end of its line."""
        start, *_, end = self._spans[element]
        return start, end + (self._text[end : end + 1] == b"\n")

    def _insertions(
        self, inserted: Sequence[tuple[Element, Element | None, Element]]
    ) -> Iterator[tuple[int, int, str]]:
        """Join the elements that are inserted at one point."""
        texts: dict[tuple[Element, Element | None], str] = {}
        for parent, before, new in inserted:
            text = ElementTree.tostring(new, encoding="us-ascii").decode() + "\n"
            texts[parent, before] = texts.get((parent, before), "") + text
        for (parent, before), text in texts.items():
            _, head_end, end_tag, _ = self._spans[parent]
            if before is not None:
                start = self._spans[before][0]
                yield start, start, text
            elif self._text[head_end - 2 : head_end] == b"/>":
                yield head_end - 2, head_end, f">\n{text}</{parent.tag}>"
            else:
                yield end_tag, end_tag, text

    def _attribute(self, element: Element, name: str) -> tuple[int, int]:
        """Return the bytes of an attribute's value, without its quotes."""
        start, head_end, *_ = self._spans[element]
        pattern = rb"\s" + re.escape(name.encode()) + rb"\s*=\s*([\"'])(.*?)\1"
        match = re.search(pattern, self._text[start:head_end], re.DOTALL)
        assert match is not None
        return start + match.start(2), start + match.end(2)


def _spans(text: bytes) -> list[tuple[int, int, int, int]]:
    """Return start and end of the first and of the last tag of every element, in order."""
    found: list[list[int]] = []
    open_elements: list[int] = []
    parser = expat.ParserCreate()

    def started(_tag: str, _attributes: dict[str, str]) -> None:
        open_elements.append(len(found))
        start = parser.CurrentByteIndex
        found.append([start, _tag_end(text, start)])

    def ended(_tag: str) -> None:
        span = found[open_elements.pop()]
        if text[span[1] - 2 : span[1]] == b"/>":
            span += span  # one tag is its first and its last
        else:
            start = parser.CurrentByteIndex
            span += [start, _tag_end(text, start)]

    parser.StartElementHandler, parser.EndElementHandler = started, ended
    parser.Parse(text, True)
    return [(one, two, three, four) for one, two, three, four in found]


def _tag_end(text: bytes, start: int) -> int:
    """Return the offset after a tag's closing bracket; brackets within quotes do not count."""
    quote = 0
    for index in range(start, len(text)):
        byte = text[index]
        if quote:
            quote = 0 if byte == quote else quote
        elif byte in b"\"'":
            quote = byte
        elif byte == ord(">"):
            return index + 1
    return len(text)
