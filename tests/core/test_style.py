from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save as save_tensors

from brushreel.core import library
from brushreel.core.errors import StyleError
from brushreel.core.library import SHIPPED, list_styles, load_style, style_paths, user_styles
from brushreel.core.network import NetworkSpec, StylizingNetwork
from brushreel.core.style import SUFFIX, Style, weights_digest
from brushreel.training.gain_bound import EPSILON

LAST = "output.conv.bias"


def description(style: Style, **changes) -> str:
    about = {
        "name": style.name,
        "title": style.title,
        "painting": dataclasses.asdict(style.painting),
        "network": style.spec.to_json(),
        "training": {},
        "figures": {},
    }
    return json.dumps({**about, **changes})


def style_bytes(
    style: Style, *, about: str | None = None, version: str | None = "1", **tensors: Any
) -> bytes:
    """Write a style file by hand; a tensor given as None is left out."""
    weights = {**style.weights, **tensors}
    metadata = {"style": about or description(style)}
    if version is not None:
        metadata["brushreel_format"] = version
    kept = {name: tensor for name, tensor in weights.items() if tensor is not None}
    return save_tensors(kept, metadata)


def changed(last: torch.Tensor) -> dict[str, Any]:
    return {LAST: last}


def refusal(path: Path, content: bytes | None = None) -> str:
    """Return the line with which `Style.load` refuses a file."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StyleError) as caught:
        Style.load(path)
    assert caught.value.path == path
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line


class TestRoundTrip:
    def test_everything_comes_back_bit_exact(self, tiny_style, tmp_path):
        style = dataclasses.replace(
            tiny_style,
            title="Die große Welle 神奈川沖浪裏",
            training={"seed": 3, "settings": {"crop": 256, "learning_rate": 2e-3}},
            figures={"e_temporal": 0.1 + 0.2, "missing": None},
        )
        path = tmp_path / "new folder" / "tiny.safetensors"
        style.save(path)
        loaded = Style.load(path)
        for field in ("name", "title", "painting", "spec", "training", "figures"):
            assert getattr(loaded, field) == getattr(style, field)
        assert loaded.weights.keys() == style.weights.keys()
        for name, tensor in style.weights.items():
            assert loaded.weights[name].dtype == torch.float32
            assert loaded.weights[name].numpy().tobytes() == tensor.numpy().tobytes()
        assert loaded.digest == style.digest

    @pytest.mark.parametrize("upsampling", ["nearest", "transposed"])
    def test_network_paints_as_the_one_that_was_saved(self, tiny_style, tmp_path, upsampling):
        spec = NetworkSpec(channels=(4, 6, 8), residual_blocks=1, upsampling=upsampling)
        trained = StylizingNetwork(spec).eval()
        style = dataclasses.replace(tiny_style, spec=spec, weights=trained.state_dict())
        style.save(tmp_path / "s.safetensors")
        network = Style.load(tmp_path / "s.safetensors").network()
        frames = torch.rand(1, 3, 16, 20)
        with torch.no_grad():
            assert torch.equal(network(frames), trained(frames))
        assert not network.training
        assert not any(parameter.requires_grad for parameter in network.parameters())

    def test_networks_do_not_share_their_weights_with_the_style(self, tiny_style):
        before = tiny_style.digest
        for parameter in tiny_style.network().parameters():
            parameter.zero_()
        assert tiny_style.digest == before

    def test_channels_last_weights_can_be_saved(self, tiny_style, tmp_path):
        weights = {
            name: value.to(memory_format=torch.channels_last) if value.ndim == 4 else value
            for name, value in tiny_style.weights.items()
        }
        assert not weights["output.conv.weight"].is_contiguous()
        strided = dataclasses.replace(tiny_style, weights=weights)
        strided.save(tmp_path / "s.safetensors")
        assert Style.load(tmp_path / "s.safetensors").digest == tiny_style.digest == strided.digest

    def test_digest_tells_weights_and_spec_apart_and_nothing_else(self, tiny_style):
        nudged = {name: value.clone() for name, value in tiny_style.weights.items()}
        nudged[LAST][0] = torch.nextafter(nudged[LAST][0], torch.tensor(9.0))
        other_spec = dataclasses.replace(tiny_style.spec, norm_epsilon=1e-4)
        assert dataclasses.replace(tiny_style, weights=nudged).digest != tiny_style.digest
        assert dataclasses.replace(tiny_style, spec=other_spec).digest != tiny_style.digest
        assert dataclasses.replace(tiny_style, title="Another").digest == tiny_style.digest

    def test_family_is_the_one_that_training_noted(self, tiny_style, tmp_path):
        child = dataclasses.replace(tiny_style, training={"family": "f00d"})
        child.save(tmp_path / "s.safetensors")
        assert Style.load(tmp_path / "s.safetensors").family == "f00d"

    def test_without_a_family_a_style_s_weights_are_its_own(self, tiny_style):
        other_spec = dataclasses.replace(tiny_style.spec, norm_epsilon=1e-4)
        nudged = {name: value + 1 for name, value in tiny_style.weights.items()}
        assert tiny_style.family == weights_digest(tiny_style.weights)
        assert dataclasses.replace(tiny_style, spec=other_spec).family == tiny_style.family
        assert dataclasses.replace(tiny_style, weights=nudged).family != tiny_style.family


class TestDamage:
    @pytest.mark.parametrize("version", ["0", "2", "1.1", ""])
    def test_unknown_version(self, tiny_style, tmp_path, version):
        line = refusal(tmp_path / "s.safetensors", style_bytes(tiny_style, version=version))
        assert f"has format version {version}; this program reads version 1" in line
        assert "update Brushreel" in line

    def test_missing_tensor(self, tiny_style, tmp_path):
        line = refusal(tmp_path / "s.safetensors", style_bytes(tiny_style, **{LAST: None}))
        assert line.endswith(f"lacks the tensor {LAST}")

    def test_surplus_tensor(self, tiny_style, tmp_path):
        content = style_bytes(tiny_style, stowaway=torch.zeros(2))
        assert "its network lacks: stowaway" in refusal(tmp_path / "s.safetensors", content)

    def test_wrong_shape(self, tiny_style, tmp_path):
        content = style_bytes(tiny_style, **changed(torch.zeros(4)))
        line = refusal(tmp_path / "s.safetensors", content)
        assert f"{LAST} has shape (4,) instead of (3,)" in line

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.int32])
    def test_wrong_dtype(self, tiny_style, tmp_path, dtype):
        content = style_bytes(tiny_style, **changed(torch.zeros(3, dtype=dtype)))
        line = refusal(tmp_path / "s.safetensors", content)
        assert f"{LAST} is {dtype} instead of float32" in line

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_not_finite(self, tiny_style, tmp_path, value):
        content = style_bytes(tiny_style, **changed(torch.tensor([1.0, value, 1.0])))
        line = refusal(tmp_path / "s.safetensors", content)
        assert f"{LAST} has values that are not finite" in line

    @pytest.mark.parametrize("kept", [1, 8, 9, 100, -1, -4, 0.5, 0.9])
    def test_truncated_in_header_or_data(self, tiny_style, tmp_path, kept):
        whole = style_bytes(tiny_style)
        content = whole[: int(kept * len(whole)) if isinstance(kept, float) else kept]
        assert "cut short or damaged" in refusal(tmp_path / "s.safetensors", content)

    def test_surplus_bytes(self, tiny_style, tmp_path):
        content = style_bytes(tiny_style) + b"more"
        assert "damaged" in refusal(tmp_path / "s.safetensors", content)

    @pytest.mark.parametrize("dtype", ["F4", "F8_E8M0"])
    def test_numbers_that_pytorch_does_not_know(self, tmp_path, dtype):
        length = {"F4": 1, "F8_E8M0": 2}[dtype]
        about = {"a": {"dtype": dtype, "shape": [2], "data_offsets": [0, length]}}
        header = json.dumps(about).encode()
        content = len(header).to_bytes(8, "little") + header + bytes(length)
        assert dtype in refusal(tmp_path / "s.safetensors", content)

    def test_empty(self, tmp_path):
        assert refusal(tmp_path / "s.safetensors", b"").endswith("is empty")

    def test_text_renamed(self, tmp_path):
        line = refusal(tmp_path / "s.safetensors", b"Dear diary, today I stylized a wave.\n")
        assert line.endswith("is not a safetensors file")

    @pytest.mark.parametrize("as_zip", [True, False])
    def test_pickle_renamed_is_refused_and_never_run(self, tmp_path, as_zip):
        class Bomb:
            def __reduce__(self):
                return Path.touch, (tmp_path / "boom",)

        buffer = io.BytesIO()
        torch.save({"weights": Bomb()}, buffer, _use_new_zipfile_serialization=as_zip)
        line = refusal(tmp_path / "s.safetensors", buffer.getvalue())
        assert line.endswith("is not a safetensors file")
        assert not (tmp_path / "boom").exists()

    @pytest.mark.parametrize("metadata", [None, {"format": "pt"}, {"brushreel_format": "1"}])
    def test_safetensors_of_another_program(self, tmp_path, metadata):
        content = save_tensors({"x": torch.zeros(2)}, metadata)
        line = refusal(tmp_path / "s.safetensors", content)
        assert line.endswith("is a safetensors file, but not a Brushreel style")

    @pytest.mark.parametrize(
        "about", ["{not json", "[]", "null", "7", '"text"', "{}", '{"name": "tiny"}']
    )
    def test_damaged_description(self, tiny_style, tmp_path, about):
        content = style_bytes(tiny_style, about=about)
        assert "has a damaged description" in refusal(tmp_path / "s.safetensors", content)

    def test_description_nested_beyond_measure(self, tiny_style, tmp_path):
        content = style_bytes(tiny_style, about="[" * 100_000)
        assert "has a damaged description" in refusal(tmp_path / "s.safetensors", content)

    @pytest.mark.parametrize(
        "change",
        [
            {"name": None},
            {"painting": None},
            {"training": None},
            {"training": ["command"]},
            {"figures": 7},
            {"painting": {"title": "Waves"}},
            {"painting": {"title": "", "artist": "", "year": "", "licence": "", "owner": ""}},
            {"network": None},
            {"network": {"channels": [4, 6], "residual_blocks": 1}},
            {"network": {"channels": ["4", "6", "8"], "residual_blocks": 1}},
            {"network": {"channels": [4, 6, 8], "residual_blocks": 10**9}},
            {"network": {"channels": [4, 6, 8], "residual_blocks": 1, "depth": 2}},
        ],
    )
    def test_description_of_the_wrong_kind(self, tiny_style, tmp_path, change):
        content = style_bytes(tiny_style, about=description(tiny_style, **change))
        assert "has a damaged description" in refusal(tmp_path / "s.safetensors", content)

    @pytest.mark.parametrize(
        ("length", "what"),
        [
            (2**64 - 1, "is not a safetensors file"),
            (2**40, "is not a safetensors file"),
            (2**26, "cut short or damaged"),
        ],
    )
    def test_huge_header_length(self, tiny_style, tmp_path, length, what):
        content = length.to_bytes(8, "little") + style_bytes(tiny_style)[8:]
        assert what in refusal(tmp_path / "s.safetensors", content)

    def test_file_far_too_large_is_not_read(self, tmp_path):
        path = tmp_path / "s.safetensors"
        with path.open("wb") as file:
            file.truncate(2**40)  # sparse: takes no room on the disk
        assert refusal(path).endswith("is too large for a style file")

    def test_missing_file(self, tmp_path):
        assert refusal(tmp_path / "none.safetensors").endswith("no such style file")

    def test_folder(self, tmp_path):
        assert "can't be read" in refusal(tmp_path)

    @pytest.mark.parametrize(
        "name", ["", "Wave", "große-welle", "../wave", "a b", "-wave", "a" * 65, "wave\n"]
    )
    def test_bad_name(self, tiny_style, tmp_path, name):
        with pytest.raises(StyleError, match="is not a valid style name") as caught:
            dataclasses.replace(tiny_style, name=name)
        assert "use a-z, 0-9" in str(caught.value)
        content = style_bytes(tiny_style, about=description(tiny_style, name=name))
        assert "is not a valid style name" in refusal(tmp_path / "s.safetensors", content)

    @pytest.mark.parametrize("name", ["a", "wave", "great-wave_2", "0", "a" * 64])
    def test_good_name(self, tiny_style, name):
        assert dataclasses.replace(tiny_style, name=name).name == name


class TestSave:
    def test_only_the_file_itself_is_left(self, tiny_style, tmp_path):
        tiny_style.save(tmp_path / "tiny.safetensors")
        tiny_style.save(tmp_path / "tiny.safetensors")
        assert [path.name for path in tmp_path.iterdir()] == ["tiny.safetensors"]

    def test_full_disk_leaves_the_old_file_and_no_partial_one(self, tiny_style, style_file):
        resource = pytest.importorskip("resource")
        before = style_file.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, limits[1]))
        try:
            with pytest.raises(StyleError, match="can't be written") as caught:
                tiny_style.save(style_file)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert caught.value.path == style_file
        assert style_file.read_bytes() == before
        assert list(style_file.parent.iterdir()) == [style_file]

    def test_folder_in_the_way_leaves_no_partial_file(self, tiny_style, tmp_path):
        (tmp_path / "tiny.safetensors").mkdir()
        with pytest.raises(StyleError, match="can't be written"):
            tiny_style.save(tmp_path / "tiny.safetensors")
        assert len(list(tmp_path.iterdir())) == 1

    @pytest.mark.parametrize("name", ["file/tiny.safetensors", f"{'x' * 250}.safetensors"])
    def test_place_that_can_t_be(self, tiny_style, tmp_path, name):
        (tmp_path / "file").write_text("not a folder")
        with pytest.raises(StyleError, match="can't be written"):
            tiny_style.save(tmp_path / name)


@pytest.fixture
def shipped(tmp_path, monkeypatch) -> Path:
    """A folder of shipped styles of the test's own."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    monkeypatch.setattr(library, "SHIPPED", folder)
    return folder


@pytest.fixture
def put(tiny_style) -> Callable[..., Path]:
    """Saves a style under a name into a folder."""

    def put(folder: Path, name: str, title: str = "Waves") -> Path:
        path = folder / f"{name}{SUFFIX}"
        dataclasses.replace(tiny_style, name=name, title=title).save(path)
        return path

    return put


class TestLibrary:
    def test_the_user_s_folder_is_in_the_user_s_home(self, home):
        assert home in user_styles().parents

    def test_user_s_come_before_shipped(self, shipped, put):
        put(shipped, "wave", "shipped wave")
        put(shipped, "ink", "shipped ink")
        put(user_styles(), "wave", "own wave")
        assert load_style("wave").title == "own wave"
        assert load_style("ink").title == "shipped ink"
        assert [style.title for style in list_styles()] == ["own wave", "shipped ink"]

    @pytest.mark.usefixtures("shipped")
    def test_empty_library(self):
        assert style_paths() == {}
        assert list_styles() == []
        with pytest.raises(StyleError, match="no style named 'wave'"):
            load_style("wave")

    def test_unknown_name_suggests_the_nearest(self, shipped, put):
        put(shipped, "great-wave")
        put(shipped, "ink")
        with pytest.raises(StyleError, match="no style named 'Graet-Wave'") as caught:
            load_style("Graet-Wave")
        assert caught.value.hint == "did you mean great-wave?"

    def test_unknown_name_far_from_all_lists_them(self, shipped, put):
        put(shipped, "great-wave")
        put(user_styles(), "ink")
        with pytest.raises(StyleError) as caught:
            load_style("zebra")
        assert caught.value.hint == "known styles: great-wave, ink"

    def test_damaged_file_is_left_out_with_a_warning(self, shipped, put):
        put(shipped, "good")
        damaged = put(user_styles(), "bad")
        damaged.write_bytes(damaged.read_bytes()[:-1])
        with pytest.warns(UserWarning, match=r"bad\.safetensors: .*cut short") as caught:
            styles = list_styles()
        assert [style.name for style in styles] == ["good"]
        assert len(caught) == 1

    def test_other_files_and_partial_ones_are_no_styles(self, shipped, put):
        put(shipped, "wave")
        (shipped / "wave.md").write_text("about")
        (shipped / ".new.safetensors.12.partial").write_text("half")
        assert list(style_paths()) == ["wave"]

    @pytest.mark.parametrize("as_path", [Path, str])
    def test_path_of_a_style_file(self, tiny_style, style_file, as_path):
        assert load_style(as_path(style_file)).digest == tiny_style.digest

    def test_relative_path_and_bare_file_name(self, style_file, monkeypatch):
        monkeypatch.chdir(style_file.parent)
        assert load_style("tiny.safetensors").name == "tiny"
        assert load_style("./tiny.safetensors").name == "tiny"
        with pytest.raises(StyleError, match="no such style file"):
            load_style("elsewhere/tiny")

    def test_shipped_styles_load_under_their_own_names(self):
        for path in SHIPPED.glob(f"*{SUFFIX}"):
            style = Style.load(path)
            assert style.name == path.stem
            assert style.spec == NetworkSpec(norm_epsilon=EPSILON)
            assert all(dataclasses.astuple(style.painting))
            assert style.training
            assert style.figures

    def test_shipped_styles_can_be_blended(self):
        assert len({Style.load(path).family for path in SHIPPED.glob(f"*{SUFFIX}")}) == 1


def test_repr_is_short():
    style = Style.load(SHIPPED / "wave.safetensors")
    assert repr(style).startswith("Style(name='wave', title=")
    assert len(repr(style)) < 300
