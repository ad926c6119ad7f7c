"""What a sandboxed task sees of the file system: bubblewrap's arguments for its root.

The root is an empty memory file system to which single paths are bound read-only: for
sources the system's programs and libraries and one Python environment, for archives what the
image holds. Nothing else of the host exists inside. Does not run bubblewrap.

Example:
    >>> bind_tree(Path("/nowhere"), [])
    []
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Final

from medperf_git.errors import EngineError
from medperf_git.runtime.limits import Limits
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.python_env import PythonEnvironment

PROJECT: Final = "/project"
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
# The loader's cache, the links behind Debian's BLAS and LAPACK, fonts and the time zone.
_CONFIGURATION: Final = (
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
    "/etc/localtime", "/etc/fonts", "/etc/mime.types",
)  # fmt: skip
MASKED: Final = (
    "/proc/kcore", "/proc/keys", "/proc/kmsg", "/proc/kallsyms", "/proc/timer_list",
    "/proc/sched_debug", "/proc/latency_stats", "/proc/sysrq-trigger", "/proc/vmallocinfo",
    "/proc/slabinfo",
)  # fmt: skip
"""What Docker hides too: the host's memory, keys, timers and logs."""
_OURS: Final = frozenset({"proc", "dev", "tmp", "sys"})
_TOP: Final = PurePosixPath("/")
_MAX_SHARED_MEMORY: Final = 1024 * 1024 * 1024


def source_root(tree: Path, python: PythonEnvironment) -> list[str]:
    """The root for a tree of sources: system, Python environment, and the tree itself."""
    arguments = system_root()
    for prefix in python.prefixes:
        if not prefix.is_relative_to("/usr"):
            arguments += ["--ro-bind", str(prefix), str(prefix)]
    return [*arguments, "--ro-bind", str(tree), PROJECT]


def system_root() -> list[str]:
    """The host's programs and libraries, and nothing else of it."""
    arguments: list[str] = []
    for name in (*_SYSTEM, *_CONFIGURATION):
        path = Path(name)
        if path.is_symlink() and path.parent == Path("/"):
            arguments += ["--symlink", str(path.readlink()), name]
        elif path.exists():
            arguments += ["--ro-bind", name, name]
    return arguments


def archive_root(rootfs: Path, mounts: Iterable[Mount]) -> list[str]:
    """The root for an unpacked image, with room for the mounts.

    Raises:
        EngineError: `bad-mount`: a mount path leads through a link of the image.
    """
    points = [PurePosixPath(mount.target).relative_to("/") for mount in mounts]
    return bind_tree(rootfs, points)


def bind_tree(folder: Path, points: Sequence[PurePosixPath], at: PurePosixPath = _TOP) -> list[str]:
    """Bind what a folder holds, read-only; where a mount point lies inside, entry by entry.

    A mount point can't be made in a read-only folder, so a folder with one is made anew and
    gets the old one's entries.
    """
    arguments: list[str] = []
    for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
        if len(at.parts) == 1 and entry.name in _OURS:
            continue
        target, inside = at / entry.name, _below(points, entry.name)
        if not inside:
            if not (entry.is_symlink() and entry.name in {str(point) for point in points}):
                arguments += _bind(entry, target)
        elif entry.is_symlink() or not entry.is_dir():
            raise EngineError(
                f"the image has a link or file where a volume is mounted: {target}",
                code="bad-mount",
                place=str(target),
                advice="choose a mount path that does not exist in the image",
            )
        else:
            arguments += ["--perms", "0755", "--dir", str(target)]
            arguments += bind_tree(entry, inside, target)
    return arguments


def _below(points: Sequence[PurePosixPath], name: str) -> list[PurePosixPath]:
    return [
        point.relative_to(name)
        for point in points
        if point.parts[0] == name and len(point.parts) > 1
    ]


def _bind(entry: Path, target: PurePosixPath) -> list[str]:
    if entry.is_symlink():
        return ["--symlink", str(entry.readlink()), str(target)]
    return ["--ro-bind", str(entry), str(target)]


def kernel_mounts(limits: Limits) -> list[str]:
    """`/proc`, a minimal `/dev` and memory file systems of limited size."""
    shared = min(_MAX_SHARED_MEMORY, limits.scratch_bytes)
    masked = [path for path in MASKED if Path(path).exists()]
    return [
        *("--proc", "/proc"),
        *(word for path in masked for word in ("--ro-bind", "/dev/null", path)),
        *("--dev", "/dev"),
        *("--perms", "1777", "--size", str(shared), "--tmpfs", "/dev/shm"),  # noqa: S108
        *("--perms", "1777", "--size", str(limits.scratch_bytes), "--tmpfs", "/tmp"),  # noqa: S108
    ]


def gpu_devices(numbers: Iterable[str]) -> list[str]:
    """The device files of NVIDIA's graphics processors, and those that its driver needs besides.

    The driver numbers anew, from zero, what a task can open.
    """
    names = [f"/dev/nvidia{number}" for number in numbers]
    shared = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools") if names else ()
    return [
        *(word for name in names for word in ("--dev-bind", name, name)),
        *(word for name in shared for word in ("--dev-bind-try", name, name)),
    ]


def volume_mounts(mounts: Iterable[Mount]) -> list[str]:
    """The job's own mounts, outer ones first."""
    arguments: list[str] = []
    for mount in mounts:
        option = "--bind" if mount.writable else "--ro-bind"
        arguments += [option, str(mount.source), mount.target]
    return arguments


def seal() -> list[str]:
    """Make the root, `/dev` and `/proc` read-only, once all mount points in them exist.

    `/proc` above all: a task of root's is root to `/proc/sys` even without capabilities, and
    could name the program that the host starts when something crashes.
    """
    return ["--remount-ro", "/proc", "--remount-ro", "/dev", "--remount-ro", "/"]
