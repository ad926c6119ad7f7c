"""One small valid record of each kind, as plain data; tests change copies of it."""

from __future__ import annotations

import json
from typing import Any, Final

D: Final = "ab" * 32
KEY: Final = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBo6Ld7bX6FcMkj6wSPcYcW0WzBmg7rDg3CZsIXqPvEM"
OTHER_KEY: Final = KEY[:-4] + "QvEM"
SK_KEY: Final = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIBo6Ld7bX6FcMkj6wSPc"
    "YcW0WzBmg7rDg3CZsIXqPvEMAAAABHNzaDo="
)


def pin(record_id: str, revision: int = 1) -> dict[str, Any]:
    """A pin as plain data."""
    return {"id": record_id, "revision": revision, "sha256": D}


def _volumes(*names: str) -> dict[str, Any]:
    return {name: {"mount_path": f"/mlcube/{name}", "type": "directory"} for name in names}


def _task(inputs: tuple[str, ...], outputs: tuple[str, ...] = ()) -> dict[str, Any]:
    return {
        "command": ["python", "/project/run.py"],
        "input_volumes": _volumes(*inputs),
        "output_volumes": _volumes(*outputs),
    }


_RESOURCES: Final = {
    "memory_mb": 4096,
    "cpus": 1,
    "processes": 256,
    "seconds": 3600,
    "output_mb": 1024,
}
_SOURCE: Final = {"type": "source", "sha256": D, "size": 100, "urls": [], "files": 2}
_LIMIT: Final = {"value": 512.0, "enforced_by": "cgroup"}
_EXECUTION: Final[dict[str, Any]] = {
    "client": {"name": "mpgit", "version": "0.1.0"},
    "engine": {"name": "sandbox", "version": "bubblewrap 0.8.0"},
    "registry_commit": "0" * 40,
    "finished": "2026-02-28",
    "steps": [
        {
            "task": "infer",
            "image_type": "source",
            "image": D,
            "parameters": D,
            "additional_files": [D],
            "software": {"Python": "3.11.7"},
            "isolation": {
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
            },
            "seconds": 1.5,
        }
    ],
}
_METRICS: Final = [
    {"id": "auroc", "value": 0.7, "low": 0.6, "high": 0.8, "standard_error": 0.05, "n": 90}
]
_DENOMINATOR: Final = {"cases": 100, "evaluated": 90, "failed": 4, "excluded": 6}
_TEST: Final = {
    "demo_data": D,
    "model": D,
    "metrics": _METRICS,
    "denominator": _DENOMINATOR,
    "execution": _EXECUTION,
}
_CONTAINER: Final = {
    "image": _SOURCE,
    "parameters": {"threshold": 0.5, "labels": ["a", "b"], "nested": {"on": True}},
    "additional_files": [
        {"name": "weights.json", "sha256": D, "size": 1, "path": "a/b", "urls": [], "unpack": False}
    ],
    "resources": _RESOURCES,
    "network": "none",
}

_RECORDS: Final[dict[str, dict[str, Any]]] = {
    "root": {
        "id": "root",
        "name": "Preterm birth registry",
        "description": "What it is for.",
        "administrators": [pin("anna"), pin("ben"), pin("chloe")],
        "threshold": 2,
        "registration": "approve",
        "benchmarks": "approve",
        "control_plane": "host",
    },
    "control": {"id": "control", "tree": D, "reason": "A new workflow."},
    "participant": {
        "id": "ky",
        "name": "University of Kentucky",
        "contact": "registry@example.org",
        "description": "A hospital.",
        "keys": [
            {"name": "desk", "public_key": KEY, "status": "active"},
            {"name": "token", "public_key": SK_KEY, "status": "active"},
            {
                "name": "old",
                "public_key": OTHER_KEY,
                "status": "revoked",
                "revoked": {"reason": "compromised", "doubted_from": "0" * 40},
            },
        ],
        "forge_identities": [{"host": "github.com", "account": 12, "login": "ky"}],
        "encryption": ["age1" + "q" * 58],
    },
    "mlcube": {
        **_CONTAINER,
        "id": "anna/prep",
        "name": "Preparation",
        "description": "Prepares.",
        "role": "data-preparation",
        "tasks": {
            "prepare": _task(
                ("data_path", "labels_path", "parameters_file"),
                ("output_path", "output_labels_path", "report_file"),
            ),
            "sanity_check": _task(("data_path", "labels_path")),
            "statistics": _task(("data_path", "labels_path"), ("output_path",)),
        },
    },
    "model": {
        **_CONTAINER,
        "id": "mn/forest",
        "name": "Forest",
        "description": "Predicts.",
        "license": "Apache-2.0",
        "image": {"type": "reference", "reference": f"ghcr.io/mn/forest@sha256:{D}"},
        "tasks": {"infer": _task(("data_path", "additional_files"), ("output_path",))},
    },
    "dataset": {
        "id": "ky/opt",
        "name": "Opt",
        "description": "Gathered.",
        "preparation": pin("anna/prep"),
        "fingerprint": {"data": D, "labels": D, "files": 2, "size": 100},
        "cases": 100,
        "statistics": {"age": {"mean": 27.5}, "cases": 100},
    },
    "benchmark": {
        "id": "anna/preterm",
        "name": "Preterm birth",
        "description": "A benchmark.",
        "clinical": {
            "setting": "Antenatal clinics.",
            "task": "Preterm birth.",
            "inclusion_criteria": ["Singletons."],
            "exclusion_criteria": ["Twins."],
            "labelling": "Gestational age at birth.",
        },
        "metrics": [
            {
                "id": "auroc",
                "name": "AUROC",
                "description": "Area.",
                "path": "auroc",
                "unit": "1",
                "minimum": 0.0,
                "maximum": 1.0,
                "direction": "higher",
                "interval": "required",
                "confidence": 0.95,
                "standard_error": True,
            }
        ],
        "primary_metric": "auroc",
        "case_paths": {
            "statistics": "cases",
            "cases": "cases.total",
            "evaluated": "cases.evaluated",
            "failed": "cases.failed",
            "excluded": "cases.excluded",
        },
        "minimum_cases": 20,
        "data_preparation": pin("anna/prep"),
        "evaluation_metrics": pin("anna/metrics"),
        "reference_model": pin("anna/rule"),
        "demo_data": {"sha256": D, "size": 10, "path": "demo", "urls": [], "files": 1},
        "committee": {"members": ["anna", "ben", "chloe"], "threshold": 2},
        "compatibility_test": _TEST,
    },
    "policy": {
        "id": "anna/preterm",
        "benchmark": pin("anna/preterm"),
        "open": True,
        "results": "approve",
        "models": {"mode": "listed", "participants": ["mn"]},
        "datasets": {"mode": "auto", "participants": []},
        "priorities": ["mn/forest"],
        "images": ["reference", "source"],
    },
    "model-association": {
        "id": "anna/preterm/mn/forest",
        "benchmark": pin("anna/preterm"),
        "model": pin("mn/forest"),
        "compatibility_test": _TEST,
    },
    "dataset-association": {
        "id": "anna/preterm/ky/opt",
        "benchmark": pin("anna/preterm"),
        "dataset": pin("ky/opt"),
    },
    "result": {
        "id": "anna/preterm/ky/opt/mn/forest",
        "benchmark": pin("anna/preterm"),
        "dataset": pin("ky/opt"),
        "model": pin("mn/forest"),
        "dataset_association": pin("anna/preterm/ky/opt"),
        "model_association": pin("anna/preterm/mn/forest"),
        "metrics": _METRICS,
        "denominator": _DENOMINATOR,
        "execution": _EXECUTION,
    },
    "withdrawal": {
        "id": "ky/opt",
        "target_kind": "dataset",
        "target": pin("ky/opt"),
        "reason": "Consent was revoked.",
    },
}

OPTIONAL: Final[dict[str, tuple[str, ...]]] = {
    "root": ("description",),
    "participant": ("contact", "description"),
    "mlcube": ("description",),
    "model": ("description", "license"),
    "dataset": ("description",),
    "benchmark": ("description",),
    "result": ("model_association",),
}
"""Fields that a record may leave out."""

GONE: Final = object()
"""As a new value: the field is taken away."""


def sample(kind: str) -> dict[str, Any]:
    """A fresh copy of the kind's sample, no part of it shared with another part."""
    return {"kind": kind, "revision": 1, **json.loads(json.dumps(_RECORDS[kind]))}


def changed(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """The kind's sample with dotted fields set to new values, or taken away (`GONE`)."""
    data = sample(kind)
    for dotted, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in dotted.split(".")]
        node: Any = data
        for parent in parents:
            node = node[parent]
        if value is GONE:
            del node[last]
        else:
            node[last] = value
    return data


KINDS: Final = tuple(_RECORDS)
