"""Connections over a Unix socket; shared memory is sent as a file descriptor (SCM_RIGHTS)."""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import select
import socket
import struct
import sys
from pathlib import Path

from ....core.errors import EditorError
from .protocol import message, read_message

REST_SECONDS = 5.0
"""Longest time from the first byte of a message to its last."""

_MAX_ADDRESS = 100
# From <linux/fcntl.h>; Python has no names for these.
_F_GET_SEALS, _F_SEAL_SHRINK = 1034, 2
# From <sys/un.h> of macOS: struct xucred starts with a version and the user.
_LOCAL_PEERCRED, _XUCRED_BYTES = 1, 76


class UnixChannel:
    """The connection of an effect."""

    def __init__(self, connection: socket.socket):
        self._socket = connection
        self._files: list[int] = []

    def wait(self, seconds: float | None) -> None:
        """Wait for the next message.

        Raises:
            EditorError: None arrives in time.
        """
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        if not poll.poll(None if seconds is None else seconds * 1000):
            raise EditorError("no message on the connection")

    def receive(self) -> tuple[int, bytes] | None:
        """Return kind and body of the next message; None when the other end has hung up.

        Raises:
            EditorError: The message is too long or stops in the middle.
        """
        self._close_files()
        self._socket.settimeout(REST_SECONDS)
        return read_message(self._exactly)

    def _exactly(self, size: int) -> bytes | None:
        received = b""
        while len(received) < size:
            try:
                flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
                part, files, _, _ = socket.recv_fds(self._socket, size - len(received), 1, flags)
            except TimeoutError as error:
                raise EditorError("a message is incomplete") from error
            except OSError:
                return None
            self._files += files
            if not part:
                return None
            received += part
        return received

    def send(self, kind: int, text: str) -> None:
        """Send an answer.

        Raises:
            OSError: The other end has hung up, or does not read.
        """
        self._socket.sendall(message(kind, text))

    def is_gone(self) -> bool:
        """Return whether the other end has hung up, or has sent something before its answer."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def map(self, size: int, _name: str, /) -> mmap.mmap:
        """Map the memory that came with the last message.

        Raises:
            EditorError: None came, or it is not shared memory of that size.
        """
        if len(self._files) != 1:
            raise EditorError("shared memory was announced but not sent")
        file = self._files[0]
        try:
            if os.fstat(file).st_size < size or not _is_fixed_size(file):
                raise EditorError("the file that was sent is not shared memory of that size")
            return mmap.mmap(file, size)
        except (OSError, ValueError) as error:
            raise EditorError.because(error, "shared memory can't be mapped") from error
        finally:
            self._close_files()

    def _close_files(self) -> None:
        while self._files:
            os.close(self._files.pop())

    def close(self) -> None:
        """Close the connection."""
        self._close_files()
        self._socket.close()


def _is_fixed_size(file: int) -> bool:
    """Return whether the memory can't shrink: touching a lost page would end the process.

    macOS never lets shared memory change its size; on Linux, seals tell it from other files.
    """
    if sys.platform != "linux":
        return True
    try:
        return bool(fcntl.fcntl(file, _F_GET_SEALS) & _F_SEAL_SHRINK)
    except OSError:
        return False


class UnixListener:
    """A socket that only this user can connect to.

    Args:
        folder: The private folder; sockets of killed servers are removed from it.

    Raises:
        EditorError: The socket can't be made.
    """

    def __init__(self, folder: Path):
        for old in folder.glob("socket-*"):
            old.unlink(missing_ok=True)
        # A new name each time: a client with an old rendezvous finds nobody, and reads again.
        self._path = folder / f"socket-{secrets.token_hex(4)}"
        self.address = str(self._path)
        if len(os.fsencode(self.address)) > _MAX_ADDRESS:
            raise EditorError("has too long a path for a socket", path=folder)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.bind(self.address)
            self._path.chmod(0o600)
            self._socket.listen(64)
        except OSError as error:
            self.close()
            raise EditorError.because(error, "no socket can be opened", path=folder) from error

    def accept(self, seconds: float) -> UnixChannel | None:
        """Return the next connection of this user; None if there is none in that time."""
        self._socket.settimeout(seconds)
        try:
            connection, _ = self._socket.accept()
        except OSError:  # no client, one that hung up, or no descriptors left
            return None
        if _user_of(connection) != os.geteuid():
            connection.close()
            return None
        return UnixChannel(connection)

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()
        self._path.unlink(missing_ok=True)


def _user_of(connection: socket.socket) -> int:
    if sys.platform == "linux":
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        return struct.unpack("3i", raw)[1]
    raw = connection.getsockopt(0, _LOCAL_PEERCRED, _XUCRED_BYTES)
    return struct.unpack_from("II", raw)[1]
