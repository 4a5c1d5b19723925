"""The command, called as a program."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema

SCHEMA = Path(__file__).parents[2] / "docs" / "events.schema.json"
COMMAND = [sys.executable, "-m", "brushreel"]
PATIENCE = 180


def everything_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def validated(lines: str) -> list[dict]:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    events = [json.loads(line) for line in lines.splitlines()]
    for event in events:
        validator.validate(event)
    return events


def run_command(*arguments: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        timeout=PATIENCE,
        check=False,
        **options,
    )
