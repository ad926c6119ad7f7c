"""Results of a registry, as typed rows.

A result counts while it stands and everything that it pins stands too; what does not is
listed with the reason, never hidden.

Example:
    >>> from medperf_git.store.tree import MemoryTree
    >>> list(results(Snapshot(MemoryTree({}))))
    []
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from medperf_git.analysis.state import States
from medperf_git.records.codec import dump
from medperf_git.records.result import Result
from medperf_git.store.paths import kind_folder
from medperf_git.store.snapshot import Loaded, Snapshot


class Shown(Protocol):
    """What a listing shows of a result, wherever it was read."""

    @property
    def benchmark(self) -> str:
        """The benchmark's id."""

    @property
    def dataset(self) -> str:
        """The dataset's id."""

    @property
    def model(self) -> str:
        """The model's id."""

    @property
    def revision(self) -> int:
        """The result's revision."""

    @property
    def state(self) -> str:
        """The name of its state."""

    @property
    def reason(self) -> str:
        """Why it is in that state."""

    @property
    def partial(self) -> bool:
        """Whether the model failed on some of the cases."""

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics as plain data."""

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""


@dataclass(frozen=True)
class ResultRow:
    """One result.

    Attributes:
        loaded: the record with its place and bytes.
        result: the record.
        state: the name of its `state.State`.
        reason: for `outdated` and `doubted`, what.
    """

    loaded: Loaded
    result: Result
    state: str
    reason: str = ""

    @property
    def benchmark(self) -> str:
        """The benchmark's id."""
        return self.result.benchmark.id

    @property
    def dataset(self) -> str:
        """The dataset's id."""
        return self.result.dataset.id

    @property
    def model(self) -> str:
        """The model's id."""
        return self.result.model.id

    @property
    def revision(self) -> int:
        """The result's revision."""
        return self.loaded.place.revision

    @property
    def partial(self) -> bool:
        """Whether the model failed on some of the cases."""
        return self.result.execution.partial

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """The metrics as plain data; what is absent is left out."""
        return [metric.model_dump(exclude_none=True) for metric in self.result.metrics]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return {
            "path": self.loaded.place.path,
            "sha256": self.loaded.sha256,
            "state": self.state,
            "reason": self.reason,
            "record": dump(self.result),
        }


def results(snapshot: Snapshot, benchmark: str | None = None) -> Iterator[ResultRow]:
    """Every result in the registry, by path.

    Args:
        snapshot: the registry.
        benchmark: only of this benchmark; only its folder is read then.
    """
    below = f"{kind_folder('result')}/{benchmark}" if benchmark else None
    states = States(snapshot)
    for place in snapshot.places("result", below):
        loaded = snapshot.load(place)
        result = loaded.record
        assert isinstance(result, Result)  # noqa: S101 (the path's kind)
        state = states.of(place)
        yield ResultRow(loaded, result, state.name, state.reason)
