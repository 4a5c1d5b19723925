"""Events of a run, as programs read them, and the frames as trained so far that they name."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from brushreel.training.reporting import ndjson
from brushreel.training.reporting.ndjson import TrainingEvents
from brushreel.training.trainer import CHECKPOINT

DOCUMENT = Path(__file__).parents[3] / "docs" / "training.md"


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def documented() -> dict[str, set[str]]:
    """Return the fields of each event as the document has them."""
    rows = re.findall(r"^\| `(training_\w+)` \| (.*?) \|", DOCUMENT.read_text(), re.MULTILINE)
    return {event: set(re.findall(r"`(\w+)`", fields)) for event, fields in rows}


@pytest.fixture
def told(run, tmp_path, capsys, monkeypatch, unmeasured) -> list[dict]:
    """Events of a run whose every step is worth a line and a picture."""
    monkeypatch.setattr(ndjson, "PACE", 0.0)
    monkeypatch.setattr(ndjson, "PICTURE_PACE", 0.0)
    run(iterations=20, events=TrainingEvents(tmp_path / "run"))
    return lines(capsys.readouterr().out)


def test_events_tell_a_run_from_its_start_to_the_style(told, tmp_path):
    assert [event["event"] for event in (told[0], told[-1])] == [
        "training_started",
        "training_finished",
    ]
    assert (told[0]["name"], told[0]["step"], told[0]["steps"]) == ("new", 0, 20)
    progress = [event for event in told if event["event"] == "training_progress"]
    assert [event["step"] for event in progress] == [*range(1, 21)]
    assert progress[0]["losses"] is None
    assert progress[-1]["losses"]["style"] > 0
    assert told[-1]["style"] == str(tmp_path / "run" / "new.safetensors")
    fields = {event["event"]: event.keys() - {"version", "event"} for event in told}
    table = documented()
    assert table.pop("training_interrupted") == {"checkpoint"}
    assert fields == table


def test_frames_change_as_it_is_trained(run, tmp_path, monkeypatch, unmeasured):
    monkeypatch.setattr(ndjson, "PICTURE_PACE", 0.0)
    events, seen = TrainingEvents(tmp_path / "run"), []
    monkeypatch.setattr(
        events, "_print", lambda event, **fields: seen.append((event, fields, _pictures(fields)))
    )
    run(iterations=3, events=events)
    shown = [(fields, pictures) for event, fields, pictures in seen if event == "training_frames"]
    assert [fields["step"] for fields, _ in shown] == [0, 1, 2, 3]
    assert {fields["frames"][0]["clip"] for fields, _ in shown} == {"pan.mkv"}
    (before, first), *_, (same, last) = (pictures for _, pictures in shown)
    with Image.open(shown[0][0]["frames"][0]["before"]) as image:
        assert image.size == (112, 80)
    assert before == same
    assert first != last


def _pictures(fields: dict) -> list[bytes]:
    rows = fields.get("frames", [])
    return [Path(row[side]).read_bytes() for row in rows for side in ("before", "after")]


class _Gone:
    """A stream whose reader is gone."""

    def write(self, _text: str) -> None:
        raise BrokenPipeError

    def flush(self) -> None:
        return


def test_run_whose_reader_is_gone_is_kept(run, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", _Gone())
    with pytest.raises(KeyboardInterrupt):
        run(events=TrainingEvents(tmp_path / "run"))
    assert (tmp_path / "run" / CHECKPOINT).exists()
