from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.nn import functional as F

from brushreel.core.errors import TrainingError
from brushreel.training.loss_network import (
    CONTENT_LAYER,
    LAYERS,
    LEAST_ACTIVATION,
    STYLE_LAYERS,
    WEIGHTS_NAME,
    LossNetwork,
    find_weights,
)

CONVOLUTIONS = [layer for layer in LAYERS if layer]


def frames(count: int = 2, size: int = 32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, size // 4, size // 4, generator=generator)
    return F.interpolate(coarse, size=(size, size), mode="bilinear")


def activations(network: LossNetwork, batch: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the activations of every convolution after its ReLU."""
    seen: dict[str, torch.Tensor] = {}

    def recording(name: str) -> Callable[[object, object, torch.Tensor], None]:
        def record(_module: object, _inputs: object, output: torch.Tensor) -> None:
            seen[name] = F.relu(output)

        return record

    hooks = [conv.register_forward_hook(recording(name)) for name, conv in network.convs.items()]
    network(batch)
    for hook in hooks:
        hook.remove()
    return seen


@pytest.fixture(scope="module")
def plain(vgg_file) -> LossNetwork:
    return LossNetwork(vgg_file)


@pytest.fixture(scope="module")
def rescaled(vgg_file) -> LossNetwork:
    network = LossNetwork(vgg_file)
    network.rescale([frames(seed=1), frames(seed=2)])
    return network


class TestArchitecture:
    def test_is_vgg_19_to_relu4_2(self):
        pools = [index for index, layer in enumerate(LAYERS) if layer is None]
        assert pools == [2, 5, 10]
        names = [name for _, name, _ in CONVOLUTIONS]
        blocks = {1: (2, 64), 2: (2, 128), 3: (4, 256), 4: (2, 512)}
        assert names == [f"relu{b}_{i + 1}" for b, (n, _) in blocks.items() for i in range(n)]
        assert [width for *_, width in CONVOLUTIONS] == [
            width for count, width in blocks.values() for _ in range(count)
        ]
        assert (CONTENT_LAYER, STYLE_LAYERS[-1]) == ("relu4_2", "relu4_2")

    def test_forward_is_torchvision_s(self, plain, vgg_tensors):
        batch = frames()
        mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])  # of ImageNet
        x = (batch - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)
        expected = {}
        for layer in (0, 2, "pool", 5, 7, "pool", 10, 12, 14, 16, "pool", 19, 21):
            if layer == "pool":
                x = F.max_pool2d(x, 2, 2)
                continue
            weight, bias = (vgg_tensors[f"features.{layer}.{part}"] for part in ("weight", "bias"))
            x = F.relu(F.conv2d(x, weight, bias, padding=1))
            expected[layer] = x
        features = plain(batch)
        assert features.keys() == set(STYLE_LAYERS) == {"relu1_2", "relu2_2", "relu3_2", "relu4_2"}
        for name, layer in zip(STYLE_LAYERS, (2, 7, 12, 21), strict=True):
            torch.testing.assert_close(features[name], expected[layer])

    def test_is_frozen(self, plain):
        assert not any(parameter.requires_grad for parameter in plain.parameters())
        batch = frames().requires_grad_()
        plain(batch)[CONTENT_LAYER].sum().backward()
        assert batch.grad is not None  # but it hands gradients on

    def test_digest_is_the_file_s(self, plain, vgg_file):
        assert plain.digest == hashlib.sha256(vgg_file.read_bytes()).hexdigest()


class TestFile:
    @pytest.mark.parametrize(
        "name", ["features.0.weight", "features.10.bias", "features.21.weight"]
    )
    def test_missing_tensor_is_named(self, vgg_tensors, tmp_path, name):
        rest = {key: value for key, value in vgg_tensors.items() if key != name}
        path = tmp_path / "vgg.safetensors"
        save_file(rest, path)
        with pytest.raises(TrainingError, match=f"is not VGG-19: {name} is missing") as caught:
            LossNetwork(path)
        assert caught.value.path == path

    def test_wrong_shape_is_named(self, vgg_tensors, tmp_path):
        # VGG-16 has a pooling where VGG-19 has its last convolution of the third block.
        path = tmp_path / "vgg.safetensors"
        save_file({**vgg_tensors, "features.16.weight": torch.zeros(512, 256, 3, 3)}, path)
        with pytest.raises(TrainingError, match=r"features\.16\.weight .* \(256, 256, 3, 3\)"):
            LossNetwork(path)

    def test_more_layers_and_half_precision_will_do(self, vgg_tensors, plain, tmp_path):
        halves = {name: tensor.half() for name, tensor in vgg_tensors.items()}
        path = tmp_path / "vgg.safetensors"
        save_file({**halves, "features.23.weight": torch.zeros(512, 512, 3, 3)}, path)
        network = LossNetwork(path)
        assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
        for name, feature in network(frames()).items():
            torch.testing.assert_close(feature, plain(frames())[name], atol=0.02, rtol=0.02)

    @pytest.mark.parametrize("content", [b"", b"not a network at all", b"PK\x03\x04" + bytes(90)])
    def test_not_safetensors(self, tmp_path, content):
        path = tmp_path / "vgg.safetensors"
        path.write_bytes(content)
        with pytest.raises(TrainingError, match="is cut short, or no safetensors file") as caught:
            LossNetwork(path)
        assert caught.value.path == path

    def test_truncated(self, vgg_file, tmp_path):
        path = tmp_path / "vgg.safetensors"
        path.write_bytes(vgg_file.read_bytes()[:-8])
        with pytest.raises(TrainingError, match="is cut short, or no safetensors file"):
            LossNetwork(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(TrainingError, match="can't be read"):
            LossNetwork(tmp_path / "none.safetensors")

    def test_found_where_it_is_given(self, vgg_file):
        assert find_weights(vgg_file) == vgg_file

    def test_found_in_the_user_s_cache(self, home):
        with pytest.raises(TrainingError, match="no VGG-19 weights at this path") as caught:
            find_weights(None)
        place = caught.value.path
        assert isinstance(place, Path)
        assert home in place.parents
        assert place.name == WEIGHTS_NAME
        assert "--loss-weights" in str(caught.value)
        place.parent.mkdir(parents=True)
        place.touch()
        assert find_weights(None) == place

    def test_given_path_that_is_not_there(self, tmp_path):
        with pytest.raises(TrainingError, match="no VGG-19 weights at this path") as caught:
            find_weights(tmp_path / "none")
        assert caught.value.path == tmp_path / "none"


def divisors(means: torch.Tensor) -> torch.Tensor:
    """Compute the divisor of each filter of a layer, as a share of its mean activation."""
    return means.clamp_min(max(1e-3, LEAST_ACTIVATION * means.median().item()))


class TestRescale:
    def test_mean_activation_of_every_active_filter_is_one(self, plain, rescaled):
        calibration = torch.cat([frames(seed=1), frames(seed=2)])
        before = activations(plain, calibration)
        for name, after in activations(rescaled, calibration).items():
            unscaled = before[name].mean((0, 2, 3))
            active = unscaled > LEAST_ACTIVATION * unscaled.median()
            assert active.float().mean() > 0.6
            means = after.mean((0, 2, 3))
            ones = torch.ones_like(means[active])
            torch.testing.assert_close(means[active], ones, atol=1e-3, rtol=0)
            # One that hardly fires would drown out all the others.
            assert (means[~active] < 1).all()

    def test_response_keeps_its_shape(self, plain, rescaled):
        """Also on frames that it was not calibrated on: every filter is the old one, scaled."""
        calibration = torch.cat([frames(seed=1), frames(seed=2)])
        means = activations(plain, calibration)
        old, new = activations(plain, frames(seed=9)), activations(rescaled, frames(seed=9))
        for name, response in new.items():
            scale = divisors(means[name].mean((0, 2, 3))).view(1, -1, 1, 1)
            torch.testing.assert_close(response, old[name] / scale, atol=2e-3, rtol=2e-3)

    def test_filters_that_never_fire_do_not_blow_up(self, vgg_tensors, tmp_path):
        dead = vgg_tensors["features.5.bias"].clone()
        dead[:7] = -1e4
        save_file({**vgg_tensors, "features.5.bias": dead}, tmp_path / "vgg.safetensors")
        network = LossNetwork(tmp_path / "vgg.safetensors")
        network.rescale([frames(seed=1)])
        assert all(parameter.isfinite().all() for parameter in network.parameters())
        response = activations(network, frames(seed=9))
        assert not response["relu2_1"][:, :7].any()
        assert response["relu2_2"].isfinite().all()
        assert response["relu4_2"].max() < 1e3
