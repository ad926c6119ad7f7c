"""A challenge replayed: everybody registers, asks, approves, merges and submits, all at once.

Every step is a command that a person types, in a process and a home of its own, and every record
comes to main by a request: participants (an administrator approves), MLCubes, benchmark and policy,
models and datasets (their owners merge them, racing each other), associations and results (two
committee members approve at the same time, and the last one merges). Only datasets and
measurements are laid down instead of made in containers (``fets_measured``).

Example::

    Challenge(people, Size(sites=3, models=2)).play()
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from medperf_git.vcs import Repository
from perf.fets_measured import write_dataset, write_executions
from perf.fets_people import LATE, RACE, FailedError, People, Took
from perf.fets_plan import DATASET, Phase, Size
from tests.support.site import (
    ADMINISTRATOR,
    BENCHMARK,
    COMMITTEE,
    REGISTRY,
    benchmark_draft,
    metrics_draft,
    model_draft,
    preparation_draft,
)

APPROVERS: Final = COMMITTEE[:2]
"""As many as must sign: whoever comes last merges."""
_PAUSE_SECONDS: Final = 2.0
_MERGING: Final = LATE | {RACE, "request-changed"}
"""Codes of a merge that others were faster at: look again."""
_AWAITING: Final = 3
"""The exit code that says: approvals are missing."""
_STUCK: Final = frozenset({"invalid", "conflict"})


class Challenge:
    """Everything that happens, phase by phase."""

    def __init__(
        self, people: People, size: Size, tell: Callable[[str], None] = lambda _line: None
    ) -> None:
        self._people = people
        self._size = size
        self._tell = tell
        self._origin = time.monotonic()
        self.phases: list[Phase] = []

    def play(self) -> None:
        """From an empty server to the last result.

        Raises:
            FailedError: a command ended otherwise than a race can explain.
        """
        size = self._size
        with self._phase("found"):
            self._found()
        with self._phase("register"):
            newcomers = [*COMMITTEE, *size.owners, *size.hospitals]
            self._at_once(newcomers, self._register, [ADMINISTRATOR])
        with self._phase("benchmark"):
            self._make_benchmark()
        with self._phase("models"):
            self._at_once(list(size.owners), self._bring_models, APPROVERS)
        with self._phase("datasets"):
            self._at_once(size.hospitals, self._bring_dataset, APPROVERS)
        with self._phase("measure (laid down)"):
            self._at_once(size.hospitals, self._measure, ())
        with self._phase("results"):
            approvers = APPROVERS if size.approve else ()
            self._at_once(size.hospitals, self._submit_results, approvers)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        before, began = self._length(), time.monotonic()
        self._people.phase = name
        yield
        seconds, merged = time.monotonic() - began, self._length() - before
        self.phases.append(Phase(name, began - self._origin, seconds, merged))
        self._tell(f"{name}: {merged} requests merged in {seconds:.0f} s")

    def _length(self) -> int:
        with Repository.open(self._people.site.host) as repository:
            main = repository.find("refs/heads/main")
            return 0 if main is None else sum(1 for _ in repository.first_parents(main))

    # --- one after another ----------------------------------------------------------------

    def _found(self) -> None:
        site, who = self._people.site, ADMINISTRATOR
        site.rules(who)
        self._do(who, "key", "key", "create", "--no-passphrase")
        name = ("--title", "FeTS", "--participant", who, "--participant-name", "Ana", "--yes")
        done = self._do(who, "found", "registry", "init", REGISTRY, self._people.url, *name)
        site.genesis = done.said["genesis"]

    def _make_benchmark(self) -> None:
        """MLCubes, reference model, benchmark and policy; the compatibility test really runs."""
        drafts: Sequence[tuple[str, str, dict[str, Any]]] = (
            ("mlcube", "prep", preparation_draft()),
            ("mlcube", "metrics", metrics_draft()),
            ("model", "rule", model_draft("rule")),
        )
        site = self._people.site
        for kind, name, data in drafts:
            self._insist("anna", kind, "submit", site.draft(name, data))
        self._do("anna", "test+open", "benchmark", "submit", self._draft("fever"), "--yes")
        self._approve_all("anna/benchmark-fever-1", "ben", ADMINISTRATOR)
        policy = {"open": True, "images": ["source"]}
        results = {"results": "approve" if self._size.approve else "auto"}
        path = site.draft("policy", {**policy, **results})
        self._do("anna", "open", "benchmark", "policy", BENCHMARK, "--file", path, "--yes")
        self._approve_all("anna/policy-fever-1", "chloe")

    def _draft(self, name: str) -> Path:
        return self._people.site.draft(name, benchmark_draft())

    def _approve_all(self, request: str, *people: str) -> None:
        for who in people:
            last = ("--merge",) if who == people[-1] else ()
            self._do(who, "approve", "request", "approve", request, "--yes", *last)

    def _measure(self, who: str) -> None:
        self._do(who, "sync", "registry", "sync")
        found = write_executions(self._people.site, who, f"{who}/{DATASET}")
        if found != self._size.models:
            raise FailedError(f"{who} may run {found} models, not {self._size.models}")

    # --- what each does beside the others -------------------------------------------------

    def _register(self, who: str) -> None:
        site = self._people.site
        site.rules(who)
        pinned = (self._people.url, "--genesis", site.genesis)
        self._do(who, "join", "registry", "add", REGISTRY, *pinned)
        self._do(who, "key", "key", "create", "--no-passphrase")
        words = ("participant", "register", who, "--name", who.title(), "--yes")
        self._do(who, "open", *words)

    def _bring_models(self, lab: str) -> None:
        for number, name in enumerate(self._size.owners[lab]):
            data = model_draft(name)
            data["parameters"]["from"] = 25 + number
            self._insist(lab, "model", "submit", self._people.site.draft(name, data))
            words = ("model", "associate", name, "-b", BENCHMARK, "--yes")
            self._do(lab, "test+open", *words)

    def _bring_dataset(self, who: str) -> None:
        self._do(who, "sync", "registry", "sync")
        write_dataset(self._people.site, who, f"{who}/{DATASET}")
        self._insist(who, "dataset", "submit", DATASET)
        words = ("dataset", "associate", DATASET, "-b", BENCHMARK, "--yes")
        self._do(who, "open", *words)

    def _submit_results(self, who: str) -> None:
        each, models = self._size.each, self._size.all_models
        words = ("result", "submit", "-b", BENCHMARK, "-d", DATASET)
        for at in range(0, len(models), each or len(models)):
            some = models[at : at + each] if each else []
            chosen = [word for model in some for word in ("-m", model)]
            if self._size.approve:
                self._do(who, "submit", *words, *chosen, "--yes")
            else:
                self._insist(who, *words, *chosen)

    def _insist(self, who: str, *words: str | Path) -> None:
        """Opens a request and merges it, however often others are faster."""
        done = self._people.do(who, "submit+merge", *words, "--yes", "--merge", accept=_MERGING)
        while done.error in (RACE, "request-changed"):
            request = done.said["error"]["place"]
            done = self._merge(who, request)

    def _merge(self, who: str, request: str) -> Took:
        return self._people.do(who, "merge", "request", "merge", request, accept=_MERGING)

    def _do(self, who: str, what: str, *words: str | Path) -> Took:
        return self._people.do(who, what, *words, accept=frozenset())

    # --- many at once ---------------------------------------------------------------------

    def _at_once(
        self, people: Sequence[str], work: Callable[[str], None], approvers: Sequence[str]
    ) -> None:
        """All do their work, while others approve what comes in until nothing is open."""
        over, failed = threading.Event(), threading.Event()
        with ThreadPoolExecutor(len(people) + len(approvers)) as pool:
            looking = [pool.submit(self._look_after, who, over, failed) for who in approvers]
            doing = [pool.submit(work, who) for who in people]
            try:
                for each in doing:
                    each.result()
            finally:
                over.set()
            for each in looking:
                each.result()

    def _look_after(self, who: str, over: threading.Event, failed: threading.Event) -> None:
        """Approves what comes in; where one approver fails, the others do not wait for it."""
        try:
            self._approve_until(who, over, failed)
        except BaseException:
            failed.set()
            raise

    def _approve_until(self, who: str, over: threading.Event, failed: threading.Event) -> None:
        """Looks at what is open, again and again; checks and approves what asks for it."""
        chance = random.Random(who)  # noqa: S311 (no secret)
        mine: set[str] = set()
        while not failed.is_set():
            last = over.is_set()
            rows: list[dict[str, Any]] = self._do(who, "list", "request", "ls").said
            if last and not rows:
                return
            if stuck := [row["id"] for row in rows if row.get("verdict") in _STUCK]:
                raise FailedError(f"nobody can merge {', '.join(stuck)}")
            todo = [row for row in rows if who in row.get("waiting_for", ()) or row["id"] in mine]
            chance.shuffle(todo)
            for row in todo:
                self._decide(who, row, mine)
            if not todo:
                time.sleep(_PAUSE_SECONDS)

    def _decide(self, who: str, row: Mapping[str, Any], mine: set[str]) -> None:
        request = row["id"]
        if row["verdict"] == "complete":
            self._merge(who, request)
        elif who in row["waiting_for"]:
            seen = self._people.do(who, "check", "request", "check", request)
            if seen.code == _AWAITING:
                words = ("request", "approve", request, "--yes", "--merge")
                self._people.do(who, "approve+merge", *words, accept=_MERGING)
                mine.add(request)
