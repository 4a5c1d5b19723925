from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from brushreel.core import export, export_scaling
from brushreel.core.errors import OutputError, UsageError
from brushreel.core.export import export_onnx
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.frames.stroke_size import Size
from brushreel.core.frames.strokes import stylized_rgb
from brushreel.core.stylizer import Stylizer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def nv12(height, width):
    """Return luma, chroma and the frame of both."""
    rng = np.random.default_rng(1)
    luma = rng.integers(16, 236, (height, width)).astype(np.uint8)
    chroma = rng.integers(100, 150, (height // 2, width // 2, 2)).astype(np.uint8)
    frame = Frame(
        planes=(luma, chroma[..., 0].copy(), chroma[..., 1].copy()),
        pixel_format=pixel_format("yuv420p"),
        width=width,
        height=height,
        pts=0,
        duration=1,
        time_base=Fraction(1, 25),
        colour=Colour(Matrix.BT709, Range.LIMITED, 1, 1),
    )
    return luma, chroma, frame


def difference_of_planes(model, luma, chroma, wanted):
    stylized = model.run(
        ["painted_luma", "painted_chroma"], {"luma": luma[None], "chroma": chroma[None]}
    )
    pairs = zip((stylized[0][0], *np.moveaxis(stylized[1][0], 2, 0)), wanted.planes, strict=True)
    return max(np.abs(got.astype(int) - right).max() for got, right in pairs)


@pytest.fixture(scope="module")
def small_strokes(tiny_style):
    """A style whose working size is small, so that trials are quick."""
    return replace(tiny_style, lines=64)


@pytest.fixture(scope="module")
def scaled_model(small_strokes, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "tiny.onnx"
    export_onnx(small_strokes, path)
    return path


@pytest.fixture(scope="module")
def open_model(small_strokes, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "open.onnx"
    export_onnx(small_strokes, path, stroke_size="input")
    return path


@pytest.mark.parametrize(("stroke_size", "detail"), [(1, 0.4), (1.6, 1.0), (0.5, 0.0)])
def test_strokes_as_the_stylizer_makes_them(small_strokes, tmp_path, stroke_size, detail):
    path = tmp_path / "tiny.onnx"
    export_onnx(small_strokes, path, stroke_size=stroke_size, detail=detail)
    model = session(path)
    stylizer = Stylizer(
        small_strokes,
        device="cpu",
        precision="fp32",
        runtime="torch",
        stroke_size=stroke_size,
        detail=detail,
    )
    proxy, odd, portrait, large = (2, 48, 80), (1, 67, 101), (1, 96, 54), (1, 180, 320)
    for count, height, width in (proxy, odd, portrait, large, (1, 33, 40)):
        frames = torch.rand(count, 3, height, width)
        (stylized,) = model.run(["painted"], {"frames": frames.numpy()})
        wanted = stylizer(frames)
        torch.testing.assert_close(torch.from_numpy(stylized), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("stroke_size", [0.5, 1.0, 1.6])
def test_stroke_size_as_an_input(small_strokes, open_model, stroke_size):
    about = {entry.key: entry.value for entry in onnx.load(open_model).metadata_props}
    assert about["brushreel.stroke_size"] == "input"
    model = session(open_model)
    stylizer = Stylizer(
        small_strokes, device="cpu", precision="fp32", runtime="torch", stroke_size=stroke_size
    )
    for height, width in ((48, 80), (101, 67), (180, 320)):
        frames = torch.rand(1, 3, height, width)
        feed = {"frames": frames.numpy(), "stroke_size": np.array(stroke_size)}
        (stylized,) = model.run(None, feed)
        wanted = stylizer(frames)
        torch.testing.assert_close(torch.from_numpy(stylized), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["down_rows", "down_columns", "up_rows", "up_columns"])
def test_scaling_takes_few_products(scaled_model, name):
    """A matrix of all source and target samples would cost a CPU more than the network."""
    model = onnx.load(scaled_model)
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info(f"{name}_weights"))
    run = onnxruntime.InferenceSession(model.SerializeToString())
    (weights,) = run.run([f"{name}_weights"], {"frames": np.zeros((1, 3, 540, 960), np.float32)})
    sides = {"rows": (540, 64), "columns": (960, 112)}[name.partition("_")[2]]
    assert weights.size < sides[0] * sides[1] / 2
    np.testing.assert_allclose(weights.sum(-1), 1, atol=1e-5)


def test_a_proxy_gets_the_working_size_of_the_final(scaled_model):
    about = {e.key: e.value for e in onnx.load(scaled_model).metadata_props}
    kept = {key: about[f"brushreel.{key}"] for key in ("stroke_size", "detail", "lines")}
    assert kept == {"stroke_size": "1", "detail": "0.25", "lines": "64"}
    model = session(scaled_model)
    proxy = torch.rand(1, 3, 72, 128)
    final = proxy.repeat_interleave(2, 2).repeat_interleave(2, 3)
    small, large = (model.run(None, {"frames": f.numpy()})[0] for f in (proxy, final))
    halved = torch.nn.functional.avg_pool2d(torch.from_numpy(large), 2)
    assert (halved - torch.from_numpy(small)).abs().mean() < 0.02


def test_a_frame_too_small_for_the_strokes_gets_the_smallest(small_strokes, tmp_path):
    export_onnx(small_strokes, tmp_path / "tiny.onnx", pixels="rgb8", stroke_size=0.25)
    model = session(tmp_path / "tiny.onnx")
    frames = torch.randint(0, 256, (1, 12, 20, 3), dtype=torch.uint8)
    (stylized,) = model.run(None, {"frames": frames.numpy()})
    network = small_strokes.network()
    wanted = stylized_rgb(frames.permute(0, 3, 1, 2) / 255, network, Size(48, 80)).detach()
    assert np.abs(stylized - (wanted * 255).permute(0, 2, 3, 1).numpy()).max() < 1.01


@pytest.mark.parametrize("stroke_size", [0.8, 1.5])
def test_nv12_with_strokes_as_clips(small_strokes, tmp_path, stroke_size):
    export_onnx(small_strokes, tmp_path / "tiny.onnx", pixels="nv12", stroke_size=stroke_size)
    model = session(tmp_path / "tiny.onnx")
    stylizer = Stylizer(small_strokes, device="cpu", precision="fp32", stroke_size=stroke_size)
    for height, width in ((146, 262), (50, 70), (120, 64)):
        luma, chroma, frame = nv12(height, width)
        assert difference_of_planes(model, luma, chroma, stylizer.stylize(frame)) <= 1


@pytest.mark.parametrize(
    "bad",
    [{"stroke_size": value} for value in (0, -1, float("nan"), "large", 5, None)]
    + [{"detail": value} for value in (-0.1, 1.5, float("nan"))],
    ids=str,
)
def test_bad_strokes_are_refused(tiny_style, tmp_path, bad):
    (name, value) = next(iter(bad.items()))
    with pytest.raises(UsageError, match=f"{name.replace('_', ' ')} must .* not {value}$"):
        export_onnx(tiny_style, tmp_path / "tiny.onnx", **bad)
    assert list(tmp_path.iterdir()) == []


def test_wrong_scaling_is_not_written(small_strokes, tmp_path, monkeypatch):
    wrong = export_scaling._WEIGHTS.replace("value_float = 2.5", "value_float = 2.6")
    monkeypatch.setattr(export_scaling, "_WEIGHTS", wrong)
    with pytest.raises(OutputError, match="exported model differs"):
        export_onnx(small_strokes, tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_paints_any_number_and_size(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx", stroke_size="native")
    model, network = session(tmp_path / "tiny.onnx"), tiny_style.network()
    for shape in ((1, 3, 40, 64), (3, 3, 41, 51), (2, 3, 5, 3)):
        frames = torch.rand(shape)
        (painted,) = model.run(["painted"], {"frames": frames.numpy()})
        torch.testing.assert_close(torch.from_numpy(painted), network(frames), atol=1e-4, rtol=0)


def test_says_what_it_is(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx", stroke_size="native")
    model = onnx.load(tmp_path / "tiny.onnx")
    about = {entry.key: entry.value for entry in model.metadata_props}
    assert about["brushreel.style"] == "tiny"
    assert about["brushreel.digest"] == tiny_style.digest
    assert "[0, 1]" in about["brushreel.pixels"]
    names = [
        [side.dim_param for side in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    ]
    assert names == [["batch", "", "height", "width"]] * 2


def test_eight_bit_rgb(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx", pixels="rgb8", stroke_size="native")
    frames = torch.randint(0, 256, (2, 30, 42, 3), dtype=torch.uint8)
    (painted,) = session(tmp_path / "tiny.onnx").run(["painted"], {"frames": frames.numpy()})
    wanted = tiny_style.network()(frames.permute(0, 3, 1, 2) / 255).permute(0, 2, 3, 1) * 255
    assert painted.dtype == np.uint8
    assert np.abs(painted - wanted.numpy()).max() <= 0.51


def test_nv12_is_stylized_like_clips(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx", pixels="nv12", stroke_size="native")
    luma, chroma, frame = nv12(24, 34)
    stylizer = Stylizer(tiny_style, device="cpu", precision="fp32", stroke_size="native")
    wanted = stylizer.stylize(frame)
    assert difference_of_planes(session(tmp_path / "tiny.onnx"), luma, chroma, wanted) <= 1


def test_a_model_that_paints_something_else_is_not_written(tiny_style, tmp_path, monkeypatch):
    class Other(torch.nn.Module):
        def forward(self, frames):
            return tiny_style.network()(frames) * 0

    real = export._try
    monkeypatch.setattr(export, "_try", lambda session, _, *rest: real(session, Other(), *rest))
    with pytest.raises(OutputError, match=r"exported model differs .* at 96x64"):
        export_onnx(tiny_style, tmp_path / "tiny.onnx", stroke_size="native")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_t_be_written(tiny_style, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        export_onnx(tiny_style, tmp_path / "file" / "tiny.onnx", stroke_size="native")
