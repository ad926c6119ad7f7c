"""Preparing: raw data becomes a dataset by its benchmark's preparation MLCube.

Example::

    prepared = prepare(place, mlcube, raw_data, raw_labels, folder, case_path="cases")
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medperf_git.canonical.digest import fingerprint
from medperf_git.records.execution import Step
from medperf_git.records.mlcube import MLCube
from medperf_git.runtime.files import digest_tree
from medperf_git.runtime.measurements import read_statistics
from medperf_git.workflows.stages import Stage, digests_of, run_stages
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Prepared:
    """Prepared data at this site.

    Attributes:
        data: folder of the prepared data.
        labels: folder of the prepared labels.
        statistics: nested mapping of numbers.
        cases: how many cases it has.
        steps: what ran.
    """

    data: Path
    labels: Path
    statistics: dict[str, Any]
    cases: int
    steps: tuple[Step, ...]


def prepare(
    place: Workplace, mlcube: MLCube, data: Path, labels: Path, folder: Path, *, case_path: str
) -> Prepared:
    """Prepares raw data: prepare, sanity check, statistics.

    Args:
        place: where it runs.
        mlcube: the data-preparation MLCube.
        data: folder of raw data.
        labels: folder of raw labels.
        folder: where the prepared data goes.
        case_path: where `statistics.yaml` has the number of cases.

    Raises:
        ExecutionError: a task failed, or the statistics are not numbers.
        ArtefactError: something in the raw data is no plain file.
    """
    engine = place.choose(mlcube)
    place.tell("fingerprint of the raw data")
    key = {
        "data": fingerprint(digest_tree(data)),
        "labels": fingerprint(digest_tree(labels)),
        **digests_of(mlcube),
    }
    out = {name: folder / name for name in ("data", "labels", "metadata")}
    statistics = folder / "statistics.yaml"
    raw = {"data_path": data, "labels_path": labels}
    written = {
        "output_path": out["data"],
        "output_labels_path": out["labels"],
        "report_file": folder / "report.yaml",
        "metadata_path": out["metadata"],
    }
    ready = {
        "data_path": out["data"],
        "labels_path": out["labels"],
        "metadata_path": out["metadata"],
    }
    stages = (
        Stage("prepare", mlcube, key, raw, written),
        Stage("sanity_check", mlcube, key, ready, {}),
        Stage("statistics", mlcube, key, ready, {"output_path": statistics}),
    )
    ran = run_stages(place, engine, folder, stages)
    numbers, cases = read_statistics(statistics, case_path)
    return Prepared(out["data"], out["labels"], numbers, cases, ran.steps)
