"""Previews in the dialog: what they show is what the shots will be."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace
from typing import cast

import av
import numpy as np
import pytest
from PIL import Image

from brushreel.core.stylizer import Stylizer
from brushreel.plugin_resolve.script.dialog_choice import Look
from brushreel.plugin_resolve.script.preview import SOURCE, make_previews
from brushreel.plugin_resolve.script.survey import Cut

HEIGHT, WIDTH, BAR = 180, 320, 24


def soft(height: int = HEIGHT) -> np.ndarray:
    """Return a soft image of 16:9, the same at every size."""
    y, x = np.mgrid[:height, : height * 16 // 9] / height
    waves = [np.sin(9 * x + 5 * k) * np.cos(7 * y + 2 * k) / 2 + 0.5 for k in range(3)]
    return np.rint(255 * np.stack(waves, -1)).astype(np.uint8)


@pytest.fixture
def write(tmp_path):
    """A function that writes a lossless clip of one repeated image and returns it as a cut."""

    def make(image: np.ndarray, aspect: int = 1) -> Cut:
        path = tmp_path / f"{len(image)}.mov"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("png", rate=25)
            stream.height, stream.width, stream.pix_fmt = *image.shape[:2], "rgb24"
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
            for _ in range(4):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode(None))
        return cast("Cut", SimpleNamespace(media=path, first=0, frames=4))

    return make


@pytest.fixture
def previews(library, tiny_style, tmp_path, home):
    replace(tiny_style, lines=96).save(home / "data" / "brushreel" / "styles" / "tiny.safetensors")

    def make(cut: Cut, **look) -> dict[str, np.ndarray]:
        folder = tmp_path / f"{cut.media.stem}-previews"
        folder.mkdir(exist_ok=True)
        made = make_previews(cut, 25, ["other", "tiny"], folder, Look(first="tiny", **look))
        return {name: np.asarray(Image.open(path), np.int16) for name, path in made}

    return make


def test_source_comes_first_then_the_chosen_style(previews, write):
    made = previews(write(soft()))
    assert list(made) == [SOURCE, "tiny", "other"]
    assert np.abs(made[SOURCE] - soft()).mean() < 3


def test_a_style_that_fails_is_left_out(previews, write, home):
    (home / "data" / "brushreel" / "styles" / "other.safetensors").write_bytes(b"")
    assert list(previews(write(soft()))) == [SOURCE, "tiny"]


def test_bars_pass_through_and_strokes_go_by_the_picture_between_them(previews, write, home):
    image = soft()
    image[:BAR] = image[-BAR:] = 0
    made = previews(write(image))
    for rows in (slice(0, BAR - 8), slice(8 - BAR, None)):
        assert made["tiny"][rows].max() <= 2
    alone = Stylizer("tiny", device="cpu")(image[BAR:-BAR])
    assert np.abs(made["tiny"][BAR + 8 : -BAR - 8] - alone[8:-8].astype(int)).mean() < 3
    assert np.abs(made["tiny"] - made[SOURCE]).mean() > 10


def test_a_proxy_s_preview_has_the_look_of_the_final_s(previews, write):
    final = previews(write(soft(360)), stroke_size=1.5)["tiny"]
    half = previews(write(soft(180)), stroke_size=1.5)["tiny"]
    small = np.asarray(Image.fromarray(final.astype(np.uint8)).resize((320, 180), 4), np.int16)
    assert np.abs(small - half).mean() < 4


def test_pixels_are_shown_square(previews, write):
    assert previews(write(soft()[:, :160], aspect=2))["tiny"].shape == (180, 320, 3)
