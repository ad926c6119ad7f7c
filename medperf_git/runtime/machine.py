"""What this machine has: processors, memory, graphics processors.

Reads the kernel's own files, within what a control group or an affinity mask leaves us. Changes
nothing.

Example:
    >>> cpus() >= 1 and memory_mb() > 0
    True
"""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.runtime.limits import MIB

_KIB: Final = 1024
_RESERVE: Final = 0.1
"""Part of the free memory that stays with the system and with us."""
_GROUP_LIMITS: Final = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_GPU: Final = re.compile(r"nvidia([0-9]+)")


def cpus() -> int:
    """Processors that we may use."""
    return len(os.sched_getaffinity(0))


def memory_mb(meminfo: Path = Path("/proc/meminfo")) -> int:
    """MiB of memory that tasks may take together: what is free now, but for a reserve."""
    free = _available(meminfo)
    for name in _GROUP_LIMITS:
        with suppress(OSError, ValueError):
            free = min(free, int(Path(name).read_text()))
    return max(1, int(free * (1 - _RESERVE)) // MIB)


def gpus(devices: Path = Path("/dev")) -> tuple[str, ...]:
    """NVIDIA's graphics processors by their numbers, as its driver and every engine name them."""
    found = []
    with suppress(OSError):
        found = [match[1] for at in devices.iterdir() if (match := _GPU.fullmatch(at.name))]
    return tuple(sorted(found, key=int))


def _available(meminfo: Path) -> int:
    with suppress(OSError, ValueError, IndexError):
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * _KIB
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
