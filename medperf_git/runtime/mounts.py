"""Which host path is mounted where for a job, the same on every engine.

An output that is a file gets the folder of its mount path as a writable scratch folder, from
which the file is moved out afterwards, as MedPerf does it: a file that does not exist yet
can't be mounted. Does not mount anything.

Example:
    >>> Mount(Path("/data"), "/mlcommons/volumes/data", writable=False).target
    '/mlcommons/volumes/data'
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from medperf_git.atomic import explain
from medperf_git.errors import ExecutionError
from medperf_git.runtime.engine import Job
from medperf_git.runtime.leftovers import SCRATCH_PREFIX
from medperf_git.runtime.outputs import empty

_ESCAPED: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """One bind mount."""

    source: Path
    target: str
    writable: bool


@dataclass(slots=True)
class Mounts:
    """All bind mounts of a job.

    Attributes:
        all: outer targets before those inside them.
        files: for each output that is a file, where the task writes it and where it belongs.
    """

    all: list[Mount] = field(default_factory=list)
    files: list[tuple[Path, Path]] = field(default_factory=list)

    @property
    def writable(self) -> list[Path]:
        """The host folders that the task can write to."""
        return [mount.source for mount in self.all if mount.writable]

    def deliver(self) -> None:
        """Move the files that the task wrote to where they belong.

        Raises:
            ExecutionError: `no-output`: one was not written.
        """
        for written, target in self.files:
            # All are there before the first is moved: a failed task delivers nothing.
            if not written.is_file() or written.is_symlink():
                raise ExecutionError(
                    f"the task ended without writing {target.name}",
                    code="no-output",
                    place=str(target),
                    advice="read its log; the MLCube's author must mend it",
                )
        for written, target in self.files:
            try:
                shutil.move(written, target)
            except OSError as error:
                raise explain(error, target) from error

    def clear(self) -> None:
        """Remove whatever the task wrote: a failed task has no outputs."""
        for folder in self.writable:
            empty(folder)


@contextmanager
def mounted(job: Job) -> Iterator[Mounts]:
    """The mounts of a job, with its output folders made and empty.

    Raises:
        ExecutionError: `bad-job`: an output is not empty, or can't be mounted.
        InputError: a folder can't be made.
    """
    mounts, scratch = Mounts(), list[Path]()
    volumes = job.definition.input_volumes
    for name, path in job.sources().items():
        mounts.all.append(Mount(path.resolve(), volumes[name].mount_path, writable=False))
    try:
        _add_outputs(job, mounts, scratch)
        mounts.all.sort(key=lambda mount: PurePosixPath(mount.target).parts)
        _prepare_points(mounts)
        try:
            yield mounts
        except BaseException:
            mounts.clear()
            raise
    finally:
        for folder in scratch:
            empty(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _add_outputs(job: Job, mounts: Mounts, scratch: list[Path]) -> None:
    parents: dict[str, Path] = {}
    for name, path in job.outputs.items():
        volume = job.definition.output_volumes[name]
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            host = path.parent.resolve() / path.name
            if volume.type == "directory":
                host.mkdir(exist_ok=True, mode=0o700)
                _refuse_contents(host, f"{job.task}.{name}")
                mounts.all.append(Mount(host, volume.mount_path, writable=True))
                continue
            if host.exists() or host.is_symlink():
                raise _bad(f"{host} exists already", f"{job.task}.{name}")
            parent = str(PurePosixPath(volume.mount_path).parent)
            if parent == "/":
                raise _bad(f"a file can't be mounted in the root: {volume.mount_path}", name)
            if parent not in parents:
                # Beside the target, so that moving it out is a rename on one file system.
                parents[parent] = Path(tempfile.mkdtemp(prefix=SCRATCH_PREFIX, dir=host.parent))
                scratch.append(parents[parent])
                mounts.all.append(Mount(parents[parent], parent, writable=True))
        except OSError as error:
            raise explain(error, path) from error
        mounts.files.append((parents[parent] / PurePosixPath(volume.mount_path).name, host))


def refuse_submounts(
    mounts: Iterable[Mount],
    engine: str,
    advice: str,
    mountinfo: Path = Path("/proc/self/mountinfo"),
) -> None:
    """Refuse inputs with other file systems mounted inside, where they would be writable.

    Args:
        mounts: what an engine binds whose read-only mounts do not cover those below them.
        engine: its name.
        advice: what else to use.
        mountinfo: where the kernel lists what is mounted.

    Raises:
        ExecutionError: `submount`, naming the mount.
    """
    points = [_unescaped(line.split(" ")[4]) for line in mountinfo.read_text().splitlines()]
    for mount in mounts:
        for point in points:
            if not mount.writable and mount.source in point.parents:
                raise ExecutionError(
                    f"{point} is mounted inside an input; {engine} would let a task write to it",
                    code="submount",
                    place=str(mount.source),
                    advice=f"{advice}, or copy the data to one file system",
                )


def _unescaped(name: str) -> Path:
    """A path as the kernel writes it: blanks and the like as octal numbers."""
    return Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), name))


def _refuse_contents(folder: Path, place: str) -> None:
    if folder.is_symlink() or any(folder.iterdir()):
        raise _bad(f"{folder} is not an empty folder", place)


def _bad(message: str, place: str) -> ExecutionError:
    return ExecutionError(message, code="bad-job", place=place)


def _prepare_points(mounts: Mounts) -> None:
    """Make mount points inside scratch folders ourselves: an engine would make them as root."""
    for outer in mounts.all:
        for inner in mounts.all:
            if outer is inner or not inner.target.startswith(outer.target + "/"):
                continue
            if not outer.writable:
                raise _bad(f"{inner.target} lies in {outer.target}", "mount_path")
            point = outer.source / PurePosixPath(inner.target).relative_to(outer.target)
            point.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            if inner.source.is_dir():
                point.mkdir(exist_ok=True, mode=0o700)
            else:
                point.touch(mode=0o600)
