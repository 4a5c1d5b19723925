"""Filter graphs of ffmpeg-python, run by the FFmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
from typing import Any

import ffmpeg
import imageio_ffmpeg

from ..core.errors import OutputError

_log = logging.getLogger(__name__)


def run_graph(graph: Any, content: bytes = b"") -> bytes:  # noqa: ANN401  it has no public type
    """Run a graph to its end.

    Args:
        graph: An output node of ffmpeg-python. Output files are overwritten.
        content: Bytes that FFmpeg reads at ``pipe:``.

    Returns:
        What it wrote to ``pipe:``.

    Raises:
        OutputError: There is no FFmpeg, or it failed.
    """
    arguments = [executable(), "-nostdin", "-v", "error", "-y", *ffmpeg.get_args(graph)]
    # Feeds and drains all three pipes at once: none can fill up and block the others.
    ended = subprocess.run(arguments, input=content, capture_output=True, check=False)
    if ended.returncode != 0:
        said = ended.stderr.decode(errors="replace").strip()
        _log.debug("FFmpeg ended with status %d: %s", ended.returncode, said)
        raise OutputError.because(_cause(said), "FFmpeg fails", otherwise="it refuses the frames")
    return ended.stdout


def _cause(said: str) -> Exception:
    """Return the error of the system that FFmpeg names, if it does."""
    for number in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO, errno.ENOMEM):
        if os.strerror(number) in said:
            return OSError(number, said)
    return RuntimeError(said)


def executable() -> str:
    """Return the path of FFmpeg.

    Raises:
        OutputError: There is none.
    """
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise OutputError(
            "FFmpeg is not installed",
            hint="reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to one",
        ) from error
