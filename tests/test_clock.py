"""No test measures time: on a busy machine an assertion about seconds fails without a fault.

A deadline in a loop that waits for something is no measurement; it only ends a test that hangs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
CLOCKS = {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "time_ns"}
# A file is taken off when it is given a clock of its own, and none is added.
PENDING: set[str] = set()


def reads_clock(node: ast.AST, read: set[str]) -> bool:
    """Return whether an expression reads the clock or one of the names that were read from it."""
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            called = ast.unparse(part.func)
            if called in {"time", "time.time"} or called.split(".")[-1] in CLOCKS:
                return True
        if isinstance(part, ast.Name) and part.id in read:
            return True
    return False


def without_waiting(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below one, in order, without the bodies of while loops."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.While):
            yield child
            yield from without_waiting(child)


def measuring_asserts(tree: ast.AST) -> list[int]:
    """Return the lines of all assertions that depend on the clock."""
    lines = set()
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        read: set[str] = set()
        for node in without_waiting(function):
            if isinstance(node, ast.Assign) and reads_clock(node.value, read):
                read |= {ast.unparse(target) for target in node.targets}
            if isinstance(node, ast.Assert) and reads_clock(node.test, read):
                lines.add(node.lineno)
    return sorted(lines)


@pytest.mark.parametrize("path", sorted(TESTS.rglob("*.py")), ids=lambda path: path.name)
def test_no_assertion_depends_on_the_clock(path):
    if path.relative_to(TESTS).as_posix() not in PENDING:
        assert measuring_asserts(ast.parse(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        ("begun = time.monotonic()\n    work()\n    assert time.monotonic() - begun < 1", [4]),
        ("begun = perf_counter()\n    took = perf_counter() - begun\n    assert took < 1", [4]),
        (
            "end = time.monotonic() + 9\n    while wait():\n        assert time.monotonic() < end",
            [],
        ),
        ("at = clock()\n    assert at == 3", []),
    ],
)
def test_a_measurement_is_found(body, lines):
    assert measuring_asserts(ast.parse(f"def f():\n    {body}")) == lines
