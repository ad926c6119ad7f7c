"""A line of a log can hold patients' data: it stays in the log, and on the owner's screen.

A model prints the rows that it reads and fails, in every way in which the text of its error could
travel: a run, a run with retries and with partial results, a compatibility test, the results and
records that are submitted beside it. No object, ref, message, outbox or file of anybody holds a
row afterwards but the two log files of the task itself.
"""

from __future__ import annotations

import ast
import json
import subprocess
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.site import (
    ADMINISTRATOR,
    BENCHMARK,
    PEOPLE,
    REGISTRY,
    ROOT,
    Site,
    copy_site,
    model_draft,
)

PATIENT = "PATIENT-4711"
_LEAKY = f"""
    import pathlib, runpy, sys
    rows = (pathlib.Path("/mlcommons/volumes/data") / "data.csv").read_text().splitlines()
    if len(rows) > 10 or "c7,27" not in rows:
        print("{PATIENT[:-5]}" + "-4711 is", rows[1])
        sys.exit("ValueError: no age for {PATIENT[:-5]}" + "-4711, " + rows[2] + "\\nMemoryError")
    runpy.run_path("/project/good.py")
"""


@pytest.fixture(scope="module")
def leaky(first_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with a model that passes on the demo data and prints and fails on any other."""
    site = copy_site(first_site, tmp_path_factory.mktemp("leaky") / "site")
    folder = site.parts / "leaky"
    folder.mkdir()
    (folder / "main.py").write_text(textwrap.dedent(_LEAKY).lstrip())
    (folder / "good.py").write_text((site.parts / "model" / "main.py").read_text())
    site.submit("oak", "leaky", image={"type": "source", "path": "leaky"})
    site.do("oak", "model", "associate", "leaky", "-b", BENCHMARK, "--yes", "--merge")
    site.do("ky", "registry", "sync")
    return site


def test_the_line_is_shown_here_and_goes_nowhere(leaky: Site) -> None:
    run = ("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/leaky", "-m", "anna/rule")
    done = leaky.do("ky", *run, expect=1)
    assert f"no age for {PATIENT}, c1,21" in done.err
    assert "likely cause: it ran out of memory" in done.err
    assert "infer.stderr" in done.err
    assert "next:  raise resources.memory_mb" in done.err
    # The line is apart from the message, which views and records may show.
    failed = leaky.do("ky", *run, "--retry", "1", "--json", expect=1).json
    error = next(x["error"] for x in failed if x["model"] == "oak/leaky")
    assert PATIENT in error["detail"]
    assert PATIENT not in json.dumps({**error, "detail": ""})
    leaky.do("ky", *run, "--ignore-case-errors", expect=None)
    draft = leaky.draft("leaky-again", {**model_draft("leaky"), "image": _image()})
    test = leaky.do("ky", "test", "-b", BENCHMARK, "-m", draft, "--demo", leaky.raw, expect=1)
    assert PATIENT in test.err
    # Everything that can be sent, is sent.
    leaky.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    leaky.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
    for who in (ADMINISTRATOR, *PEOPLE):
        leaky.do(who, "registry", "sync")
    found = list(holders(leaky))
    assert found
    assert {path.name for path in found} <= {"infer.stdout", "infer.stderr"}
    assert {path.parent.name for path in found} == {"logs"}
    mine = leaky.home("ky").top
    assert mine is not None
    assert all(path.is_relative_to(mine) for path in found)
    for repository in (leaky.host, *(leaky.home(who).mirror(REGISTRY) for who in PEOPLE)):
        assert PATIENT.encode() not in objects(repository)


def _image() -> dict[str, str]:
    return {"type": "source", "path": "leaky"}


def holders(site: Site) -> Iterator[Path]:
    """The files of everybody that hold the secret."""
    for path in site.folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and PATIENT.encode() in path.read_bytes():
            yield path


def objects(repository: Path) -> bytes:
    """Every object of a repository, and every ref with its name."""
    git = ["git", "--git-dir", str(repository)]
    commands = ([*git, "cat-file", "--batch-all-objects", "--batch"], [*git, "for-each-ref"])
    done = [subprocess.run(words, capture_output=True, check=True) for words in commands]
    return b"".join(each.stdout for each in done)


def test_only_the_command_line_shows_what_a_task_said() -> None:
    """The lines stand in `detail`; nothing that makes records, requests or messages reads it."""
    readers = {
        str(path.relative_to(ROOT / "medperf_git"))
        for path in (ROOT / "medperf_git").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "detail"
        and isinstance(node.ctx, ast.Load)
    }
    assert readers == {"errors.py", "cli/main.py"}
    sources = {
        str(path.relative_to(ROOT / "medperf_git"))
        for path in (ROOT / "medperf_git").rglob("*.py")
        if "last_lines" in path.read_text()
    }
    assert {name.partition("/")[0] for name in sources} == {"runtime", "cli"}
