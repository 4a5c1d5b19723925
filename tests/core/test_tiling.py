from __future__ import annotations

import dataclasses
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from brushreel.core import running_network as module
from brushreel.core.devices import choose_precision
from brushreel.core.errors import DeviceError, UsageError
from brushreel.core.library import load_style
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.stylizer import Stylizer
from brushreel.core.tiling import (
    LEAST_TILE,
    NetworkParts,
    can_be_tiled,
    fitting_tile,
    stylize_in_tiles,
    tiles_of,
)

SPEC = NetworkSpec(channels=(4, 6, 8), residual_blocks=2)
EXACT: dict[str, Any] = {
    "device": "cpu",
    "stroke_size": "native",
    "precision": "fp32",
    "runtime": "torch",
}


def network(**changes) -> StylizingNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return StylizingNetwork(dataclasses.replace(SPEC, **changes)).eval()


def noise(height: int, width: int) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(width))


@pytest.mark.parametrize("size", [(200, 264), (64, 300), (63 * 4, 64)])
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"upsampling": "nearest", "downsampling": "strided", "skips": False},
        {"upsampling": "transposed"},
        {"normalization": "none"},
    ],
)
@torch.no_grad()
def test_no_seams(size, changes):
    net, frame = network(**changes), noise(*size)
    tiled = stylize_in_tiles(NetworkParts(net), frame, LEAST_TILE)
    torch.testing.assert_close(tiled, net(frame), atol=1e-6, rtol=0)


@torch.no_grad()
def test_a_flat_sky_stays_flat():
    net = network()
    tiled = stylize_in_tiles(NetworkParts(net), torch.full((1, 3, 256, 320), 0.7), 64)
    inside = tiled[..., 32:-32, 32:-32]
    assert inside.amax((2, 3)).sub(inside.amin((2, 3))).max() < 1e-6


@pytest.mark.parametrize("shape", [(64, 64), (68, 4096), (432, 1024), (100, 96), (8, 8)])
@pytest.mark.parametrize("size", [64, 100, 512])
def test_tiles_cover_every_pixel_once_in_windows_of_one_shape(shape, size):
    times = torch.zeros(shape, dtype=torch.int)
    windows = set()
    for tile in tiles_of(shape[0], shape[1], size):
        times[tile.inside] += 1
        windows.add(times[tile.window].shape)
        for whole, part, length in zip(tile.window, tile.inside, shape, strict=True):
            assert part.start == 0 or part.start - whole.start >= 16
            assert part.stop == length or whole.stop - part.stop >= 16
    assert (times == 1).all()
    assert len(windows) == 1


def test_styles_that_normalise_everywhere_have_no_tiles():
    assert can_be_tiled(SPEC)
    assert not can_be_tiled(dataclasses.replace(SPEC, normalization="everywhere"))


class TestFitting:
    def test_whole_frames_where_they_fit(self):
        assert fitting_tile(1080, 1920, 8 * 2**30) is None
        assert fitting_tile(4320, 7680, None) is None

    def test_less_memory_or_more_frames_at_a_time_smaller_tiles(self):
        sizes = [fitting_tile(4320, 7680, free * 2**20) or 0 for free in (4000, 500, 100, 1)]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] == LEAST_TILE
        assert 0 < (fitting_tile(4320, 7680, 500 * 2**20, parallel=8) or 0) < sizes[1]
        assert all(size % 4 == 0 for size in sizes)


class TestStylizer:
    def test_paints_the_same_in_tiles(self, tiny_style):
        frames = torch.rand(2, 3, 150, 131)
        tiled = Stylizer(tiny_style, **EXACT, tile=64)(frames)
        whole = Stylizer(tiny_style, **EXACT, tile="off")(frames)
        torch.testing.assert_close(tiled, whole, atol=1e-6, rtol=0)

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_openvino_too_to_the_bit(self, precision):
        pytest.importorskip("openvino")
        if precision == "bf16" != choose_precision("auto", torch.device("cpu")):
            pytest.skip("this CPU does not compute in bf16")
        style, frames = load_style("wave"), noise(201, 211)
        settings = {
            "device": "cpu",
            "stroke_size": "native",
            "precision": precision,
            "runtime": "openvino",
        }
        tiled = Stylizer(style, **settings, tile=64)(frames)
        assert torch.equal(tiled, Stylizer(style, **settings, tile="off")(frames))

    def test_several_threads(self, tiny_style):
        pytest.importorskip("openvino")
        settings = {
            "device": "cpu",
            "stroke_size": "native",
            "precision": "fp32",
            "runtime": "openvino",
            "tile": 64,
        }
        stylizer = Stylizer(tiny_style, **settings)
        frames = [noise(150, 130 + index) for index in range(6)]
        with ThreadPoolExecutor(3) as threads:
            stylized = list(threads.map(stylizer, 3 * frames))
        for frame, found in zip(3 * frames, stylized, strict=True):
            assert torch.equal(found, stylizer(frame))

    def test_one_frame_at_a_time(self, tiny_style, monkeypatch):
        settings = {
            "device": "cpu",
            "stroke_size": "native",
            "precision": "fp32",
            "runtime": "openvino",
            "parallel": 2,
        }
        pytest.importorskip("openvino")
        stylizer = Stylizer(tiny_style, **settings)
        assert stylizer.parallel(160, 160) == 2
        assert Stylizer(tiny_style, **settings, tile=64).parallel(160, 160) == 1
        monkeypatch.setattr(module, "free_memory", lambda _device: 4 * 2**20)
        assert stylizer.parallel(160, 160) == 1

    def test_tiles_where_memory_is_short(self, tiny_style, monkeypatch):
        sizes = record_tiles(monkeypatch)
        monkeypatch.setattr(module, "free_memory", lambda _device: 4 * 2**20)
        Stylizer(tiny_style, **EXACT)(noise(160, 160))
        Stylizer(tiny_style, **EXACT, tile="off")(noise(160, 160))
        assert sizes == [fitting_tile(160, 160, 4 * 2**20)]

    def test_smaller_tiles_when_memory_runs_out(self, tiny_style, monkeypatch):
        sizes = record_tiles(monkeypatch, largest=100)
        stylizer = Stylizer(tiny_style, **EXACT)
        whole = stylizer(noise(160, 200))
        run_out(monkeypatch, stylizer)
        torch.testing.assert_close(stylizer(noise(160, 200)), whole, atol=1e-6, rtol=0)
        assert sizes == [100]

    def test_not_enough_for_the_smallest_is_said(self, tiny_style, monkeypatch):
        record_tiles(monkeypatch, largest=0)
        stylizer = Stylizer(tiny_style, **EXACT)
        run_out(monkeypatch, stylizer)
        with pytest.raises(DeviceError, match="not enough memory for frames of 200x160"):
            stylizer(noise(160, 200))

    def test_other_errors_are_not_taken_for_it(self, tiny_style, monkeypatch):
        stylizer = Stylizer(tiny_style, **EXACT)
        run_out(monkeypatch, stylizer, "shapes cannot be multiplied")
        with pytest.raises(RuntimeError, match="cannot be multiplied"):
            stylizer(noise(160, 200))

    @pytest.mark.parametrize("tile", [0, LEAST_TILE - 1, "big", -5])
    def test_sizes_that_make_no_sense(self, tiny_style, tile):
        with pytest.raises(UsageError, match=f"tile must be auto, off or from {LEAST_TILE} pixels"):
            Stylizer(tiny_style, **EXACT, tile=tile)


def record_tiles(monkeypatch, largest: int | None = None) -> list[int]:
    """Record the sizes of tiles; those above a limit run out of memory."""
    sizes = []

    def paint(parts, frame, size):
        if largest is not None and size > largest:
            raise torch.OutOfMemoryError
        sizes.append(size)
        return stylize_in_tiles(parts, frame, size)

    monkeypatch.setattr(module, "stylize_in_tiles", paint)
    return sizes


def run_out(
    monkeypatch, stylizer: Stylizer, message: str = "DefaultCPUAllocator: can't allocate memory"
):
    runtime = stylizer.runtime_for(160, 200)

    class Short:
        parts, parallel = runtime.parts, 1

        def __call__(self, _frames):
            raise RuntimeError(message)

    monkeypatch.setattr(stylizer._network, "runtime_for", lambda *_size: Short())
