"""Contact sheets: the right frames, upright, in the right colours, under their labels."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

from brushreel.batch import contact_sheet as looks
from brushreel.batch import ffmpeg_process
from brushreel.batch.contact_sheet import GAP, STRIP, preview, still_at, tile
from brushreel.core.clips.media import read
from brushreel.core.errors import MediaError, OutputError, StyleError, UsageError
from brushreel.core.frames.colour import to_rgb
from brushreel.core.frames.hdr import to_sdr
from brushreel.core.stylizer import Stylizer

QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
MIRRORED_TURN = (0, -65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


@pytest.fixture
def styles(tiny_style, tmp_path) -> list[str]:
    """Two styles in files."""
    paths = [tmp_path / f"{name}.safetensors" for name in ("tiny", "other")]
    for path in paths:
        tiny_style.save(path)
    return [str(path) for path in paths]


@pytest.fixture
def cells() -> Callable[[Path, int, tuple[int, int]], list[np.ndarray]]:
    """The pictures of a sheet, row by row, without labels."""

    def cut(sheet: Path, columns: int, size: tuple[int, int]) -> list[np.ndarray]:
        pixels = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
        width, height = size
        step_x, step_y = width + GAP, height + STRIP + GAP
        rows = (pixels.shape[0] - GAP) // step_y
        assert pixels.shape[:2] == (GAP + rows * step_y, GAP + columns * step_x)
        tops = [GAP + STRIP + row * step_y for row in range(rows)]
        return [
            pixels[top : top + height, left : left + width]
            for top in tops
            for left in range(GAP, pixels.shape[1] - 1, step_x)
        ]

    return cut


def codes(rgb: torch.Tensor) -> np.ndarray:
    return (rgb[0].permute(1, 2, 0) * 255).round().int().numpy()


def test_source_then_each_style(make_clip, styles, tiny_style, tmp_path, cells):
    clip = make_clip(frames=5, size=(128, 96))
    preview([clip], tmp_path / "sheet.png", styles=[*styles, styles[0]], device="cpu")
    middle = to_rgb(list(read(clip))[2])
    source, *painted = cells(tmp_path / "sheet.png", 2, (128, 96))
    assert np.array_equal(source, codes(middle))
    expected = codes(Stylizer(tiny_style, device="cpu")(middle))
    assert len(painted) == 3
    assert all(np.array_equal(cell, expected) for cell in painted)


def test_settings_are_the_stylizer_s(make_clip, styles, tiny_style, tmp_path, cells):
    clip = make_clip(frames=1, size=(128, 96))
    settings = {"strength": 0.5, "keep_colors": True, "device": "cpu"}
    preview([clip], tmp_path / "sheet.png", styles=styles[:1], **settings)
    expected = codes(Stylizer(tiny_style, **settings)(to_rgb(next(read(clip)))))
    assert np.array_equal(cells(tmp_path / "sheet.png", 2, (128, 96))[1], expected)


def test_a_row_for_each_moment(make_clip, styles, tmp_path, cells):
    clip = make_clip(frames=10, size=(128, 96))
    preview([clip], tmp_path / "sheet.png", at=[0.32, 0.05], styles=styles, device="cpu")
    frames = list(read(clip))
    found = cells(tmp_path / "sheet.png", 3, (128, 96))
    assert len(found) == 6
    assert np.array_equal(found[0], codes(to_rgb(frames[8])))
    assert np.array_equal(found[3], codes(to_rgb(frames[1])))


def test_pictures_have_one_row_whatever_the_time(styles, make_clip, tmp_path, cells):
    clip = make_clip(frames=3, size=(128, 96))
    pixels = np.random.default_rng(3).integers(0, 256, (96, 128, 3), np.uint8)
    picture = tmp_path / "100%d: é.png"
    Image.fromarray(pixels).save(picture)
    preview([picture, clip], tmp_path / "s.png", at=[0.08, 0], styles=styles[:1], device="cpu")
    found = cells(tmp_path / "s.png", 2, (128, 96))
    assert len(found) == 6
    assert np.array_equal(found[0], pixels)


def test_light_is_shown_as_a_display_shows_it(styles, tmp_path, cells):
    light = {name: np.tile(np.array([0.18, 50], np.float16), (96, 64)) for name in "RGB"}
    OpenEXR.File({}, light).write(str(tmp_path / "a.exr"))
    preview([tmp_path / "a.exr"], tmp_path / "s.png", styles=styles[:1], device="cpu")
    source = cells(tmp_path / "s.png", 2, (128, 96))[0]
    assert source[0, 0, 0] == pytest.approx(255 * 0.18 ** (1 / 2.4), abs=2)
    assert source[0, 1, 0] == 255


def test_the_whole_library_by_default(make_clip, tiny_style, home, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(looks, "list_styles", lambda: [tiny_style] * 4)
    monkeypatch.setattr(looks, "tile", lambda _, size, *layout: drawn.append(layout) or b"")
    preview([make_clip(frames=1)], tmp_path / "sheet.png", device="cpu")
    assert drawn == [(3, 2)]


def test_labels_say_what_is_what(make_clip, styles, tmp_path, monkeypatch):
    labels = []
    drawn = looks._Drawing.cell

    def noted(self, label, rgb, still):
        labels.append(label)
        return drawn(self, label, rgb, still)

    monkeypatch.setattr(looks._Drawing, "cell", noted)
    a, b = make_clip("a.mp4", frames=5), make_clip("b.mp4", frames=5)
    preview([a], tmp_path / "1.png", styles=styles[:1], device="cpu")
    preview([a], tmp_path / "2.png", at=[0, 0.1], styles=styles[:1], device="cpu")
    preview([a, b], tmp_path / "3.png", styles=styles[:1], device="cpu")
    assert labels[0::2] == ["source", "0:00.00", "0:00.08", "a.mp4 0:00.08", "b.mp4 0:00.08"]
    assert set(labels[1::2]) == {"tiny"}


def test_labels_are_drawn_and_fit(make_clip, styles, tmp_path):
    clip = make_clip("a" * 80 + ".mp4", frames=2, size=(128, 96))
    preview([clip], tmp_path / "sheet.png", at=[0, 0.04], styles=styles[:1], device="cpu")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png").convert("L"))
    strip = pixels[GAP : GAP + STRIP]
    assert strip[:, GAP : GAP + 128].max() > 200
    assert strip[:, GAP + 128 : 2 * GAP + 128].max() < 50


def test_long_labels_are_shortened(make_clip):
    still = still_at(make_clip(size=(128, 96)), 0)
    drawing = looks._Drawing([still], 2, ["tiny"])
    assert drawing._fitting("short") == "short"
    assert drawing._fitting("a long name that does not fit").startswith("a long")
    assert drawing._fitting("a long name that does not fit").endswith("…")


def test_names_that_are_no_text(make_clip, styles, tmp_path):
    clips = [make_clip("a.mp4", frames=1), make_clip("b.mp4", frames=1)]
    strange = clips[0].rename(tmp_path / "\udcff\n日本.mp4")
    preview([strange, clips[1]], tmp_path / "s.png", styles=styles[:1], device="cpu")
    assert (tmp_path / "s.png").exists()


@pytest.mark.parametrize(
    ("facts", "size"),
    [
        ({"display_matrix": QUARTER_TURN}, (192, 288)),
        ({"display_matrix": MIRRORED_TURN}, (192, 288)),
        ({"sample_aspect_ratio": Fraction(4, 3)}, (384, 192)),
        ({"display_matrix": QUARTER_TURN, "sample_aspect_ratio": Fraction(4, 3)}, (192, 384)),
    ],
)
def test_shown_as_players_show_it(make_clip, styles, tmp_path, cells, facts, size):
    clip = make_clip(frames=1, size=(288, 192), **facts)
    preview([clip], tmp_path / "sheet.png", styles=styles[:1], device="cpu")
    player = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(clip)]
    graph = "scale={}:{}:flags=lanczos".format(*size)
    subprocess.run([*player, "-vf", graph, str(tmp_path / "player.png")], check=True)
    shown = np.asarray(Image.open(tmp_path / "player.png").convert("RGB")).astype(int)
    source = cells(tmp_path / "sheet.png", 2, size)[0]
    assert np.abs(source - shown).mean() < 6
    assert np.abs(source[::-1] - shown).mean() > 20


def test_large_frames_are_painted_large_and_shown_small(styles, tmp_path, cells, tiny_style):
    pixels = np.random.default_rng(3).integers(0, 256, (500, 1600, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "large.png")
    preview([tmp_path / "large.png"], tmp_path / "s.png", styles=styles[:1], device="cpu")
    found = cells(tmp_path / "s.png", 2, (640, 200))[1]
    rgb = torch.tensor(pixels / 255, dtype=torch.float32).permute(2, 0, 1)[None]
    painted = Image.fromarray(codes(Stylizer(tiny_style, device="cpu")(rgb)).astype(np.uint8))
    expected = np.asarray(painted.resize((640, 200), Image.Resampling.LANCZOS)).astype(int)
    # Eight bits as floats differ in their last bit from the decoder's.
    assert np.abs(found - expected).max() <= 1


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("seconds", [0.0, 0.39, 0.4, 1.0, 1.59])
def test_the_frame_on_show_at_a_time(make_clip, name, seconds):
    clip = make_clip(name, frames=40, options={"g": "12", "bf": "2"})
    shown = still_at(clip, seconds).frame
    expected = [frame for frame in read(clip) if frame.time <= Fraction(seconds)][-1]
    assert shown.pts == expected.pts
    assert np.array_equal(shown.planes[0], expected.planes[0])


def test_a_long_clip_is_not_read_from_its_start(make_clip, monkeypatch):
    clip = make_clip(frames=60, options={"g": "10", "bf": "0"})
    read_frames = []
    shown = looks._shown

    def counted(reader, moment):
        items: Any = (read_frames.append(item) or item for item in reader)
        return shown(items, moment)

    monkeypatch.setattr(looks, "_shown", counted)
    assert still_at(clip, 2.2).frame.time == Fraction(55, 25)
    assert len(read_frames) < 12


def test_where_seeking_leads_too_far_a_clip_is_read_from_its_start(make_clip, monkeypatch):
    clip, shown, calls = make_clip(frames=20), looks._shown, []

    def late_once(reader, moment):
        calls.append(moment)
        return shown(reader, moment if len(calls) > 1 else Fraction(19, 25))

    monkeypatch.setattr(looks, "_shown", late_once)
    assert still_at(clip, 0.2).frame.time == Fraction(5, 25)
    assert len(calls) == 2


def test_before_the_first_frame_it_is_the_first(make_clip):
    clip = make_clip(times=[25, 26, 27, 28], time_base=Fraction(1, 25))
    assert still_at(clip, 0.2).frame.time == 1


def test_the_middle_by_default(make_clip):
    assert still_at(make_clip(frames=10), None).frame.time == Fraction(5, 25)
    assert still_at(make_clip("a.mkv", frames=10), None).frame.time > 0


@pytest.mark.parametrize("seconds", [0.4, 100])
def test_a_time_beyond_the_end_is_refused(make_clip, styles, tmp_path, seconds):
    with pytest.raises(
        UsageError, match=f"clip.mp4: lasts 0.4 s and has no frame at {seconds:g} s"
    ):
        preview([make_clip()], tmp_path / "s.png", at=[seconds], styles=styles)
    assert not (tmp_path / "s.png").exists()


def test_an_old_sheet_is_replaced_only_when_asked(make_clip, styles, tmp_path):
    clip, sheet = make_clip(frames=1), tmp_path / "sheet.png"
    sheet.write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        preview([clip], sheet, styles=styles[:1])
    assert sheet.read_text() == "mine"
    preview([clip], sheet, styles=styles[:1], device="cpu", overwrite=True)
    assert sheet.read_bytes().startswith(b"\x89PNG")


def test_the_source_is_never_overwritten(tmp_path, styles):
    picture = tmp_path / "a.png"
    Image.new("RGB", (40, 40)).save(picture)
    with pytest.raises(UsageError, match="same file"):
        preview([picture], picture, styles=styles, overwrite=True)


@pytest.mark.parametrize(
    ("name", "error"),
    [("sheet.bmp", UsageError), ("folder.png", OutputError), ("file/sheet.png", OutputError)],
)
def test_outputs_that_can_t_be(make_clip, styles, tmp_path, name, error):
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(error, match=name):
        preview([make_clip(frames=1)], tmp_path / name, styles=styles[:1], device="cpu")


def test_bad_inputs_are_named(tmp_path, styles):
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(MediaError, match=r"a\.png"):
        preview([tmp_path / "a.png"], tmp_path / "s.png", styles=styles)
    with pytest.raises(MediaError, match="no such file"):
        preview([tmp_path / "b.png"], tmp_path / "s.png", styles=styles)


def test_unknown_styles_are_refused(make_clip, tmp_path):
    with pytest.raises(StyleError, match="no style named 'waev'"):
        preview([make_clip(frames=1)], tmp_path / "s.png", styles=["waev"])


def test_ffmpeg_s_last_words_are_the_error():
    with pytest.raises(OutputError, match=r"FFmpeg fails: it refuses the frames"):
        tile(b"", (0, 0), 1, 1)


def test_more_than_pipes_hold_goes_both_ways():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (700, 900, 3), np.uint8)
    assert len(tile(picture.tobytes() * 4, (900, 700), 2, 2)) > picture.size


def test_no_ffmpeg_is_said(monkeypatch):
    def missing():
        raise RuntimeError

    monkeypatch.setattr(ffmpeg_process.imageio_ffmpeg, "get_ffmpeg_exe", missing)
    with pytest.raises(OutputError, match=r"FFmpeg is not installed .*IMAGEIO_FFMPEG_EXE"):
        tile(b"abc", (1, 1), 1, 1)


def test_hdr_is_shown_as_sdr(make_clip, styles, tiny_style, tmp_path, cells):
    options = {"x265-params": "log-level=error:lossless=1"}
    clip = make_clip(
        frames=1,
        size=(128, 96),
        codec="libx265",
        pixel_format="yuv420p10le",
        colour=(9, 1, 9, 16),
        options=options,
    )
    preview([clip], tmp_path / "sheet.png", styles=styles[:1], device="cpu")
    frame = next(read(clip))
    whole = Stylizer(tiny_style, device="cpu").stylize(frame)
    found = cells(tmp_path / "sheet.png", 2, (128, 96))
    for cell, shown in zip(found, (frame, whole), strict=False):
        assert np.array_equal(cell, codes(to_sdr(to_rgb(shown), frame.colour)[0]))
    assert not np.array_equal(found[0], codes(to_rgb(frame)))
