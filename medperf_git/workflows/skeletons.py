"""Skeletons: working MLCubes and an annotated benchmark draft, to begin from.

The files stand in ``medperf_git/templates`` and are copied with ``{{name}}`` filled in. They run
as they are, on a small table; completing a draft is in ``drafts``.

Example::

    draft, *others = write_skeleton(Path("my-model"), "my-model", "model")
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import TypeAdapter, ValidationError

from medperf_git.errors import InputError
from medperf_git.records.base import Slug

ROLES: Final[dict[str, str]] = {
    "data-preparation": "mlcube",
    "metrics": "mlcube",
    "model": "model",
}
"""Role of a container, and the noun of the command that submits it."""

_DRAFT: Final = "draft.yaml"
_NOT_COPIED: Final = frozenset({"__pycache__"})
"""An installer compiles the templates' Python files and leaves this beside them."""


def write_skeleton(folder: Path, name: str, role: str) -> list[Path]:
    """Writes a container that works as it is; returns the files, the draft first.

    Args:
        folder: where to; made if it is missing, and must be empty.
        name: the record's id without its owner.
        role: one of `ROLES`.

    Raises:
        InputError: the folder is not empty, or the name is no id.
    """
    _refuse_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(
            "the folder is not empty, and nothing in it is overwritten",
            code="folder-exists",
            place=str(folder),
            advice="give another place: --folder DIR",
        )
    texts = dict(_texts(_templates() / role, PurePosixPath()))
    written = []
    for path in sorted(texts, key=lambda path: (path.name != _DRAFT, path.parts)):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        written.append(_write(target, texts[path], name))
    return written


def write_benchmark_draft(path: Path, name: str) -> Path:
    """Writes an annotated draft of a benchmark.

    Raises:
        InputError: the file exists, or the name is no id.
    """
    return _write_draft("benchmark.yaml", path, name)


def write_policy_draft(path: Path, name: str) -> Path:
    """Writes an annotated draft of a benchmark's policy.

    Raises:
        InputError: the file exists, or the name is no id.
    """
    return _write_draft("policy.yaml", path, name)


def _write_draft(template: str, path: Path, name: str) -> Path:
    _refuse_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return _write(path, (_templates() / template).read_text("utf-8"), name)


def _write(path: Path, text: str, name: str) -> Path:
    try:
        with path.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(text.replace("{{name}}", name))
    except FileExistsError as error:
        raise InputError(
            "the file exists already, and is not overwritten",
            code="file-exists",
            place=str(path),
            advice="move it away, or give another place: --file FILE",
        ) from error
    return path


def _refuse_name(name: str) -> None:
    try:
        TypeAdapter[str](Slug).validate_python(name)
    except ValidationError as error:
        raise InputError(
            f"{name!r} is no name for a record",
            code="bad-name",
            advice="lowercase letters, digits and single hyphens, e.g. `chest-x-ray`",
        ) from error


def _templates() -> Traversable:
    return files("medperf_git") / "templates"


def _texts(folder: Traversable, below: PurePosixPath) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in folder.iterdir():
        if entry.name in _NOT_COPIED:
            continue
        if entry.is_dir():
            yield from _texts(entry, below / entry.name)
        else:
            yield below / entry.name, entry.read_text("utf-8")
