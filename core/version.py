"""Version of Brushreel, and of what it runs on."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

__version__ = "0.2.0"

_ROOT = Path(__file__).parents[1]
_COMMIT = Path(__file__).with_name("commit.txt")
"""Written into what is built from a checkout."""


def version_lines() -> Iterator[str]:
    """Yield a line each on version, commit, Python, torch, FFmpeg and runtimes, without torch."""
    import av  # noqa: PLC0415  --help does not wait for it

    from .runtimes.kernels_library import has_amx, has_avx512  # noqa: PLC0415

    yield f"brushreel {__version__}"
    yield f"commit {commit() or 'unknown'}"
    yield f"Python {platform.python_version()}"
    yield f"torch {_installed('torch')}"
    yield f"FFmpeg {av.ffmpeg_version_info} (PyAV {av.__version__})"
    kernels = [name for name, has in (("amx", has_amx()), ("avx512", has_avx512())) if has]
    libraries = [f"{name} {_installed(name)}" for name in ("openvino", "onnxruntime")]
    yield f"runtimes: {', '.join([*kernels, 'torch', *libraries])}"


def commit(root: Path = _ROOT) -> str | None:
    """Return the commit of a checkout, or the one that this was built from; None if unknown.

    Args:
        root: The package's folder.
    """
    if not (root / ".git").exists():
        try:
            return _COMMIT.read_text(encoding="utf-8").strip() or None
        except OSError:
            return None
    try:
        git = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
        ended = subprocess.run(git, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return None
    return ended.stdout.strip() or None


def _installed(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
