"""A user without an account, by a namespace of Linux."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

NOBODY = "54321"
"""A user that no machine has an account of."""


def namespace(*command: str, alone: Path | None = None) -> list[str]:
    """Return a command for a user without an account.

    Args:
        command: What that user runs.
        alone: The one folder that can be written to; None for all that the user may.
    """
    nobody = ["unshare", "--user", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
    if alone is None:
        return [*nobody, *command]
    mounts = 'mount --bind "$0" "$0" && mount -o remount,bind,ro / && for at in /tmp /var/tmp; do '
    mounts += 'case "$(stat -c %m "$at")" in /) ;; *) mount -o remount,bind,ro "$at";; esac; done'
    script = f'{mounts} && exec "$@"'
    root = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(alone)]
    return [*root, *nobody, *command]


@cache
def missing_namespaces() -> str:
    """Return why this machine has no namespaces for users; empty if it has."""
    if shutil.which("unshare") is None:
        return "needs unshare"
    with tempfile.TemporaryDirectory() as folder:
        command = namespace("true", alone=Path(folder))
        tried = subprocess.run(command, capture_output=True, check=False)
    return "" if tried.returncode == 0 else "this machine lets no one make a user namespace"
