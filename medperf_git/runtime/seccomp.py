"""The system calls that tasks don't get, for engines whose own profile is less strict.

Bubblewrap and Apptainer have none by default, and Podman's lets a task make namespaces of its own,
in which it would have capabilities again; Docker's own does as much. Two forms of one list: that of
the OCI runtime specification, which Podman and Apptainer read from a file, and the kernel's own
(struct sock_filter of <linux/filter.h>, classic BPF), which bubblewrap hands on.

Example:
    >>> import tempfile
    >>> write_profile(Path(tempfile.mkdtemp())).name
    'seccomp.json'
    >>> len(compiled("x86_64")) % 8
    0
"""

from __future__ import annotations

import errno
import json
import os
import platform
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from medperf_git.errors import EngineError

_NEW_USER: Final = 0x10000000
"""CLONE_NEWUSER of <linux/sched.h>."""

SECCOMP: Final[dict[str, Any]] = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "syscalls": [
        {
            # Namespaces of its own would give a task capabilities again, inside them.
            "names": [
                "unshare", "setns", "mount", "umount", "umount2", "pivot_root", "move_mount",
                "open_tree", "fsopen", "fsmount", "fspick", "mount_setattr", "bpf", "keyctl",
                "add_key", "request_key", "perf_event_open", "userfaultfd", "ptrace",
                "process_vm_readv", "process_vm_writev", "kcmp", "io_uring_setup",
            ],
            "action": "SCMP_ACT_ERRNO",
        },
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ERRNO",
            "args": [
                {
                    "index": 0,
                    "value": _NEW_USER,
                    "valueTwo": _NEW_USER,
                    "op": "SCMP_CMP_MASKED_EQ",
                }
            ],
        },
        # No filter sees into its arguments. Nobody traces a task, so it is told that there is no
        # such call, and uses `clone`: the one answer that no profile of Apptainer's can name.
        {"names": ["clone3"], "action": "SCMP_ACT_TRACE"},
    ],
}  # fmt: skip
"""The seccomp profile of every task; what it does not name is allowed."""


def write_profile(folder: Path) -> Path:
    """Write the profile into a private folder, for an engine to read."""
    path = folder / "seccomp.json"
    path.write_text(json.dumps(SECCOMP))
    return path


_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""AUDIT_ARCH_… of <linux/audit.h>."""
NUMBERS: Final = {
    # x86_64 and aarch64, from <asm/unistd_64.h> and <asm-generic/unistd.h>. `umount` is of older
    # processors.
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "move_mount": (429, 429), "open_tree": (428, 428),
    "fsopen": (430, 430), "fsmount": (432, 432), "fspick": (433, 433),
    "mount_setattr": (442, 442), "bpf": (321, 280), "keyctl": (250, 219), "add_key": (248, 217),
    "request_key": (249, 218), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "kcmp": (312, 272), "io_uring_setup": (425, 425), "clone": (56, 220), "clone3": (435, 435),
}  # fmt: skip
_X32: Final = 0x40000000
"""On x86_64, the numbers of a second set of calls begin here."""
_NUMBER_AT, _ARCHITECTURE_AT, _FLAGS_AT = 0, 4, 16
"""Where struct seccomp_data of <linux/seccomp.h> has what: `_FLAGS_AT` is `clone`'s argument."""
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000


def compiled(machine: str) -> bytes:
    """The profile for the kernel of a machine.

    Raises:
        EngineError: `engine-missing`: its numbers of system calls are not known here.
    """
    if machine not in _ARCHITECTURES:
        raise EngineError(
            f"the sandbox has no filter of system calls for {machine}",
            code="engine-missing",
            advice="use Docker, Podman or Apptainer on this machine",
        )
    column = list(_ARCHITECTURES).index(machine)
    number = {name: both[column] for name, both in NUMBERS.items()}
    denied = [number[name] for name in SECCOMP["syscalls"][0]["names"] if name in number]
    refuse, absent = _ERRNO | errno.EPERM, _ERRNO | errno.ENOSYS
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUAL, 1, 0, _ARCHITECTURES[machine]),
        (_RETURN, 0, 0, absent),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _X32),
        (_RETURN, 0, 0, absent),
    ]
    for each in denied:
        steps += [(_EQUAL, 0, 1, each), (_RETURN, 0, 0, refuse)]
    steps += [
        (_EQUAL, 0, 1, number["clone3"]),
        (_RETURN, 0, 0, absent),
        (_EQUAL, 0, 3, number["clone"]),
        (_LOAD, 0, 0, _FLAGS_AT),
        (_ANY_BIT, 0, 1, _NEW_USER),
        (_RETURN, 0, 0, refuse),
        (_RETURN, 0, 0, _ALLOW),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


@contextmanager
def filter_handle() -> Iterator[int]:
    """A handle from which bubblewrap reads the profile for this machine.

    Raises:
        EngineError: as `compiled`.
    """
    handle = os.memfd_create("seccomp")
    try:
        os.write(handle, compiled(platform.machine()))
        os.lseek(handle, 0, os.SEEK_SET)
        yield handle
    finally:
        os.close(handle)
