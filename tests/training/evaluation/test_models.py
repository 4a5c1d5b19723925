from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from brushreel.core.errors import ExtraError, StyleError, UsageError
from brushreel.core.export import export_onnx
from brushreel.core.frames.stroke_size import Size
from brushreel.core.frames.strokes import stylized_rgb
from brushreel.core.stylizer import Stylizer
from brushreel.training.evaluation.models import OnnxModel, open_model, open_models

FRAMES = torch.rand(2, 3, 10, 14, generator=torch.Generator().manual_seed(3))


def varint(number: int) -> bytes:
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number: int, value: bytes | str | int) -> bytes:
    """Encode one field of a protobuf message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def node(operator: str, taken: str, given: str, block: int | None = None) -> bytes:
    size = (
        b"" if block is None else field(5, field(1, "blocksize") + field(3, block) + field(20, 2))
    )
    return field(1, field(1, taken) + field(2, given) + field(4, operator) + size)


def onnx_model(path: Path, *nodes: bytes) -> Path:
    """Encode an ONNX model from a, any (N, C, H, W), to b."""
    dimensions = b"".join(field(1, field(2, name)) for name in ("n", "c", "h", "w"))
    tensor = field(2, field(1, field(1, 1) + field(2, dimensions)))
    ends = field(11, field(1, "a") + tensor) + field(12, field(1, "b") + tensor)
    graph = b"".join(nodes) + field(2, "graph") + ends
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
    return path


@pytest.fixture
def multiples_of_four(tmp_path) -> Path:
    """Gives back its frames, and fails for sizes that are not multiples of 4."""
    pytest.importorskip("onnxruntime")
    nodes = node("SpaceToDepth", "a", "x", 4), node("DepthToSpace", "x", "b", 4)
    return onnx_model(tmp_path / "peer.onnx", *nodes)


def test_a_style_runs_in_float32(style_file, tiny_style):
    stylized = open_model(str(style_file))(FRAMES)
    assert torch.equal(stylized, Stylizer(tiny_style, device="cpu", precision="fp32")(FRAMES))


class TestStrokes:
    def test_of_a_style(self, style_file, tiny_style):
        frames = torch.rand(1, 3, 120, 160)
        stylized = open_model(str(style_file), stroke_size=4, detail=0.9)(frames)
        wanted = Stylizer(tiny_style, device="cpu", precision="fp32", stroke_size=4, detail=0.9)(
            frames
        )
        assert torch.equal(stylized, wanted)

    def test_another_program_s_network_works_as_high_as_a_style(self, tmp_path, monkeypatch):
        pytest.importorskip("onnxruntime")
        seen, run = [], OnnxModel._run
        monkeypatch.setattr(
            OnnxModel, "_run", lambda model, frames: seen.append(frames.shape) or run(model, frames)
        )
        path, frames = (
            onnx_model(tmp_path / "neg.onnx", node("Neg", "a", "b")),
            torch.rand(2, 3, 120, 160),
        )
        stylized = open_model(str(path), stroke_size=4, detail=0.3)(frames)
        assert seen == [(1, 3, 108, 144)] * 2
        wanted = stylized_rgb(
            frames[:1], torch.zeros_like, Size(108, 144), detail_size=Size(432, 576), detail=0.3
        )
        assert torch.equal(stylized[:1], wanted)

    def test_native_ones_are_those_of_the_frame_s_own_pixels(self, multiples_of_four):
        assert torch.equal(open_model(str(multiples_of_four), stroke_size="native")(FRAMES), FRAMES)

    def test_out_of_range(self, style_file):
        with pytest.raises(UsageError, match="stroke size must be native or from"):
            open_model(str(style_file), stroke_size=9)

    def test_an_exported_style_has_its_own(self, tmp_path, monkeypatch):
        pytest.importorskip("onnxruntime")
        path = onnx_model(tmp_path / "own.onnx", node("Abs", "a", "b"))
        stated = field(14, field(1, "brushreel.stroke_size") + field(2, "2"))
        path.write_bytes(path.read_bytes() + stated)
        assert torch.equal(open_model(str(path), stroke_size=1)(FRAMES), FRAMES)


class TestOnnxModel:
    def test_frames_of_any_size_come_back(self, multiples_of_four):
        assert torch.equal(OnnxModel(multiples_of_four)(FRAMES), FRAMES)

    def test_the_border_is_repeated(self, multiples_of_four, monkeypatch):
        model, seen = OnnxModel(multiples_of_four), []
        monkeypatch.setattr(model, "_run", lambda frames: seen.append(frames) or frames)
        model(FRAMES)
        assert seen[0].shape == (2, 3, 12, 16)
        assert torch.equal(seen[0][..., 11, 15], FRAMES[..., -1, -1])

    def test_what_leaves_the_range_is_clipped(self, tmp_path):
        pytest.importorskip("onnxruntime")
        model = OnnxModel(onnx_model(tmp_path / "neg.onnx", node("Neg", "a", "b")))
        assert model(FRAMES).eq(0).all()

    def test_another_size_out_is_an_error(self, tmp_path):
        pytest.importorskip("onnxruntime")
        model = OnnxModel(onnx_model(tmp_path / "pool.onnx", node("GlobalMaxPool", "a", "b")))
        with pytest.raises(StyleError, match=r"returns \(2, 3, 1, 1\) for frames of"):
            model(FRAMES)

    def test_model_that_does_not_take_frames(self, tmp_path):
        pytest.importorskip("onnxruntime")
        path = onnx_model(tmp_path / "depth.onnx", node("DepthToSpace", "a", "b", 2))
        with pytest.raises(StyleError, match="fails on frames") as caught:
            OnnxModel(path)(FRAMES)
        assert caught.value.path == path

    @pytest.mark.parametrize("content", [b"", b"not a model", bytes(1000)])
    def test_damaged_file(self, tmp_path, content, capfd):
        pytest.importorskip("onnxruntime")
        (tmp_path / "a.onnx").write_bytes(content)
        with pytest.raises(StyleError, match="can't be read as an ONNX model") as caught:
            open_model(str(tmp_path / "a.onnx"))
        assert "\n" not in str(caught.value)
        assert capfd.readouterr().err == ""

    def test_missing_file(self, tmp_path):
        pytest.importorskip("onnxruntime")
        with pytest.raises(StyleError, match="no such file"):
            open_model(str(tmp_path / "a.onnx"))

    def test_without_its_extra_it_says_what_to_install(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        with pytest.raises(ExtraError, match=r"pip install -c constraints.txt '\.\[onnx\]'"):
            open_model(str(tmp_path / "a.onnx"))


class TestOpenModels:
    def test_names_are_those_of_the_files(self, style_file, tiny_style, tmp_path):
        (tmp_path / "twins").mkdir()
        tiny_style.save(tmp_path / "twins" / "other.safetensors")
        other = str(tmp_path / "twins" / "other.safetensors")
        models, twin, peer = open_models([str(style_file)], twin=other)
        assert list(models) == ["tiny", "other"]
        assert (twin, peer) == ("other", None)
        models, twin, peer = open_models([str(style_file)], peer=other)
        assert list(models) == ["tiny", "other"]
        assert (twin, peer) == (None, "other")

    def test_where_two_share_a_name_the_paths_tell_them_apart(
        self, style_file, tiny_style, tmp_path
    ):
        (tmp_path / "twins").mkdir()
        other = tmp_path / "twins" / "tiny.safetensors"
        tiny_style.save(other)
        models, twin, _ = open_models([str(style_file)], twin=str(other))
        assert list(models) == [str(style_file), str(other)]
        assert twin == str(other)

    def test_no_twin(self, style_file):
        models, *others = open_models([str(style_file), str(style_file)])
        assert list(models) == ["tiny"]
        assert others == [None, None]

    def test_unknown_style(self):
        with pytest.raises(StyleError, match="there is no style named 'nothing'"):
            open_models(["nothing"])


def test_an_exported_style_gets_odd_sizes_as_they_are(tiny_style, tmp_path):
    pytest.importorskip("onnxruntime")
    style = replace(tiny_style, lines=64)
    export_onnx(style, tmp_path / "tiny.onnx")
    frames = torch.rand(1, 3, 61, 98)
    wanted = Stylizer(style, device="cpu", precision="fp32", runtime="torch")(frames)
    stylized = OnnxModel(tmp_path / "tiny.onnx")(frames)
    torch.testing.assert_close(stylized, wanted, atol=1e-3, rtol=0)
