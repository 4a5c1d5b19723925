"""Findings about this machine or an installation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "missing", "broken"]


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report.

    Attributes:
        subject: What was examined.
        status: "ok"; "missing" is fine for what is optional; "broken" needs a fix.
        detail: What was found.
        fix: The remedy where the status is not "ok".
    """

    subject: str
    status: Status
    detail: str
    fix: str | None = None
