"""The C library's memory allocator, set for frames."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8
_NEVER = 2**31 - 1
_LARGE, _DEFAULT_MMAP_MAX = 32 * 2**20, 65536


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next allocation instead of giving it back.

    Activations of a frame are megabytes each; by default glibc maps every one anew and the kernel
    fills it with zeros page by page, a third of the time of a training step on a CPU. Threads share
    one arena, so that what one has freed the next one finds; with one arena each, memory that is
    never given back grows with the length of a clip. Elsewhere than on glibc nothing happens.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_TOP_PAD, 64 * 2**20)
        mallopt(_M_ARENA_MAX, 1)


def give_back_large_blocks() -> None:
    """Give what is kept back, and from now on all that was 32 MiB or more as soon as it is freed.

    For frames so large that memory is short: what lies unused between the planes of one, and just
    misses fitting the next, is more than a frame.
    """
    mallopt, malloc_trim = _of_glibc("mallopt"), _of_glibc("malloc_trim")
    if mallopt and malloc_trim:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        malloc_trim(0)


def _of_glibc(function: str) -> Callable[..., int] | None:
    """None where there is no such function."""
    return getattr(ctypes.CDLL(None), function, None) if sys.platform.startswith("linux") else None
