"""The report file and the log file."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import jsonschema
import pytest

from brushreel.batch.clips.settings import WriteSettings
from brushreel.batch.plan import Job
from brushreel.batch.reporting.events import (
    BatchInterrupted,
    BatchStarted,
    ClipFailed,
    ClipKept,
    ClipSkipped,
    ClipStarted,
    Event,
)
from brushreel.batch.reporting.log import LogReporter, log_file
from brushreel.batch.reporting.progress import TerminalReporter
from brushreel.batch.reporting.report_file import ReportFile, check_records
from brushreel.batch.reporting.reporter import Reporters
from brushreel.batch.run import begin, run_batch
from brushreel.cli import main
from brushreel.core.errors import OutputError, UsageError

SCHEMA = Path(__file__).parents[3] / "docs" / "report.schema.json"


def read(path: Path) -> dict:
    report = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8"))).validate(report)
    return report


@pytest.fixture
def jobs(make_clip, sound, tmp_path) -> list[Job]:
    sources = [make_clip("a.mp4", sounds=(sound(),)), tmp_path / "none.mp4"]
    return [Job(source, tmp_path / "out" / source.name) for source in sources]


def test_the_report_of_a_batch(jobs, painter, tmp_path):
    path = tmp_path / "new" / "report.json"
    writing, reporter = WriteSettings(), ReportFile(path, {"codec": "auto", "crf": None})
    run_batch(jobs, painter, reporter, fail_fast=True, write=writing)
    report = read(path)
    assert (report["exit_status"], report["settings"]) == (1, {"codec": "auto", "crf": None})
    assert report["finished"] >= report["started"]
    done, failed = report["clips"]
    assert (done["input"], done["output"]) == (str(jobs[0].source), str(jobs[0].output))
    assert (done["status"], done["frames"], done["audio_tracks"]) == ("done", 10, 1)
    assert done["fps"] == pytest.approx(10 / done["seconds"], rel=0.01)
    assert {"decode", "stylize", "encode", "verify"} <= done["stages"].keys()
    assert 0 < done["stages"]["stylize"] < 1
    assert done["error"] is None
    assert (failed["status"], failed["frames"]) == ("failed", None)
    assert failed["error"]["what"] == "no such file"


class ReadsAlong(TerminalReporter):
    """Looks into the report file at every event."""

    def __init__(self, path: Path):
        super().__init__()
        self.seen: list[list[str]] = []
        self._path = path

    def _look(self) -> None:
        self.seen.append([clip["status"] for clip in read(self._path)["clips"]])

    def handle(self, event: Event) -> None:
        super().handle(event)
        if isinstance(event, BatchStarted | ClipStarted | ClipFailed):
            self._look()


def test_the_report_is_whole_at_every_moment(jobs, painter, tmp_path):
    path = tmp_path / "report.json"
    looking = ReadsAlong(path)
    run_batch(jobs, painter, Reporters(ReportFile(path, {}), looking))
    assert looking.seen == [
        ["not started", "not started"],
        ["unfinished", "not started"],
        ["done", "failed"],
    ]


def test_the_report_of_a_batch_that_was_interrupted(jobs, tmp_path):
    path = tmp_path / "report.json"
    reporter = ReportFile(path, {})
    assert read(path)["clips"] == []
    reporter.handle(begin(jobs))
    reporter.handle(ClipSkipped(*jobs[1].clip))
    reporter.handle(ClipKept(jobs[0].source, jobs[0].output, tmp_path, 7))
    reporter.handle(BatchInterrupted())
    report = read(path)
    assert report["exit_status"] == 130
    assert [clip["status"] for clip in report["clips"]] == ["unfinished", "skipped"]
    assert report["clips"][0]["frames"] == 7


def test_a_report_that_can_t_be_written_stops_the_batch_before_it_begins(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        ReportFile(tmp_path / "file" / "report.json", {})


def test_a_report_whose_folder_goes_away_costs_no_clip(jobs, painter, tmp_path, caplog):
    path = tmp_path / "share" / "report.json"

    class Gone(TerminalReporter):
        def handle(self, event: Event) -> None:
            super().handle(event)
            if isinstance(event, ClipStarted):
                shutil.rmtree(path.parent)
                path.parent.write_text("no folder")
            elif isinstance(event, ClipFailed):
                path.parent.unlink()

    result = run_batch(jobs, painter, Reporters(Gone(), ReportFile(path, {})))
    assert (len(result.done), len(result.failed)) == (1, 1)
    assert jobs[0].output.exists()
    assert f"{path}: can't be written" in caplog.text
    assert read(path)["exit_status"] == 1


@pytest.mark.parametrize(
    ("records", "wrong"),
    [
        (["a.mp4"], "a.mp4"),
        (["night.json", "B.MOV"], "B.MOV"),
        (["frame.png"], "frame.png"),
        (["odd"], "odd"),
        (["night.json", "x/../night.json"], "x/../night.json"),
    ],
)
def test_a_report_or_log_replaces_nothing_else(tmp_path, records, wrong):
    with pytest.raises(UsageError) as caught:
        check_records([tmp_path / name for name in records], [tmp_path / "odd"])
    assert caught.value.path == tmp_path / wrong
    check_records([tmp_path / "night.json", tmp_path / "night.log"], [tmp_path / "a.mp4"])


def test_a_clip_that_is_named_as_the_report_stays(make_clip, tmp_path, capsys):
    clip = make_clip("a.mp4")
    before = clip.read_bytes()
    for flag in ("--report", "--log"):
        words = ["stylize", str(clip), "-s", "wave", "-o", str(tmp_path / "b.mp4"), flag, str(clip)]
        assert main(words) == 2
        assert "unsupported extension for a report or log" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_the_log_says_what_happened_when(jobs, painter, tmp_path):
    path = tmp_path / "logs" / "night.log"
    for _ in range(2):
        with log_file(path):
            run_batch(jobs, painter, LogReporter(), write=WriteSettings(overwrite=True))
    text = path.read_text(encoding="utf-8")
    assert text.count("clips to do: 2") == 2
    assert f"{jobs[0].source}: h264, 96x64, started" in text
    assert f"{jobs[0].output}: done: " in text
    assert f"INFO {jobs[1].source}: failed: no such file" in text
    assert all(line[:2] == "20" for line in text.splitlines())


def test_the_log_holds_the_traceback_of_what_nobody_foresaw(jobs, painter, tmp_path, monkeypatch):
    def gone(*_args, **_options):
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr("brushreel.batch.run.convert_by", gone)
    with log_file(tmp_path / "log"):
        run_batch(jobs[:1], painter, LogReporter())
    text = (tmp_path / "log").read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "RuntimeError: the driver is gone" in text


def test_the_log_leaves_logging_as_it_was(tmp_path):
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    root.setLevel(logging.ERROR)
    try:
        with log_file(tmp_path / "log"):
            assert root.level == logging.INFO
        assert (root.level, list(root.handlers)) == (logging.ERROR, handlers)
    finally:
        root.setLevel(level)


def test_a_log_that_can_t_be_written(tmp_path):
    with pytest.raises(OutputError, match="can't be written"), log_file(tmp_path):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_log_on_a_full_disk_is_one_line(jobs, painter, capsys):
    with log_file(Path("/dev/full")):
        run_batch(jobs, painter, LogReporter())
    said = capsys.readouterr().err
    assert said.count("/dev/full: can't be written") == 1
    assert "Traceback" not in said
    assert jobs[0].output.exists()
