"""The C library's memory allocator, set for frames."""

from __future__ import annotations

import ctypes
import sys

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8
_NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next allocation instead of giving it back.

    Activations of a frame are megabytes each; by default glibc maps every one anew and the kernel
    fills it with zeros page by page, a third of the time of a training step on a CPU. Threads share
    one arena, so that what one has freed the next one finds; with one arena each, memory that is
    never given back grows with the length of a clip. Elsewhere than on glibc nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_TOP_PAD, 64 * 2**20)
        mallopt(_M_ARENA_MAX, 1)
