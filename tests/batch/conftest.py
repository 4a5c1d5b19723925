"""Clips made for tests, and a reader of clips that shares nothing with the package."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.core.stylizer import Stylizer

from .media import make, read
from .media.make import Sound
from .media.read import Clip


@pytest.fixture
def make_clip(tmp_path) -> Callable[..., Path]:
    """A factory of clips; see `media.make.make_clip`."""
    return partial(make.make_clip, tmp_path)


@pytest.fixture
def read_clip() -> Callable[[Path], Clip]:
    """Reads a whole clip with PyAV alone."""
    return read.read_clip


@pytest.fixture
def sound() -> type[Sound]:
    """A sound track for `make_clip`."""
    return Sound


@pytest.fixture(scope="session")
def painter(tiny_style) -> Stylizer:
    """The tiny style at full strength on the CPU, the same on every machine."""
    return Stylizer(tiny_style, device="cpu", precision="fp32", stroke_size="native")


@pytest.fixture(scope="session")
def untouched(tiny_style) -> Stylizer:
    """The tiny style at strength 0."""
    return Stylizer(tiny_style, device="cpu", precision="fp32", strength=0, stroke_size="native")


@pytest.fixture
def listing() -> Callable[[Path], list[str]]:
    """Everything below a folder, hidden files included."""
    return lambda folder: sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.fixture
def fingerprint() -> Callable[[Path], str]:
    """SHA-256 of a file."""
    return lambda path: hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def converted(tmp_path, read_clip) -> Callable:
    """Converts a clip and reads the output back."""

    def run(source: Path, stylizer: Stylizer, name: str | None = None, **settings):
        output = tmp_path / "out" / (name or source.name)
        convert(source, output, stylizer, write=WriteSettings(encode=EncodeSettings(**settings)))
        return read_clip(output)

    return run
