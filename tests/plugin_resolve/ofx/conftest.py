from __future__ import annotations

import os
import platform
import shutil
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from brushreel import native
from brushreel.core.stylizer import Stylizer
from brushreel.plugin_resolve.ofx import bundle as bundles

from .minihost import MiniHost


@dataclass(frozen=True)
class Place:
    """A user of the tests' own: library, runtime folder and plug-ins."""

    root: Path

    @property
    def serving(self) -> Path:
        return self.root / "run" / "brushreel"

    @property
    def styles(self) -> Path:
        return self.root / "data" / "brushreel" / "styles"

    @property
    def bundle(self) -> Path:
        return self.root / "plugins" / native.BUNDLE

    def connect(self) -> tuple[socket.socket, bytes]:
        """Connect to the running server; return the connection and the token."""
        address, token = (self.serving / "server").read_text().split()
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(60)
        try:
            connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection, token.encode()

    def server(self) -> int | None:
        """Return the server's process; None if none accepts connections."""
        with suppress(OSError, ValueError):
            connection, _ = self.connect()
            with connection:
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
                return struct.unpack("3i", raw)[0]
        return None

    def kill(self) -> None:
        if process := self.server():
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            while self.server():
                time.sleep(0.01)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory) -> Path:
    """The effect, compiled from what is in the tree."""
    if sys.platform != "linux" or platform.machine() != "x86_64" or not native.own_compiler():
        pytest.skip("the host of these tests needs Linux on x86-64 and a C compiler")
    root = tmp_path_factory.mktemp("compiled")
    native.build_own(root, [native.LIBRARY])
    return root / native.EFFECT / native.BUNDLE


@pytest.fixture(scope="session")
def settled(compiled, tiny_style) -> Iterator[Place]:
    # Short: the path of a socket has at most a hundred bytes.
    place = Place(Path(tempfile.mkdtemp(prefix="br-")))
    for name, factor in (("tiny", 1.0), ("other", 0.5)):
        weights = {key: value * factor for key, value in tiny_style.weights.items()}
        replace(tiny_style, name=name, weights=weights).save(place.styles / f"{name}.safetensors")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundles, "_OURS", compiled)
        bundles.install(place.root / "plugins")
    (place.root / "run").mkdir(mode=0o700)
    yield place
    place.kill()
    shutil.rmtree(place.root)


@pytest.fixture
def place(settled, monkeypatch) -> Place:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(settled.root / "run"))
    monkeypatch.setenv("XDG_DATA_HOME", str(settled.root / "data"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return settled


@pytest.fixture
def host(place) -> Iterator[MiniHost]:
    made = MiniHost(place.bundle)
    yield made
    made.unload()


@pytest.fixture(scope="session")
def noise():
    """Images of any type: (H, W, 4), opaque by default, in [0, 1] or full range."""

    def make(kind: Any = np.float32, size=(48, 64), seed=0, alpha=False) -> np.ndarray:
        pixels = np.random.default_rng(seed).random((*size, 4), np.float32)
        if not alpha:
            pixels[..., 3] = 1
        if np.issubdtype(kind, np.integer):
            return np.round(pixels * np.iinfo(kind).max).astype(kind)
        return pixels.astype(kind)

    return make


@pytest.fixture
def stylized(place):
    """The library's own result for the same pixels: (H, W, 3) float32.

    Strokes are large by default: for so small a working size no process measures the runtimes, and
    all take the same one.
    """

    def make(rgb: np.ndarray, style: str = "tiny", aspect: float = 1, **settings) -> np.ndarray:
        frames = torch.from_numpy(np.ascontiguousarray(rgb[..., :3].transpose(2, 0, 1)))[None]
        stylizer = Stylizer(
            place.styles / f"{style}.safetensors", **{"stroke_size": 4.0, **settings}
        )
        stylized = stylizer(frames.float(), sample_aspect_ratio=aspect)
        return stylized[0].numpy().transpose(1, 2, 0)

    return make
