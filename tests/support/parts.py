"""Parts that simulated records are made of: a container by its contract, and how it ran.

Example:
    >>> sorted(container("ky/m", "metrics", "0" * 64)["tasks"])
    ['evaluate']
"""

from __future__ import annotations

from typing import Any, Final

from medperf_git.records.container import CONTRACT, ROLE_TASKS

_LIMIT: Final = {"value": 4.0, "enforced_by": "cgroup"}
_ISOLATION: Final[dict[str, Any]] = {
    "network": "none",
    "capabilities": "none",
    "new_privileges": False,
    "root": "read-only",
    "inputs": "read-only",
    "user": "1000:1000",
    "memory_mb": _LIMIT,
    "processes": _LIMIT,
    "cpus": _LIMIT,
    "seconds": _LIMIT,
    "output_mb": _LIMIT,
}


def container(record_id: str, role: str, image: str) -> dict[str, Any]:
    """Image and tasks of an MLCube or model with this role; `image` is the image's digest."""
    tasks = {}
    for name in ROLE_TASKS[role]:
        contract = CONTRACT[name]
        tasks[name] = {
            "command": ["run", name],
            "input_volumes": {v: {"mount_path": f"/in/{v}"} for v in contract.required_inputs},
            "output_volumes": {v: {"mount_path": f"/out/{v}"} for v in contract.required_outputs},
        }
    reference = f"registry.example/{record_id}@sha256:{image}"
    return {"image": {"type": "reference", "reference": reference}, "tasks": tasks}


def execution(model_image: str, metrics_image: str) -> dict[str, Any]:
    """How the model with this image ran, and then the metrics MLCube with that one."""
    step = {"image_type": "reference", "isolation": _ISOLATION, "seconds": 1.0}
    return {
        "client": {"name": "mpgit", "version": "0"},
        "engine": {"name": "sandbox", "version": "0"},
        "registry_commit": "a" * 40,
        "finished": "2026-01-31",
        "steps": [
            {**step, "task": "infer", "image": model_image},
            {**step, "task": "evaluate", "image": metrics_image},
        ],
    }
