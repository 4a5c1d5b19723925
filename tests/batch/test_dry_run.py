"""Dry runs: what would be done, without anything being done."""

from __future__ import annotations

from pathlib import Path

import pytest

from brushreel.batch.clips.settings import JobSettings, WriteSettings
from brushreel.batch.dry_run import Forecast, forecast, lines, rooms, total
from brushreel.batch.estimate import Disk
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import DiskSpace
from brushreel.core.errors import MediaError

JOB = Job(Path("a.mp4"), Path("out/a.mp4"))
KNOWN = Forecast(JOB, (96, 64), frames=100, seconds=8.0, disk=Disk(1000, 600))
UNKNOWN = Forecast(JOB, (96, 64))
FAILING = Forecast(JOB, error=MediaError("no such file", path=JOB.source))


@pytest.fixture
def settings(style_file) -> JobSettings:
    return JobSettings(str(style_file), precision="fp32")


def test_every_clip_is_looked_at_and_nothing_written(make_clip, settings, tmp_path, listing):
    sources = [make_clip("a.mp4"), tmp_path / "none.mp4"]
    there = listing(tmp_path)
    jobs = [Job(source, tmp_path / "out" / source.name) for source in sources]
    good, bad = forecast(jobs, settings, "cpu")
    assert (good.frames, good.size, good.error) == (10, (96, 64), None)
    assert (good.seconds or 0) > 0
    assert good.disk is not None
    assert isinstance(bad.error, MediaError)
    assert listing(tmp_path) == there


def test_what_convert_would_refuse_or_warn_of_is_said(make_clip, settings, tmp_path):
    source = make_clip("a.mkv", subtitles=["hello"])
    there = tmp_path / "there.mp4"
    there.write_text("mine")
    exists, warned = forecast(
        [Job(source, there), Job(source, tmp_path / "new.mp4")],
        JobSettings(settings.style, write=WriteSettings()),
        "cpu",
    )
    assert exists.error is not None
    assert "exists already" in exists.error.what
    assert warned.error is not None or any("subtitle" in line for line in warned.warnings)


def test_skipped_clips_are_no_part_of_it(make_clip, settings, tmp_path):
    jobs = [Job(make_clip("a.mp4"), tmp_path / "there.mp4")]
    jobs[0].output.write_text("mine")
    skipping = JobSettings(settings.style, write=WriteSettings(skip_existing=True))
    assert forecast(jobs, skipping, "cpu") == []


def test_time_of_the_network_is_unknown_where_it_does_not_run(make_clip, settings, tmp_path):
    job = Job(make_clip("a.mp4"), tmp_path / "o.mp4")
    untouched = JobSettings(settings.style, strength=0)
    assert forecast([job], untouched, "cpu")[0].seconds is None


def test_the_sum_over_what_would_be_done():
    whole = total([KNOWN, KNOWN, FAILING], devices=2)
    assert (whole.clips, whole.failing, whole.frames, whole.seconds) == (2, 1, 200, 8.0)


def test_the_sum_is_unknown_where_a_part_is():
    whole = total([KNOWN, UNKNOWN], devices=1)
    assert (whole.clips, whole.frames, whole.seconds) == (2, None, None)


def test_a_disk_must_hold_all_clips_and_the_segments_of_those_under_way(tmp_path):
    job = Job(Path("a.mp4"), tmp_path / "a.mp4")
    clips = [Forecast(job, disk=Disk(1000, size)) for size in (600, 700, 500)]
    [room] = rooms([*clips, FAILING, UNKNOWN], at_a_time=2)
    assert room.needed == 3000 + 700 + 600
    assert room.enough


def test_lines_for_people():
    clips = [KNOWN, UNKNOWN, FAILING]
    told = list(lines(clips, total(clips, 1), [DiskSpace("out", 2_000_000, 1_000_000)]))
    assert told == [
        "a.mp4 -> out/a.mp4",
        "    about 100 frames of 96x64, 8 s of stylization, about 1 kB of disk",
        "a.mp4 -> out/a.mp4",
        "    unknown frames of 96x64, unknown time, unknown of disk",
        "a.mp4 -> out/a.mp4",
        "    would fail: a.mp4: no such file",
        "2 to do, 1 would fail; unknown frames, unknown time",
        "disk of out: about 2 MB needed, 1 MB free: not enough",
    ]
