"""The render server's private folder: who finds it there is the same user."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path

from platformdirs import user_data_path

from ....core.errors import EditorError
from .protocol import TOKEN_BYTES

RENDEZVOUS = "server"


def server_folder() -> Path:
    """Where it is; may not exist. native/system_*.c have the same rule."""
    if sys.platform == "win32":
        return user_data_path("brushreel", appauthor=False) / "serve"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if sys.platform != "darwin" and runtime.startswith("/"):
        return Path(runtime) / "brushreel"
    return Path(f"/tmp/brushreel-{os.geteuid()}")  # noqa: S108  checked by `make_private`


def make_private(folder: Path) -> None:
    """Make the folder, or make sure that it is this user's alone.

    On Windows it lies in the user's profile, which is.

    Raises:
        EditorError: It belongs to somebody else, is open to others, or can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise EditorError(f"can't be made: {error.strerror}", path=folder) from error
    if sys.platform == "win32":
        return
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
        raise EditorError("is not this user's own folder", path=folder, hint="remove it")
    if about.st_mode & 0o077:
        raise EditorError("is open to others", path=folder, hint=f"chmod 700 {folder}")


def write_rendezvous(folder: Path, address: str) -> bytes:
    """Tell effects where the server is, and what they have to know to be let in.

    Returns:
        The token.
    """
    token = secrets.token_hex(TOKEN_BYTES // 2)
    partial = folder / f".{RENDEZVOUS}.{os.getpid()}"
    partial.unlink(missing_ok=True)
    file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(file, "w", encoding="utf-8", newline="\n") as text:
        text.write(f"{address}\n{token}\n")
    partial.replace(folder / RENDEZVOUS)
    return token.encode()
