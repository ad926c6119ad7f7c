"""The table of kinds: for each its model and how many parts its id has.

The one list that paths, schemas, namespaces and commands are derived from.

Example:
    >>> KINDS["result"].id_parts
    6
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from medperf_git.errors import RecordError
from medperf_git.records.association import DatasetAssociation, ModelAssociation
from medperf_git.records.base import Record
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.control import Control
from medperf_git.records.dataset import Dataset
from medperf_git.records.mlcube import MLCube, Model
from medperf_git.records.participant import Participant
from medperf_git.records.policy import Policy
from medperf_git.records.result import Result
from medperf_git.records.root import Root
from medperf_git.records.withdrawal import Withdrawal


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record."""

    name: str
    model: type[Record]
    id_parts: int


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind("root", Root, 0),
        Kind("control", Control, 0),
        Kind("participant", Participant, 1),
        Kind("mlcube", MLCube, 2),
        Kind("model", Model, 2),
        Kind("dataset", Dataset, 2),
        Kind("benchmark", Benchmark, 2),
        Kind("policy", Policy, 2),
        Kind("model-association", ModelAssociation, 4),
        Kind("dataset-association", DatasetAssociation, 4),
        Kind("result", Result, 6),
        Kind("withdrawal", Withdrawal, 0),
    )
}
"""Every kind by name. `id_parts` is 0 where the id does not stand in the path."""


def kind_named(name: str) -> Kind:
    """The kind with this name.

    Raises:
        RecordError: there is none.
    """
    try:
        return KINDS[name]
    except KeyError as error:
        raise RecordError(
            f"no such kind: {name!r}", advice=f"one of {', '.join(sorted(KINDS))}"
        ) from error
