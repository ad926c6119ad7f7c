"""A made-up registry's transitions as pieces of what ``git fast-import`` reads.

A transition is one request, as `mpgit` merges it: its commit on a branch, and the merge into
main. Pieces name commits by branch alone, so that they can be made in any process and only have
to be read in order.

Example:
    >>> piece = beginning("seed")
    >>> piece.records, piece.stream.count(b"commit refs/heads/main")
    (4, 2)
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from medperf_git.records.kinds import KINDS
from medperf_git.records.schema import schema_file, schema_text
from medperf_git.workflows.registry import README
from perf.registry_benchmark import Life, Step
from perf.registry_clerk import Clerk
from perf.registry_plan import ADMINISTRATORS, SeasonPlan

MAIN: Final = "refs/heads/main"
REQUEST: Final = "refs/heads/request"
"""Where requests' commits are made; whoever reads the stream deletes it at the end."""
_BEGAN: Final = 1577836800  # 2020: a commit of the future would slow git itself
_WEEK: Final = 7 * 24 * 3600
_INTERVAL: Final = 30
_WHO: Final = "make_registry <make-registry@example>"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the stream, and what is in it."""

    stream: bytes
    records: int
    results: int = 0
    transitions: int = 1
    identity: str = ""


def beginning(seed: str) -> Piece:
    """The control plane, then the genesis: three administrators, of whom two must sign."""
    clerk = Clerk(seed)
    unsigned = [clerk.participant(name, name) for name in ADMINISTRATORS]
    data = {"administrators": [record.pin for record in unsigned], "threshold": 2}
    root = clerk.write("root", "root", {"name": "A large registry", **data}, ADMINISTRATORS)
    known = Clerk(seed, root.sha256)
    people = [known.participant(name, name) for name in ADMINISTRATORS]
    control = [("README.md", README.encode())]
    control += [(f"schemas/{schema_file(kind)}", schema_text(kind).encode()) for kind in KINDS]
    records = [root, *people]
    signed = [file for record in records for file in record.files]
    parts = [
        *_blobs(control),
        *_commit(MAIN, "Add schemas and a README for the registry", _BEGAN, control),
        *_blobs(signed),
        *_commit(MAIN, "Found the registry A large registry", _BEGAN + 1, signed),
    ]
    return Piece(b"".join(parts), len(records), transitions=2, identity=root.sha256)


def season(plan: SeasonPlan, seed: str, identity: str, most: int) -> Piece:
    """One season, to be read after the ones before it.

    Args:
        plan: who does what.
        seed: what keys and chances come from.
        identity: the registry's.
        most: how many results one request has at most.
    """
    began = _BEGAN + _WEEK * (plan.number + 1)
    parts: list[bytes] = []
    records = transitions = 0
    for step in _steps(plan, Clerk(seed, identity), seed, began, most):
        parts += _request(step, began + _INTERVAL * transitions)
        records += len(step.records)
        transitions += 1
    results = sum(benchmark.results for benchmark in plan.benchmarks)
    return Piece(b"".join(parts), records, results, transitions)


def _steps(plan: SeasonPlan, clerk: Clerk, seed: str, began: int, most: int) -> Iterator[Step]:
    """Everybody new registers, then the benchmarks go on side by side."""
    chance = random.Random(f"{seed}/order/{plan.number}")  # noqa: S311 (no secret)
    for name in plan.newcomers:
        record = clerk.participant(name, chance.choice(ADMINISTRATORS))
        yield Step(f"Register {name}", [record])
    day = datetime.fromtimestamp(began, UTC).date().isoformat()
    going = [Life(benchmark, clerk, day, most).steps() for benchmark in plan.benchmarks]
    while going:
        chosen = chance.choice(going)
        step = next(chosen, None)
        if step is None:
            going.remove(chosen)
        else:
            yield step


def _request(step: Step, when: int) -> Iterator[bytes]:
    """A request's commit, and its merge into main."""
    # Records first: what comes next to its like is stored as a difference.
    files = [record.files[0] for record in step.records]
    files += [signature for record in step.records for signature in record.files[1:]]
    yield from _blobs(files)
    yield from _commit(REQUEST, step.title, when, files, f"from {MAIN}\n")
    yield from _commit(MAIN, step.title, when, files, f"merge {REQUEST}\n")


def _blobs(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Each file's bytes; marks count anew in every transition."""
    for mark, (_, payload) in enumerate(files, start=1):
        yield b"blob\nmark :%d\ndata %d\n" % (mark, len(payload))
        yield payload


def _commit(
    ref: str, title: str, when: int, files: Sequence[tuple[str, bytes]], parent: str = ""
) -> Iterator[bytes]:
    text = f"{title}\n"
    who = f"{_WHO} {when} +0000"
    yield f"commit {ref}\nauthor {who}\ncommitter {who}\ndata {len(text)}\n{text}{parent}".encode()
    for mark, (path, _) in enumerate(files, start=1):
        yield f"M 100644 :{mark} {path}\n".encode()
