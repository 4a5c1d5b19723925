"""Animated GIF: every frame, at its time to a hundredth of a second."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.cli import main
from brushreel.core.errors import OutputError, UsageError


def frames(path) -> tuple[list[np.ndarray], list[int]]:
    """Return frames as RGB and their durations in milliseconds, read by Pillow."""
    images, durations = [], []
    with Image.open(path) as file:
        for number in range(getattr(file, "n_frames", 0)):
            file.seek(number)
            durations.append(file.info["duration"])
            images.append(np.asarray(file.convert("RGB")).astype(float))
    return images, durations


def test_every_frame_is_there_at_its_time(make_clip, read_clip, sound, untouched, tmp_path):
    source, output = make_clip(frames=9, sounds=(sound(),)), tmp_path / "out" / "o.gif"
    report = convert(source, output, untouched, write=WriteSettings(segment=0.12))
    images, durations = frames(output)
    assert durations == [40] * 9
    assert report.audio_tracks == 0
    assert "track 1 (audio, aac) is left out: GIF has no place for it" in report.warnings
    assert any("256 colours" in line for line in report.warnings)
    with Image.open(output) as file:
        assert file.info["loop"] == 0
    before = read_clip(source).frames
    for image, planes in zip(images, before, strict=True):
        luma = image @ [0.2126, 0.7152, 0.0722]
        wanted = (planes[0].astype(float) - 16) * 255 / 219
        assert np.abs(luma - wanted).mean() < 12
    assert [path.name for path in output.parent.iterdir()] == ["o.gif"]


def test_variable_rates(make_clip, untouched, tmp_path):
    source = make_clip("a.mov", time_base=Fraction(1, 1000), times=[0, 100, 150, 400, 430])
    convert(source, tmp_path / "o.gif", untouched)
    assert frames(tmp_path / "o.gif")[1][:4] == [100, 50, 250, 30]


def test_what_gif_can_not_be_is_refused_before_the_first_frame(make_clip, untouched, tmp_path):
    fast = make_clip("fast.mp4", rate=Fraction(60))
    with pytest.raises(OutputError, match=r"at most 50 frames a second, not 60 \(write .webm"):
        convert(fast, tmp_path / "o.gif", untouched)
    write = WriteSettings(encode=EncodeSettings(codec="h264"))
    with pytest.raises(UsageError, match="a GIF has no codec"):
        convert(make_clip(), tmp_path / "o.gif", untouched, write=write)
    assert not (tmp_path / "o.gif").exists()


def test_by_the_command(make_clip, style_file, tmp_path, capsys):
    output = tmp_path / "o.gif"
    words = ["stylize", str(make_clip()), "-s", str(style_file), "--device", "cpu", "-o"]
    assert main([*words, str(output), "--dry-run"]) == 0
    assert main([*words, str(output)]) == 0
    assert len(frames(output)[0]) == 10
    assert main([*words, str(output)]) == 1
    assert "--overwrite replaces it" in capsys.readouterr().err
