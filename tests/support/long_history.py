"""A registry with a long past: thousands of signed transitions of every kind, in one pack.

`Past` plays what people do, on top of the simulator's full registry, and says which files each
transition adds; `write` hands them to ``git fast-import``. Keys, chances and times are fixed, so
that every run makes the same commits. Nothing is judged here: that is the audit's work.

Example:
    >>> steps = Past().steps(100)
    >>> len(steps), steps[19].title
    (100, 'Publish the model maker/net-1')
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

from medperf_git.canonical.digest import sha256_hex
from medperf_git.checks.control_rules import control_digest
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry, blob_id
from medperf_git.store.paths import GENESIS, Place, locate
from medperf_git.store.tree import MemoryTree
from tests.support.simulator import (
    ADMINISTRATORS,
    BENCHMARK,
    COMMITTEE,
    DATASET,
    MODEL,
    Files,
    Simulator,
    full_registry,
    key_entry,
    participant_record,
)

MAIN: Final = "refs/heads/main"
_BAD: Final = "refs/bad/main"
_SIDE: Final = "refs/side"
_BEGAN: Final = 1767225600
_MERGE_EVERY: Final = 7
_BATCH: Final = 3

_FIRST: Final = ("publish", "admit_model", "register", "admit_dataset") * 9
"""What happens at first, so that there is something to report on."""
_SEASON: Final = (
    *("join", "publish", "admit_model", "register", "admit_dataset", *["report"] * 6),
    *("publish", "admit_model", "report", "report", "batch", "register", "admit_dataset"),
    *("publish", "admit_model", *["report"] * 5, "withdraw_result", "rotate", "govern"),
    *("register", "admit_dataset", *["report"] * 4, "publish", "admit_model", "withdraw_model"),
)
"""What happens, over and over: forty transitions, most of them results."""
_GOVERNED: Final = ("control", "policy", "control", "policy", "root")


class GrowingTree(MemoryTree):
    """A tree that takes files in place: adding one costs the same, however many there are.

    Ids of folders are not kept: it can be read, but not compared with another tree.
    """

    def add(self, files: Mapping[str, bytes]) -> None:
        """Adds files, or replaces them."""
        for path, payload in files.items():
            oid = blob_id(payload)
            self._files[path] = (FILE_MODE, payload)
            self._blobs[oid] = payload
            folder, _, name = path.rpartition("/")
            self._folders.setdefault(folder, {})[name] = TreeEntry(name, FILE_MODE, oid)
            while folder:
                folder, _, name = folder.rpartition("/")
                self._folders.setdefault(folder, {})[name] = TreeEntry(name, TREE_MODE, "0" * 40)


@dataclass(frozen=True, slots=True)
class Step:
    """One transition: a title, and the files that it adds or (of the control plane) replaces."""

    title: str
    files: Files


class Past:
    """What happened in a busy registry, one transition after the other."""

    def __init__(self) -> None:
        self._begun = full_registry()
        self._tree = GrowingTree(self._begun.tree.files)
        self._registry = Simulator(self._tree)
        self._chance = random.Random("a long history")  # noqa: S311 (no secret)
        self._labs = ["maker"]
        self._sites = ["ky", "ms"]
        self._keys: dict[str, int] = {}
        self._new_model = self._new_dataset = ""
        self._models = [MODEL]
        self._datasets = [DATASET]
        self._reported = {(DATASET, MODEL)}
        self._last_result = ""
        self._done = 0
        self._auto = self._signed = False

    def steps(self, count: int) -> list[Step]:
        """The first so many transitions, those of the full registry included."""
        found = list(self._beginning())
        for number in range(count - len(found)):
            self._done = number
            season = number - len(_FIRST)
            what = _FIRST[number] if season < 0 else _SEASON[season % len(_SEASON)]
            step: Step = getattr(self, "_" + what)()
            self._tree.add(step.files)
            found.append(step)
        return found[:count]

    def _beginning(self) -> Iterator[Step]:
        before: Mapping[str, tuple[int, bytes]] = {}
        for number, tree in enumerate(self._begun.history):
            added = {path: data for path, (_, data) in tree.files.items() if path not in before}
            yield Step(f"Begin, {number}", added)
            before = tree.files

    # --- what people do -------------------------------------------------------------------

    def _join(self) -> Step:
        group, name = ((self._labs, "lab"), (self._sites, "site"))[self._done // len(_SEASON) % 2]
        who = f"{name}-{len(group)}"
        group.append(who)
        return Step(f"Register {who}", self._registry.sign(participant_record(who), [who, "ada"]))

    def _rotate(self) -> Step:
        who = self._chance.choice(self._labs + self._sites)
        last = self._keys[who] = self._keys.get(who, 0) + 1
        names = ["first", *(f"key-{number}" for number in range(1, last + 1))]
        old = [key_entry(who, name, revoked="superseded") for name in names[:-1]]
        record = self._registry.participant(who, *old, key_entry(who, names[-1]))
        return Step(f"New key of {who}", self._registry.sign(record, [who], names[-1:]))

    def _publish(self) -> Step:
        # One lab has many models beside each other, the others a few.
        owner = self._labs[0] if self._chance.random() < 0.5 else self._chance.choice(self._labs)
        self._new_model = f"{owner}/net-{self._done}"
        files = self._registry.sign(self._registry.model(self._new_model), [owner])
        return Step(f"Publish the model {self._new_model}", files)

    def _admit_model(self) -> Step:
        model = self._new_model
        self._models.append(model)
        record = self._registry.model_association(model)
        files = self._registry.sign(record, [_owner(model), *COMMITTEE[:2]])
        return Step(f"Admit {model}", files)

    def _register(self) -> Step:
        owner = self._chance.choice(self._sites)
        self._new_dataset = f"{owner}/set-{self._done}"
        files = self._registry.sign(self._registry.dataset(self._new_dataset), [owner])
        return Step(f"Register the dataset {self._new_dataset}", files)

    def _admit_dataset(self) -> Step:
        dataset = self._new_dataset
        self._datasets.append(dataset)
        record = self._registry.dataset_association(dataset)
        consent = [] if self._auto else COMMITTEE[1:]
        return Step(f"Admit {dataset}", self._registry.sign(record, [_owner(dataset), *consent]))

    def _report(self) -> Step:
        return self._results(1)

    def _batch(self) -> Step:
        return self._results(_BATCH)

    def _results(self, count: int) -> Step:
        dataset, models = self._unreported(count)
        files: Files = {}
        for model in models:
            value = self._chance.randrange(7100, 7900) / 10_000
            metric = {"id": "auroc", "value": value, "low": 0.7, "high": 0.8, "n": 200}
            record = self._registry.result(dataset, model, metrics=[metric])
            files |= self._registry.sign(record, [_owner(dataset)])
            self._last_result = f"{BENCHMARK}/{dataset}/{model}"
        return Step(f"Results of {', '.join(models)} on {dataset}", files)

    def _unreported(self, count: int) -> tuple[str, list[str]]:
        for _ in range(1000):
            dataset = self._chance.choice(self._datasets)
            models = self._chance.sample(self._models, count)
            pairs = {(dataset, model) for model in models}
            if not pairs & self._reported:
                self._reported |= pairs
                return dataset, models
        raise AssertionError("everything is reported already")

    def _withdraw_result(self) -> Step:
        result = self._last_result
        record = self._registry.withdrawal("result", result)
        return Step(f"Withdraw {result}", self._registry.sign(record, [result.split("/")[2]]))

    def _withdraw_model(self) -> Step:
        model = self._models.pop(self._chance.randrange(len(self._models)))
        record = self._registry.withdrawal("model", model)
        return Step(f"Withdraw {model}", self._registry.sign(record, [_owner(model)]))

    # --- who decides ----------------------------------------------------------------------

    def _govern(self) -> Step:
        what = _GOVERNED[self._done // len(_SEASON) % len(_GOVERNED)]
        step: Step = getattr(self, "_" + what)()
        return step

    def _policy(self) -> Step:
        self._auto = not self._auto
        record = self._registry.policy(datasets={"mode": "auto" if self._auto else "approve"})
        return Step("New policy", self._registry.sign(record, COMMITTEE[:2]))

    def _root(self) -> Step:
        self._signed = not self._signed
        record = self._registry.root(control_plane="signed" if self._signed else "host")
        return Step("New root", self._registry.sign(record, ADMINISTRATORS[:2]))

    def _control(self) -> Step:
        files = {
            "README.md": f"# A registry\n\nVersion {self._done}.\n".encode(),
            ".github/workflows/validate.yml": f"name: validate {self._done}\n".encode(),
        }
        if self._signed:
            self._tree.add(files)
            record = self._registry.control(control_digest(self._tree))
            files |= self._registry.sign(record, ADMINISTRATORS[1:])
        return Step("Control plane", files)


def _owner(record_id: str) -> str:
    return record_id.split("/", maxsplit=1)[0]


# --- one bad transition ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Plant:
    """A result that was edited after it was signed.

    Attributes:
        number: the transition's, from 0.
        path: the result's.
        signature: that of its one signature.
        step: the bad transition.
    """

    number: int
    path: str
    signature: str
    step: Step


def plant(steps: Sequence[Step], number: int) -> Plant:
    """The first lone result from `number` on that nobody withdraws later, edited in one byte."""
    later = {path for step in steps[number:] for path in step.files}
    while True:
        files = steps[number].files
        path, *others = sorted(files, key=lambda name: not name.endswith(".yaml"))
        place = locate(path)
        assert isinstance(place, Place)
        if (
            place.record_kind == "result"
            and len(others) == 1
            and place.withdrawal.path not in later
        ):
            break
        number += 1
    payload = files[path]
    at = payload.index(b"value: 0.7") + len(b"value: 0.7")
    forged = payload[:at] + (b"2" if payload[at : at + 1] == b"1" else b"1") + payload[at + 1 :]
    return Plant(number, path, others[0], Step(steps[number].title, {**files, path: forged}))


# --- the whole history, once --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LongHistory:
    """A long history in Git: as it should be, and with one bad transition.

    Attributes:
        folder: the bare repository; its branch main is good.
        genesis: the registry's identity.
        line: main's commits, oldest first.
        bad_head: the newest commit of the other line.
        bad: its one bad commit.
        path: the record that was edited there.
        signature: the signature that does not fit it.
    """

    folder: str
    genesis: str
    line: list[str]
    bad_head: str
    bad: str
    path: str
    signature: str


def long_history(folder: Path, count: int) -> LongHistory:
    """Makes the history in a folder, or finds it there; the same bytes in every run."""
    facts = folder / "facts.json"
    if facts.exists():
        return LongHistory(**json.loads(facts.read_text()))
    steps = Past().steps(count)
    planted = plant(steps, count // 2)
    bad = [*steps[: planted.number], planted.step, *steps[planted.number + 1 :]]
    lines = write(folder / "registry.git", {MAIN: steps, _BAD: bad})
    made = LongHistory(
        folder=str(folder / "registry.git"),
        genesis=sha256_hex(steps[0].files[GENESIS]),
        line=lines[MAIN],
        bad_head=lines[_BAD][-1],
        bad=lines[_BAD][planted.number],
        path=planted.path,
        signature=planted.signature,
    )
    facts.write_text(json.dumps(asdict(made)))
    return made


# --- into Git -------------------------------------------------------------------------------


def write(path: Path, branches: Mapping[str, Iterable[Step]]) -> dict[str, list[str]]:
    """Makes a bare repository with these branches, all in one pack.

    Every so often a transition comes as the merge of a request's branch, which is gone since.

    Args:
        path: where to.
        branches: each branch's transitions; what two have in common is written once.

    Returns:
        Main's commits of each branch, oldest first.
    """
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(path)], check=True)
    marks = path / "marks"
    with subprocess.Popen(
        ["git", "-C", str(path), "fast-import", "--quiet", f"--export-marks={marks}"],
        stdin=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        lines = _Stream(process.stdin).write(branches)
        process.stdin.close()
    assert process.returncode == 0
    found = dict(line.split() for line in marks.read_text().splitlines())
    marks.unlink()
    subprocess.run(["git", "-C", str(path), "update-ref", "-d", _SIDE], check=True)
    return {ref: [found[f":{mark}"] for mark in line] for ref, line in lines.items()}


class _Stream:
    """Writes what ``git fast-import`` reads."""

    def __init__(self, out: IO[bytes]) -> None:
        self._out = out
        self._mark = 0
        self._known: dict[tuple[int, int], int] = {}

    def write(self, branches: Mapping[str, Iterable[Step]]) -> dict[str, list[int]]:
        """Writes every branch; returns the marks of its commits."""
        lines = {}
        for ref, steps in branches.items():
            line: list[int] = []
            for number, step in enumerate(steps):
                last = line[-1] if line else 0
                mark = self._known.get((last, id(step)))
                if mark is None:
                    mark = self._known[last, id(step)] = self._step(ref, number, last, step)
                line.append(mark)
            lines[ref] = line
        return lines

    def _step(self, ref: str, number: int, last: int, step: Step) -> int:
        if number % _MERGE_EVERY != _MERGE_EVERY - 1:
            return self._commit(ref, number, step, [last])
        side = self._commit(_SIDE, number, step, [last])
        return self._commit(ref, number, Step(f"Merge: {step.title}", step.files), [last, side])

    def _commit(self, ref: str, number: int, step: Step, parents: Sequence[int]) -> int:
        self._mark += 1
        text = f"{step.title}\n".encode()
        who = f"simulator <simulator@example> {_BEGAN + 600 * number} +0000"
        head = f"commit {ref}\nmark :{self._mark}\nauthor {who}\ncommitter {who}\n"
        self._out.write(head.encode() + b"data %d\n" % len(text) + text)
        for word, parent in zip(("from", "merge"), parents, strict=False):
            if parent:
                self._out.write(f"{word} :{parent}\n".encode())
        for path, payload in step.files.items():
            self._out.write(f"M 100644 inline {path}\ndata {len(payload)}\n".encode())
            self._out.write(payload + b"\n")
        self._out.write(b"\n")
        return self._mark
