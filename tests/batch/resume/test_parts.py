"""Some segments of a clip are made alone, and the ordinary run makes the file of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.resume import owned_part, owned_work
from brushreel.batch.clips.settings import ReadSettings, WriteSettings
from brushreel.batch.clips.source import span
from brushreel.batch.clips.work_folder import work_folder
from brushreel.cli import main
from brushreel.core.errors import OutputError, UsageError

from ..listening import Listener
from .interruption import FRAMES, PER_SEGMENT, SHORT, assert_same, segments


def part(first: int, last: int) -> WriteSettings:
    return replace(SHORT, segments=range(first, last + 1))


def names(output) -> list[str]:
    return [path.name for path in segments(output)]


def test_parts_of_two_processes_make_the_file_of_one(run, whole, output, read_clip, listing):
    report, heard = run(write=part(3, 4))
    assert (report.frames, report.segments, report.is_written) == (FRAMES - 15, 2, False)
    assert names(output) == ["000003.segment", "000004.segment"]
    assert heard.frames[-1] == heard.kept[0].frames == FRAMES - 15
    run(write=part(0, 0))
    assert not output.exists()
    report, heard = run()
    assert heard.resumed == [FRAMES - 10]
    assert (report.segments, report.segments_reused, report.is_written) == (5, 3, True)
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


def test_a_part_is_made_once(run):
    run(write=part(1, 2))
    report, heard = run(write=part(1, 2))
    assert (report.segments_reused, heard.frames) == (2, [])
    report, heard = run(write=part(2, 3))
    assert (report.segments, report.segments_reused) == (2, 0)


def test_a_part_reads_no_frame_before_it(run, monkeypatch):
    from brushreel.batch.clips import part as module

    asked = []
    read = module.frames_from

    def noting(reader, settings, output, frames, times):
        asked.append((frames.first, frames.end))
        return read(reader, settings, output, frames, times)

    monkeypatch.setattr(module, "frames_from", noting)
    run(write=part(2, 3))
    assert asked == [(2 * PER_SEGMENT, 4 * PER_SEGMENT)]


@pytest.mark.parametrize("codec", ["h264", "ffv1"])
def test_variable_rates_and_ranges(make_clip, painter, tmp_path, read_clip, codec):
    steps = 3000 + np.random.default_rng(3).integers(-200, 2000, FRAMES)
    times = [7000, *(7000 + np.cumsum(steps[1:])).tolist()]
    source = make_clip("a.mkv", codec=codec, time_base=Fraction(1, 90_000), times=times)
    for number, read in enumerate([ReadSettings(), ReadSettings(range=span(0.2, 0.7))]):
        one, other = tmp_path / f"one{number}.mp4", tmp_path / f"other{number}.mp4"
        convert(source, one, painter, read=read, write=SHORT)
        for first, last in ((1, 1), (0, 0), (2, 9)):
            convert(source, other, painter, read=read, write=part(first, last))
        heard = Listener()
        convert(source, other, painter, read=read, write=SHORT, handle=heard.handle)
        assert not heard.frames
        assert_same(read_clip(one), read_clip(other))


def test_a_run_of_an_image_sequence(painter, tmp_path, read_clip):
    rng = np.random.default_rng(5)
    for number in range(12):
        pixels = rng.integers(0, 256, (32, 48, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"a.{number:03}.png")
    source = tmp_path / "a.%03d.png"
    write = replace(SHORT, segment=0.2)
    convert(source, tmp_path / "whole.mov", painter, write=write)
    convert(source, tmp_path / "o.mov", painter, write=replace(write, segments=range(1, 2)))
    assert names(tmp_path / "o.mov") == ["000001.segment"]
    convert(source, tmp_path / "o.mov", painter, write=write)
    assert_same(read_clip(tmp_path / "o.mov"), read_clip(tmp_path / "whole.mov"))


def test_another_processes_folder_and_part_are_refused(run, output):
    with (
        owned_part(output, {}, range(3, 5)),
        pytest.raises(OutputError, match="written by another process"),
    ):
        run(write=part(3, 4))
    with (
        owned_part(output, {}, range(3, 5)),
        pytest.raises(OutputError, match="written by another process"),
    ):
        run()
    with owned_part(output, {}, range(3, 5)):
        run(write=part(0, 0))
    assert names(output) == ["000000.segment"]


def test_the_whole_folder_is_refused_to_a_part(run, output, monkeypatch):
    monkeypatch.setattr("brushreel.batch.clips.work_folder._PATIENCE_SECONDS", 0)
    with (
        owned_work(output, {}, resume=True),
        pytest.raises(OutputError, match="written by another process"),
    ):
        run(write=part(0, 0))
    assert not work_folder(output).exists()


def test_segments_of_other_settings_are_not_used(run, whole, output, read_clip):
    run(write=part(0, 4), crf=40)
    report, heard = run()
    assert (report.segments_reused, heard.resumed) == (0, [])
    assert_same(read_clip(output), whole())


def test_segments_that_do_not_exist(run, output):
    with pytest.raises(UsageError, match=r"no segment 5 \(it has 5, from 0 to 4\)"):
        run(write=part(5, 6))
    assert not work_folder(output).exists()


@pytest.mark.parametrize(("text", "numbers"), [("3-7", range(3, 8)), ("3", range(3, 4))])
def test_the_numbers_are_read(text, numbers):
    from brushreel.batch.flags import segment_numbers

    assert segment_numbers(text) == numbers


@pytest.mark.parametrize("text", ["7-3", "-3", "a", "3-", "1-2-3"])
def test_wrong_numbers_are_refused(text):
    import argparse

    from brushreel.batch.flags import segment_numbers

    with pytest.raises(argparse.ArgumentTypeError, match="no range of segments"):
        segment_numbers(text)


def test_the_command(make_clip, style_file, tmp_path, capsys):
    source, output = make_clip(frames=12), tmp_path / "o.mp4"
    command = ["stylize", str(source), "-s", str(style_file), "-o", str(output), "--segment", "0.2"]
    command += ["--device", "cpu", "--precision", "fp32", "--runtime", "torch"]
    assert main([*command, "--segments", "1-2"]) == 0
    assert f"kept 7 in {work_folder(output)}" in capsys.readouterr().err
    assert not output.exists()
    assert main(command) == 0
    assert output.exists()


def test_one_clip_and_no_images(make_clip, style_file, tmp_path, capsys):
    inputs = [str(make_clip("in/a.mp4", frames=2)), str(make_clip("in/b.mp4", frames=2))]
    command = ["stylize", *inputs, "-s", str(style_file), "-o", str(tmp_path), "--segments", "0"]
    assert main(command) == 2
    assert "--segments is for one clip" in capsys.readouterr().err
    command = ["stylize", inputs[0], "-s", str(style_file), "-o", str(tmp_path / "o.%03d.png")]
    assert main([*command, "--segments", "0"]) == 2
    assert "images have no segments" in capsys.readouterr().err
