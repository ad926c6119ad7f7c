"""A control group for one task: memory, processes and processors, enforced by the kernel.

Version 1 where its controllers are mounted and writable (root), version 2 where a group above
ours was delegated to us (systemd does so for users' sessions). Where neither is, `create`
gives a group that enforces nothing, and says so. Does not start or kill processes.

Example::

    with Cgroup.create(limits) as group:
        group.add(pid)
        memory_limit_is_real = "memory" in group.enforces
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from medperf_git.runtime.limits import Limits

_PERIOD_MICROSECONDS: Final = 100_000
_PREFIX: Final = "mpgit-"
_REMOVE_SECONDS: Final = 5.0
SPARE_PROCESSES: Final = 3
"""The sandbox's own processes, which the task's limit does not count."""


class Cgroup:
    """One task's group, a folder in each hierarchy; removed at the end of its block."""

    def __init__(self, folders: dict[str, Path]) -> None:
        self._folders = folders

    @property
    def enforces(self) -> frozenset[str]:
        """Which of `memory`, `pids` and `cpu` the kernel holds the task to."""
        return frozenset(self._folders)

    @classmethod
    def create(cls, limits: Limits, parents: dict[str, Path] | None = None) -> Self:
        """A new group with these limits, in as many hierarchies as we may write.

        Args:
            limits: what it enforces.
            parents: the group above by controller; found where not given.
        """
        name = f"{_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
        made: dict[str, Path] = {}
        for controller, parent in (find_parents() if parents is None else parents).items():
            _remove_stale(parent)
            folder = parent / name
            with suppress(OSError):
                folder.mkdir(exist_ok=True)
                _configure(folder, controller, limits)
                made[controller] = folder
        return cls(made)

    def add(self, pid: int) -> None:
        """Move a process into the group; what it starts later is in it too.

        A hierarchy that refuses it is left out of `enforces` from then on.
        """
        for controller, folder in list(self._folders.items()):
            try:
                (folder / "cgroup.procs").write_text(str(pid))
            except OSError:
                del self._folders[controller]
                _remove(folder)

    def out_of_memory(self) -> bool:
        """Whether the kernel killed something in it for want of memory."""
        folder = self._folders.get("memory")
        if folder is None:
            return False
        for name in ("memory.events", "memory.oom_control"):
            with suppress(OSError):
                for line in (folder / name).read_text().splitlines():
                    key, _, value = line.partition(" ")
                    if key == "oom_kill" and value != "0":
                        return True
        return False

    def unreclaimable(self) -> int:
        """Bytes that it holds but for cached files, which the kernel takes back when it must.

        Where a file system caches a file twice, as on a loop device, the kernel can go on taking
        back and reading again for ever, and never finds that memory has run out.
        """
        folder = self._folders.get("memory")
        total = 0
        if folder is not None:
            unified = (folder / "cgroup.controllers").exists()
            usage, prefix = (
                ("memory.current", "") if unified else ("memory.usage_in_bytes", "total_")
            )
            cached = {f"{prefix}active_file", f"{prefix}inactive_file"}
            with suppress(OSError, ValueError):
                total = int((folder / usage).read_text())
                for line in (folder / "memory.stat").read_text().splitlines():
                    key, _, value = line.partition(" ")
                    total -= int(value) if key in cached else 0
        return max(0, total)

    def __enter__(self) -> Self:
        """The group itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Remove it; its processes must have been killed."""
        for folder in set(self._folders.values()):
            _remove(folder)


def _configure(folder: Path, controller: str, limits: Limits) -> None:
    unified = (folder / "cgroup.controllers").exists()
    for name, value, needed in _settings(controller, limits, unified=unified):
        try:
            (folder / name).write_text(value)
        except OSError:
            if needed:
                _remove(folder)
                raise


def _settings(controller: str, limits: Limits, *, unified: bool) -> list[tuple[str, str, bool]]:
    """File, value, and whether the limit means nothing without it (swap may be absent)."""
    memory, processes = str(limits.memory_bytes), str(limits.processes + SPARE_PROCESSES)
    quota = limits.cpus * _PERIOD_MICROSECONDS
    if controller == "pids":
        return [("pids.max", processes, True)]
    if controller == "memory" and unified:
        return [
            ("memory.max", memory, True),
            ("memory.swap.max", "0", False),
            ("memory.oom.group", "1", False),
        ]
    if controller == "memory":
        return [
            ("memory.limit_in_bytes", memory, True),
            ("memory.memsw.limit_in_bytes", memory, False),
            ("memory.swappiness", "0", False),
        ]
    if unified:
        return [("cpu.max", f"{quota} {_PERIOD_MICROSECONDS}", True)]
    return [
        ("cpu.cfs_period_us", str(_PERIOD_MICROSECONDS), True),
        ("cpu.cfs_quota_us", str(quota), True),
    ]


def find_parents(
    mountinfo: Path = Path("/proc/self/mountinfo"), membership: Path = Path("/proc/self/cgroup")
) -> dict[str, Path]:
    """The group to make ours in, by controller; only where we may write."""
    mounts = list(_mounts(mountinfo))
    found: dict[str, Path] = {}
    for line in _lines(membership):
        _, names, path = line.split(":", 2)
        for point, options in mounts:
            own = point / path.lstrip("/")
            if not names and options is None:
                found = {**_delegated(own, point), **found}
            elif options is not None and names and set(names.split(",")) <= options:
                for controller in {"memory", "pids", "cpu"} & set(names.split(",")):
                    if os.access(own, os.W_OK):
                        found[controller] = own
    return found


def _delegated(own: Path, top: Path) -> dict[str, Path]:
    """The nearest group above ours that is ours to divide and hands controllers down.

    Not our own: a version 2 group with processes in it can't hand controllers down.
    """
    for folder in own.parents:
        if folder != top and top not in folder.parents:
            break
        handed = set(" ".join(_lines(folder / "cgroup.subtree_control")).split())
        writable = os.access(folder, os.W_OK) and os.access(folder / "cgroup.procs", os.W_OK)
        if writable and {"memory", "pids"} <= handed:
            return {name: folder for name in ("memory", "pids", "cpu") if name in handed}
    return {}


def _mounts(mountinfo: Path) -> Iterator[tuple[Path, set[str] | None]]:
    """Mount point and controllers of each hierarchy; None for version 2's."""
    for line in _lines(mountinfo):
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind == "cgroup2":
            yield Path(left.split(" ")[4]), None
        elif kind == "cgroup":
            yield Path(left.split(" ")[4]), set(options.split(","))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _remove(folder: Path) -> None:
    """Remove a group; the kernel needs a moment until its last process is gone."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    while folder.exists():
        try:
            folder.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)


def stale_groups(*, remove: bool = False) -> list[Path]:
    """Groups of clients that were killed before they could remove them."""
    found = [folder for parent in set(find_parents().values()) for folder in _stale(parent)]
    if remove:
        for folder in found:
            with suppress(OSError):
                folder.rmdir()
    return sorted(found)


def _remove_stale(parent: Path) -> None:
    for folder in _stale(parent):
        with suppress(OSError):
            folder.rmdir()


def _stale(parent: Path) -> list[Path]:
    found = []
    with suppress(OSError):
        for folder in parent.glob(f"{_PREFIX}*-*"):
            pid = folder.name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdigit() and not Path(f"/proc/{pid}").exists():
                found.append(folder)
    return found
