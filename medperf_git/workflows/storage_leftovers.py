"""What killed runs left: scratch folders, parts of files, groups, containers, half mirrors.

Something is a leftover only if nobody can be at work on it: its lock is free, and where there is
no lock it is older than any work takes.

Example::

    for item in leftovers(Home.from_environment()):
        print(item.name, item.size)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from medperf_git.atomic import is_locked
from medperf_git.errors import MpgitError
from medperf_git.runtime import leftovers as beside
from medperf_git.runtime.artefacts import IN_USE
from medperf_git.runtime.cgroup import stale_groups
from medperf_git.runtime.disk import is_inside, usage
from medperf_git.store.home import Home
from medperf_git.workflows.storage import Item, dataset_folders, execution_folders

_WRITING_SECONDS: Final = 600
"""A file is written whole in a moment: one that was begun so long ago is nobody's."""
_JOINING_SECONDS: Final = 24 * 3600


def leftovers(home: Home) -> list[Item]:
    """Everything that a killed process left, wherever this client works."""
    return [
        *_beside_outputs(home), *_parts(home), *_fetching(home), *_mirrors(home), *_groups(),
        *_containers(),
    ]  # fmt: skip


def _item(path: Path, belongs: str, *guards: Path) -> Item:
    return Item("leftover", path, path.name, usage(path), belongs, "not needed", "", guards)


def _working_folders(home: Home) -> Iterator[Path]:
    """Folders with a journal, and so with a lock."""
    for entry in home.configuration().registries:
        yield from dataset_folders(home, entry.name)
        yield from execution_folders(home, entry.name)
    for test in _folders(home.scratch, home.cache):
        yield from _folders(test, home.cache)


def _beside_outputs(home: Home) -> Iterator[Item]:
    for folder in _working_folders(home):
        guard = folder / "lock"
        for place in (folder, folder / "logs"):
            found = [] if place.is_symlink() else list(beside.leftovers(place))
            if found and not is_locked(guard):
                yield from (_item(path, f"a killed run in {folder.name}", guard) for path in found)


def _parts(home: Home) -> Iterator[Item]:
    """Parts of small files: settings, keys, proposals."""
    folders = [home.config, home.keys]
    for entry in home.configuration().registries:
        folders += [home.outbox(entry.name), home.mirror(entry.name).parent]
    for folder in folders:
        for path in beside.leftovers(folder):
            if path.is_file() and _age(path) > _WRITING_SECONDS:
                yield _item(path, f"a write to {folder.name} that was cut off")


def _fetching(home: Home) -> Iterator[Item]:
    """What was being fetched or unpacked."""
    guard, top = home.artefacts / IN_USE, home.artefacts / "tmp"
    if not is_locked(guard):
        for path in _folders(top, home.cache, everything=True):
            yield _item(path, "a download or image that was cut off", guard)


def _mirrors(home: Home) -> Iterator[Item]:
    """Mirrors of an `init` or `add` that was killed; a living one has no lock, but is young."""
    known = {entry.name for entry in home.configuration().registries}
    for path in _folders(home.data / "registries", home.data):
        if path.name not in known and _age(path) > _JOINING_SECONDS:
            yield _item(path, "a registry that was not added to the end")


def _groups() -> Iterator[Item]:
    for path in stale_groups():
        yield Item("group", path, path.name, 0, "a killed run's control group", "not needed")


def _containers() -> Iterator[Item]:
    for name in _stale_containers(remove=False):
        belongs = "a killed run's container"
        yield Item("container", Path(name), name, 0, belongs, "not needed")


def remove_groups_and_containers() -> None:
    """Removes what of a killed run is no file."""
    stale_groups(remove=True)
    _stale_containers(remove=True)


def _stale_containers(*, remove: bool) -> list[str]:
    # `docker` takes a fifth of a second to import, which no other command should pay.
    from medperf_git.runtime.docker_engine import stale_containers  # noqa: PLC0415

    with suppress(MpgitError):
        return stale_containers(remove=remove)
    return []


def _folders(folder: Path, top: Path, *, everything: bool = False) -> list[Path]:
    try:
        found = sorted(folder.iterdir())
    except OSError:
        return []
    found = [path for path in found if everything or (path.is_dir() and not path.is_symlink())]
    return found if is_inside(folder / "x", top) else []


def _age(path: Path) -> float:
    """Seconds since anything right in it, or itself, was written."""
    newest = 0.0
    with suppress(OSError):
        newest = path.lstat().st_mtime
        if path.is_dir():
            newest = max([newest, *(inner.lstat().st_mtime for inner in path.iterdir())])
    return time.time() - newest
