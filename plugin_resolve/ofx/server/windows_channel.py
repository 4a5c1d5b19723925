"""Connections over a named pipe that only this user can open; shared memory is found by name."""

from __future__ import annotations

import sys

# Type checkers and linters on other systems have nothing to check here.
if sys.platform == "win32":
    import _winapi
    import ctypes
    import mmap
    import secrets
    from ctypes import wintypes
    from multiprocessing.connection import PipeConnection, wait
    from pathlib import Path

    from ....core.errors import EditorError
    from .protocol import MAX_MEMORY, message, read_message

    _ADVAPI = ctypes.WinDLL("advapi32", use_last_error=True)
    _KERNEL = ctypes.WinDLL("kernel32", use_last_error=True)
    _KERNEL.CreateNamedPipeW.restype = wintypes.HANDLE
    _KERNEL.LocalFree.argtypes = (ctypes.c_void_p,)
    _KERNEL.OpenFileMappingW.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.LPCWSTR)
    _KERNEL.OpenFileMappingW.restype = wintypes.HANDLE
    _OWNER_ONLY = "D:P(A;;GA;;;OW)"
    _BUFFER = 2**16
    _REJECT_REMOTE_CLIENTS = 0x8
    _FILE_MAP_ALL_ACCESS = 0xF001F

    class _SecurityAttributes(ctypes.Structure):
        _fields_ = (
            ("length", wintypes.DWORD),
            ("descriptor", ctypes.c_void_p),
            ("inherit", wintypes.BOOL),
        )

    class WindowsChannel:
        """The connection of an effect: a stream of bytes, like the Unix socket."""

        def __init__(self, pipe: int):
            self._pipe = pipe
            # Used by `wait` alone; bytes are read from the pipe directly.
            self._waiting = PipeConnection(pipe)

        def wait(self, seconds: float | None) -> None:
            """Wait for the next message.

            Raises:
                EditorError: None arrives in time.
            """
            if not wait([self._waiting], seconds):
                raise EditorError("no message on the connection")

        def receive(self) -> tuple[int, bytes] | None:
            """Return kind and body of the next message; None when the other end has hung up.

            Raises:
                EditorError: The message is too long.
            """
            return read_message(self._exactly)

        def _exactly(self, size: int) -> bytes | None:
            received = b""
            while len(received) < size:
                try:
                    reading, _ = _winapi.ReadFile(self._pipe, size - len(received), overlapped=True)
                    reading.GetOverlappedResult(True)
                except OSError:
                    return None
                received += reading.getbuffer() or b""
            return received

        def send(self, kind: int, text: str) -> None:
            """Send an answer.

            Raises:
                OSError: The other end has hung up.
            """
            writing, _ = _winapi.WriteFile(self._pipe, message(kind, text), overlapped=True)
            writing.GetOverlappedResult(True)

        def is_gone(self) -> bool:
            """Return whether the other end has hung up."""
            try:
                return bool(_winapi.PeekNamedPipe(self._pipe)[0])
            except OSError:
                return True

        def map(self, size: int, name: str, /) -> mmap.mmap:
            """Map the memory of a name.

            Raises:
                EditorError: The name is not an effect's, or there is no such memory.
            """
            if not name.startswith("Local\\brushreel-") or size > MAX_MEMORY:
                raise EditorError("the name is not that of an effect's shared memory")
            try:
                # `mmap` makes memory that it does not find: zeros, if the effect runs in another
                # login session. An open handle keeps the memory that was found.
                held = _KERNEL.OpenFileMappingW(_FILE_MAP_ALL_ACCESS, False, name)
                if not held:
                    raise ctypes.WinError(ctypes.get_last_error())
                try:
                    return mmap.mmap(-1, size, tagname=name)
                finally:
                    _winapi.CloseHandle(held)
            except OSError as error:
                raise EditorError.because(error, "shared memory can't be mapped") from error

        def close(self) -> None:
            """Close the connection."""
            self._waiting.close()

    class WindowsListener:
        """A pipe of a name that nobody can guess, open to its owner alone.

        Args:
            folder: The server's folder; not used here.

        Raises:
            EditorError: The pipe can't be made.
        """

        def __init__(self, folder: Path):
            del folder
            self.address = rf"\\.\pipe\brushreel-{secrets.token_hex(16)}"
            self._next = self._instance(first=True)
            self._connecting = _winapi.ConnectNamedPipe(self._next, overlapped=True)

        def _instance(self, *, first: bool) -> int:
            descriptor = ctypes.c_void_p()
            made = _ADVAPI.ConvertStringSecurityDescriptorToSecurityDescriptorW(
                _OWNER_ONLY, 1, ctypes.byref(descriptor), None
            )
            if not made:
                raise EditorError(f"a pipe can't be protected: error {ctypes.get_last_error()}")
            rights = _SecurityAttributes(ctypes.sizeof(_SecurityAttributes), descriptor, False)
            how = _winapi.PIPE_ACCESS_DUPLEX | _winapi.FILE_FLAG_OVERLAPPED
            if first:
                how |= _winapi.FILE_FLAG_FIRST_PIPE_INSTANCE
            pipe = _KERNEL.CreateNamedPipeW(
                self.address,
                how,
                _REJECT_REMOTE_CLIENTS,
                255,
                _BUFFER,
                _BUFFER,
                0,
                ctypes.byref(rights),
            )
            _KERNEL.LocalFree(descriptor)
            if pipe in (None, wintypes.HANDLE(-1).value):
                raise EditorError(f"a pipe can't be made: error {ctypes.get_last_error()}")
            return pipe

        def accept(self, seconds: float) -> WindowsChannel | None:
            """Return the next connection; None if there is none in that time."""
            event = self._connecting.event
            if _winapi.WaitForMultipleObjects([event], False, int(seconds * 1000)) != 0:
                return None
            channel = WindowsChannel(self._next)
            self._next = self._instance(first=False)
            self._connecting = _winapi.ConnectNamedPipe(self._next, overlapped=True)
            return channel

        def close(self) -> None:
            """Stop listening."""
            self._connecting.cancel()
            _winapi.CloseHandle(self._next)
