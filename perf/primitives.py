"""An audit beside what it can't do without: git's reading, one parse, one Ed25519 verification.

The same spans of a large registry's history are audited, and then only read (`git cat-file` of
the very blobs), parsed once a record and verified once a signature; by as many processes as there
are processors, turn by turn within one run, so that noise meets both. `MPGIT_PERF_RESULTS` names
another size.

Example:
    $ MPGIT_PERF_RESULTS=20000 python -m perf primitives
"""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from medperf_git.canonical.document import parse
from medperf_git.records.codec import decode
from medperf_git.store.paths import Place, locate
from medperf_git.store.snapshot import Loads, loads
from medperf_git.trust.sshsig import Signature
from medperf_git.vcs import Repository
from medperf_git.workflows.audit_spans import Judged, Span, judge, look_for_circles_less, spans
from perf.make_registry import make

RESULTS: Final = 20_000
LENGTH: Final = 250
BLOCK: Final = 8
"""Spans that are done one way before the other way has its turn."""

Found = list[tuple[str, Place, list[str]]]
"""What a span brought: each record's blob and place, and its signatures' blobs."""


class _Worker:
    repository: Repository
    known: Loads


def _start(folder: Path) -> None:
    look_for_circles_less()  # as the audit's own workers, for both ways
    _Worker.repository = Repository.open(folder)
    _Worker.known = loads()


def _audited(span: Span) -> Judged:
    return judge(_Worker.repository, span, _Worker.known)


def _strictly(payload: bytes, _place: Place) -> Any:
    return parse(payload)


def _loaded(payload: bytes, _place: Place) -> Any:
    return yaml.load(payload, yaml.CSafeLoader)


def _typed(payload: bytes, place: Place) -> Any:
    return decode(payload, place.record_kind, depth=place.depth)


PARSES: Final[dict[str, Callable[[bytes, Place], Any]]] = {
    "strict": _strictly,
    "libyaml": _loaded,
    "quick": _typed,
}
"""One parse: by our strict reader, by PyYAML's C loader, and as the audit itself does."""


def _bare(found: Found, parse_name: str) -> int:
    """Reads, parses and verifies; returns how many signatures fit."""
    one_parse = PARSES[parse_name]
    fit = 0
    blobs = _Worker.repository.blobs([oid for one, _, rest in found for oid in (one, *rest)])
    for _, place, signatures in found:
        payload = next(blobs)
        one_parse(payload, place)
        for _ in signatures:
            signature = Signature.parse(next(blobs))
            signature.verify(payload, signature.namespace)
            fit += 1
    return fit


@dataclass
class Spent:
    """Seconds of wall clock, by way."""

    audit: float = 0.0
    strict: float = 0.0
    libyaml: float = 0.0
    quick: float = 0.0


def measure() -> Iterator[str]:
    """The ratio of what is needed to what it takes."""
    size = int(os.environ.get("MPGIT_PERF_RESULTS", RESULTS))
    with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
        registry = Path(folder) / "registry.git"
        made = make(registry, size, tell=lambda _line: None)
        yield f"{made.records} records, {made.transitions} transitions"
        with Repository.open(registry) as repository:
            line = list(repository.first_parents(made.commit))
            parts = list(spans(line, None, LENGTH))
            found = _contents(repository, parts, made.commit)
        yield from _compared(registry, parts, found)


def _contents(repository: Repository, parts: list[Span], head: str) -> list[Found]:
    """What each span brought, listed beforehand."""
    landed = {landing.commit: landing.changes for landing in repository.landed(head)}
    every = []
    for span in parts:
        records: dict[Place, tuple[str, list[str]]] = {}
        beside: list[tuple[Place, str]] = []
        for change in (change for oid in span.commits for change in landed[oid]):
            place = locate(change.path)
            if isinstance(place, Place):
                records[place] = (change.oid, [])
            elif place is not None:
                beside.append((place.record, change.oid))
        for record, oid in beside:
            records[record][1].append(oid)
        every.append([(oid, place, signed) for place, (oid, signed) in records.items()])
    return every


def _compared(registry: Path, parts: list[Span], found: list[Found]) -> Iterator[str]:
    spent, records = Spent(), 0
    cores = len(os.sched_getaffinity(0))
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores, context, _start, (registry,)) as pool:
        list(pool.map(_audited, parts[: 2 * cores]))  # everything imported, caches filled
        for at in range(0, len(parts), BLOCK):
            began = time.monotonic()
            judged = list(pool.map(_audited, parts[at : at + BLOCK]))
            spent.audit += time.monotonic() - began
            if any(each.failures for each in judged):
                raise RuntimeError("the history is refused: the measurement means nothing")
            records += sum(each.records for each in judged)
            for name in PARSES:
                began = time.monotonic()
                block = found[at : at + BLOCK]
                list(pool.map(_bare, block, [name] * len(block)))
                setattr(spent, name, getattr(spent, name) + time.monotonic() - began)
    yield f"audit: {1e6 * spent.audit / records:.0f} µs a record on {cores} processors"
    for name in PARSES:
        took = getattr(spent, name)
        share = took / spent.audit
        yield f"needed, {name}: {1e6 * took / records:.0f} µs, {share:.0%} of the audit"
