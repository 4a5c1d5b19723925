from __future__ import annotations

from pathlib import Path

import pytest
import torch

from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.runtimes import benchmark
from brushreel.core.style import Painting, Style

from .browsing import browser  # noqa: F401  a fixture


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """A home of the test's own: no test sees or touches the user's library and caches."""
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return folder


@pytest.fixture(scope="session")
def measured_runtimes(tmp_path_factory) -> Path:
    """Return the file that keeps, from test to test, which runtime is fastest."""
    return tmp_path_factory.mktemp("measured") / "runtimes.json"


@pytest.fixture(autouse=True)
def known_runtimes(measured_runtimes, monkeypatch) -> None:
    """Measure once for all tests of a process which runtime is fastest, not once a test."""
    monkeypatch.setattr(benchmark, "_path", lambda: measured_runtimes)


@pytest.fixture(scope="session")
def tiny_style() -> Style:
    """A style of random weights that takes milliseconds."""
    spec = NetworkSpec(channels=(4, 6, 8), residual_blocks=1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        weights = StylizingNetwork(spec).state_dict()
    painting = Painting("Waves", "A. Painter", "1831", "public domain")
    return Style("tiny", "Waves, after A. Painter", painting, spec, weights)


@pytest.fixture
def style_file(tiny_style, tmp_path) -> Path:
    path = tmp_path / "tiny.safetensors"
    tiny_style.save(path)
    return path
