"""What this client keeps on the disk: what it is, what it belongs to, whether it can be had again.

Looks only; ``storage_clean`` frees. What can't be told because a registry can't be read is
listed all the same.

Example::

    for item in stored(Home.from_environment()):
        print(item.kind, item.name, item.size)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from medperf_git.atomic import is_locked
from medperf_git.errors import InputError, MpgitError
from medperf_git.runtime.artefacts import IN_USE
from medperf_git.runtime.disk import is_inside, usage
from medperf_git.store.home import Home, RegistryEntry, read_json
from medperf_git.workflows.results import local_results
from medperf_git.workflows.session import Session
from medperf_git.workflows.storage_owners import Owners, owners_of

Kind = Literal[
    "file", "tree", "image", "scratch", "dataset", "execution", "logs", "mirror", "outbox",
    "index", "leftover", "group", "container",
]  # fmt: skip
_LOGS: Final = frozenset({"logs"})
_PARTS: Final = 3


@dataclass(frozen=True)
class Item:
    """Something on the disk.

    Attributes:
        kind: what it is.
        path: where it is; a container's name, which has no path.
        name: for people: an id, or the beginning of a digest.
        size: bytes that it takes.
        belongs: what it belongs to.
        again: how it can be had again; None where it can't.
        state: how it stands, such as `registered`, `in use`; empty where there is nothing to say.
        guards: lock files that somebody who works with it holds.
    """

    kind: Kind
    path: Path
    name: str
    size: int
    belongs: str
    again: str | None
    state: str = ""
    guards: tuple[Path, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``; what is None is left out."""
        fields = {
            "kind": self.kind, "name": self.name, "size": self.size, "belongs": self.belongs,
            "again": self.again, "state": self.state or None, "path": str(self.path),
        }  # fmt: skip
        return {name: value for name, value in fields.items() if value is not None}


def stored(home: Home) -> list[Item]:
    """Everything that is kept but leftovers, by kind and name.

    Raises:
        InputError: the list of registries was damaged.
    """
    owners = owners_of(home)
    found = [*_cache(home, owners), *_scratch(home), *_indexes(home)]
    for entry in home.configuration().registries:
        found += [
            *_datasets(home, entry), *_executions(home, entry, owners),
            *_logs(home, entry, owners), *_mirror(home, entry), *_outbox(home, entry),
        ]  # fmt: skip
    return found


# --- the cache -----------------------------------------------------------------------------

_CACHES: Final[dict[str, Kind]] = {"files": "file", "trees": "tree"}
_UNPACKED: Final = "from its archive or registry"


def _cache(home: Home, owners: Owners) -> Iterator[Item]:
    top, guard = home.artefacts, home.artefacts / IN_USE
    state = "in use" if is_locked(guard) else ""
    for folder in _entries(top, home.cache):
        if not folder.is_dir() or folder.name == "tmp":
            continue
        # What is neither a file nor a tree is an engine's own form of an image.
        kind = _CACHES.get(folder.name, "image")
        for path in _entries(folder, home.cache):
            digest = path.name[:64]
            made = kind == "image" and digest not in owners.sources
            again = _UNPACKED if made else owners.again(digest)
            yield Item(
                kind, path, digest[:12], usage(path), owners.names(digest), again, state, (guard,)
            )  # fmt: skip


def _scratch(home: Home) -> Iterator[Item]:
    guard = home.artefacts / IN_USE
    state = "in use" if is_locked(guard) else ""
    for path in _entries(home.scratch, home.cache):
        belongs = "a compatibility test, with its logs"
        yield Item(
            "scratch", path, path.name, usage(path), belongs, "by testing again", state, (guard,)
        )  # fmt: skip


def _indexes(home: Home) -> Iterator[Item]:
    names = {entry.genesis: entry.name for entry in home.configuration().registries}
    for path in _entries(home.indexes, home.cache):
        name = names.get(path.name[:64], path.name[:12])
        guard = path / "lock"
        state = "in use" if is_locked(guard) else ""
        belongs = f"the registry {name}"
        yield Item(
            "index", path, name, usage(path), belongs, "from the mirror, by asking again", state,
            (guard,),
        )  # fmt: skip


# --- what must not be lost -----------------------------------------------------------------


def dataset_folders(home: Home, registry: str) -> list[Path]:
    """The folder of each prepared dataset."""
    top = home.datasets(registry)
    owners = _entries(top, home.data)
    return [path for owner in owners for path in _entries(owner, home.data) if path.is_dir()]


def _datasets(home: Home, entry: RegistryEntry) -> Iterator[Item]:
    for folder in dataset_folders(home, entry.name):
        facts = _facts(folder / "dataset.json")
        name = f"{folder.parent.name}/{folder.name}"
        raw = [Path(str(path)) for path in facts.get("raw", ())]
        there = bool(raw) and all(path.is_dir() for path in raw)
        guards = (folder / "in-use", folder / "lock")
        yield Item(
            "dataset", folder, name, usage(folder, without=_LOGS), entry.name,
            "by preparing again: the raw data is where it was" if there else None,
            _state(guards, "prepared" if facts else "unfinished"), guards,
        )  # fmt: skip


def _executions(home: Home, entry: RegistryEntry, owners: Owners) -> Iterator[Item]:
    states = _result_states(home, entry)
    busy = tuple(folder / "in-use" for folder in dataset_folders(home, entry.name))
    for folder in execution_folders(home, entry.name):
        guards = (folder / "lock", *busy)
        yield Item(
            "execution", folder, _name(folder, owners), usage(folder, without=_LOGS),
            entry.name, "by running again", _state(guards, states.get(folder, "unfinished")),
            guards,
        )  # fmt: skip


def execution_folders(home: Home, registry: str) -> list[Path]:
    """The folder of each execution."""
    return [path for path in _entries(home.executions(registry), home.data) if path.is_dir()]


def _name(folder: Path, owners: Owners) -> str:
    """What ran on what: an execution's folder is called by the digests of the three records."""
    named = [
        name
        for part in folder.name.split("-")
        for digest, name in owners.ids.items()
        if digest.startswith(part)
    ]
    return " × ".join(named) if len(named) == _PARTS else folder.name


def _result_states(home: Home, entry: RegistryEntry) -> dict[Path, str]:
    """What became of each result, as ``results`` says it; `unknown` where it can't be told."""
    folders = execution_folders(home, entry.name)
    measured = [path for path in folders if (path / "execution.json").is_file()]
    try:
        with Session.open(home, entry.name) as session:
            return {local.folder: local.state for local in local_results(session)}
    except (MpgitError, OSError, KeyError):
        return dict.fromkeys(measured, "unknown")


def _logs(home: Home, entry: RegistryEntry, owners: Owners) -> Iterator[Item]:
    named = {path: f"{path.parent.name}/{path.name}" for path in dataset_folders(home, entry.name)}
    named |= {path: _name(path, owners) for path in execution_folders(home, entry.name)}
    for folder, name in named.items():
        path = folder / "logs"
        if path.is_dir() and not path.is_symlink():
            yield Item("logs", path, name, usage(path), entry.name, None)


def _mirror(home: Home, entry: RegistryEntry) -> Iterator[Item]:
    path = home.mirror(entry.name)
    if path.exists():
        belongs = f"the registry {entry.name}"
        yield Item("mirror", path, entry.name, usage(path), belongs, "by registry add")


def _outbox(home: Home, entry: RegistryEntry) -> Iterator[Item]:
    for path in _entries(home.outbox(entry.name), home.data):
        if path.suffix == ".json":
            belongs = "waits to be sent"
            yield Item("outbox", path, path.stem, usage(path), belongs, None, "waiting")


def _state(guards: tuple[Path, ...], otherwise: str) -> str:
    return "in use" if any(is_locked(guard) for guard in guards) else otherwise


def _facts(path: Path) -> dict[str, Any]:
    try:
        return read_json(path) or {}
    except (InputError, OSError):
        return {}


def _entries(folder: Path, top: Path) -> list[Path]:
    """What is in a folder of ours, by name; nothing where a link leads out of `top`."""
    try:
        found = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError:
        return []
    return found if is_inside(folder / "x", top) else []
