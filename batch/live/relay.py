"""Streams that PyAV's FFmpeg lacks, relayed by the FFmpeg that imageio-ffmpeg brings.

PyAV's wheels come without SRT. The relay copies bytes between the address and a pipe, and looks at
none of them: what they hold, a transport stream, is read or written here.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import IO

import av
import av.error
from av.container import InputContainer

from ..ffmpeg_process import executable
from .address import Address

# Bytes that are sent at a time: seven packets of a transport stream.
_CHUNK = 7 * 188
_BYTES = ["-f", "data", "-raw_packet_size", str(_CHUNK)]
_COPIED = ["-map", "0", "-c", "copy", "-f", "data", "-flush_packets", "1"]
# Seconds in which a relay may send what it still has.
_END_SECONDS = 5.0


def needs_relay(address: Address) -> bool:
    """Return whether PyAV's FFmpeg does not speak an address's protocol."""
    return address.scheme == "srt"


def _options(timeout: float) -> list[str]:
    return ["-timeout", str(round(timeout * 1e6)), "-connect_timeout", str(round(timeout * 1e3))]


def _started(arguments: list[str], *, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    command = [executable(), "-nostdin", "-v", "quiet", *arguments]
    # Of a session of its own: Ctrl-C is for the program, which ends the relay when it is done.
    return subprocess.Popen(
        command, stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL, start_new_session=True
    )


class InputRelay:
    """An opened input that is relayed.

    Attributes:
        container: PyAV's container.

    Args:
        address: The stream.
        timeout: Seconds that it may take to answer.

    Raises:
        FFmpegError: It does not answer, or is no video.
    """

    def __init__(self, address: Address, timeout: float):
        self._process = _started(
            [*_options(timeout), *_BYTES, "-i", address.text, *_COPIED, "pipe:1"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        try:
            container = av.open(self._process.stdout, format="mpegts", buffer_size=_CHUNK)
            assert isinstance(container, InputContainer)
            self.container = container
        except BaseException as error:
            self._kill()
            if isinstance(error, av.error.InvalidDataError | av.error.EOFError):
                # The relay ended without a byte.
                raise av.error.ExitError(0, "no answer") from error
            raise

    def close(self) -> None:
        """Close the container, and end the relay."""
        self._kill()
        self.container.close()

    def _kill(self) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class OutputRelay:
    """A pipe to a process that sends what is written.

    Args:
        address: Where it sends.
        timeout: Seconds that the other side may take to answer.
    """

    def __init__(self, address: Address, timeout: float):
        self._process = _started(
            [*_BYTES, "-i", "pipe:0", *_COPIED, *_options(timeout), address.text],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
        )

    @property
    def pipe(self) -> IO[bytes]:
        """The pipe that is written to."""
        assert self._process.stdin is not None
        return self._process.stdin

    def close(self) -> None:
        """Wait until it has sent what it still has, and end it."""
        with suppress(OSError):
            self.pipe.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
