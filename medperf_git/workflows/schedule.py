"""Many models on one dataset: side by side, within the machine's limits.

A model that fails does not stop the others. A signal stops them all in order: nothing new begins,
what runs is killed and leaves nothing, and what was finished stays finished.

Example::

    outcomes = run(session, place, plan(session, benchmark, dataset, []), local, print)
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from medperf_git.atomic import explain
from medperf_git.errors import ExecutionError, MpgitError
from medperf_git.runtime.interrupt import Interrupted, interruptible
from medperf_git.workflows.datasets import LocalDataset, one_at_a_time, refuse_changed
from medperf_git.workflows.execute import Outcome, execute
from medperf_git.workflows.plan import Candidate, Plan, execution_folder
from medperf_git.workflows.session import Session
from medperf_git.workflows.workplace import Workplace

_LOOK_SECONDS: Final = 1.0
_FINAL: Final = frozenset(
    {"site-refuses", "no-gpu", "bad-job", "interrupted", "too-few-cases", "small-cell"}
)
"""Errors that another try would meet again."""

State = Literal["running", "retrying", "finished", "failed"]


@dataclass(frozen=True)
class Event:
    """Something began or ended.

    Attributes:
        model: whose.
        state: how the model stands now.
        what: the task that began, or why it is tried again.
        outcome: at its end, what became of it.
    """

    model: str
    state: State
    what: str = ""
    outcome: Outcome | None = None


Watch = Callable[[Event], None]
"""Called from many threads."""


@dataclass(frozen=True)
class Manner:
    """How a run is done.

    Attributes:
        retries: how often a model that failed is tried again.
        thorough: whether every byte of the dataset is read, changed or not.
    """

    retries: int = 0
    thorough: bool = False


def run(
    session: Session,
    place: Workplace,
    work: Plan,
    local: LocalDataset,
    watch: Watch = lambda _event: None,
    manner: Manner | None = None,
) -> list[Outcome]:
    """Runs every model of a plan.

    Args:
        session: the registry.
        place: where it runs; its slots say how many at a time.
        work: what to run.
        local: the prepared dataset.
        watch: called with what happens, from the threads in which it does.
        manner: how it is done.

    Returns:
        An outcome for each model, in the plan's order.

    Raises:
        ExecutionError: the dataset changed since it was registered; or `interrupted`.
        InputError: `locked`: another process runs something on this dataset.
    """
    how = manner or Manner()
    with ExitStack() as held:
        held.enter_context(one_at_a_time(local.folder))
        place.tell("is the dataset unchanged?")
        # Not with signals as marks: Ctrl-C ends this at once, there is nothing to clean up.
        refuse_changed(local, work.dataset.fingerprint.model_dump(), thorough=how.thorough)
        stop = held.enter_context(interruptible())
        jobs = max(1, min(place.slots.capacity.jobs, len(work.candidates)))
        with ThreadPoolExecutor(jobs, thread_name_prefix="model") as pool:
            tries = [
                pool.submit(_tried, _Desk(session, place, work, local, watch, how, stop), candidate)
                for candidate in work.candidates
            ]
            _await(tries)
        outcomes = [done.result() for done in tries]
    if stop:
        finished = sum(outcome.error is None for outcome in outcomes)
        raise ExecutionError(
            f"stopped by {stop.by}; {finished} of {len(outcomes)} models are finished",
            code="interrupted",
            place=work.benchmark_pin.id,
            advice="the same command goes on from here",
        )
    return outcomes


def _await(tries: list[Future[Outcome]]) -> None:
    """Waits for all; in pieces, so that a signal's handler gets its turn."""
    waiting = set(tries)
    while waiting:
        waiting = wait(waiting, timeout=_LOOK_SECONDS).not_done


@dataclass(frozen=True)
class _Desk:
    """What every model of a run shares."""

    session: Session
    place: Workplace
    work: Plan
    local: LocalDataset
    watch: Watch
    how: Manner
    stop: Interrupted


def _tried(desk: _Desk, candidate: Candidate) -> Outcome:
    """One model's outcome; whatever goes wrong is in it."""
    model = candidate.pin.id

    def tell(task: str) -> None:
        desk.watch(Event(model, "running", task))

    place = replace(desk.place, tell=tell, stop=desk.stop, thorough=desk.how.thorough)
    for left in range(desk.how.retries, -1, -1):
        outcome = _one(desk, place, candidate)
        error = outcome.error
        if error is None or not left or desk.stop or error.code in _FINAL:
            break
        desk.watch(Event(model, "retrying", f"{error.code}: {error.message}", outcome))
    desk.watch(Event(model, outcome.state, "", outcome))
    return outcome


def _one(desk: _Desk, place: Workplace, candidate: Candidate) -> Outcome:
    try:
        return execute(desk.session, place, desk.work, desk.local, candidate)
    except MpgitError as error:
        return Outcome(candidate.pin.id, error, None, fresh=True)
    except OSError as error:
        # What the system refused one model must not stop the others.
        folder = execution_folder(desk.session, desk.work, candidate.pin)
        where = Path(str(error.filename)) if error.filename else folder
        return Outcome(candidate.pin.id, explain(error, where), None, fresh=True)
