from __future__ import annotations

import dataclasses
import platform
import sys

import pytest
import torch

from brushreel import native
from brushreel.core import machine
from brushreel.core.errors import DeviceError
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.runtimes import kernels_library
from brushreel.core.runtimes.on_kernels import can_run
from brushreel.core.runtimes.runtime import KINDS, Wanted, able, check_runtime, open_runtime
from brushreel.core.style import Painting, Style
from brushreel.core.tiling import stylize_in_tiles

WANTED = Wanted(torch.device("cpu"), "bf16")
SPEC = NetworkSpec(residual_blocks=2)


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    if sys.platform != "linux" or platform.machine() != "x86_64" or not native.own_compiler():
        pytest.skip("the kernels are compiled on Linux x86-64")
    root = tmp_path_factory.mktemp("compiled")
    native.build_own(root, [native.KERNELS.name])
    return root / native.KERNELS


@pytest.fixture
def installed_as(monkeypatch):
    """Have the kernels read from a file."""

    def read(file):
        monkeypatch.setattr(kernels_library, "_FILE", file)
        kernels_library.library.cache_clear()

    yield read
    kernels_library.library.cache_clear()


@pytest.fixture(params=["amx", "avx512"])
def kernels(request, compiled, installed_as):
    """The source as it is, not as it was when the package was installed."""
    installed_as(compiled)
    if not KINDS[request.param].runs_here():
        pytest.skip(KINDS[request.param].machine)
    return request.param


def style(spec: NetworkSpec = SPEC) -> Style:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        network = StylizingNetwork(spec)
        for name, value in network.named_parameters():
            if name.endswith("bias"):  # zero at the start
                torch.nn.init.normal_(value, std=0.1)
    painting = Painting("Waves", "A. Painter", "1831", "public domain")
    return Style("random", "Waves", painting, spec, network.state_dict())


def picture(height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(height * width)
    coarse = torch.rand(1, 3, height // 8 + 2, width // 8 + 2, generator=generator)
    return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")


def decibels(stylized: torch.Tensor, right: torch.Tensor) -> float:
    return float(-10 * ((stylized - right) ** 2).mean().clamp(min=1e-12).log10())


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (12, 8), (37, 50), (64, 200)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"channels": (16, 16, 16)},
        {"channels": (32, 48, 80)},
        {"channels": (64, 112, 64)},
        {"residual_blocks": 0},
    ],
)
def test_paints_what_the_network_paints(kernels, changes, size):
    random = style(dataclasses.replace(SPEC, **changes))
    right = random.network()(picture(*size))
    stylized = open_runtime(kernels, random, WANTED)(picture(*size))
    assert decibels(stylized, right) > 45
    # The last rows and columns on their own: they are a small part of it.
    for edge in (slice(0, 2), slice(-2, None)):
        assert decibels(stylized[..., edge, :], right[..., edge, :]) > 42
        assert decibels(stylized[..., edge], right[..., edge]) > 42


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_flat_frames(kernels, level):
    frame, random = torch.full((1, 3, 40, 48), level), style()
    stylized = open_runtime(kernels, random, WANTED)(frame)
    assert decibels(stylized, random.network()(frame)) > 45


def test_threads_change_nothing(kernels):
    threads, random, frame = torch.get_num_threads(), style(), picture(52, 150)
    try:
        stylized = []
        for count in (1, 2, 5, 60):
            torch.set_num_threads(count)
            stylized.append(open_runtime(kernels, random, WANTED)(frame))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(other, stylized[0]) for other in stylized)


@pytest.mark.parametrize("tile", [64, 100])
def test_tiles_are_the_whole_frame_to_the_bit(kernels, tile):
    runtime, frame = open_runtime(kernels, style(), WANTED), picture(200, 212)
    assert runtime.parts is not None
    assert torch.equal(stylize_in_tiles(runtime.parts, frame, tile), runtime(frame))


@pytest.mark.parametrize(
    "changes",
    [
        {"channels": (16, 32, 40)},
        {"downsampling": "strided"},
        {"upsampling": "nearest"},
        {"skips": False},
        {"normalization": "none"},
    ],
)
@pytest.mark.parametrize("name", ["amx", "avx512"])
def test_not_every_shape_has_kernels(name, changes):
    assert can_run(SPEC)
    other = dataclasses.replace(SPEC, **changes)
    assert not can_run(other)
    with pytest.raises(DeviceError, match=f"{name} does not run networks of this shape"):
        open_runtime(name, style(other), WANTED)


def test_kernels_from_before_a_change_are_not_used(compiled, installed_as, monkeypatch):
    monkeypatch.setattr(kernels_library, "_LAYOUT", 0)
    installed_as(compiled)
    assert not {"amx", "avx512"} & set(able(WANTED))


def test_without_kernels_others_run(tmp_path, installed_as, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    installed_as(tmp_path / "none.so")
    assert not {"amx", "avx512"} & set(able(WANTED))
    assert "torch" in able(WANTED)
    with pytest.raises(DeviceError, match=r"amx can't run here \(it needs Linux, a CPU with AMX"):
        check_runtime("amx", WANTED)
    with pytest.raises(
        DeviceError, match=r"avx512 can't run here \(it needs Linux, a CPU with AVX"
    ):
        check_runtime("avx512", WANTED)
    (found,) = (finding for finding in machine.examine() if finding.subject == "kernels")
    assert (found.status, found.fix) == (
        "missing",
        "install a C compiler, then Brushreel again",
    )
