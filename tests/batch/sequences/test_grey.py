"""Grey pictures with alpha through the whole command: they come out grey."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from brushreel.cli import main
from brushreel.core.pictures.picture import read_picture


@pytest.fixture(params=["png", "tif", "exr"])
def sequence(request, tmp_path) -> Path:
    """Two pictures of noise."""
    random = np.random.default_rng(5)
    for number in (1, 2):
        path = tmp_path / f"a.{number}.{request.param}"
        if request.param == "exr":
            channels = {name: random.random((32, 48), np.float32) for name in "YA"}
            header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
            OpenEXR.File(header, channels).write(str(path))
        else:
            codes = random.integers(0, 256, (32, 48, 2), np.uint8)
            Image.fromarray(codes).save(path)
    return tmp_path / f"a.%d.{request.param}"


@pytest.mark.parametrize("suffix", ["png", "tif", "exr"])
@pytest.mark.parametrize("strength", ["0", "1"])
def test_grey_with_alpha_stays_grey(sequence, style_file, tmp_path, strength, suffix):
    output = tmp_path / f"out/a.%d.{suffix}"
    output.parent.mkdir()
    given = ["-s", str(style_file), "-o", str(output), "--strength", strength]
    assert main(["stylize", str(sequence), *given, "--device", "cpu", "--precision", "fp32"]) == 0
    for number in (1, 2):
        name = f"a.{number}"
        before = read_picture(tmp_path / f"{name}{sequence.suffix}")
        after = read_picture(output.parent / f"{name}.{suffix}")
        assert after.grey
        if sequence.suffix == output.suffix:
            np.testing.assert_array_equal(after.frame.alpha, before.frame.alpha)
            same = np.array_equal(after.frame.planes[0], before.frame.planes[0])
            assert same == (strength == "0")
