"""What an execution has finished, so that a killed run goes on where it stopped.

A stage counts as finished only for the inputs it was finished with: other data, image or
parameters mean another digest and a new run. One process at a time. Does not know stages.

Example:
    >>> import tempfile
    >>> with Journal(Path(tempfile.mkdtemp())) as journal:
    ...     journal.record("infer", {"data": "ab12"}, {"seconds": 3})
    ...     journal.finished("infer", {"data": "ab12"}), journal.finished("infer", {"data": "cd"})
    ({'seconds': 3}, None)
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from medperf_git.atomic import lock, write_bytes
from medperf_git.canonical.digest import sha256_hex
from medperf_git.runtime.leftovers import sweep

_VERSION: Final = 1
OWN_FOLDERS: Final = ("logs", "materials/*")
"""The folders beside the journal that only this client writes to."""


class Journal:
    """The journal of one execution's folder; use it as a context manager, which locks it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._path = folder / "journal.json"
        self._held: ExitStack | None = None

    def __enter__(self) -> Self:
        """Lock the folder, and remove what a killed process left in it.

        Raises:
            InputError: `locked`: another process works in it.
        """
        held = ExitStack()
        held.enter_context(lock(self.folder / "lock"))
        # Not the outputs: what stands there is the containers'.
        for folder in (self.folder, *(p for name in OWN_FOLDERS for p in self.folder.glob(name))):
            sweep(folder)
        self._held = held
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def finished(self, stage: str, inputs: Mapping[str, str]) -> dict[str, Any] | None:
        """What a stage's run with exactly these inputs came to, or None where it must run."""
        entry = self._entries().get(stage)
        if not isinstance(entry, dict) or entry.get("inputs") != digest_inputs(inputs):
            return None
        outcome = entry.get("outcome")
        return outcome if isinstance(outcome, dict) else None

    def record(self, stage: str, inputs: Mapping[str, str], outcome: dict[str, Any]) -> None:
        """Note that a stage finished; on disk when this returns.

        Raises:
            InputError: the disk is full, or the folder not writable.
        """
        if self._held is None:
            raise RuntimeError("a journal is written inside its `with` block")
        entries = self._entries()
        entries[stage] = {"inputs": digest_inputs(inputs), "outcome": outcome}
        document = {"version": _VERSION, "stages": entries}
        write_bytes(self._path, json.dumps(document, indent=1, allow_nan=False).encode())

    def _entries(self) -> dict[str, Any]:
        """What stands; a journal that can't be read costs a new run, never a wrong result."""
        try:
            document = json.loads(self._path.read_bytes())
        except (FileNotFoundError, ValueError):
            return {}
        if not isinstance(document, dict) or document.get("version") != _VERSION:
            return {}
        stages = document.get("stages")
        return stages if isinstance(stages, dict) else {}


def digest_inputs(inputs: Mapping[str, str]) -> str:
    """One digest over a stage's named inputs."""
    return sha256_hex(json.dumps(dict(inputs), sort_keys=True).encode())
