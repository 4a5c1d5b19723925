from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from brushreel.core.errors import EditorError, UsageError
from brushreel.plugin_resolve.ofx.server import renderer as renderers
from brushreel.plugin_resolve.ofx.server.frame_cache import FrameCache
from brushreel.plugin_resolve.ofx.server.protocol import Render
from brushreel.plugin_resolve.ofx.server.renderer import Renderer
from brushreel.plugin_resolve.ofx.server.transfer import transfer


@pytest.fixture
def library(tiny_style, home):
    tiny_style.save(home / "data" / "brushreel" / "styles" / "tiny.safetensors")


def render(renderer, pixels: np.ndarray, **changed) -> np.ndarray:
    height, width, _ = pixels.shape
    depth = {1: 1, 2: 3 if pixels.dtype == np.float16 else 2, 4: 4}[pixels.itemsize]
    full, flags = (float(width), float(height)), (False, False, False, True)
    plain = Render(width, height, depth, *flags, 0, 1.0, 1.0, 0.4, *full, "tiny", "")
    memory = bytearray(pixels.tobytes())
    renderer(replace(plain, **changed), memoryview(memory), lambda: False)
    return np.frombuffer(memory, pixels.dtype).reshape(pixels.shape)


class Spy:
    """A stylizer that counts its frames and strokes, and makes everything grey."""

    def __init__(self, grey=0.25):
        self.grey, self.made = grey, 0
        self.seen, self.strokes, self.full_sizes = [], [], []

    def __call__(self, frames, *, full_size=None):
        self.seen.append(frames)
        self.full_sizes.append(full_size)
        return torch.full_like(frames, self.grey)

    def load(self, _style):
        self.made += 1
        return self

    def with_strokes(self, stroke_size, detail):
        self.strokes.append((stroke_size, detail))
        return self


@pytest.fixture
def spy(library, monkeypatch):
    found = Spy()
    monkeypatch.setattr(renderers, "Stylizer", found.load)
    return found


def grey(value: float, alpha: float = 1.0) -> np.ndarray:
    pixels = np.full((4, 6, 4), value, np.float32)
    pixels[..., 3] = alpha
    return pixels


def test_a_parked_frame_is_not_stylized_again(spy):
    renderer = Renderer()
    first = render(renderer, grey(0.5))
    assert (render(renderer, grey(0.5)) == first).all()
    assert len(spy.seen) == 1
    render(renderer, grey(0.6))
    assert len(spy.seen) == 2


def test_strength_and_colours_change_without_the_network(spy):
    renderer = Renderer()
    render(renderer, grey(0.5))
    assert render(renderer, grey(0.5), strength=0.5)[0, 0, 0] == pytest.approx(0.375)
    render(renderer, grey(0.5), keep_colors=True)
    assert len(spy.seen) == 1


def test_strokes_and_full_sizes_are_stylized_with_one_loaded_style(spy):
    renderer = Renderer()
    render(renderer, grey(0.5))
    for changed in ({"stroke_size": 2.0}, {"detail": 0.1}, {"full_width": 12, "full_height": 8}):
        render(renderer, grey(0.5), **changed)
        render(renderer, grey(0.5), **changed)
    assert spy.strokes == [(1.0, 0.4), (2.0, 0.4), (1.0, 0.1), (1.0, 0.4)]
    assert spy.full_sizes == [(4, 6), (4, 6), (4, 6), (8, 12)]
    assert spy.made == 1


def test_draft_has_strokes_of_twice_the_size(spy):
    renderer = Renderer()
    for size in (0.5, 1.0, 3.0):
        render(renderer, grey(0.5), stroke_size=size, draft=True)
    assert spy.strokes == [(1.0, 0.4), (2.0, 0.4), (4.0, 0.4)]


def test_limit_of_strokes_goes_by_the_full_size(library):
    pixels = np.random.default_rng(0).random((64, 64, 4), np.float32)
    with pytest.raises(UsageError, match="too small"):
        render(Renderer(), pixels, stroke_size=0.5)
    render(Renderer(), pixels, stroke_size=0.5, full_width=256.0, full_height=256.0)


def letterboxed(height: int, width: int, bar: int, value: float = 0.01) -> np.ndarray:
    """Make a soft image between bars, which are not quite black."""
    pixels = np.full((height, width, 4), value, np.float32)
    pixels[..., 3] = value > 0
    y, x = np.mgrid[: height - 2 * bar, :width] / width
    for channel in range(3):
        pixels[bar : height - bar, :, channel] = 0.5 + np.sin(9 * x + 7 * y + channel) * 0.3
    return pixels


@pytest.mark.parametrize("bar", [6, 7])
def test_bars_are_untouched_and_strokes_go_by_what_is_between_them(library, bar):
    pixels = letterboxed(48, 64, bar)
    whole = {"full_width": 640.0, "full_height": 480.0, "strength": 0.9}
    stylized = render(Renderer(), pixels, **whole)
    assert (stylized[:bar] == pixels[:bar]).all()
    assert (stylized[-bar:] == pixels[-bar:]).all()
    inside = np.ascontiguousarray(pixels[bar:-bar])
    alone = render(Renderer(), inside, **(whole | {"full_height": 480.0 - 20 * bar}))
    assert (stylized[bar:-bar] == alone).all()
    assert np.abs(alone - inside).mean() > 0.01


def test_bars_are_stylized_if_asked(spy):
    pixels = letterboxed(48, 64, 6)
    assert (render(Renderer(), pixels, keep_bars=False)[..., :3] == spy.grey).all()
    assert spy.full_sizes == [(48, 64)]


def test_keeping_bars_or_not_is_another_frame(spy):
    renderer, pixels = Renderer(), letterboxed(48, 64, 6)
    kept = render(renderer, pixels)
    assert not (render(renderer, pixels, keep_bars=False) == kept).all()
    assert (render(renderer, pixels) == kept).all()
    assert len(spy.seen) == 2


def test_what_is_transparent_is_no_bar(spy):
    pixels = letterboxed(48, 64, 6, value=0)
    pixels[6:-6, :, 3] = 1
    assert (render(Renderer(), pixels)[..., :3] == spy.grey).all()


def test_a_dark_frame_has_no_bars(spy):
    pixels = np.full((48, 64, 4), 0.01, np.float32)
    pixels[..., 3] = 1
    assert (render(Renderer(), pixels)[..., :3] == spy.grey).all()


def test_images_of_the_same_bytes_and_another_shape_are_others(spy):
    renderer = Renderer()
    render(renderer, grey(0.5))
    render(renderer, grey(0.5).reshape(6, 4, 4))
    assert [tuple(frames.shape) for frames in spy.seen] == [(1, 3, 4, 6), (1, 3, 6, 4)]


def test_a_style_that_was_trained_again_is_stylized_again(spy, home):
    renderer = Renderer()
    render(renderer, grey(0.5))
    path = home / "data" / "brushreel" / "styles" / "tiny.safetensors"
    import os

    os.utime(path, ns=(1, 1))
    render(renderer, grey(0.5))
    assert len(spy.seen) == 2


def test_what_lies_above_white_fades_out_with_strength(spy):
    renderer = Renderer()
    assert render(renderer, grey(3.0), strength=0.5)[0, 0, 0] == pytest.approx(1.625)
    assert render(renderer, grey(3.0))[0, 0, 0] == pytest.approx(0.25)
    assert spy.seen[0].max() == 1


def test_linear_light_is_shown_to_the_network_as_a_display_has_it(spy):
    renderer = Renderer()
    stylized = render(renderer, grey(0.18), transform=1)
    assert spy.seen[0][0, 0, 0, 0] == pytest.approx(0.4614, abs=1e-3)
    assert stylized[0, 0, 0] == pytest.approx(0.0509, abs=1e-3)
    # An eye sees light 16 times as bright as white fade evenly, not vanish.
    assert 2 < render(renderer, grey(16.0), transform=1, strength=0.5)[0, 0, 0] < 16


def test_numbers_that_are_none_do_not_spread(library):
    pixels = np.random.default_rng(0).random((16, 16, 4), np.float32)
    clean = render(Renderer(), np.where(np.arange(16)[:, None, None] == 3, 0, pixels))
    broken = pixels.copy()
    broken[3] = np.nan
    broken[3, :, 3] = 0
    stylized = render(Renderer(), broken)
    assert np.isfinite(stylized).all()
    assert np.abs(stylized - clean)[..., :3].max() < 1e-6


def test_a_network_that_gives_no_finite_values_is_an_error(library, monkeypatch):
    monkeypatch.setattr(renderers, "Stylizer", Spy(torch.nan).load)
    with pytest.raises(EditorError, match="not finite"):
        render(Renderer(), grey(0.5))


def test_a_frame_that_nobody_waits_for_is_not_stylized(spy):
    memory = bytearray(grey(0.5).tobytes())
    frame = Render(6, 4, 4, False, False, False, True, 0, 1.0, 1.0, 0.4, 6.0, 4.0, "tiny", "")
    with pytest.raises(EditorError, match="nobody waits"):
        Renderer()(frame, memoryview(memory), lambda: True)
    assert not spy.seen
    assert memory == grey(0.5).tobytes()


@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 6])
def test_every_input_transform_has_a_way_back(number):
    signal = torch.linspace(-0.05, 1.2, 200)
    curve = transfer(number, "")
    assert torch.allclose(curve.from_display(curve.to_display(signal)), signal, atol=2e-4)


@pytest.mark.parametrize(
    ("number", "middle_grey"),
    # Code values of 18 % grey, from the makers' papers.
    [(1, 0.18), (3, 0.336043), (4, 0.413588), (5, 0.391007), (6, 420 / 1023)],
)
def test_middle_grey_is_where_the_makers_say(number, middle_grey):
    shown = transfer(number, "").to_display(torch.tensor([middle_grey]))
    assert shown.item() == pytest.approx(0.46135, abs=5e-4)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("davinci_intermediate_widegamut", 3),
        ("ACEScct", 4),
        ("arri_logc3_ei800", 5),
        ("slog3_sgamut3cine", 6),
    ],
)
def test_the_host_names_the_log_curve(name, number):
    assert transfer(2, name) is transfer(number, "")


@pytest.mark.parametrize("name", ["", "log3g10_redwidegamutrgb"])
def test_a_log_curve_that_is_not_known_is_an_error(name):
    with pytest.raises(EditorError, match="choose the curve as Input"):
        transfer(2, name)


def test_the_cache_keeps_what_was_used_last():
    cache: FrameCache[str] = FrameCache(10)
    cache.put("a", "A", 4)
    cache.put("b", "B", 4)
    assert cache.get("a") == "A"
    cache.put("c", "C", 4)
    cache.put("huge", "H", 11)
    assert [cache.get(key) for key in ("a", "b", "c", "huge")] == ["A", None, "C", None]
