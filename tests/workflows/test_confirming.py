"""Commands that confirm a dataset believe the site's index, unless told to be thorough."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from medperf_git.runtime import confirm, file_index
from medperf_git.runtime.confirm import confirm_tree
from medperf_git.runtime.file_index import index_of, read_index, write_index
from medperf_git.runtime.file_rows import identities_of
from medperf_git.runtime.many_files import opened_folder
from tests.support.site import BENCHMARK, REGISTRY, Site

RUN = ("run", "-b", BENCHMARK, "-d", "opt", "-m", "anna/rule")
CONFIRMING = (
    RUN,
    ("dataset", "check", "opt"),
    ("dataset", "submit", "opt", "--yes"),
    ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes"),
)


@pytest.fixture(autouse=True)
def _worth_an_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "WORTH_FILES", 1)
    monkeypatch.setattr(file_index, "RACY_NS", 0)


def changed_by_root(folder: Path) -> None:
    """Other bytes, and an index that knows nothing of it."""
    before = confirm_tree(folder)
    time.sleep(0.02)
    assert confirm_tree(folder) == before
    index = read_index(folder)
    assert index is not None
    path = next(folder.iterdir())
    path.write_bytes(path.read_bytes().swapcase())
    with opened_folder(folder) as top:
        now = identities_of(top, index.paths)
    write_index(folder, replace(index, identities=now, settled=True))
    assert confirm_tree(folder) == before


def test_thorough_reads_the_dataset(site: Site) -> None:
    data = site.home("ky").dataset(REGISTRY, "ky/opt") / "data"
    changed_by_root(data)
    index = index_of(data).read_bytes()
    assert site.do("ky", "dataset", "check", "opt", "--json").json["state"] == "unchanged"
    for words in CONFIRMING:
        index_of(data).write_bytes(index)
        done = site.do("ky", *words, "--thorough", "--json", expect=1)
        assert done.json["error"]["code"] == "dataset-changed"
        assert done.json["error"]["place"] == str(data)


def test_without_it_a_change_is_noticed_although_its_time_was_set_back(site: Site) -> None:
    data = site.home("ky").dataset(REGISTRY, "ky/opt") / "data"
    path = data / "data.csv"
    for _ in range(2):
        time.sleep(0.02)
        site.do("ky", "dataset", "check", "opt")
    assert index_of(data).exists()
    before = path.stat()
    path.write_bytes(path.read_bytes().swapcase())
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    for words in CONFIRMING:
        done = site.do("ky", *words, "--json", expect=1)
        assert done.json["error"]["code"] == "dataset-changed"


def test_thorough_reads_what_models_left(site: Site) -> None:
    site.do("ky", *RUN)
    executions = site.home("ky").executions(REGISTRY)
    (predictions,) = executions.glob("*/predictions")
    changed_by_root(predictions)
    words = (*RUN, "--json")
    assert site.do("ky", *words).json[0]["state"] == "finished"
    journal = predictions.with_name("journal.json")
    before = journal.read_bytes()
    site.do("ky", *words)
    assert journal.read_bytes() == before
    site.do("ky", *words, "--thorough")
    assert journal.read_bytes() != before
