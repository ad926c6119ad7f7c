"""The command lines of Apptainer and SingularityCE.

Plain data in the words of their documentation (https://apptainer.org/docs/user/main/,
https://docs.sylabs.io/guides/latest/user-guide/). By default they share the home folder, `/tmp`,
`/sys`, the network and the environment with a container: each option below takes one of these
away. `--network none` is the one network that users who are not root may ask for. Does not run
anything (``apptainer_engine`` does).

Example:
    >>> program = Program.of("apptainer", "apptainer version 1.4.5")
    >>> program.version, program.is_too_old
    ((1, 4, 5), False)
    >>> build_command(program, Path("image.sif"), "docker-archive:image.tar")[:4]
    ['apptainer', '--silent', '--nocolor', 'build']
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from medperf_git.runtime.engine import NAME
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.sandbox_root import MASKED

OLDEST: Final = {"apptainer": (1, 2), "singularity-ce": (3, 11)}
"""The first versions with every option below; the last that came was `--no-mount bind-paths`."""
_VERSION: Final = re.compile(r"^(apptainer|singularity-ce) version (\d+)\.(\d+)(?:\.(\d+))?")
_QUIET: Final = ("--silent", "--nocolor")
_CWD: Final = {"apptainer": (1, 3), "singularity-ce": (4, 0)}
"""Since when `--pwd` is called so."""
_FAST: Final = ("apptainer", (1, 4))
"""Who takes `--mksquashfs-args`: half the time, for an eighth more disk."""
ISOLATION: Final = (
    # File systems, environment, processes and their messages, host name.
    "--containall", "--cleanenv", "--no-eval", "--no-umask", "--ipc", "--pid", "--uts",
    "--hostname", NAME,
    # `/sys` would be the host's, where its user can leave a control group. The home folder is
    # the container's `/tmp`, and what apptainer.conf binds everywhere is left out.
    "--no-home", "--home", "/tmp", "--no-mount", "sys,hostfs,cwd,bind-paths",  # noqa: S108
    "--net", "--network", "none",
    "--no-privs", "--drop-caps", "all",
)  # fmt: skip
_READ_ONLY: Final = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")


@dataclass(frozen=True, slots=True)
class Program:
    """Apptainer or SingularityCE: how it is started, and what it says that it is."""

    path: str
    product: str
    version: tuple[int, ...]

    @classmethod
    def of(cls, path: str, said: str) -> Self | None:
        """From what `--version` said; None for anything else, such as Singularity 3.8."""
        match = _VERSION.match(said.strip())
        if match is None:
            return None
        return cls(path, match[1], tuple(int(number) for number in match.groups()[1:] if number))

    @property
    def is_too_old(self) -> bool:
        """Whether an option that isolates would be missing."""
        return self.version < OLDEST[self.product]

    def __str__(self) -> str:
        """Product and version, for people and records."""
        return f"{self.product} {'.'.join(str(number) for number in self.version)}"


def build_command(
    program: Program, target: Path, source: str, *, plain_http: bool = False
) -> list[str]:
    """Convert an image to SIF; neither root nor fakeroot is needed for a finished image.

    Args:
        program: what converts it.
        target: where the image is written.
        source: `docker-archive:FILE` or `docker://NAME@sha256:…`.
        plain_http: whether the registry has no encryption: one on this machine.
    """
    product, since = _FAST
    fast = program.product == product and program.version >= since
    return [
        *(program.path, *_QUIET, "build", "--disable-cache", "--fix-perms"),
        *(("--no-https",) if plain_http else ()),
        *(("--mksquashfs-args", "-Xcompression-level 1") if fast else ()),
        *(str(target), source),
    ]


def exec_command(
    program: Program,
    image: Path,
    command: Sequence[str],
    *,
    profile: Path,
    options: Sequence[str] = (),
) -> list[str]:
    """Run a command in an image, isolated from everything but what `options` add.

    Args:
        program: what runs it.
        image: a SIF image, or a folder.
        command: the program inside and its arguments; no shell reads them.
        profile: where `seccomp.write_profile` wrote it.
        options: `task_options`.
    """
    return [
        *(program.path, *_QUIET, "exec", *ISOLATION, "--security", f"seccomp:{profile}"),
        *options,
        *(str(image), *command),
    ]


def task_options(
    program: Program,
    mounts: Sequence[Mount],
    variables: Mapping[str, str],
    *,
    scratch: Path,
    working_folder: str,
    gpus: Sequence[str] = (),
    kernel: Sequence[Mount] = (),
) -> list[str]:
    """What one task gets.

    Args:
        program: what runs it.
        mounts: its volumes, outer ones first.
        variables: set in the container, over the image's own.
        scratch: an empty folder for its `/tmp` and `/var/tmp`, whose own memory file system
            would have 64 MiB (`sessiondir max size`).
        working_folder: where it starts: Apptainer takes no heed of the image's `WORKDIR`.
        gpus: NVIDIA's graphics processors that are its own.
        kernel: `kernel_mounts`.
    """
    folder = "--cwd" if program.version >= _CWD[program.product] else "--pwd"
    return [
        *_gpu_options(gpus),
        *("--workdir", str(scratch), folder, working_folder),
        *(word for mount in (*kernel, *mounts) for word in ("--mount", mount_option(mount))),
        *(word for item in variables.items() for word in ("--env", "=".join(item))),
    ]


def gpu_variables(gpus: Sequence[str]) -> dict[str, str]:
    """Which of the graphics processors that `--nv` shows the task shall use."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpus)} if gpus else {}


def _gpu_options(gpus: Sequence[str]) -> tuple[str, ...]:
    """The host's driver and device files; `--rocm` would stand here too."""
    return ("--nv",) if gpus else ()


def mount_option(mount: Mount) -> str:
    """A bind mount in the words of `--mount`, which quotes like CSV.

    Example:
        >>> mount_option(Mount(Path('/a,b'), "/data", writable=False))
        'type=bind,"source=/a,b",destination=/data,ro'
    """
    fields = ["type=bind", f"source={mount.source}", f"destination={mount.target}"]
    fields += [] if mount.writable else ["ro"]
    return ",".join(_quoted(field) for field in fields)


def _quoted(field: str) -> str:
    if not any(character in field for character in ',"\r\n'):
        return field
    return '"' + field.replace('"', '""') + '"'


def kernel_mounts() -> list[Mount]:
    """For tasks of root's: what of `/proc` they would be root to even without capabilities.

    They could name the program that the host starts when something crashes.
    """
    found = [Mount(Path(name), name, writable=False) for name in _READ_ONLY]
    found += [Mount(Path("/dev/null"), name, writable=False) for name in MASKED]
    return [mount for mount in found if Path(mount.target).exists()]
