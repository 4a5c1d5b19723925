"""The events' fields, which code, docs/events.md and docs/events.schema.json agree on."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import get_args

import jsonschema
import pytest

from brushreel.batch.reporting.events import ClipResumed, Event, field_names

DOCS = Path(__file__).parents[3] / "docs"
SCHEMA = DOCS / "events.schema.json"
EVENTS = {event.name: event for event in get_args(Event)}


def test_the_schema_is_a_schema_and_strict():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    counts = {"done": 1, "failed": 0, "skipped": 0, "not_started": 0}
    good = {"version": 2, "event": "batch_finished", **counts, "exit_status": 0}
    assert validator.is_valid(good)
    for wrong in (
        {"version": 1},
        {"event": "batch_ended"},
        {"done": "1"},
        {"exit_status": 3},
        {"surplus": 1},
    ):
        assert not validator.is_valid(good | wrong)


def test_the_document_lists_every_event_with_its_fields():
    text = (DOCS / "events.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text, flags=re.MULTILINE)
    listed = {name: tuple(re.findall(r"`(\w+)`", fields)) for name, fields in rows}
    assert listed == {name: field_names(event) for name, event in EVENTS.items()}


def test_the_schema_has_every_event_with_its_fields():
    kinds = json.loads(SCHEMA.read_text(encoding="utf-8"))["oneOf"]
    found = {kind["properties"]["event"]["const"]: kind for kind in kinds}
    assert found.keys() == EVENTS.keys()
    for name, kind in found.items():
        fields = set(field_names(EVENTS[name]))
        assert set(kind["properties"]) - {"version", "event"} == fields
        assert set(kind["required"]) == fields
        assert not kind["additionalProperties"]


def test_events_can_not_be_changed():
    event = ClipResumed(Path("a.mp4"), Path("out/a.mp4"), 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.frames = 4  # type: ignore[misc]
    assert all(event.__dataclass_params__.frozen for event in EVENTS.values())
