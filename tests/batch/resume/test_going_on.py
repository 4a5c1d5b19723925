"""A run that was cut off goes on, and its file is the one of a run that was not."""

from __future__ import annotations

import errno
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from brushreel.batch.clips import segment
from brushreel.batch.clips.clip import convert
from brushreel.batch.clips.finish import FinishedFile
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.clips.work_folder import work_folder
from brushreel.batch.encoding.encode import EncodeSettings
from brushreel.batch.estimate import check_space, disk_expected
from brushreel.batch.plan import Job
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.run import run_batch
from brushreel.core.clips.media import probe
from brushreel.core.errors import OutputError

from ..listening import on_frame
from .interruption import FRAMES, PER_SEGMENT, SHORT, assert_same, segments


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("o.mp4", "h264"),
        ("o.mp4", "hevc"),
        ("o.mkv", "hevc"),
        ("o.mov", "prores"),
        ("o.mkv", "ffv1"),
    ],
)
def test_segments_are_seamless(make_clip, sound, painter, tmp_path, read_clip, name, codec):
    source = make_clip(frames=FRAMES, rate=Fraction(24000, 1001), sounds=(sound(),))
    report = convert(
        source, tmp_path / name, painter, write=replace(SHORT, encode=EncodeSettings(codec=codec))
    )
    assert (report.segments, report.segments_reused) == (5, 0)
    before, after = read_clip(source), read_clip(tmp_path / name)
    tolerance = Fraction(1, 2000) if name.endswith("mkv") else 0
    assert len(after.times) == FRAMES
    assert max(abs(a - b) for a, b in zip(after.times, before.times, strict=True)) <= tolerance
    assert [track.contents for track in after.audio] == [track.contents for track in before.audio]


def test_lossless_segments_hold_every_frame(make_clip, untouched, tmp_path, read_clip):
    source = make_clip("a.mkv", codec="ffv1", frames=FRAMES)
    convert(
        source,
        tmp_path / "o.mkv",
        untouched,
        write=replace(SHORT, encode=EncodeSettings(codec="ffv1")),
    )
    for mine, theirs in zip(
        read_clip(tmp_path / "o.mkv").frames, read_clip(source).frames, strict=True
    ):
        assert all(map(np.array_equal, mine, theirs))


@pytest.mark.parametrize("last", [1, 2])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
def test_a_last_segment_of_a_frame_or_two(make_clip, painter, tmp_path, read_clip, codec, last):
    source = make_clip(frames=PER_SEGMENT + last)
    convert(
        source,
        tmp_path / "o.mp4",
        painter,
        write=replace(SHORT, encode=EncodeSettings(codec=codec)),
    )
    assert read_clip(tmp_path / "o.mp4").times == read_clip(source).times


def test_variable_rates_stay_exact_over_segments(make_clip, painter, tmp_path, read_clip):
    steps = 3000 + np.random.default_rng(3).integers(-200, 2000, FRAMES)
    times = [7000, *(7000 + np.cumsum(steps[1:])).tolist()]
    source = make_clip(time_base=Fraction(1, 90_000), times=times)
    convert(source, tmp_path / "o.mp4", painter, write=SHORT)
    before, after = read_clip(source), read_clip(tmp_path / "o.mp4")
    assert after.times == before.times
    assert after.duration == before.duration


def test_an_interrupted_run_goes_on(run, interrupted, whole, output, read_clip, listing):
    stopped = interrupted(14)
    folder, frames = stopped.kept[0].folder, stopped.kept[0].frames
    assert folder == work_folder(output) == output.parent / ".o.mp4.brushreel"
    assert frames in (5, 10)
    assert not output.exists()
    report, heard = run()
    assert heard.resumed == [frames]
    assert heard.frames == list(range(frames + 1, FRAMES + 1))
    assert (report.frames, report.segments, report.segments_reused) == (23, 5, frames // 5)
    assert heard.kept == []
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


def test_interrupted_again_and_again(run, interrupted, whole, output, read_clip):
    for frames in (8, 13, 18, 22):
        assert interrupted(frames).frames[-1] == frames
    report, _ = run()
    assert report.segments_reused >= 3
    assert_same(read_clip(output), whole())


@pytest.mark.parametrize(
    ("rate", "size", "frames"),
    [
        (25, (640, 360), 250),
        (24, (1920, 1080), 240),
        (60, (1920, 1080), 240),
        (25, (3840, 2160), 60),
        (25, (7680, 4320), 15),
        (None, (640, 360), 250),
    ],
)
def test_segments_of_large_frames_are_shorter(rate, size, frames):
    width, height = size
    rate = None if rate is None else Fraction(rate)
    assert WriteSettings().frames_per_segment(rate, width * height) == frames
    assert WriteSettings(segment=20).frames_per_segment(rate, width * height) == 2 * frames


def test_within_the_first_segment_nothing_is_kept(interrupted, output, listing):
    assert interrupted(3).kept == []
    assert not output.parent.exists()


def test_no_resume_starts_anew(run, interrupted, whole, output, read_clip):
    interrupted(14)
    report, heard = run(write=replace(SHORT, resume=False))
    assert (report.segments_reused, heard.resumed, len(heard.frames)) == (0, [], FRAMES)
    assert_same(read_clip(output), whole())


def test_everything_done_but_the_last_step(run, output, monkeypatch, whole, read_clip):
    def no_disk(*_arguments) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FinishedFile, "write", no_disk)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        run()
    assert "the same command continues" in str(caught.value)
    assert not any(path.stem == "whole" for path in work_folder(output).iterdir())
    monkeypatch.undo()
    report, heard = run()
    assert (report.segments_reused, heard.resumed, heard.frames) == (5, [FRAMES], [])
    assert_same(read_clip(output), whole())


@pytest.mark.parametrize(("module", "full_at"), [*product(("segment", "resume"), range(4))])
def test_a_full_disk_at_any_file(
    run, output, monkeypatch, whole, read_clip, module, full_at, listing
):
    """Any segment, or the manifest that names it, may be the one that does not fit."""
    opened = iter(range(100))
    original = segment.atomic_write

    def no_disk(path: Path):
        if next(opened) == full_at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(path)

    monkeypatch.setattr(f"brushreel.batch.clips.{module}.atomic_write", no_disk)
    with pytest.raises(OutputError, match="the disk is full") as caught:
        run()
    assert caught.value.path == output
    monkeypatch.undo()
    if (module, full_at) == ("segment", 0):
        assert not output.parent.exists()
    report, _ = run()
    # A segment that was not noted is not trusted.
    assert report.segments_reused == full_at
    assert_same(read_clip(output), whole())
    assert listing(output.parent) == ["o.mp4"]


@pytest.fixture
def untidy(run, monkeypatch, output) -> None:
    """A run that was cut off between giving the file its name and removing the folder."""

    def cut_off(_work) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("brushreel.batch.clips.resume.Work.remove", cut_off)
    with pytest.raises(KeyboardInterrupt):
        run()
    monkeypatch.undo()
    assert output.exists()
    assert segments(output)


def test_a_finished_file_is_only_tidied_up_after(run, untidy, output, listing, fingerprint):
    before = fingerprint(output)
    segments(output)[0].unlink()
    report, heard = run()
    assert (heard.resumed, heard.frames) == ([FRAMES], [])
    assert (report.frames, report.audio_tracks) == (FRAMES, 2)
    assert (report.segments, report.segments_reused) == (5, 5)
    assert fingerprint(output) == before
    assert listing(output.parent) == ["o.mp4"]


def test_with_other_settings_a_finished_file_exists_already(run, untidy, output, fingerprint):
    before = fingerprint(output)
    for other in ({"crf": 30}, {"write": replace(SHORT, resume=False)}):
        with pytest.raises(OutputError, match="exists already"):
            run(**other)
    assert fingerprint(output) == before


def test_a_file_that_was_changed_since_exists_already(run, untidy, output):
    output.write_bytes(b"precious")
    with pytest.raises(OutputError, match="exists already"):
        run()
    assert output.read_bytes() == b"precious"


def test_what_was_skipped_is_tidied_up_after_too(untidy, source, output, painter, listing):
    skipping = replace(SHORT, skip_existing=True)
    result = run_batch([Job(source, output)], painter, TerminalReporter(), write=skipping)
    assert not result.failed
    assert listing(output.parent) == ["o.mp4"]
    result = run_batch([Job(source, output)], painter, TerminalReporter(), write=skipping)
    assert result.skipped


def test_room_is_wanted_for_what_is_missing_only(run, interrupted, source, output, monkeypatch):
    info = probe(source)
    disk = disk_expected(info, output, EncodeSettings())
    assert disk is not None
    monkeypatch.setattr("brushreel.batch.estimate.free_disk_space", lambda _output: disk.needed - 1)
    with pytest.raises(OutputError, match="of disk"):
        check_space(output, info, EncodeSettings())
    interrupted()
    check_space(output, info, EncodeSettings())


def test_a_finished_file_needs_no_room(untidy, source, output, monkeypatch):
    monkeypatch.setattr("brushreel.batch.estimate.free_disk_space", lambda _output: 0)
    check_space(output, probe(source), EncodeSettings())


def test_a_file_that_appears_in_the_meantime_stays(run, source, output, painter):
    def appear(count: int) -> None:
        if count == 5:
            output.write_bytes(b"precious")

    with pytest.raises(OutputError, match="exists already"):
        convert(source, output, painter, handle=on_frame(appear), write=SHORT)
    assert output.read_bytes() == b"precious"
    output.unlink()
    report, _ = run()
    assert report.segments_reused == 5
