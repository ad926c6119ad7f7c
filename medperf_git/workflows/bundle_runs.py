"""Runs as a support bundle tells of them: which tasks ran, how they were started and ended.

Of a run's folder only the journal, the facts of tasks and the pins of a result are read, and of
these only fields that are named here. Everything else in it is not opened.

Example::

    for run in runs_of(home):
        run.name, run.facts(), dict(run.tasks())
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError

from medperf_git.records.base import SLUG, Pin
from medperf_git.records.container import TaskName
from medperf_git.records.execution import Engine, Step
from medperf_git.runtime.engine import environment
from medperf_git.runtime.limits import Limits
from medperf_git.store.home import Home
from medperf_git.workflows.storage import dataset_folders, execution_folders

_TASKS: Final[tuple[str, ...]] = get_args(TaskName)
_EXECUTION: Final = re.compile(r"[0-9a-f]{16}(?:-[0-9a-f]{16}){2}")
_TEST: Final = re.compile(r"test-[0-9a-f]{16}")
_ID: Final = re.compile(SLUG)
_MOST: Final = 256 * 1024
"""Bytes of a log that enter: its end."""
_MAX_FACTS: Final = 1024 * 1024
_OUR_VARIABLES: Final = frozenset(
    environment(Limits(memory_mb=1, cpus=1, processes=1, seconds=1, output_mb=1))
)


def _like(pattern: str) -> Callable[[Any], bool]:
    form = re.compile(pattern)
    return lambda value: isinstance(value, str) and bool(form.fullmatch(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float)


def _list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _fields(**fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """A mapping with no other fields, each of which looks as it must."""
    return lambda value: (
        isinstance(value, dict)
        and all(name in fits and fits[name](inner) for name, inner in value.items())
    )


_VARIABLE: Final = _like("[A-Za-z_][A-Za-z0-9_]{0,80}")
_CODE: Final = _like("[a-z][a-z-]{0,40}")
_FACTS: Final[dict[str, Callable[[Any], bool]]] = {
    "task": lambda value: value in _TASKS,
    "container": _like(f"{SLUG}/{SLUG}"),
    "image": _fields(
        type=_CODE, sha256=_like("[0-9a-f]{64}"), reference=_like("[a-z0-9][a-z0-9.:/@_-]{0,500}")
    ),
    "engine": _fields(name=_CODE, version=_like("[A-Za-z0-9][A-Za-z0-9 .+~_-]{0,80}")),
    "command": _list(lambda word: isinstance(word, str)),
    "user": _like("[0-9]+:[0-9]+"),
    "limits": _fields(**dict.fromkeys((field.name for field in fields(Limits)), _is_number)),
    "gpus": _list(_like("[0-9]{1,3}")),
    "began": _like("[0-9T:+-]{10,40}"),
    "seconds": _is_number,
    "exit_code": _is_number,
    "outcome": _CODE,
    "likely_cause": _CODE,
}
"""The facts of a task that enter, and what they must look like; a command is the record's own."""


@dataclass(frozen=True)
class Run:
    """One folder in which tasks ran.

    Attributes:
        name: its path in the bundle.
        folder: where it is.
    """

    name: str
    folder: Path

    def facts(self) -> dict[str, Any]:
        """What ran on what, and the stages that were finished."""
        result = _json(self.folder / "execution.json")
        pins = {name: _pin(result.get(name)) for name in ("benchmark", "dataset", "model")}
        stages = _json(self.folder / "journal.json").get("stages")
        found = stages if isinstance(stages, dict) else {}
        return {
            **{name: pin for name, pin in pins.items() if pin is not None},
            "finished": [_stage(found[task]) for task in _TASKS if task in found],
        }

    def tasks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """The facts of each task that was begun."""
        for task in _TASKS:
            path = self.folder / "logs" / f"{task}.json"
            if path.is_file():
                yield task, _task(_json(path))

    def logs(self) -> Iterator[Path]:
        """What its tasks printed."""
        for task in _TASKS:
            for kind in ("stdout", "stderr"):
                path = self.folder / "logs" / f"{task}.{kind}"
                if path.is_file() and not path.is_symlink() and path.stat().st_size:
                    yield path

    def strangers(self) -> list[Path]:
        """What stands beside the logs and is none of ours."""
        ours = {f"{task}.{kind}" for task in _TASKS for kind in ("stdout", "stderr", "json")}
        try:
            found = sorted((self.folder / "logs").iterdir())
        except OSError:
            return []
        return [path for path in found if path.name not in ours or path.is_symlink()]


def runs_of(home: Home) -> Iterator[Run]:
    """Every folder in which tasks ran: datasets, executions, compatibility tests."""
    for entry in home.configuration().registries:
        for folder in dataset_folders(home, entry.name):
            owner, name = folder.parent.name, folder.name
            if _ID.fullmatch(owner) and _ID.fullmatch(name):
                yield Run(f"datasets/{entry.name}/{owner}/{name}", folder)
        for folder in execution_folders(home, entry.name):
            if _EXECUTION.fullmatch(folder.name):
                yield Run(f"executions/{entry.name}/{folder.name}", folder)
    for test in sorted(home.scratch.glob("test-*")):
        for part in ("dataset", "execution"):
            folder = test / part
            if _TEST.fullmatch(test.name) and folder.is_dir() and not folder.is_symlink():
                yield Run(f"tests/{test.name}/{part}", folder)


def read_end(path: Path, most: int = _MOST) -> str:
    """The end of a plain file as text; nothing of anything else, and no link is followed."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            return ""
        file.seek(max(0, status.st_size - most))
        return file.read(most).decode("utf-8", "replace")


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(read_end(path, _MAX_FACTS))
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _pin(value: Any) -> dict[str, Any] | None:
    try:
        return Pin.model_validate(value).model_dump()
    except ValidationError:
        return None


def _stage(entry: Any) -> dict[str, Any] | None:
    """What a record would say of it: its models let nothing else through."""
    try:
        outcome: Mapping[str, Any] = entry["outcome"]
        step = Step.model_validate(outcome["step"], strict=False)
        engine = Engine.model_validate(outcome["engine"])
    except (ValidationError, KeyError, TypeError):
        return None
    return {"engine": engine.model_dump(), "step": step.model_dump(mode="json", exclude_none=True)}


def _task(facts: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: facts[name] for name, fits in _FACTS.items() if fits(facts.get(name))}
    variables = facts.get("environment")
    if isinstance(variables, dict):
        # An image's own variables can hold a secret: only their names enter.
        shown["environment"] = {
            name: value if name in _OUR_VARIABLES else "…"
            for name, value in variables.items()
            if _VARIABLE(name) and isinstance(value, str)
        }
    return shown
