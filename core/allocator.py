"""Settings of the C library's memory allocator that suit frames."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

# <malloc.h> of glibc.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -3, -4, -8
_NEVER = 2**31 - 1
_LARGE, _DEFAULT_MMAP_MAX = 8 * 2**20, 65536


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next allocation instead of giving it back.

    Activations of a frame take megabytes each; by default glibc maps new pages for every one and
    the kernel fills them with zeros, a third of the time of a training step on a CPU. Threads share
    one arena, so that one can use what another has freed; with an arena each, memory grows with
    the length of a clip. Without glibc nothing happens.
    """
    mallopt = _glibc_function("mallopt")
    if mallopt:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, _NEVER)
        mallopt(_M_TOP_PAD, 64 * 2**20)
        mallopt(_M_ARENA_MAX, 1)


def give_back_large_blocks() -> None:
    """Give kept memory back, and from now on blocks of 8 MiB or more as soon as they are freed.

    Large frames need this: the gaps that their planes leave, each a little too small for the next
    one, add up to more than a frame. And encoders ask for far more memory than they use; of what
    was used before, all of it is resident.
    """
    mallopt, malloc_trim = _glibc_function("mallopt"), _glibc_function("malloc_trim")
    if mallopt and malloc_trim:
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_MMAP_MAX, _DEFAULT_MMAP_MAX)
        malloc_trim(0)


def _glibc_function(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None where there is none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None
