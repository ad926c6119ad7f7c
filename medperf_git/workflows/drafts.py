"""Drafts become records: ordinary YAML, as a person writes it, made complete.

A draft leaves out what can be worked out: kind, revision, digests and sizes of local files,
and the digests of the records that it refers to by id. Nothing in a draft is run.

Example:
    >>> task_from_config({"run_args": {"command": "python3 /project/a.py -x"}})["command"]
    ['python3', '/project/a.py', '-x']
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medperf_git.canonical.digest import fingerprint
from medperf_git.canonical.draft import read_mapping
from medperf_git.errors import InputError, MpgitError, RecordError
from medperf_git.records.base import Pin, Record
from medperf_git.records.codec import build
from medperf_git.runtime.files import IGNORED_IN_SOURCES, digest_file, digest_tree
from medperf_git.store.snapshot import Snapshot
from medperf_git.workflows.propose import next_revision

_PINS: Final[dict[str, dict[str, str]]] = {
    "benchmark": {
        "data_preparation": "mlcube",
        "evaluation_metrics": "mlcube",
        "reference_model": "model",
    },
    "policy": {"benchmark": "benchmark"},
}

PinPart = Callable[[str, str], Pin]
"""Given kind and id, the reference to that record."""


@dataclass(frozen=True)
class Draft:
    """A draft file's data, and where its local files are looked for."""

    data: dict[str, Any]
    path: Path
    folders: tuple[Path, ...]

    def error(self, field: str, message: str, advice: str | None = None) -> InputError:
        """An error that names the file and the field."""
        return InputError(message, code="bad-draft", place=f"{self.path}, {field}", advice=advice)


def read_draft(path: Path, artefact_folders: Sequence[Path] = ()) -> Draft:
    """A draft from a file.

    Raises:
        InputError: missing, or not usable YAML.
    """
    try:
        payload = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}",
            code="no-draft",
            place=str(path),
            advice="`mpgit mlcube create`, `model create` and `benchmark create` write drafts",
        ) from error
    return Draft(read_mapping(payload, str(path)), path, (path.parent, *artefact_folders))


def complete(
    draft: Draft, kind: str, snapshot: Snapshot, owner: str, pin: PinPart | None = None
) -> dict[str, Any]:
    """The record's data that a draft stands for; not validated yet.

    Args:
        draft: the draft.
        kind: what it shall become.
        snapshot: the registry, for revisions and references.
        owner: the participant whose id stands before a bare name.
        pin: resolves references; by default to what stands in the registry.

    Raises:
        InputError: a local file or a referenced record is missing.
        ArtefactError: a local tree holds something that is no plain file.
    """
    data = dict(draft.data)
    if data.setdefault("kind", kind) != kind:
        raise draft.error("kind", f"a {data['kind']}, not a {kind}")
    record_id = data.get("id")
    if not isinstance(record_id, str):
        raise draft.error("id", "missing", "name it, e.g. `id: preterm-prep`")
    if "/" not in record_id:
        data["id"] = f"{owner}/{record_id}"
    try:
        data["revision"] = next_revision(snapshot, kind, data["id"])
    except InputError as error:
        raise draft.error("id", error.message, error.advice) from error
    if kind in ("mlcube", "model"):
        _complete_container(draft, data)
    if kind == "benchmark" and isinstance(data.get("demo_data"), dict):
        data["demo_data"] = _tree(draft, "demo_data", data["demo_data"])
    resolve = pin or (lambda k, i: standing_pin(snapshot, k, i))
    for field, target in _PINS.get(kind, {}).items():
        value = data.get(field, data["id"] if field == "benchmark" else None)
        if isinstance(value, str):
            named = value if "/" in value else f"{owner}/{value}"
            data[field] = resolve(target, named).model_dump()
    return data


def record_from(draft: Draft, kind: str, data: dict[str, Any]) -> Record:
    """The validated record.

    Raises:
        InputError: naming the draft and the field.
    """
    with faults_of(draft):
        return build(kind, data)


@contextmanager
def faults_of(draft: Draft) -> Iterator[None]:
    """Says of a record that can't be built which draft and field are at fault.

    Raises:
        InputError: where a record could not be built.
    """
    try:
        yield
    except RecordError as error:
        place = f"{draft.path}" + (f", {error.place}" if error.place else "")
        message, advice = error.message, error.advice
        raise InputError(message, code="bad-draft", place=place, advice=advice) from error


def standing_pin(snapshot: Snapshot, kind: str, record_id: str) -> Pin:
    """The reference to the revision of a record that stands.

    Raises:
        InputError: there is none.
    """
    place = snapshot.standing(kind, record_id)
    if place is None:
        withdrawn = snapshot.newest(kind, record_id) is not None
        raise InputError(
            f"the {kind} {record_id} " + ("was withdrawn" if withdrawn else "is not registered"),
            code="no-record",
            advice=f"`mpgit {kind} ls` lists what stands; `mpgit registry sync` brings news",
        )
    return snapshot.load(place).pin


# --- containers ----------------------------------------------------------------------------


def _complete_container(draft: Draft, data: dict[str, Any]) -> None:
    config = data.pop("container_config", None)
    if config is not None:
        path = _local(draft, "container_config", config)
        data["tasks"] = tasks_from_config(read_mapping(path.read_bytes(), str(path)), str(path))
    tasks = data.get("tasks")
    if isinstance(tasks, dict):
        data["tasks"] = {name: _task(task) for name, task in tasks.items()}
    image = data.get("image")
    if isinstance(image, dict) and image.get("type") == "source":
        data["image"] = _tree(draft, "image", image, IGNORED_IN_SOURCES)
    elif isinstance(image, dict) and image.get("type") == "archive":
        data["image"] = _file(draft, "image", image)
    files = data.get("additional_files")
    if isinstance(files, list):
        data["additional_files"] = [
            _named(draft, f"additional_files.{index}", entry) for index, entry in enumerate(files)
        ]
    _spell_defaults(data)


def _spell_defaults(data: dict[str, Any]) -> None:
    """Volumes may be written as a bare mount path."""
    for task in (data.get("tasks") or {}).values():
        for side in ("input_volumes", "output_volumes"):
            volumes = task.get(side) if isinstance(task, dict) else None
            if isinstance(volumes, dict):
                task[side] = {
                    name: {"mount_path": volume} if isinstance(volume, str) else volume
                    for name, volume in volumes.items()
                }


def _task(task: Any) -> Any:
    if isinstance(task, dict) and isinstance(task.get("command"), str):
        return {**task, "command": shlex.split(task["command"])}
    return task


def tasks_from_config(config: dict[str, Any], place: str) -> dict[str, Any]:
    """The tasks of a MedPerf ``container_config.yaml``.

    Raises:
        InputError: it has no tasks.
    """
    tasks = config.get("tasks")
    if not isinstance(tasks, dict) or not all(isinstance(t, dict) for t in tasks.values()):
        raise InputError("no `tasks` in it", code="bad-container-config", place=place)
    return {name: task_from_config(task) for name, task in tasks.items()}


def task_from_config(task: dict[str, Any]) -> dict[str, Any]:
    """One task of a MedPerf ``container_config.yaml`` in a record's form."""
    arguments = task.get("run_args") or {}
    command = arguments.get("command", []) if isinstance(arguments, dict) else []
    return {
        "command": shlex.split(command) if isinstance(command, str) else command,
        "input_volumes": task.get("input_volumes") or {},
        "output_volumes": task.get("output_volumes") or {},
    }


# --- local files ---------------------------------------------------------------------------


def _local(draft: Draft, field: str, path: Any) -> Path:
    if not isinstance(path, str):
        raise draft.error(field, "a path must be text")
    for folder in draft.folders:
        candidate = folder / path
        if candidate.exists():
            return candidate
    looked = ", ".join(str(folder) for folder in draft.folders)
    raise draft.error(field, f"no such file: {path} (looked in {looked})", "give --artefacts DIR")


def _tree(
    draft: Draft, field: str, value: dict[str, Any], ignore: Collection[str] = ()
) -> dict[str, Any]:
    if "sha256" in value or "path" not in value:
        return value
    folder = _local(draft, f"{field}.path", value["path"])
    try:
        digests = digest_tree(folder, ignore=ignore)
    except MpgitError as error:
        error.place = f"{draft.path}, {field}: {error.place}"
        raise
    if not digests:
        raise draft.error(f"{field}.path", f"{folder} holds no files")
    return {
        **value,
        "sha256": fingerprint(digests),
        "size": sum(file.size for file in digests),
        "files": len(digests),
    }


def _file(draft: Draft, field: str, value: dict[str, Any]) -> dict[str, Any]:
    if "sha256" in value or "path" not in value:
        return value
    path = _local(draft, f"{field}.path", value["path"])
    return {**value, "sha256": digest_file(path), "size": path.stat().st_size}


def _named(draft: Draft, field: str, value: Any) -> Any:
    if isinstance(value, str):
        value = {"path": value}
    if not isinstance(value, dict):
        raise draft.error(field, "expected a path, or a mapping with `path`")
    named = _file(draft, field, value)
    if "name" not in named and isinstance(named.get("path"), str):
        named["name"] = named["path"].rpartition("/")[2]
    return named
