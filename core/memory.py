"""Memory left for frames, and errors that say it ran out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
# A container's limit and its use, in versions 2 and 1 of Linux's control groups.
_GROUPS = (
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
    ),
)
_SIGNS = ("out of memory", "can't allocate memory", "bad_alloc", "not enough memory")


def free_memory(device: torch.device) -> int | None:
    """Return the bytes of a device's memory left for this process; None where not known."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    found = [_available(), *(_left_in_group(*paths) for paths in _GROUPS)]
    return min((count for count in found if count is not None), default=None)


def is_shortage(error: BaseException) -> bool:
    """Return whether an exception of a runtime says that memory ran out."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error).lower() for sign in _SIGNS)


def _available() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _left_in_group(limit: Path, used: Path) -> int | None:
    # Without a limit the file says "max", or a number beyond any memory.
    with suppress(OSError, ValueError):
        in_use = int(used.read_text()) - _reclaimable(used.with_name("memory.stat"))
        return max(0, int(limit.read_text()) - in_use)
    return None


def _reclaimable(stat: Path) -> int:
    """Return the bytes of files that Linux keeps in a group's memory until others need it."""
    with suppress(OSError, ValueError):
        counts = dict(line.split() for line in stat.read_text().splitlines())
        # Version 1 counts the groups inside under another name; version 2 always counts them.
        return int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
    return 0
