"""Reports of a batch: events that keep to their schema, lines for people, the exit status."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from brushreel.batch.clips.report import ClipReport
from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.plan import Job
from brushreel.batch.reporting import progress
from brushreel.batch.reporting.events import (
    BatchInterrupted,
    ClipDone,
    ClipFailed,
    ClipKept,
    ClipProgress,
    ClipResumed,
    ClipSkipped,
    ClipStarted,
)
from brushreel.batch.reporting.ndjson import JsonReporter
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.reporting.reporter import Reporters
from brushreel.batch.run import BatchResult, begin, finish, run_batch
from brushreel.core.clips.clip_info import ClipInfo
from brushreel.core.clips.media import probe
from brushreel.core.errors import BrushreelError, MediaError, OutputError, UsageError

SCHEMA = Path(__file__).parents[3] / "docs" / "events.schema.json"
DROPPING = WriteSettings(drop_unsupported=True)
JOB = Job(Path("a.mp4"), Path("out/a.mp4"))
REPORT = ClipReport(
    JOB.source,
    JOB.output,
    10,
    1,
    2.0,
    ("transparency is not kept",),
    {"decode": 0.5, "stylize": 1.5},
)


@pytest.fixture
def events(capsys) -> Callable[[], list[dict]]:
    """The events printed so far, each held against the schema."""
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))

    def printed() -> list[dict]:
        made = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        for event in made:
            validator.validate(event)
        return made

    return printed


@pytest.fixture
def info(make_clip, sound) -> ClipInfo:
    return probe(make_clip(sounds=(sound(),)))


def of_length(info: ClipInfo, frames: int | None) -> ClipInfo:
    return replace(info, video=replace(info.video, frames=frames))


def names(made: list[dict]) -> list[str]:
    return [event["event"] for event in made]


def test_events_of_a_batch_in_their_order(make_clip, sound, painter, tmp_path, events):
    good = Job(make_clip("a.mp4", sounds=(sound(),)), tmp_path / "out" / "a.mp4")
    missing = Job(tmp_path / "none.mp4", tmp_path / "out" / "none.mp4")
    late = Job(make_clip("c.mkv", subtitles=["hello"]), tmp_path / "out" / "c.mp4")
    result = run_batch([good, missing, late], painter, JsonReporter(), write=DROPPING)
    made = events()
    assert names(made) == [
        "batch_started",
        *("clip_started", *["clip_progress"] * 10, "clip_done"),
        "clip_failed",
        *("clip_started", *["clip_progress"] * 10, "clip_done"),
        "batch_finished",
    ]
    assert made.pop(0)["clips"] == 3
    started, done, failed = made[0], made[11], made[12]
    assert started["input"] == str(good.source)
    assert started["output"] == str(good.output)
    assert (started["width"], started["height"], started["frame_rate"]) == (96, 64, "25")
    assert (started["frames_expected"], started["audio_tracks"]) == (10, 1)
    assert [event["frames"] for event in made[1:11]] == list(range(1, 11))
    assert (done["frames"], done["audio_tracks"], done["warnings"]) == (10, 1, [])
    assert {"decode", "stylize", "encode", "verify"} <= done["stages"].keys()
    assert failed["input"] == str(missing.source)
    assert (failed["error"], failed["what"]) == ("MediaError", "no such file")
    assert "subtitle" in made[13]["warnings"][0]
    assert made[-2]["warnings"] == made[13]["warnings"]
    assert made[-1] | {"done": 2, "failed": 1, "exit_status": 1} == made[-1]
    assert (len(result.done), len(result.failed), result.exit_status) == (2, 1, 1)


@pytest.mark.parametrize("frames", [1, 99, 100, 199, 1000, 1999])
def test_progress_comes_at_most_once_per_percent(info, events, frames):
    reporter = JsonReporter()
    reporter.handle(ClipStarted.of(JOB.clip, of_length(info, frames), ()))
    for count in range(1, frames + 1):
        reporter.handle(ClipProgress(*JOB.clip, count))
    made = events()[1:]
    assert min(frames, 50) <= len(made) <= 100
    assert names(made) == ["clip_progress"] * len(made)


@pytest.mark.parametrize("frames", [None, 0])
def test_progress_of_a_clip_of_unknown_length(info, events, frames):
    reporter = JsonReporter()
    reporter.handle(ClipStarted.of(JOB.clip, of_length(info, frames), ()))
    reporter.handle(ClipProgress(*JOB.clip, 1))
    assert [event.get("frames") for event in events()] == [None, 1]


def test_an_error_of_every_kind_keeps_to_the_schema(events):
    reporter = JsonReporter()
    for kind in (BrushreelError, UsageError, MediaError, OutputError):
        reporter.handle(
            ClipFailed.of(JOB.clip, kind('no "way"\nout', path="ü.mp4", hint="try again"))
        )
        reporter.handle(ClipFailed.of(JOB.clip, kind("no way out")))
    made = events()
    assert {event["error"] for event in made} == {
        *("BrushreelError", "UsageError", "MediaError", "OutputError")
    }
    assert made[0]["hint"] == "try again"
    assert made[1]["hint"] is None


def test_interrupted_names_the_clips_under_way(info, events):
    reporter = Reporters(JsonReporter())
    second = Job(Path("b.mp4"), Path("out/b.mp4"))
    reporter.interrupt()
    reporter.handle(ClipStarted.of(JOB.clip, info, ()))
    reporter.handle(ClipStarted.of(second.clip, info, ()))
    reporter.interrupt()
    reporter.handle(ClipDone.of(REPORT))
    reporter.handle(ClipFailed.of(second.clip, MediaError("")))
    reporter.interrupt()
    named = [event["unfinished"] for event in events() if event["event"] == "batch_interrupted"]
    assert named == [[], ["a.mp4", "b.mp4"], []]


def test_progress_of_two_clips_at_a_time_is_told_apart(info, events):
    reporter = JsonReporter()
    second = Job(Path("b.mp4"), Path("out/b.mp4"))
    reporter.handle(ClipStarted.of(JOB.clip, of_length(info, 1000), ()))
    reporter.handle(ClipStarted.of(second.clip, of_length(info, 2000), ()))
    for count in range(1, 41):
        reporter.handle(ClipProgress(*JOB.clip, count))
        reporter.handle(ClipProgress(*second.clip, count))
    made = [(event["input"], event["frames"]) for event in events()[2:]]
    assert made == [
        ("a.mp4", 10),
        ("a.mp4", 20),
        ("b.mp4", 20),
        ("a.mp4", 30),
        ("a.mp4", 40),
        ("b.mp4", 40),
    ]


def test_events_of_a_clip_that_goes_on_is_stopped_or_is_skipped(info, events):
    reporter = JsonReporter()
    reporter.handle(ClipStarted.of(JOB.clip, info, ()))
    reporter.handle(ClipResumed(*JOB.clip, 4))
    reporter.handle(ClipKept(*JOB.clip, Path("out/.a.mp4.brushreel"), 8))
    reporter.handle(ClipSkipped(*JOB.clip))
    _, resumed, kept, skipped = events()
    assert (resumed["event"], resumed["frames"]) == ("clip_resumed", 4)
    assert (kept["event"], kept["frames"]) == ("clip_kept", 8)
    assert kept["folder"].endswith(".a.mp4.brushreel")
    assert skipped["event"] == "clip_skipped"


def test_stages_are_parts_of_the_clip_s_time():
    assert ClipDone.of(REPORT).stages == {"decode": 0.25, "stylize": 0.75}


@pytest.mark.parametrize(
    ("done", "errors", "status"),
    [
        (1, [], 0),
        (0, [MediaError("")], 1),
        (1, [MediaError("")], 1),
        (1, [UsageError("")], 1),
        (0, [UsageError("")], 2),
        (0, [UsageError(""), MediaError("")], 1),
    ],
)
def test_exit_status(done, errors, status):
    result = BatchResult([REPORT] * done, [(JOB, error) for error in errors])
    assert result.exit_status == status


def test_people_read_stderr_and_stdout_stays_empty(
    make_clip, painter, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(progress, "on_terminal", lambda stream: True)
    clips = [make_clip("a.mkv", subtitles=["x"]), make_clip("b.mp4"), tmp_path / "none.mp4"]
    jobs = [Job(clip, tmp_path / "out" / f"{clip.stem}.mp4") for clip in clips]
    run_batch(jobs, painter, TerminalReporter(), write=DROPPING)
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.replace("\r", "\n").splitlines()
    assert any("subtitle" in line and str(clips[0]) in line for line in lines)
    assert any(line.startswith("b.mp4") and "10/10" in line for line in lines)
    assert any(line.startswith(f"{jobs[0].output}: 10 frames") for line in lines)
    assert f"brushreel: {clips[2]}: no such file" in lines
    assert any(line.startswith("  done ") and str(jobs[0].output) in line for line in lines)
    assert all("%" in line for line in lines if line.startswith("  done "))
    assert any(line.startswith("  failed ") and str(clips[2]) in line for line in lines)
    assert re.fullmatch(r"2 done, 1 failed, \d+ s", lines[-1])


def test_a_failure_keeps_its_hint_in_the_summary(capsys):
    reporter = TerminalReporter()
    second = Job(Path("b.mp4"), Path("out/b.mp4"))
    reporter.handle(begin([JOB, second]))
    error = OutputError("exists already", path=JOB.output, hint="--overwrite replaces it")
    reporter.handle(ClipFailed.of(JOB.clip, error))
    reporter.handle(ClipFailed.of(second.clip, MediaError("no such file", path="b.mp4")))
    reporter.handle(finish(BatchResult(failed=[(JOB, error), (second, error)])))
    lines = capsys.readouterr().err.splitlines()
    assert lines[-3:-1] == [
        "  failed  a.mp4: exists already (--overwrite replaces it)",
        "  failed  b.mp4: no such file",
    ]
    assert re.fullmatch(r"0 done, 2 failed, \d+ s", lines[-1])


def test_one_frame_is_one_frame_and_the_time_is_there(capsys):
    TerminalReporter().handle(ClipDone.of(replace(REPORT, frames=1, seconds=200.0)))
    assert capsys.readouterr().err.endswith(": 1 frame, 0.0 fps, 3 min\n")


def test_one_clip_needs_no_table(capsys):
    TerminalReporter().handle(finish(BatchResult([REPORT])))
    assert capsys.readouterr().err == ""


def test_interrupting_names_what_is_lost(info, capsys):
    reporter = TerminalReporter()
    reporter.handle(ClipStarted.of(JOB.clip, info, ()))
    reporter.handle(ClipProgress(*JOB.clip, 3))
    reporter.handle(BatchInterrupted())
    *_, clip, last = capsys.readouterr().err.splitlines()
    assert clip == "a.mp4: stopped at frame 3, nothing is kept of its first segment"
    assert last == "brushreel: interrupted; no unfinished file is left"


def test_interrupting_says_what_was_kept(info, capsys, monkeypatch):
    monkeypatch.setattr(progress, "on_terminal", lambda stream: True)
    reporter = TerminalReporter()
    reporter.handle(ClipStarted.of(JOB.clip, info, ()))
    reporter.handle(ClipResumed(*JOB.clip, 3))
    reporter.handle(ClipProgress(*JOB.clip, 5))
    reporter.handle(ClipKept(*JOB.clip, Path("out/.a.mp4.brushreel"), 4))
    reporter.handle(BatchInterrupted())
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    assert "a.mp4: continuing after frame 3, where it was stopped" in lines
    assert any("5/10" in line for line in lines)
    assert "a.mp4: stopped at frame 5, kept 4 in out/.a.mp4.brushreel" in lines
    assert lines[-1] == "brushreel: interrupted; the same command continues there"
    reporter.handle(ClipDone.of(REPORT))
    reporter.handle(BatchInterrupted())
    assert capsys.readouterr().err.endswith("; --skip-existing leaves what is done alone\n")


def test_a_folder_that_is_watched_needs_no_flag_to_go_on(capsys):
    reporter = TerminalReporter("what is done is remembered")
    reporter.handle(ClipDone.of(REPORT))
    reporter.handle(BatchInterrupted())
    assert capsys.readouterr().err.endswith(
        "no unfinished file is left; what is done is remembered\n"
    )


def test_several_reporters_hear_the_same(info, capsys):
    error = MediaError("no such file", path="a.mp4")
    both = Reporters(JsonReporter(), TerminalReporter())
    both.handle(begin([JOB]))
    both.handle(ClipStarted.of(JOB.clip, info, ("w",)))
    both.handle(ClipResumed(*JOB.clip, 1))
    both.handle(ClipProgress(*JOB.clip, 2))
    both.handle(ClipKept(*JOB.clip, Path("k"), 2))
    both.handle(ClipFailed.of(JOB.clip, error))
    both.handle(ClipSkipped(*JOB.clip))
    both.handle(ClipDone.of(REPORT))
    both.handle(finish(BatchResult([REPORT])))
    both.interrupt()
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 10
    for said in (
        "a.mp4: w",
        "continuing after frame 1",
        "no such file",
        "skipped",
        "10 frames",
        "kept",
    ):
        assert said in err


def test_what_comes_up_on_the_way_is_said_once(info, capsys):
    reporter = TerminalReporter()
    reporter.handle(ClipStarted.of(JOB.clip, info, ("transparency is not kept",)))
    reporter.handle(
        ClipDone.of(replace(REPORT, warnings=(*REPORT.warnings, "damaged in the source: 1 frame")))
    )
    said = capsys.readouterr().err
    assert (
        said.count("transparency is not kept")
        == said.count("a.mp4: damaged in the source: 1 frame")
        == 1
    )


def test_a_terminal_shows_opening_and_finishing(info, monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stderr", stream)
    reporter = TerminalReporter()
    reporter.handle(begin([JOB]))
    reporter.handle(ClipStarted.of(JOB.clip, info, ()))
    reporter.handle(ClipProgress(*JOB.clip, 10))
    reporter.handle(ClipDone.of(REPORT))
    drawn = [line.strip() for line in stream.getvalue().replace("\r", "\n").splitlines()]
    shown = [line for line in drawn if line]
    assert shown[0].startswith("opening the next clip ... 00:00")
    assert any(line.startswith("a.mp4, finishing: 100%") for line in shown)
    assert shown[-3].startswith("a.mp4: 100%")
    assert not any(line.startswith("opening") for line in shown[1:])


def test_a_line_a_minute_where_there_is_no_terminal(make_clip, capsys, monkeypatch):
    clock = iter(range(0, 100_000, 25))
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    path = make_clip()
    job, reporter = Job(path, path.with_name("out.mp4")), TerminalReporter()
    reporter.handle(begin([job]))
    reporter.handle(ClipStarted.of(job.clip, probe(path), ()))
    for number in range(1, 7):
        reporter.handle(ClipProgress(*job.clip, number))
    assert capsys.readouterr().err.splitlines() == [
        f"{path}: {number} of 10 frames" for number in (3, 6)
    ]


def test_clips_go_on_where_there_is_no_terminal_for_the_bar(info, capsys):
    reporter = TerminalReporter(one_bar=True)
    reporter.handle(begin([JOB]))
    reporter.handle(ClipStarted.of(JOB.clip, of_length(info, 10), ()))
    reporter.handle(ClipResumed(*JOB.clip, 4))
    assert "continuing after frame 4" in capsys.readouterr().err


def test_one_bar_for_all_clips(info, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    reporter = TerminalReporter(one_bar=True)
    jobs = [JOB, Job(Path("b.mp4"), Path("out/b.mp4"))]
    reporter.handle(begin(jobs))
    for job in jobs:
        reporter.handle(ClipStarted.of(job.clip, of_length(info, 10), ()))
    reporter.handle(ClipResumed(*jobs[1].clip, 4))
    reporter.handle(ClipProgress(*jobs[0].clip, 3))
    reporter.handle(ClipProgress(*jobs[1].clip, 6))
    common = reporter._common
    assert (common.n, common.total, common.initial) == (9, 20, 4)
    reporter.handle(ClipProgress(*jobs[0].clip, 10))
    reporter.handle(ClipDone.of(REPORT))
    reporter.handle(ClipKept(*jobs[1].clip, Path("out"), 6))
    reporter.handle(BatchInterrupted())
    shown = terminal.getvalue()
    assert "b.mp4: stopped at frame 6, kept 6 in out" in shown
    assert common.n == 16
    assert "all clips" in shown
