"""The package as a library, in another process: what the README shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medperf_git.vcs import Repository
from tests.e2e.stories import BENCHMARK, HOSPITALS, MODELS, Told, copy_of

READ = """
import json, sys
import medperf_git

registry = medperf_git.open_registry(sys.argv[1], *sys.argv[2:3])
rows = [
    [row.result.dataset.id, row.result.model.id, row.state,
     {m.id: [m.value, m.low, m.high, m.n] for m in row.result.metrics}]
    for row in medperf_git.results(registry)
]
print(json.dumps({"identity": registry.identity, "commit": registry.commit, "rows": rows}))
"""
CHECK = """
import json, sys
import medperf_git

base, head = (medperf_git.open_registry(sys.argv[1], commit) for commit in sys.argv[2:4])
report = medperf_git.check(base, head)
print(json.dumps([report.verdict, bool(report), [f.path for f in report.findings]]))
"""


def python(script: str, *arguments: str | Path) -> Any:
    """What a script prints, in a process of its own that stands elsewhere."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["path", "url"])
def test_another_process_reads_typed_results(sandbox_story: Told, form: str) -> None:
    address = sandbox_story.host if form == "path" else sandbox_story.host.as_uri()
    read = python(READ, address)
    snapshot = sandbox_story.snapshot()
    assert (read["identity"], read["commit"]) == (snapshot.identity, snapshot.commit)
    assert {(row[0], row[1]) for row in read["rows"]} == {
        (f"{hospital}/opt", model) for hospital in HOSPITALS for model in MODELS
    }
    for dataset, model, state, metrics in read["rows"]:
        assert state == "stands"
        record = sandbox_story.results[dataset.split("/")[0], model]
        expected = {m["id"]: [m["value"], m["low"], m["high"], m["n"]] for m in record["metrics"]}
        assert metrics == expected


def test_an_older_commit_shows_what_stood_then(sandbox_story: Told) -> None:
    with Repository.open(sandbox_story.host) as repository:
        line = list(repository.first_parents("main"))
    # The last three merges of the story bring three results each.
    counts = [len(python(READ, sandbox_story.host, oid)["rows"]) for oid in line[-4:]]
    assert counts == [0, 3, 6, 9]


def test_another_process_checks_a_transition(sandbox_story: Told, tmp_path: Path) -> None:
    with copy_of(sandbox_story.host, tmp_path) as repository:
        before, after = list(repository.first_parents("main"))[-2:]
        assert python(CHECK, repository.path, before, after) == ["complete", True, []]
        verdict, good, paths = python(CHECK, repository.path, after, before)
    assert (verdict, good) == ("invalid", False)
    assert all(path.startswith(f"registry/results/{BENCHMARK}/ny/") for path in paths)
