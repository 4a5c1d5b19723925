"""Resolve, the running program, and the open project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ....core.errors import EditorError
from .calls import Raw, call
from .media_pool import MediaPool
from .timeline import Timeline

# Major version from which `endFrame` is the frame after the last one; before, it is the last one.
EXCLUSIVE_END = 19


@dataclass(frozen=True)
class Resolve:
    """The running program.

    Attributes:
        raw: The API's object, from within Resolve, from DaVinciResolveScript or from a `Bridge`.
    """

    raw: Raw

    @property
    def product(self) -> str:
        """Name of the edition: "DaVinci Resolve" or "DaVinci Resolve Studio"."""
        return str(call(self.raw, "GetProductName") or "DaVinci Resolve")

    @property
    def version(self) -> tuple[int, ...]:
        """Version numbers, such as (21, 0, 3)."""
        numbers = re.findall(r"\d+", str(call(self.raw, "GetVersionString")))
        return tuple(int(number) for number in numbers[:3])

    @property
    def ends_exclusively(self) -> bool:
        """Probable meaning of `endFrame` in this version; measured when it matters."""
        return self.version >= (EXCLUSIVE_END,)

    @contextmanager
    def edit_page(self) -> Iterator[None]:
        """Open the Edit page, the only one where clips can be deleted; then go back.

        Raises:
            EditorError: Resolve does not open it.
        """
        before = call(self.raw, "GetCurrentPage")
        if before != "edit":
            call(self.raw, "OpenPage", "edit")
            if call(self.raw, "GetCurrentPage") != "edit":
                raise EditorError("Resolve did not open the Edit page", hint="open it, try again")
        try:
            yield
        finally:
            if before not in ("edit", None):
                call(self.raw, "OpenPage", before)

    def project(self) -> Project:
        """Return the open project.

        Raises:
            EditorError: None is open.
        """
        raw = call(call(self.raw, "GetProjectManager"), "GetCurrentProject")
        if raw is None:
            raise EditorError("no project is open in Resolve", hint="open one")
        return Project(raw)


@dataclass(frozen=True)
class Project:
    """The open project."""

    raw: Raw

    @property
    def name(self) -> str:
        """Name of the project."""
        return str(call(self.raw, "GetName"))

    def timeline(self) -> Timeline:
        """Return the current timeline.

        Raises:
            EditorError: None is open.
        """
        raw = call(self.raw, "GetCurrentTimeline")
        if raw is None:
            raise EditorError("no timeline is open in Resolve", hint="open one on the Edit page")
        return Timeline(raw)

    def timeline_names(self) -> set[str]:
        """Return the names of all timelines; no two have the same."""
        count = int(call(self.raw, "GetTimelineCount") or 0)
        timelines = [call(self.raw, "GetTimelineByIndex", n + 1) for n in range(count)]
        return {Timeline(raw).name for raw in timelines if raw is not None}

    def media_pool(self) -> MediaPool:
        """Return the project's media pool."""
        return MediaPool(call(self.raw, "GetMediaPool"))

    def make_current(self, timeline: Timeline) -> None:
        """Make a timeline the current one, to which clips are appended.

        Raises:
            EditorError: Resolve stays with another one.
        """
        if self.timeline().id == timeline.id:
            return
        call(self.raw, "SetCurrentTimeline", timeline.raw)
        if self.timeline().id != timeline.id:
            raise EditorError(f"Resolve did not open the timeline {timeline.name!r}")
