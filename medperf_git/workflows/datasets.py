"""Datasets at their owner's site: prepare raw data, keep it, describe it, see that it stands.

Only fingerprint, counts and statistics ever become a record. Small numbers that the site's
rules hold back make the record refuse to be built.

Example:
    >>> local_id("opt", "ky")
    'ky/opt'
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from medperf_git.atomic import lock
from medperf_git.errors import ArtefactError, ExecutionError, InputError
from medperf_git.records.base import OwnedId, Pin
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.codec import build
from medperf_git.records.dataset import Dataset
from medperf_git.records.mlcube import MLCube
from medperf_git.runtime.confirm import confirm_tree, fingerprint_tree
from medperf_git.store.home import read_json, write_json
from medperf_git.store.site_rules import SiteRules
from medperf_git.workflows.drafts import standing_pin
from medperf_git.workflows.prepare import Prepared, prepare
from medperf_git.workflows.propose import next_revision
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace


def local_id(name: str, owner: str) -> str:
    """A dataset's id: a bare name is this participant's own.

    Raises:
        InputError: it is no id.
    """
    found = name if "/" in name else f"{owner}/{name}"
    try:
        return TypeAdapter[str](OwnedId).validate_python(found)
    except ValidationError as error:
        raise InputError(
            f"{name!r} is no name for a dataset",
            code="bad-name",
            advice="lowercase letters, digits and single hyphens, e.g. `opt-2024`",
        ) from error


@contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Held while a dataset is prepared or run on: neither may happen under the other.

    Raises:
        InputError: `locked`: another process works on it.
    """
    with lock(folder / "in-use"):
        yield


@dataclass(frozen=True)
class LocalDataset:
    """A prepared dataset on this disk.

    Attributes:
        id: `owner/name`.
        folder: where it is.
        facts: what was found when it was prepared (the file ``dataset.json``).
    """

    id: str
    folder: Path
    facts: dict[str, Any]

    @property
    def data(self) -> Path:
        """The prepared data."""
        return self.folder / "data"

    @property
    def labels(self) -> Path:
        """The prepared labels."""
        return self.folder / "labels"

    @property
    def fingerprint(self) -> dict[str, Any]:
        """What the prepared files were."""
        found: dict[str, Any] = self.facts["fingerprint"]
        return found


def prepare_dataset(
    session: Session,
    place: Workplace,
    *,
    name: str,
    benchmark: str,
    data: Path,
    labels: Path,
    title: str,
    description: str | None,
) -> LocalDataset:
    """Prepares raw data with a benchmark's preparation MLCube.

    Args:
        session: the registry.
        place: where it runs.
        name: the dataset's name.
        benchmark: whose preparation MLCube.
        data: folder of raw data.
        labels: folder of raw labels.
        title: the dataset's name for people.
        description: where the data is from.

    Raises:
        ExecutionError: a task failed.
        InputError: no such benchmark or folder.
    """
    dataset = local_id(name, session.participant)
    if dataset.split("/")[0] != session.participant:
        raise InputError(
            f"{dataset} would belong to another participant; you are {session.participant}",
            code="wrong-participant",
            advice=f"mpgit dataset prepare {dataset.split('/')[1]}",
        )
    for folder in (data, labels):
        if not folder.is_dir():
            raise InputError(
                "no such folder", code="no-data", place=str(folder), advice="name it with --data"
            )
    if not session.site_rules().admits_benchmark(benchmark):
        raise InputError(
            f"this site's rules do not admit the benchmark {benchmark}",
            code="site-refuses",
            place=str(session.home.site_file),
            advice="site.yaml, `benchmarks`, lists what may run here",
        )
    snapshot = session.snapshot()
    pin = standing_pin(snapshot, "benchmark", benchmark)
    science = snapshot.resolve("benchmark", pin).record
    assert isinstance(science, Benchmark)  # noqa: S101 (the path's kind)
    mlcube = snapshot.resolve("mlcube", science.data_preparation).record
    assert isinstance(mlcube, MLCube)  # noqa: S101 (the path's kind)
    folder = session.home.dataset(session.entry.name, dataset)
    cases = science.case_paths.statistics
    with one_at_a_time(folder):
        prepared = prepare(place, mlcube, data, labels, folder, case_path=cases)
        place.tell("fingerprint of the prepared data")
        facts = _facts(dataset, prepared, science.data_preparation)
        facts |= {"name": title, "benchmark": benchmark, "raw": [str(data), str(labels)]}
        facts |= {} if description is None else {"description": description}
        write_json(folder / "dataset.json", facts)
    return LocalDataset(dataset, folder, facts)


def _facts(dataset: str, prepared: Prepared, preparation: Pin) -> dict[str, Any]:
    return {
        "id": dataset,
        "preparation": preparation.model_dump(),
        "fingerprint": fingerprint_of(prepared.data, prepared.labels),
        "cases": prepared.cases,
        "statistics": prepared.statistics,
    }


def fingerprint_of(data: Path, labels: Path, *, confirm: bool = False) -> dict[str, Any]:
    """The fingerprint of prepared data and labels, as a record holds it.

    Args:
        data: folder of the prepared data.
        labels: folder of the prepared labels.
        confirm: whether files are left unread that did not change since they were last read.

    Raises:
        ArtefactError: something in them is no plain file.
    """
    look = confirm_tree if confirm else fingerprint_tree
    both = look(data), look(labels)
    return {
        "data": both[0].sha256,
        "labels": both[1].sha256,
        "files": sum(tree.files for tree in both),
        "size": sum(tree.size for tree in both),
    }


def local_dataset(session: Session, name: str) -> LocalDataset:
    """A dataset that was prepared here.

    Raises:
        InputError: there is none.
    """
    dataset = local_id(name, session.participant)
    folder = session.home.dataset(session.entry.name, dataset)
    facts = read_json(folder / "dataset.json")
    if facts is None:
        raise InputError(
            f"{dataset} was not prepared here",
            code="no-dataset",
            place=str(folder),
            advice=f"mpgit dataset prepare {dataset.split('/')[1]} -b BENCHMARK --data DIR",
        )
    return LocalDataset(dataset, folder, facts)


def local_datasets(session: Session) -> Iterator[LocalDataset]:
    """Every dataset that was prepared here, by id."""
    top = session.home.datasets(session.entry.name)
    for path in sorted(top.glob("*/*/dataset.json")):
        facts = read_json(path)
        if facts is not None:
            yield LocalDataset(facts["id"], path.parent, facts)


def refuse_changed(
    dataset: LocalDataset, wanted: dict[str, Any] | None = None, *, thorough: bool = False
) -> None:
    """Raises unless the prepared files are still what they were.

    Args:
        dataset: the dataset.
        wanted: the registered fingerprint; what was found when it was prepared, if None.
        thorough: whether every file is read, also those that the site's index says are unchanged.

    Raises:
        ExecutionError: a file changed, vanished or came.
    """
    advice = "restore the files, or prepare again and submit the next revision"
    try:
        now = fingerprint_of(dataset.data, dataset.labels, confirm=not thorough)
    except ArtefactError as error:
        raise ExecutionError(
            f"the prepared files of {dataset.id} can't be read as they were: {error.message}",
            code="dataset-changed",
            place=error.place,
            advice=advice,
        ) from error
    for side in ("data", "labels"):
        if now[side] != (wanted or dataset.fingerprint)[side]:
            raise ExecutionError(
                f"the prepared {side} of {dataset.id} changed since it was "
                + ("registered" if wanted else "prepared"),
                code="dataset-changed",
                place=str(dataset.folder / side),
                advice=advice,
            )


def dataset_record(
    session: Session, dataset: LocalDataset, rules: SiteRules, *, thorough: bool = False
) -> Dataset:
    """The record that describes a prepared dataset.

    Args:
        session: the registry.
        dataset: what was prepared.
        rules: the site's.
        thorough: whether every byte is read to see that it is unchanged.

    Raises:
        ExecutionError: its files changed since.
        InputError: a number is too small to leave this site.
    """
    refuse_changed(dataset, thorough=thorough)
    small = list(rules.small_cells(dataset.facts["statistics"]))
    if small:
        raise InputError(
            f"numbers below {rules.smallest_cell} may not leave this site: {', '.join(small[:10])}",
            code="small-cell",
            place=dataset.id,
            advice="prepare with an MLCube that groups small cells; site.yaml sets the limit",
        )
    snapshot = session.snapshot()
    data: dict[str, Any] = {
        key: dataset.facts[key]
        for key in (
            "id",
            "name",
            "description",
            "preparation",
            "fingerprint",
            "cases",
            "statistics",
        )
        if key in dataset.facts
    }
    data |= {
        "kind": "dataset",
        "revision": next_revision(snapshot, "dataset", dataset.id),
    }
    record = build("dataset", data)
    assert isinstance(record, Dataset)  # noqa: S101 (built as one)
    return record
