"""The render server's private folder, which only the same user can read."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from pathlib import Path

from ....core.errors import EditorError
from ....core.user_folders import data_folder
from .protocol import TOKEN_BYTES

RENDEZVOUS = "server"


def server_folder() -> Path:
    """Return the folder's path, as native/system_*.c do; it may not exist."""
    if sys.platform == "win32":
        return data_folder() / "serve"
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    if sys.platform != "darwin" and runtime.startswith("/"):
        return Path(runtime) / "brushreel"
    return Path(f"/tmp/brushreel-{os.geteuid()}")  # noqa: S108  checked by `make_private`


def make_private(folder: Path) -> None:
    """Make the folder, or check that only this user can access it.

    On Windows it is in the user's profile, which is private.

    Raises:
        EditorError: It belongs to somebody else, is open to others, or can't be made.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        about = folder.lstat()
    except OSError as error:
        raise EditorError.because(error, "can't be made", path=folder) from error
    if sys.platform == "win32":
        return
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.geteuid():
        raise EditorError("is not this user's own folder", path=folder, hint="remove it")
    if about.st_mode & 0o077:
        raise EditorError("is open to others", path=folder, hint=f"chmod 700 {folder}")


def write_rendezvous(folder: Path, address: str) -> bytes:
    """Write the server's address and the token that effects must send.

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
