from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from brushreel.core import export
from brushreel.core.errors import DeviceError, OutputError
from brushreel.core.export import export_onnx
from brushreel.core.frames.frame import Colour, Frame, Matrix, Range, pixel_format
from brushreel.core.stylizer import Stylizer

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def session(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def test_paints_any_number_and_size(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx")
    model, network = session(tmp_path / "tiny.onnx"), tiny_style.network()
    for shape in ((1, 3, 40, 64), (3, 3, 41, 51), (2, 3, 5, 3)):
        frames = torch.rand(shape)
        (painted,) = model.run(["painted"], {"frames": frames.numpy()})
        torch.testing.assert_close(torch.from_numpy(painted), network(frames), atol=1e-4, rtol=0)


def test_says_what_it_is(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx")
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
    export_onnx(tiny_style, tmp_path / "tiny.onnx", pixels="rgb8")
    frames = torch.randint(0, 256, (2, 30, 42, 3), dtype=torch.uint8)
    (painted,) = session(tmp_path / "tiny.onnx").run(["painted"], {"frames": frames.numpy()})
    wanted = tiny_style.network()(frames.permute(0, 3, 1, 2) / 255).permute(0, 2, 3, 1) * 255
    assert painted.dtype == np.uint8
    assert np.abs(painted - wanted.numpy()).max() <= 0.51


def test_nv12_is_stylized_like_clips(tiny_style, tmp_path):
    export_onnx(tiny_style, tmp_path / "tiny.onnx", pixels="nv12")
    rng = np.random.default_rng(1)
    luma = rng.integers(16, 236, (24, 34)).astype(np.uint8)
    chroma = rng.integers(100, 150, (12, 17, 2)).astype(np.uint8)
    frame = Frame(
        planes=(luma, chroma[..., 0].copy(), chroma[..., 1].copy()),
        pixel_format=pixel_format("yuv420p"),
        width=34,
        height=24,
        pts=0,
        duration=1,
        time_base=Fraction(1, 25),
        colour=Colour(Matrix.BT709, Range.LIMITED, 1, 1),
    )
    wanted = Stylizer(tiny_style, device="cpu", precision="fp32", stroke_size="native").stylize(
        frame
    )
    painted = session(tmp_path / "tiny.onnx").run(
        ["painted_luma", "painted_chroma"], {"luma": luma[None], "chroma": chroma[None]}
    )
    differences = [
        painted[0][0].astype(int) - wanted.planes[0],
        painted[1][0, ..., 0].astype(int) - wanted.planes[1],
        painted[1][0, ..., 1].astype(int) - wanted.planes[2],
    ]
    assert max(np.abs(difference).max() for difference in differences) <= 1


def test_a_model_that_paints_something_else_is_not_written(tiny_style, tmp_path, monkeypatch):
    class Other(torch.nn.Module):
        def forward(self, frames):
            return tiny_style.network()(frames) * 0

    real = export._try
    monkeypatch.setattr(export, "_try", lambda session, _module, kind: real(session, Other(), kind))
    with pytest.raises(OutputError, match=r"exported model differs .* at 96x64"):
        export_onnx(tiny_style, tmp_path / "tiny.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_can_t_be_written(tiny_style, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="can't be written"):
        export_onnx(tiny_style, tmp_path / "file" / "tiny.onnx")


def test_what_has_to_be_installed_is_said(tiny_style, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(export.importlib, "import_module", missing)
    with pytest.raises(DeviceError, match=r"onnx is not installed .*\.\[onnx\]"):
        export_onnx(tiny_style, tmp_path / "tiny.onnx")
