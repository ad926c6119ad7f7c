"""How a container is created through Docker's API, and what its isolation came to be.

Plain data in Docker's own words, so that nothing here needs the `docker` package. Does not
talk to an engine (``docker_engine`` does).

Example:
    >>> is_stale({LABEL: "other-boot:1:1:1"})
    False
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from medperf_git.errors import EngineError
from medperf_git.runtime import mounts as mounted
from medperf_git.runtime.cgroup import SPARE_PROCESSES
from medperf_git.runtime.engine import NAME, Job, caller, environment, limit, usable_cpus
from medperf_git.runtime.limits import MIB, Limits, core_bytes
from medperf_git.runtime.mounts import Mount, Mounts
from medperf_git.runtime.owner import is_gone, owner

LABEL: Final = "org.mpgit.owner"
"""Which process a container belongs to, so that a killed client's can be found."""
_LOG: Final = {"type": "json-file", "config": {"max-size": "10m", "max-file": "1"}}
_MAX_SHARED_MEMORY: Final = 1024 * MIB
_NANO: Final = 1_000_000_000
_RECURSIVE_READ_ONLY: Final = (1, 44)
"""The API version from which a read-only mount covers the mounts below it too."""


def container_options(job: Job, mounts: Mounts, declared: Sequence[str]) -> dict[str, Any]:
    """Arguments for creating the container of a job.

    Args:
        job: what runs.
        mounts: its bind mounts.
        declared: volumes that the image declares: they would be writable, unlimited and on
            disk, so they become memory file systems of limited size.
    """
    limits = job.limits
    scratch = f"rw,nosuid,nodev,exec,mode=1777,size={limits.scratch_bytes}"
    ours = {mount.target for mount in mounts.all}
    return {
        "command": list(job.definition.command),
        "network_mode": "none",
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "read_only": True,
        "tmpfs": {path: scratch for path in ("/tmp", *declared) if path not in ours},  # noqa: S108
        "mounts": [_bind(mount) for mount in mounts.all],
        "user": caller(),
        "mem_limit": limits.memory_bytes,
        "memswap_limit": limits.memory_bytes,
        "pids_limit": limits.processes + SPARE_PROCESSES,
        "nano_cpus": usable_cpus(limits) * _NANO,
        "shm_size": min(_MAX_SHARED_MEMORY, limits.scratch_bytes),
        "ulimits": [
            {"Name": "fsize", "Soft": limits.output_bytes, "Hard": limits.output_bytes},
            {"Name": "core", "Soft": core_bytes(), "Hard": core_bytes()},
        ],
        "init": True,
        "hostname": NAME,
        "ipc_mode": "private",
        "environment": environment(limits),
        # The user's proxy settings may hold a password, and there is no network to use it on.
        "use_config_proxy": False,
        "healthcheck": {"test": ["NONE"]},
        "log_config": _LOG,
        "labels": {LABEL: owner()},
        "device_requests": _gpus(job.gpus),
    }


def _gpus(numbers: tuple[str, ...]) -> list[dict[str, Any]]:
    """What `docker run --gpus device=0,1` asks for; the NVIDIA container toolkit answers it."""
    return [{"device_ids": list(numbers), "capabilities": [["gpu"]]}] if numbers else []


def _bind(mount: Mount) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(mount.source),
        "Target": mount.target,
        "ReadOnly": not mount.writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def started(attributes: Mapping[str, Any]) -> tuple[list[str], dict[str, str]]:
    """What a created container starts, its image's entrypoint included, and its variables.

    Args:
        attributes: the container as the engine describes it.
    """
    config = attributes["Config"]
    # Not what the engine calls `Path` and `Args`: Podman's begin with an init of its own.
    command = [*(config.get("Entrypoint") or ()), *(config.get("Cmd") or ())]
    pairs = (str(pair).partition("=") for pair in config.get("Env") or ())
    return [str(word) for word in command], {name: value for name, _, value in pairs}


def isolation_in_force(
    attributes: Mapping[str, Any], info: Mapping[str, Any], limits: Limits
) -> dict[str, Any]:
    """The isolation of a created container, from the engine's own description of it.

    Args:
        attributes: the container as the engine describes it.
        info: the engine's capabilities.
        limits: what was asked for.

    Raises:
        EngineError: `isolation`: the engine left out something that every task must have.
    """
    host = attributes["HostConfig"]
    dropped = {str(name).upper() for name in host.get("CapDrop") or ()}
    demands = {
        "no network": host.get("NetworkMode") == "none",
        # Podman lists each capability that it dropped instead of ALL.
        "no capabilities": "ALL" in dropped or not attributes.get("EffectiveCaps", True),
        "no new privileges": any("no-new-privileges" in o for o in host.get("SecurityOpt") or ()),
        "no privileged mode": not host.get("Privileged"),
        "a read-only root": host.get("ReadonlyRootfs") is True,
        "the caller's user": attributes["Config"].get("User") == caller(),
    }
    if refused := [what for what, given in demands.items() if not given]:
        raise EngineError(f"the engine did not give {', '.join(refused)}", code="isolation")
    memory = info.get("MemoryLimit") and host.get("Memory") == limits.memory_bytes
    processes = info.get("PidsLimit", True) and host.get("PidsLimit")
    cpus = info.get("CpuCfsQuota", True) and (host.get("NanoCpus") or host.get("CpuQuota"))
    requests = host.get("DeviceRequests") or ()
    return {
        "network": "none",
        "capabilities": "none",
        "new_privileges": False,
        "root": "read-only",
        "inputs": "read-only",
        "user": attributes["Config"]["User"],
        "memory_mb": limit(limits.memory_mb, _kernel(memory)),
        "processes": limit(limits.processes, _kernel(processes)),
        "cpus": limit(usable_cpus(limits), _kernel(cpus)),
        "seconds": limit(limits.seconds, "watchdog"),
        "output_mb": limit(limits.output_mb, "watchdog"),
        "gpus": sum(len(r.get("DeviceIDs") or ()) for r in requests) or None,
    }


def _kernel(enforced: Any) -> str:
    return "cgroup" if enforced else "none"


def refuse_submounts(
    mounts: Sequence[Mount], api_version: str, mountinfo: Path = Path("/proc/self/mountinfo")
) -> None:
    """Refuse mounts inside inputs where this Docker would leave them writable.

    Raises:
        ExecutionError: `submount`, naming the mount.
    """
    if tuple(int(part) for part in api_version.split(".")) < _RECURSIVE_READ_ONLY:
        mounted.refuse_submounts(mounts, "this Docker", "use Docker 25 or newer", mountinfo)


def is_stale(labels: Mapping[str, str]) -> bool:
    """Whether a container's owner, a process of this machine, is no longer there."""
    return is_gone(labels.get(LABEL, ""))
