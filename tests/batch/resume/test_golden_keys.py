"""Keys under which work is resumed and reused, as they were written at first.

A key that changes makes every interrupted run and every reused file start again: where one of
these values has to change, that is a decision, and the changelog says so.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import JobSettings, ReadSettings, WriteSettings
from brushreel.batch.clips.source import span
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.batch.watch_state import settings_key
from brushreel.core.pictures.picture import encode_picture
from brushreel.core.stylizer import Stylizer
from brushreel.plugin_resolve import bake
from brushreel.plugin_resolve.recipe import Recipe

from ..listening import on_frame
from ..sequences.drawn import codes

STYLE = "c94b5d1e040913536ec206ee09c62884beb7e0d73dbb2b8c1127c0dffa5e6c12"


@pytest.fixture
def constant_style(tiny_style, tmp_path) -> Path:
    """A style whose weights, and so its digest, don't depend on a random generator."""
    weights = {name: torch.full_like(value, 0.01) for name, value in tiny_style.weights.items()}
    path = tmp_path / "constant.safetensors"
    replace(tiny_style, name="constant", weights=weights).save(path)
    return path


@pytest.fixture
def painter(constant_style) -> Stylizer:
    return Stylizer(
        constant_style, device="cpu", precision="fp32", runtime="torch", stroke_size="native"
    )


def noted(
    source: Path, output: Path, painter: Stylizer, encode: EncodeSettings | None = None, **read: Any
) -> dict:
    """Return the key that a run cut off after its first segment or image has noted."""

    def stop(count: int) -> None:
        if count == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(
            source,
            output,
            painter,
            handle=on_frame(stop),
            read=ReadSettings(**read),
            write=WriteSettings(encode=encode or EncodeSettings(), segment=0.2),
        )
    folder = work_folder(output)
    if (folder / "manifest.json").exists():
        key = json.loads((folder / "manifest.json").read_text())["key"]
    else:
        (journal,) = (path for path in folder.iterdir() if path.name != "lock")
        key = json.loads(journal.read_text().splitlines()[0])["key"]
    return without_this_machine(key)


def without_this_machine(key: dict) -> dict:
    """Remove what differs from machine to machine, and keep its shape."""
    if "input" in key:
        key["input"] = sorted(key["input"])
    if "source" in key:
        key["source"] = Path(key["source"]).name
    key["versions"] = sorted(key["versions"])
    key["stylizer"]["runtime"] = type(key["stylizer"]["runtime"]).__name__
    return key


KEY = {
    "style": STYLE,
    "stylizer": {
        "precision": "fp32",
        "runtime": "str",
        "tile": "auto",
        "strength": 1.0,
        "keep_colors": False,
        "stroke_size": "native",
        "detail": 0.25,
        "device": "cpu",
        "bars": [0, 0, 0, 0],
    },
    "versions": ["av", "brushreel", "torch"],
}
CLIP = KEY | {
    "input": ["ends", "mtime_ns", "path", "size"],
    "muxer": "mp4",
    "encoding": {
        "threads": "12",
        "preset": "superfast",
        "x264-params": "asm=avx2:aq-mode=3:mbtree=1:rc-lookahead=5:cabac=0:b-adapt=0",
        "crf": "9",
        "encoder": "libx264",
        "pixel_format": "yuv420p",
    },
    "interlaced": "deinterlace",
    "excerpt": None,
    "for_timeline": False,
    "pictures": None,
    "frames": 5,
}


@pytest.fixture
def sequence(tmp_path) -> Path:
    for index in range(14):
        content = encode_picture(codes("gbrp16le", index), "png")
        (tmp_path / f"s.{index:03d}.png").write_bytes(content)
    return tmp_path / "s.%03d.png"


@pytest.fixture
def clip(make_clip) -> Path:
    return make_clip("a.mp4", frames=23)


def test_clip(clip, painter, tmp_path):
    assert noted(clip, tmp_path / "o.mp4", painter) == CLIP


def test_range_of_a_clip(clip, painter, tmp_path):
    key = noted(
        clip,
        tmp_path / "o.mkv",
        painter,
        range=span("0.2", None),
        encode=EncodeSettings(codec="prores"),
    )
    assert key == CLIP | {
        "muxer": "matroska",
        "encoding": {
            "vendor": "apl0",
            "profile": "hq",
            "encoder": "prores_ks",
            "pixel_format": "yuv422p10le",
        },
        "excerpt": {"first": 5, "end": 23},
    }


def test_shot_of_a_timeline(clip, painter, tmp_path):
    key = noted(clip, tmp_path / "o.mp4", painter, for_timeline=True, interlaced="keep")
    whole = {"first": 0, "end": 23}
    assert key == CLIP | {"excerpt": whole, "for_timeline": True, "interlaced": "keep"}


def test_clip_to_images(clip, painter, tmp_path):
    assert noted(clip, tmp_path / "o.%03d.png", painter) == KEY | {
        "input": ["ends", "mtime_ns", "path", "size"],
        "source": "a.mp4",
        "kind": "png",
        "rate": "25",
        "aspect": "None",
        "excerpt": "None",
        "interlaced": "deinterlace",
    }


def test_range_to_images(clip, painter, tmp_path):
    key = noted(clip, tmp_path / "o.%03d.png", painter, range=span("0.2", "0.8"))
    assert key["excerpt"] == "Span(start=Fraction(1, 5), end=Fraction(4, 5))"


def test_image_sequence(sequence, painter, tmp_path):
    key = noted(sequence, tmp_path / "o.%03d.png", painter)
    assert key == KEY | {"source": "s.%03d.png", "kind": "png", "rate": "24", "aspect": "None"}


def test_image_sequence_to_a_clip(sequence, painter, tmp_path):
    key = noted(sequence, tmp_path / "o.mkv", painter, encode=EncodeSettings(codec="ffv1"))
    assert len(key.pop("pictures")) == 32
    del key["encoding"]
    expected = CLIP | {"muxer": "matroska"}
    assert key == {name: value for name, value in expected.items() if name in key}
    assert CLIP.keys() - key.keys() == {"encoding", "pictures"}


def test_watched_folder(constant_style):
    settings = JobSettings(
        str(constant_style),
        strength=0.5,
        write=WriteSettings(encode=EncodeSettings(codec="hevc")),
    )
    key = "1baac10283330663e3abaab12fc53d9c9bfecc7ded91459a55282c30e58c1e5d"
    assert settings_key(settings, container="mkv") == key


def test_recipe(constant_style):
    recipe = Recipe(str(constant_style), strength=0.5, keep_colors=True, codec="dnxhr")
    assert recipe.digest == "692c389e55e16a6a"


def test_shot_file(constant_style, clip, tmp_path, monkeypatch):
    monkeypatch.setattr(bake, "clip_identity", lambda _path: {"path": "a.mp4", "size": 1})
    shot = bake.Shot("a shot", clip, 3, 9)
    plan = bake.plan_shot(shot, Recipe(str(constant_style)), tmp_path, handles=2)
    assert plan.path.name == "a.constant.5aa7855c76.mov"
