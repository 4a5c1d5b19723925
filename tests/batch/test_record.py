"""The report file and the log file."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import jsonschema
import pytest

from housestyle.batch.plan import Job
from housestyle.batch.record import LogReporter, ReportFile, log_file
from housestyle.batch.report import Reporters, TerminalReporter
from housestyle.batch.run import Writing, run_batch
from housestyle.core.errors import OutputError

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


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
    writing, reporter = Writing(), ReportFile(path, {"codec": "auto", "crf": None})
    run_batch(jobs, painter, writing, reporter, fail_fast=True)
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

    def begins(self, jobs):
        self._look()

    def started(self, job, info, warnings):
        super().started(job, info, warnings)
        self._look()

    def failed(self, job, error):
        self._look()


def test_the_report_is_whole_at_every_moment(jobs, painter, tmp_path):
    path = tmp_path / "report.json"
    looking = ReadsAlong(path)
    run_batch(jobs, painter, Writing(), Reporters(ReportFile(path, {}), looking))
    assert looking.seen == [
        ["not started", "not started"],
        ["unfinished", "not started"],
        ["done", "failed"],
    ]


def test_the_report_of_a_batch_that_was_interrupted(jobs, tmp_path):
    path = tmp_path / "report.json"
    reporter = ReportFile(path, {})
    assert read(path)["clips"] == []
    reporter.begins(jobs)
    reporter.skipped(jobs[1])
    reporter.kept(jobs[0], tmp_path, 7)
    reporter.interrupted()
    report = read(path)
    assert report["exit_status"] == 130
    assert [clip["status"] for clip in report["clips"]] == ["unfinished", "skipped"]
    assert report["clips"][0]["frames"] == 7


def test_a_report_that_can_t_be_written_stops_the_batch_before_it_begins(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="can't be written"):
        ReportFile(tmp_path / "file" / "report.json", {})


def test_the_log_says_what_happened_when(jobs, painter, tmp_path):
    path = tmp_path / "logs" / "night.log"
    for _ in range(2):
        with log_file(path):
            run_batch(jobs, painter, Writing(overwrite=True), LogReporter())
    text = path.read_text(encoding="utf-8")
    assert text.count("clips to do: 2") == 2
    assert f"{jobs[0].source}: h264, 96x64, started" in text
    assert f"{jobs[0].output}: done: " in text
    assert f"INFO {jobs[1].source}: failed: no such file" in text
    assert all(line[:2] == "20" for line in text.splitlines())


def test_the_log_holds_the_traceback_of_what_nobody_foresaw(jobs, painter, tmp_path, monkeypatch):
    def gone(*_args, **_options):
        raise RuntimeError("the driver is gone")

    monkeypatch.setattr("housestyle.batch.run.convert", gone)
    with log_file(tmp_path / "log"):
        run_batch(jobs[:1], painter, Writing(), LogReporter())
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
