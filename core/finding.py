"""Findings about this machine or an installation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

Status = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        subject: What was examined.
        status: "ok"; "missing" is fine for what is optional; "broken" needs a fix.
        detail: What was found.
        fix: The remedy; None where the status is "ok", or "missing" and nothing can be done.
    """

    subject: str
    status: Status
    detail: str
    fix: str | None = None


def json_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield each finding as a JSON object."""
    for finding in findings:
        yield json.dumps(asdict(finding))


def lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the report for people: a verdict, what is broken, what is there, what could be added.

    What is missing and has no remedy here, such as encoders of other hardware, is one line.
    """
    broken = [finding for finding in findings if finding.status == "broken"]
    names = ", ".join(finding.subject for finding in broken)
    yield f"broken: {names}" if broken else "all is well: everything that is needed works"
    for status, shown in (("broken", "broken"), ("ok", "ok"), ("missing", "optional")):
        for finding in findings:
            if finding.status == status and (status != "missing" or finding.fix):
                fix = f"  -> {finding.fix}" if finding.fix else ""
                yield f"{shown:<8} {finding.subject:<12} {finding.detail}{fix}"
    others = [item.subject for item in findings if item.status == "missing" and not item.fix]
    if others:
        yield f"not on this machine, and not needed: {', '.join(others)} (--json says why)"
