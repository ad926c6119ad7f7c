"""The system calls that tasks don't get, for engines whose own profile is less strict.

Apptainer has none by default, and Podman's lets a task make namespaces of its own, in which it
would have capabilities again. Docker's own and bubblewrap's `--disable-userns` do as much. The
format is that of the OCI runtime specification, which both engines read from a file.

Example:
    >>> import tempfile
    >>> write_profile(Path(tempfile.mkdtemp())).name
    'seccomp.json'
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

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
                    "value": 0x10000000,  # CLONE_NEWUSER
                    "valueTwo": 0x10000000,
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
