"""A clip, converted whole or cut off on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.report import ClipReport
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.stylizer import Stylizer

from ..listening import Listener
from .interruption import FRAMES, SHORT


@pytest.fixture
def source(make_clip, sound) -> Path:
    return make_clip("in/a.mp4", frames=FRAMES, sounds=(sound(), sound("libmp3lame")))


@pytest.fixture
def output(tmp_path) -> Path:
    return tmp_path / "out" / "o.mp4"


@pytest.fixture
def run(source, output, painter) -> Callable[..., tuple[ClipReport, Listener]]:
    """Converts, and says what was heard."""

    def convert_it(stylizer: Stylizer = painter, write: WriteSettings = SHORT, **settings):
        heard = Listener()
        report = convert(
            source,
            output,
            stylizer,
            handle=heard.handle,
            write=replace(write, encode=EncodeSettings(**settings)),
        )
        return report, heard

    return convert_it


@pytest.fixture
def interrupted(source, output, painter) -> Callable[[int], Listener]:
    """Converts up to a frame, and interrupts there."""

    def interrupt(frames: int = 14, **settings) -> Listener:
        heard = Listener(stop_at=frames)
        with pytest.raises(KeyboardInterrupt):
            convert(
                source,
                output,
                painter,
                handle=heard.handle,
                write=replace(SHORT, encode=EncodeSettings(**settings)),
            )
        return heard

    return interrupt


@pytest.fixture
def whole(source, painter, tmp_path, read_clip) -> Callable:
    """The clip of a run that nobody disturbed."""

    def uninterrupted(name: str = "whole.mp4", stylizer: Stylizer = painter, **settings):
        path = tmp_path / "whole" / name
        convert(source, path, stylizer, write=replace(SHORT, encode=EncodeSettings(**settings)))
        return read_clip(path)

    return uninterrupted
