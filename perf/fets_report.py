"""What a replayed challenge came to, in lines: rates, latencies, races, and where time goes.

Only arithmetic over what was recorded. Times of commands overlap, as people do: their sum is
larger than the clock's.

Example:
    >>> quantiles([1.0, 2.0, 3.0])
    '2.0 / 3.0 / 3.0 s'
"""

from __future__ import annotations

import math
import os
import statistics
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from perf.fets_people import LATE, Took
from perf.fets_plan import Phase

_LATE_IN_SORTED = 0.95
_KINDS = ("fetching", "auditing", "checking", "pushing")


@dataclass(frozen=True, slots=True)
class Judgement:
    """One check of a push by the server's hook: when it began and ended (Unix), and its code."""

    began: float
    ended: float
    code: int


def quantiles(values: Iterable[float]) -> str:
    """Median, 95th percentile and maximum."""
    known = sorted(values)
    late = known[min(len(known) - 1, math.ceil(_LATE_IN_SORTED * len(known)) - 1)]
    return f"{statistics.median(known):.1f} / {late:.1f} / {known[-1]:.1f} s"


def phase_lines(phases: Sequence[Phase]) -> Iterator[str]:
    """Requests a second, phase by phase."""
    for phase in phases:
        rate = f", {phase.merged / phase.seconds:.2f} a second" if phase.merged else ""
        yield f"{phase.name}: {phase.merged} requests merged in {phase.seconds:.1f} s{rate}"


def command_lines(took: Sequence[Took]) -> Iterator[str]:
    """Each step of each phase: how often, how long, and how often others were first."""
    groups: defaultdict[tuple[str, str], list[Took]] = defaultdict(list)
    for each in took:
        groups[each.phase, each.what].append(each)
    yield "command: how many; median / 95 % / maximum; lost races; came too late; again"
    for (phase, what), done in groups.items():
        races = sum(each.races for each in done)
        late = sum(each.error in LATE for each in done)
        again = sum(bool(each.error) and each.error not in LATE for each in done)
        wall = quantiles(each.wall for each in done)
        yield f"{phase}, {what}: {len(done)}; {wall}; {races}; {late}; {again}"


def profile_lines(took: Sequence[Took]) -> Iterator[str]:
    """Where the time of all commands went, and what of it is processor time."""
    wall = sum(each.wall for each in took)
    parts = {"starting Python": sum(each.wall - each.inside for each in took)}
    for kind in _KINDS:
        parts[kind] = sum(each.seconds.get(kind, 0.0) for each in took)
    parts["the rest (reading, signing, printing, containers)"] = wall - sum(parts.values())
    yield f"{len(took)} commands took {wall:.0f} s altogether, {wall / len(took):.2f} s each; of it"
    for name, seconds in parts.items():
        yield f"  {name}: {100 * seconds / wall:.0f} %"


def server_lines(
    judged: Sequence[Judgement], clients_cpu: float, server_cpu: float, seconds: float
) -> Iterator[str]:
    """What the hook and the processors did."""
    if judged:
        walls = [each.ended - each.began for each in judged]
        refused = sum(each.code != 0 for each in judged)
        yield (
            f"the hook judged {len(judged)} pushes to main, {refused} of them refused: "
            f"{quantiles(walls)}, {sum(walls):.0f} s in all"
        )
    cores = len(os.sched_getaffinity(0))
    share = 100 * (clients_cpu + server_cpu) / (seconds * cores)
    yield (
        f"processor time: clients {clients_cpu:.0f} s, server {server_cpu:.0f} s; "
        f"{share:.0f} % of {cores} cores for {seconds:.0f} s"
    )


def starved(took: Sequence[Took]) -> str:
    """Who lost most races in one command, and how many in all."""
    worst = max(took, key=lambda each: each.races)
    races = sum(each.races for each in took)
    if not races:
        return "no race was lost"
    lost = f"{races} races lost; the most in one command: {worst.races}"
    return f"{lost} ({worst.who}, {worst.what}, {worst.wall:.1f} s)"
