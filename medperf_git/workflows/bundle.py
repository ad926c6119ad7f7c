"""A support bundle: what helps somebody else to help, and nothing of a patient or a key.

Deny by default: an entry is made of named fields of files that are ours, and what is not named
does not enter. Data, labels, predictions, results, statistics and keys are never opened. What
tasks printed enters only where the caller asked for it, for it can hold anything.

Example::

    bundle = collect(home, examine(home), with_logs=False)
    write(bundle, Path("support.tar.gz"))
"""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import explain
from medperf_git.errors import InputError, MpgitError
from medperf_git.store.home import Home
from medperf_git.store.site_rules import load_site_rules
from medperf_git.workflows.bundle_runs import Run, read_end, runs_of
from medperf_git.workflows.bundle_secrets import Secrets
from medperf_git.workflows.observation import Observation
from medperf_git.workflows.session import CHECKED, Session
from medperf_git.workflows.storage import Item, stored
from medperf_git.workflows.versions import versions

_README: Final = """\
A support bundle of mpgit: versions, what the doctor saw, and how tasks ran and ended.
Left out: data, labels, predictions, results, statistics, keys, parameters.
What tasks printed: {logs}
"""
_PRIVATE: Final = 0o600
_PATH: Final = re.compile(r"(?<![\w:/.$~-])/(?!(?:dev|proc|sys)/)[^/\s][^\n]*")
"""A path, and all that follows it in the line: a folder's name can hold blanks."""


@dataclass(frozen=True)
class Entry:
    """One file of a bundle.

    Attributes:
        name: its path in the bundle.
        text: what it holds.
    """

    name: str
    text: str

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.text.encode())


@dataclass
class Bundle:
    """What would be written.

    Attributes:
        entries: its files.
        logs: files of what tasks printed, which enter besides.
        left_out: what was found beside logs and is no log of ours; names are not ours either.
    """

    entries: list[Entry] = field(default_factory=list)
    logs: list[tuple[str, Path]] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)
    secrets: Secrets = field(default_factory=Secrets)

    def add(self, name: str, data: Any) -> None:
        """One more file, of plain data, without secrets that stand in the environment."""
        text = json.dumps(self.secrets.hide_in(data), indent=1, ensure_ascii=False) + "\n"
        self.entries.append(Entry(name, text))


def collect(home: Home, seen: Iterable[Observation], *, with_logs: bool) -> Bundle:
    """Everything that would be in a bundle; writes nothing.

    Args:
        home: this client's files.
        seen: what the doctor saw.
        with_logs: whether what tasks printed enters.
    """
    bundle = Bundle(secrets=Secrets.of(home))
    said = "with it, at the owner's wish" if with_logs else "left out"
    bundle.entries.append(Entry("README.txt", _README.format(logs=said)))
    bundle.add("versions.json", versions())
    bundle.add("doctor.json", [_seen(each) for each in seen])
    bundle.add("site.json", _site(home))
    bundle.add("registries.json", list(_registries(home)))
    bundle.add("storage.json", [_kept(item) for item in stored(home)])
    for run in runs_of(home):
        _add_run(bundle, run, with_logs=with_logs)
    return bundle


def _add_run(bundle: Bundle, run: Run, *, with_logs: bool) -> None:
    bundle.add(f"{run.name}/run.json", run.facts())
    for task, facts in run.tasks():
        bundle.add(f"{run.name}/{task}.json", facts)
    bundle.left_out += run.strangers()
    if with_logs:
        bundle.logs += [(f"{run.name}/{path.name}", path) for path in run.logs()]


def _seen(each: Observation) -> dict[str, str]:
    """What the doctor saw, without the folders of this machine."""
    return {"topic": each.topic, "state": each.state, "text": _PATH.sub("/…", each.text)}


def _site(home: Home) -> dict[str, Any]:
    """The site's rules, but for folders."""
    try:
        return load_site_rules(home.site_file).model_dump(mode="json", exclude={"artefacts"})
    except MpgitError as error:
        return {"error": error.code}


def _registries(home: Home) -> Iterator[dict[str, Any]]:
    for entry in home.configuration().registries:
        known: dict[str, Any] = {
            "name": entry.name, "address": entry.url, "genesis": entry.genesis,
            "participant": entry.participant,
        }  # fmt: skip
        with suppress(MpgitError), Session.open(home, entry.name) as session:
            known["checked"] = session.mirror.find(CHECKED)
        yield known


_NAMELESS: Final = frozenset({"scratch", "outbox", "leftover"})
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9/×\x20-]{0,400}")


def _kept(item: Item) -> dict[str, Any]:
    """What is kept, without paths; a name only where it is an id or a digest."""
    data = {"kind": item.kind, "size": item.size, "state": item.state, "again": item.again}
    named = item.kind not in _NAMELESS and _NAME.fullmatch(item.name)
    return {"name": item.name, **data} if named else data


# --- writing -------------------------------------------------------------------------------


def write(bundle: Bundle, path: Path) -> None:
    """Writes a bundle, for the caller alone; an existing file is left as it is.

    Raises:
        InputError: `exists`, or it can't be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, _PRIVATE)
    except FileExistsError as error:
        raise InputError(
            "there is such a file already", code="exists", place=str(path),
            advice="choose another name, or remove it",
        ) from error  # fmt: skip
    except OSError as error:
        raise explain(error, path) from error
    try:
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as tar:
            for entry in bundle.entries:
                _add(tar, entry.name, entry.text)
            for name, log in bundle.logs:
                _add(tar, name, bundle.secrets.hide(read_end(log)))
    except OSError as error:
        path.unlink(missing_ok=True)
        raise explain(error, path) from error


def _add(tar: tarfile.TarFile, name: str, text: str) -> None:
    payload = text.encode("utf-8", "replace")
    entry = tarfile.TarInfo(f"mpgit-support/{name}")
    entry.size, entry.mode, entry.mtime = len(payload), _PRIVATE, int(time.time())
    tar.addfile(entry, io.BytesIO(payload))
