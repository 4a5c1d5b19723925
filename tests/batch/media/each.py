"""A command for each damaged file, in a process of its own, and what came of each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import av.error

from .forked import End
from .fuzz import Outcome
from .mutate import Change, mutants

Command = Callable[[Path], list[str]]
"""The arguments of ``brushreel`` for a file."""
Check = Callable[[Path], None]
"""Reads what was written for a file without this package; raises where it can't be read."""

_MEGABYTES = 4000
# Texts of libraries, of the system and of Python; "unexpected" is this program's for whatever it
# did not foresee.
_FOREIGN = re.compile(
    "|".join(
        [
            *(re.escape(av.error.ErrorType(kind).strerror) for kind in av.error.ErrorType),  # type: ignore[attr-defined]
            *(re.escape(os.strerror(number)) for number in range(1, 134)),
            *("Traceback", r"\[Errno", r" @ 0x", "NoneType", r"<class '", " object at ", "libpng"),
            *("TIFF[A-Z]", "invalid literal", "unpack requires", "out of range", "not well-formed"),
            *("unexpected", "codec can't", "Expecting", "cannot identify", "broken data stream"),
            *(
                "Unknown error",
                "mismatched tag",
                "no element found",
                "std::",
                "IEX",
                "[Ee]xception",
            ),
        ]
    )
)


def fuzz_each(
    folder: Path,
    whole: Mapping[str, bytes],
    command: Command,
    count: int,
    seed: int,
    *,
    changes: Sequence[Change] = (),
    written: Callable[[Path], Path] | None = None,
    check: Check = lambda _path: None,
) -> Outcome:
    """Damage files, run the command for each, and judge.

    Args:
        folder: An empty one.
        whole: Intact files by name.
        command: The command for a file.
        count: How many files.
        seed: Of the damage.
        changes: Kinds of damage that suit these files, besides those that suit any.
        written: What the command writes for a file, in a folder of its own; None for nothing.
        check: Reads that.
    """
    source = folder / "in"
    source.mkdir(parents=True)
    paths = mutants(source, whole, count, seed, changes)
    outcome = Outcome(len(paths))
    for path, end in zip(paths, _ends(map(command, paths)), strict=True):
        wrong = [*_wrong(end, folder)]
        output = None if written is None else written(path)
        if output is not None:
            output.parent.mkdir(parents=True, exist_ok=True)
            wrong += _wrong_output(output, end, check)
        outcome.wrong += [f"{path}: {what}" for what in wrong]
        if end.status == 0 or (output is not None and output.exists()):
            outcome.done += 1
        else:
            outcome.failed[_kind(end.said, path)] += 1
        if not wrong:
            path.unlink()
    return outcome


def _ends(commands: Iterable[list[str]]) -> Iterator[End]:
    script = Path(__file__).with_name("forked.py")
    with tempfile.TemporaryFile("w+") as file:
        file.writelines(f"{json.dumps(command)}\n" for command in commands)
        file.seek(0)
        with subprocess.Popen(
            [sys.executable, script], stdin=file, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            yield from (End(**json.loads(line)) for line in process.stdout)


def _wrong(end: End, folder: Path) -> Iterator[str]:
    if end.status not in (0, 1, 2):
        yield f"it ended with status {end.status} after {end.seconds:.0f} s"
    if end.megabytes > _MEGABYTES:
        yield f"it took {end.megabytes} MB"
    lines = end.said.splitlines()
    for line in [*lines, *end.printed.splitlines()]:
        if found := _FOREIGN.search(line):
            yield f"foreign words {found[0]!r} in: {line[:400]}"
    if end.status and not lines:
        yield "it failed without a word"
    elif end.status and lines[-1].startswith("brushreel: ") and str(folder) not in lines[-1]:
        yield f"no file is named in: {lines[-1][:400]}"


def _wrong_output(output: Path, end: End, check: Check) -> Iterator[str]:
    if output.exists():
        try:
            check(output)
        except Exception as error:  # noqa: BLE001  whatever the reader raises
            yield f"{output} can't be read: {error!r}"
    elif end.status == 0 and "not written" not in end.said:
        yield "nothing was written"
    left = [path for path in output.parent.iterdir() if path != output]
    if left:
        yield f"left behind: {', '.join(map(str, left))}"


def _kind(said: str, path: Path) -> str:
    """Return a message without what differs from file to file."""
    lines = [line for line in said.splitlines() if line.startswith("brushreel: ")]
    text = (lines or said.splitlines() or [""])[-1].removeprefix("brushreel: ")
    text = text.replace(str(path), "").partition(" (")[0]
    return " ".join(word for word in text.split() if not any(c.isdigit() for c in word))
