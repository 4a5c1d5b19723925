"""Filter graphs of ffmpeg-python, run by the FFmpeg that imageio-ffmpeg brings."""

from __future__ import annotations

import subprocess
from typing import Any

import ffmpeg
import imageio_ffmpeg

from ..core.errors import OutputError


def run_graph(graph: Any, content: bytes = b"") -> bytes:  # noqa: ANN401  it has no public type
    """Run a graph to its end.

    Args:
        graph: An output node of ffmpeg-python. Output files are overwritten.
        content: Bytes that FFmpeg reads at ``pipe:``.

    Returns:
        What it wrote to ``pipe:``.

    Raises:
        OutputError: There is no FFmpeg, or it failed; in its own last words.
    """
    arguments = [_executable(), "-nostdin", "-v", "error", "-y", *ffmpeg.get_args(graph)]
    # Feeds and drains all three pipes at once: none can fill up and block the others.
    ended = subprocess.run(arguments, input=content, capture_output=True, check=False)
    if ended.returncode != 0:
        words = ended.stderr.decode(errors="replace").strip().splitlines()
        last = words[-1] if words else f"it ended with status {ended.returncode}"
        raise OutputError(f"FFmpeg failed: {last}")
    return ended.stdout


def _executable() -> str:
    try:
        return imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise OutputError(
            "FFmpeg is not installed",
            hint="reinstall imageio-ffmpeg, or set IMAGEIO_FFMPEG_EXE to one",
        ) from error
