"""Executions: one model on one dataset, on the data owner's machine.

What was measured stays here until ``results`` makes signed records of it. Many models at a time
are ``schedule``'s affair; does not read the registry.

Example:
    >>> Outcome("anna/rule", None, None, False).state
    'finished'
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from medperf_git.errors import ExecutionError, MpgitError
from medperf_git.records.execution import Execution
from medperf_git.records.metric import Denominator, MetricValue
from medperf_git.records.result import Result
from medperf_git.store.home import read_json, write_json
from medperf_git.store.site_rules import SiteRules
from medperf_git.workflows.compatibility import execution_record
from medperf_git.workflows.datasets import LocalDataset
from medperf_git.workflows.measure import measure
from medperf_git.workflows.plan import Candidate, Plan, execution_folder
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace


@dataclass(frozen=True)
class Outcome:
    """What became of one model."""

    model: str
    error: MpgitError | None
    result: dict[str, Any] | None
    fresh: bool

    @property
    def state(self) -> Literal["finished", "failed"]:
        """`finished` or `failed`."""
        return "failed" if self.error else "finished"

    @property
    def partial(self) -> bool:
        """Whether the model failed on some of the cases."""
        steps = (self.result or {}).get("execution", {}).get("steps", [])
        return any("exit_code" in step for step in steps)


def execute(
    session: Session, place: Workplace, work: Plan, local: LocalDataset, candidate: Candidate
) -> Outcome:
    """Runs one model, or finds that it ran before.

    Args:
        session: the registry; only its files are read, so that many threads may use it.
        place: where it runs.
        work: the run that it is part of.
        local: the prepared dataset.
        candidate: the model.

    Raises:
        ExecutionError: a task failed or was stopped, or the site lets nothing of it out.
        ArtefactError: an image is missing, or is not what its digest says.
        EngineError: no engine is here that runs it.
    """
    rules = session.site_rules()
    refuse_model(session, candidate)
    folder = execution_folder(session, work, candidate.pin)
    measured = measure(
        place,
        candidate.model,
        work.metrics,
        (local.data, local.labels),
        folder,
        work.benchmark,
        data_digests=data_digests(work),
    )
    _refuse_cases(measured.denominator, work, rules, folder)
    found = _kept(
        work,
        candidate,
        measured.metrics,
        measured.denominator,
        execution_record(measured.steps, measured.engine, work.commit),
    )
    kept = read_json(folder / "execution.json")
    if kept is None or _substance(kept) != _substance(found):
        write_json(folder / "execution.json", found)
        kept = found
    return Outcome(candidate.pin.id, None, kept, fresh=measured.fresh)


def data_digests(work: Plan) -> dict[str, str]:
    """What names the data in an execution's journal."""
    return {
        "data": work.dataset.fingerprint.data,
        "labels": work.dataset.fingerprint.labels,
    }


def refuse_model(session: Session, candidate: Candidate) -> None:
    """Raises where the site does not admit a model.

    Raises:
        ExecutionError: `site-refuses`.
    """
    if not session.site_rules().admits_model(candidate.pin.id):
        raise ExecutionError(
            f"this site's rules do not admit the model {candidate.pin.id}",
            code="site-refuses",
            place=str(session.home.site_file),
            advice="site.yaml, `models`, lists what may run here",
        )


def _substance(result: dict[str, Any]) -> dict[str, Any]:
    """What was measured by what, without when, by which client and against which commit."""
    ran = {k: v for k, v in result["execution"].items() if k in ("engine", "steps")}
    return {**result, "execution": ran}


def _refuse_cases(denominator: Denominator, work: Plan, rules: SiteRules, folder: Path) -> None:
    if denominator.cases != work.dataset.cases:
        raise ExecutionError(
            f"the metrics account for {denominator.cases} cases, the dataset has "
            f"{work.dataset.cases}",
            code="cases-differ",
            place=f"{folder / 'results.yaml'}: {work.benchmark.case_paths.cases}",
            advice="tell the benchmark's committee: its metrics MLCube loses cases",
        )
    if denominator.evaluated < rules.minimum_cases:
        raise ExecutionError(
            f"{denominator.evaluated} cases; this site lets out nothing below "
            f"{rules.minimum_cases}",
            code="too-few-cases",
            place="site.yaml, minimum_cases",
            advice="gather more cases; nothing of this model is kept for submitting",
        )
    small = list(rules.small_cells({"denominator": denominator.model_dump()}))
    if small:
        raise ExecutionError(
            f"numbers below {rules.smallest_cell} may not leave this site: {', '.join(small)}",
            code="small-cell",
            place="site.yaml, smallest_cell",
            advice="prepare a dataset without those cases, or ask whoever keeps site.yaml",
        )


def _kept(
    work: Plan,
    candidate: Candidate,
    metrics: tuple[MetricValue, ...],
    denominator: Denominator,
    execution: Execution,
) -> dict[str, Any]:
    """The result record's data, but for its revision, which submitting gives it."""
    record = Result(
        kind="result",
        id=f"{work.benchmark_pin.id}/{work.dataset_pin.id}/{candidate.pin.id}",
        revision=1,
        benchmark=work.benchmark_pin,
        dataset=work.dataset_pin,
        model=candidate.pin,
        dataset_association=work.association,
        model_association=candidate.association,
        metrics=metrics,
        denominator=denominator,
        execution=execution,
    )
    return record.model_dump(mode="json", exclude_none=True)
