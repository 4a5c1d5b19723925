"""Files with more than one image: an animated PNG is a clip, the rest is said."""

from __future__ import annotations

import av
import numpy as np
import pytest
from PIL import Image, ImageCms

from brushreel.batch.clips.clip import convert, inspect_clip
from brushreel.batch.plan import plan
from brushreel.core.errors import UsageError


@pytest.fixture
def animated(tmp_path):
    random = np.random.default_rng(0)
    frames = [Image.fromarray(random.integers(0, 256, (32, 48, 3), np.uint8)) for _ in range(6)]
    path = tmp_path / "anim.png"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    return path


def test_an_animated_png_is_a_clip(animated, untouched):
    (job,) = plan([animated], None, style_name="wave")
    assert job.output.name == "anim.wave.mp4"
    report = convert(job.source, job.output, untouched)
    assert report.frames == 6
    with av.open(str(job.output)) as written:
        times = [float(frame.time) for frame in written.decode(video=0)]
    assert times == pytest.approx([0.04 * index for index in range(6)])


def test_it_does_not_become_one_image(animated, tmp_path, untouched):
    with pytest.raises(UsageError, match="several images need a number"):
        convert(animated, tmp_path / "out.png", untouched)
    assert convert(animated, tmp_path / "out.%d.png", untouched).frames == 6


def test_a_profile_that_a_clip_does_not_keep_is_said(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for name in ("a.png", "a.tif"):
        Image.new("RGB", (32, 32)).save(tmp_path / name, icc_profile=profile)
        _, warnings = inspect_clip(tmp_path / name, tmp_path / "out.mp4")
        assert "not kept of the images: ICC profile" in warnings
        _, warnings = inspect_clip(tmp_path / name, tmp_path / f"out{name[1:]}")
        assert not warnings
