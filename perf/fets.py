"""The challenge replayed: 32 sites × 41 models, everything by requests against one plain server.

A bare repository with the product's own hook, served by ``git http-backend`` behind a real web
server on the loopback; everybody's commands at the same time (``fets_story``), without containers
for the results. At the end everything that was submitted must be on main, once, and a stranger
with nothing but the genesis audits it. What is measured is that of this machine at this moment.

Example:
    $ python -m perf.fets --sites 8 --models 10
"""

from __future__ import annotations

import argparse
import os
import resource
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from medperf_git.store.paths import Place, locate
from medperf_git.store.tree import GitTree, walk
from medperf_git.vcs import Repository
from medperf_git.workflows.server import init_server
from perf import fets_report
from perf.fets_people import People, Took
from perf.fets_plan import DATASET, Phase, Size
from perf.fets_report import Judgement
from perf.fets_story import Challenge
from tests.support.servers import over_http
from tests.support.site import BENCHMARK, REGISTRY, ROOT, Site, write_parts

STRANGER: Final = "stranger"


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        results: how often each result stands on main, by id.
        expected: the ids that should.
        left: branches that are left beside main.
        audit: the stranger's audit, as `mpgit audit --json` says it.
        board: the models on the stranger's leaderboard.
        took: every command.
        phases: what happened when.
        judged: what the server's hook did.
        seconds: from the founding to the audit.
        clients_cpu: processor seconds of all commands.
        server_cpu: of the web server, git and the hook behind it.
    """

    results: Counter[str]
    expected: frozenset[str]
    left: tuple[str, ...]
    audit: dict[str, Any]
    board: tuple[str, ...]
    took: tuple[Took, ...]
    phases: tuple[Phase, ...]
    judged: tuple[Judgement, ...]
    seconds: float
    clients_cpu: float
    server_cpu: float

    def faults(self) -> list[str]:
        """What is not as it should be; empty where all is well."""
        found = [f"lost: {name}" for name in sorted(self.expected - set(self.results))]
        found += [f"nobody submitted: {name}" for name in sorted(set(self.results) - self.expected)]
        found += [f"{count} times: {name}" for name, count in self.results.items() if count > 1]
        found += [f"left over: {name}" for name in self.left]
        if self.audit.get("verdict") != "accepted":
            found.append(f"the stranger's audit: {self.audit}")
        models = {name.split("/", 4)[-1] for name in self.expected}
        if set(self.board) != models:
            found.append(f"the leaderboard has {len(self.board)} models of {len(models)}")
        return found


def play(
    folder: Path,
    size: Size,
    tell: Callable[[str], None] = lambda _line: None,
    journal: Path | None = None,
) -> Outcome:
    """Everything from an empty folder to the stranger's audit.

    Args:
        folder: where to; nothing is there yet.
        size: how large.
        tell: called at the end of each phase.
        journal: where every command is written down.
    """
    began, cpu = time.monotonic(), _children()
    site = Site(folder / "site")
    write_parts(site)
    log = folder / "judged"
    init_server(site.host, _program(folder, log))
    with over_http(folder / "http", site.host) as (url, settings):
        site.environment |= settings
        people = People(site, url, journal=journal)
        challenge = Challenge(people, size, tell)
        challenge.play()
        audit, board = _stranger(people)
    clients = sum(each.cpu for each in people.took)
    return Outcome(
        results=_on_main(site),
        expected=frozenset(
            f"{BENCHMARK}/{who}/{DATASET}/{model}"
            for who in size.hospitals
            for model in size.all_models
        ),
        left=tuple(_branches(site)),
        audit=audit,
        board=board,
        took=tuple(people.took),
        phases=tuple(challenge.phases),
        judged=tuple(_judgements(log)),
        seconds=time.monotonic() - began,
        clients_cpu=clients,
        server_cpu=_children() - cpu - clients,
    )


def _children() -> float:
    """Processor seconds of every process that was started here and has ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _program(folder: Path, log: Path) -> Path:
    """What the hook calls: the product's command, and a note of when it began and ended."""
    path = folder / "judge"
    path.write_text(f"""#!/bin/sh
began=$(date +%s.%N)
PYTHONPATH='{ROOT}' '{sys.executable}' -m medperf_git "$@"
code=$?
echo "$began $(date +%s.%N) $code" >>'{log}'
exit $code
""")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _judgements(log: Path) -> Iterator[Judgement]:
    for line in log.read_text().splitlines():
        began, ended, code = line.split()
        yield Judgement(float(began), float(ended), int(code))


def _stranger(people: People) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Somebody with nothing but the address and the genesis: joins, audits all of it, looks."""
    people.phase = STRANGER
    pinned = (people.url, "--genesis", people.site.genesis)
    people.do(STRANGER, "join", "registry", "add", REGISTRY, *pinned)
    audit = people.do(STRANGER, "audit", "audit", "--full").said
    board = people.do(STRANGER, "leaderboard", "leaderboard", BENCHMARK).said
    return audit, tuple(_models(board))


def _models(board: Any) -> Iterator[str]:
    """The models on a leaderboard."""
    yield from (line["model"] for line in board["models"])


def _on_main(site: Site) -> Counter[str]:
    """Results in main's tree, counted by id over all revisions."""
    with Repository.open(site.host) as repository:
        tree = GitTree(repository, repository.commit(repository.resolve("refs/heads/main")).tree)
        places = (locate(path) for path, _ in walk(tree, "registry/results"))
        return Counter(place.id for place in places if isinstance(place, Place))


def _branches(site: Site) -> list[str]:
    with Repository.open(site.host) as repository:
        return [name for name in repository.refs("refs/heads") if name != "refs/heads/main"]


def report(outcome: Outcome, size: Size) -> Iterator[str]:
    """Everything that is to be said about it."""
    results = sum(outcome.results.values())
    each = f"{size.each} results a request" if size.each else "a site's results in one request"
    how = "two of three committee members approve" if size.approve else "each site merges its own"
    yield f"{size.sites} sites × {size.models} models; {each}; {how}"
    yield from fets_report.phase_lines(outcome.phases)
    last = outcome.phases[-1]
    yield f"results: {results} in {last.seconds:.1f} s: {results / last.seconds:.2f} a second"
    yield from fets_report.command_lines(outcome.took)
    yield fets_report.starved(outcome.took)
    for phase in (*(phase.name for phase in outcome.phases), STRANGER):
        if some := [took for took in outcome.took if took.phase == phase]:
            yield f"{phase}:"
            yield from (f"  {line}" for line in fets_report.profile_lines(some))
    yield from fets_report.server_lines(
        outcome.judged, outcome.clients_cpu, outcome.server_cpu, outcome.seconds
    )
    yield (
        f"the stranger's audit: {outcome.audit.get('verdict')}, {outcome.audit.get('commits')} "
        f"transitions, {outcome.audit.get('records')} records; "
        f"{len(outcome.board)} models on the leaderboard"
    )
    faults = outcome.faults()
    yield from faults[:20]
    yield f"{results} of {len(outcome.expected)} landed; {len(faults)} faults"


def measure() -> Iterator[str]:
    """The whole challenge; the environment may say how large (`MPGIT_PERF_FETS=8x10`)."""
    sites, _, models = os.environ.get("MPGIT_PERF_FETS", "32x41").partition("x")
    size = Size(sites=int(sites), models=int(models))
    with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
        yield from report(play(Path(folder), size), size)


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(words: Sequence[str] | None = None) -> int:
    """The same with other sizes; the exit code says whether all landed."""
    parser = argparse.ArgumentParser(prog="python -m perf.fets", description=__doc__)
    parser.add_argument("--sites", type=int, default=32)
    parser.add_argument("--models", type=int, default=41)
    parser.add_argument("--each", type=int, help="results in one request (default: all)")
    parser.add_argument("--own", action="store_true", help="each site merges its own results")
    parser.add_argument("--took", type=Path, help="where every command goes, as JSON lines")
    given = parser.parse_args(words)
    size = Size(given.sites, given.models, each=given.each, approve=not given.own)
    with tempfile.TemporaryDirectory(prefix="mpgit-perf-") as folder:
        outcome = play(Path(folder), size, _tell, given.took)
    for line in report(outcome, size):
        print(line)
    return 1 if outcome.faults() else 0


if __name__ == "__main__":
    sys.exit(main())
