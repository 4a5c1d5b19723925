from __future__ import annotations

import pytest
import torch

from brushreel.batch.demo.scene import Scene
from brushreel.core.errors import UsageError
from brushreel.core.library import load_style
from brushreel.core.runtimes import quantized as module
from brushreel.core.runtimes.folded import folded
from brushreel.core.runtimes.quantized import LEAST_PSNR, quantized


def psnr(picture: torch.Tensor, reference: torch.Tensor) -> float:
    return float(-10 * ((picture - reference) ** 2).mean().log10())


@pytest.fixture(scope="module")
def wave():
    return folded(load_style("wave").network())


@torch.no_grad()
def test_what_it_was_not_fitted_to_stays_close(wave):
    integers = quantized(wave)
    scene = torch.from_numpy(Scene.build(208, 120).draw(0, 0.0)).permute(2, 0, 1)[None].float()
    ramp = torch.linspace(0.7, 0.5, 96)[:, None].expand(1, 3, 96, 160)
    for frames in (scene, ramp, scene * 0.1, torch.zeros(1, 3, 64, 64)):
        error = psnr(integers(frames), wave(frames))
        assert error > LEAST_PSNR
    assert psnr(integers(scene), wave(scene)) < 70  # it does round


def test_the_network_itself_is_not_rounded(wave):
    before = wave.output.conv.weight.clone()
    quantized(wave)
    assert torch.equal(wave.output.conv.weight, before)
    assert type(wave.output.conv) is torch.nn.Conv2d


def test_a_style_that_does_not_bear_it_is_refused(wave, monkeypatch):
    monkeypatch.setattr(module, "LEAST_PSNR", 90)
    with pytest.raises(UsageError, match=r"int8 degrades .* dB .*--precision auto"):
        quantized(wave)
