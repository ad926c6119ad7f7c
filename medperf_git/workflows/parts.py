"""The parts of a compatibility test, each from the registry or from a draft on disk.

Example::

    parts, folders = gather_parts(session, {"benchmark": "anna/preterm", "model": "draft.yaml"}, ())
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medperf_git.errors import InputError
from medperf_git.records.base import Pin, Record
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.compatibility import Parts, untested
from medperf_git.workflows.drafts import (
    Draft,
    complete,
    faults_of,
    read_draft,
    record_from,
    standing_pin,
)
from medperf_git.workflows.session import Session

_UNKNOWN = "0" * 64
_FIELDS = {
    "preparation": ("data_preparation", "mlcube"),
    "metrics": ("evaluation_metrics", "mlcube"),
    "model": ("reference_model", "model"),
}


def gather_parts(
    session: Session, named: Mapping[str, str | None], folders: tuple[Path, ...]
) -> tuple[Parts, tuple[Path, ...]]:
    """What a compatibility test needs, and where its artefacts are looked for.

    Args:
        session: the registry.
        named: `benchmark`, `model`, `preparation`, `metrics`: an id, a draft's file, or None
            for what the benchmark itself names.
        folders: artefact folders.

    Raises:
        InputError: a part is neither in the registry nor a file, or is of the wrong kind.
    """
    snapshot = session.snapshot()
    owner = session.entry.participant or "local"
    search = list(folders)
    drafts: dict[str, Draft] = {}
    for name, text in named.items():
        if text is not None and is_file(text):
            drafts[name] = read_draft(Path(text), folders)
            search.append(Path(text).parent)

    def record_of(name: str, kind: str, pinned: Pin | None) -> Record:
        text = named.get(name)
        if name in drafts:
            data = complete(drafts[name], kind, snapshot, owner)
            return record_from(drafts[name], kind, data)
        if text is not None:
            pinned = standing_pin(snapshot, kind, text if "/" in text else f"{owner}/{text}")
        if pinned is None or pinned.sha256 == _UNKNOWN:
            raise InputError(
                f"the benchmark's draft names a {name} that is not registered",
                code="no-record",
                advice=f"give its draft: --{name} FILE",
            )
        return snapshot.resolve(kind, pinned).record

    science = _benchmark(snapshot, named["benchmark"] or "", drafts.get("benchmark"), owner)
    parts = {
        name: record_of(name, kind, getattr(science, field))
        for name, (field, kind) in _FIELDS.items()
    }
    preparation, metrics, model = parts["preparation"], parts["metrics"], parts["model"]
    assert isinstance(preparation, MLCube)  # noqa: S101 (complete made it so)
    assert isinstance(metrics, MLCube)  # noqa: S101 (as above)
    assert isinstance(model, Model)  # noqa: S101 (as above)
    for name, cube, role in (
        ("preparation", preparation, "data-preparation"),
        ("metrics", metrics, "metrics"),
    ):
        if cube.role != role:
            raise InputError(
                f"{cube.id} is a {cube.role} MLCube",
                code="wrong-role",
                place=name,
                advice=f"name one with the role {role}: mpgit mlcube ls",
            )
    return Parts(science, preparation, metrics, model), tuple(search)


def is_file(text: str) -> bool:
    """Whether a part is named by its draft's file: ids have no ending."""
    return text.endswith((".yaml", ".yml"))


def _benchmark(snapshot: Snapshot, text: str, draft: Draft | None, owner: str) -> Benchmark:
    if draft is None:
        pin = standing_pin(snapshot, "benchmark", text if "/" in text else f"{owner}/{text}")
        record = snapshot.resolve("benchmark", pin).record
        assert isinstance(record, Benchmark)  # noqa: S101 (the path's kind)
        return record

    def pin_or_unknown(kind: str, record_id: str) -> Pin:
        # A part that is only a draft so far is given on the command line.
        if snapshot.standing(kind, record_id) is None:
            return Pin(id=record_id, revision=1, sha256=_UNKNOWN)
        return standing_pin(snapshot, kind, record_id)

    data: dict[str, Any] = complete(draft, "benchmark", snapshot, owner, pin_or_unknown)
    data.pop("compatibility_test", None)
    with faults_of(draft):
        return untested(data)
