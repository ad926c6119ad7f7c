"""Policies, withdrawals of every kind, and what a site's own rules forbid."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.site import BENCHMARK, MINIMUM, Site, model_draft, write_table

RUN = ("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")
SUBMIT = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes")


def set_policy(site: Site, *words: str, revision: int = 2) -> None:
    site.do("anna", "benchmark", "policy", BENCHMARK, *words, "--yes")
    site.approve(f"anna/policy-fever-{revision}", "ben")


def test_what_is_not_named_stays(site: Site) -> None:
    before = site.do("anna", "benchmark", "view", BENCHMARK, "--json").json
    set_policy(site, "--results", "approve")
    with site.session("anna") as session:
        session.refresh()
        policy = session.snapshot().policy(BENCHMARK)
    assert policy is not None
    assert (policy.results, policy.open, policy.images) == ("approve", True, ("source",))
    assert policy.models.participants == ("oak",)
    assert site.do("anna", "benchmark", "view", BENCHMARK, "--json").json == before


def test_results_may_need_the_committee(site: Site) -> None:
    set_policy(site, "--results", "approve")
    site.do("ky", "registry", "sync")
    site.do("ky", *RUN)
    done = site.do("ky", *SUBMIT, "--merge", "--json")
    assert (done.json["state"], done.json["verdict"]) == ("open", "awaiting")
    site.do("ky", "request", "merge", "ky/results-fever-opt-1", expect=3)
    site.approve("ky/results-fever-opt-1", "ben", "chloe")
    assert len(site.do("chloe", "result", "ls", "--json").json) == 1


def test_datasets_may_be_admitted_by_themselves(site: Site) -> None:
    write_table(site.folder / "two", 30)
    set_policy(site, "--datasets", "auto")
    site.do("ky", "registry", "sync")
    site.do("ky", "dataset", "prepare", "two", "-b", BENCHMARK, "--data", site.folder / "two")
    site.do("ky", "dataset", "submit", "two", "--yes", "--merge")
    words = ("dataset", "associate", "two", "-b", BENCHMARK, "--yes", "--merge", "--json")
    assert site.do("ky", *words).json["state"] == "merged"
    site.do("ky", "run", "-b", BENCHMARK, "-d", "two", "-m", "oak/good")


def test_who_is_not_listed_needs_the_committee(site: Site) -> None:
    site.do("eve", "model", "submit", site.draft("m", model_draft("m")), "--yes", "--merge")
    words = ("model", "associate", "m", "-b", BENCHMARK, "--yes", "--merge", "--json")
    assert site.do("eve", *words).json["verdict"] == "awaiting"
    set_policy(site, "--models", "auto")
    site.do("eve", "request", "merge", "eve/model-association-fever-eve-m-1")


def test_the_committee_invites_too(site: Site) -> None:
    site.do("eve", "model", "submit", site.draft("m", model_draft("m")), "--yes", "--merge")
    words = ("benchmark", "associate", BENCHMARK, "--model", "eve/m", "--yes")
    done = site.do("anna", *words)
    request = "anna/model-association-fever-eve-m-1"
    assert "eve" in done.err
    site.do("ben", "request", "approve", request, "--yes")
    site.approve(request, "eve")
    done = site.do("anna", "benchmark", "associate", BENCHMARK, "--yes", expect=2)
    assert "name a --model or a --dataset" in done.err


def test_a_kind_of_image_that_is_not_admitted(site: Site) -> None:
    site.do("ky", *RUN)
    set_policy(site, "--image", "archive", "--image", "reference")
    done = site.do("ky", *SUBMIT, expect=1)
    assert "is a source image; the policy admits archive, reference" in done.err


POLICIES: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "nothing would change"),
    "as it is": (("--open",), "nothing would change"),
    "a model's id": (("--priority", "Not An Id"), "priorities"),
}


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_that_can_not_be(site: Site, name: str) -> None:
    words, message = POLICIES[name]
    done = site.do("anna", "benchmark", "policy", BENCHMARK, *words, "--yes", expect=2)
    assert message in done.err


def test_a_policy_is_the_committees(site: Site) -> None:
    done = site.do("eve", "benchmark", "policy", BENCHMARK, "--closed", "--yes", expect=1)
    assert "eve" in done.err
    done = site.do("anna", "benchmark", "policy", "anna/none", "--closed", "--yes", expect=2)
    assert "the benchmark anna/none is not registered" in done.err


# --- withdrawals ----------------------------------------------------------------------------


WITHDRAWALS: dict[str, tuple[str, str, bool]] = {
    "own dataset": ("ky", "dataset/ky/opt", True),
    "a dataset's association": ("ky", f"dataset-association/{BENCHMARK}/ky/opt", True),
    "a model's association": ("oak", f"model-association/{BENCHMARK}/oak/good", True),
    "own model": ("oak", "model/oak/good", True),
    "own benchmark": ("anna", f"benchmark/{BENCHMARK}", True),
    "own mlcube": ("anna", "mlcube/anna/fever-prep", True),
    "oneself": ("eve", "participant/eve", True),
    "by path": ("ky", "registry/datasets/ky/opt/1.yaml", True),
    "by revision": ("ky", "dataset/ky/opt@1", True),
    "by an administrator": ("ana", "dataset/ky/opt", True),
    "a policy": ("anna", f"policy/{BENCHMARK}", False),
    "an association by the committee": (
        "anna", f"dataset-association/{BENCHMARK}/ky/opt", False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WITHDRAWALS)
def test_a_withdrawal(site: Site, name: str) -> None:
    who, record, alone = WITHDRAWALS[name]
    words = ("withdraw", record, "--reason", "It was wrong.", "--yes", "--merge", "--json")
    done = site.do(who, *words)
    assert done.json["state"] == ("merged" if alone else "open")
    if not alone:
        site.approve(done.json["request"], "ben")
    site.do(who, "registry", "sync")
    again = site.do(who, *words, expect=2)
    assert "is withdrawn already" in again.out
    site.do(who, "audit")


REFUSED: dict[str, tuple[str, str, int, str]] = {
    "another's": ("eve", "dataset/ky/opt", 1, "eve"),
    "the root": ("ana", "root/root@1", 2, "never withdrawn"),
    "nothing": ("ky", "dataset/ky/none", 2, "no such record"),
    "a kind": ("ky", "dataset", 2, "not the id of a dataset"),
    "another kind": ("ky", "datasets/ky/opt", 2, "no such record"),
    "a revision": ("ky", "dataset/ky/opt@9", 2, "no such record"),
    "no number": ("ky", "dataset/ky/opt@x", 2, "no such record"),
    "a path outside": ("ky", "../../etc/passwd", 2, "no such record"),
    "no words": ("ky", "", 2, "no such record"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_withdrawal_that_is_refused(site: Site, name: str) -> None:
    who, record, code, message = REFUSED[name]
    before = site.refs()
    words = ("withdraw", record, "--reason", "It was wrong.", "--yes")
    assert message in site.do(who, *words, expect=code).err
    assert site.refs() == before
    assert not site.outbox(who)


def test_a_withdrawal_has_a_reason(site: Site) -> None:
    words = ("withdraw", "dataset/ky/opt", "--yes", "--reason", "")
    assert "reason" in site.do("ky", *words, expect=2).err


def test_a_withdrawn_result_counts_no_more(site: Site) -> None:
    site.do("ky", *RUN)
    site.do("ky", *SUBMIT, "--merge")
    board = site.do("ky", "leaderboard", BENCHMARK, "--json").json
    assert [line["model"] for line in board["models"]] == ["oak/good"]
    record = f"result/{BENCHMARK}/ky/opt/oak/good"
    site.do("ky", "withdraw", record, "--reason", "A bug.", "--yes", "--merge")
    board = site.do("ky", "leaderboard", BENCHMARK, "--json").json
    assert board["models"] == []
    assert [row["state"] for row in board["left_out"]] == ["withdrawn"]
    assert "1 results do not count" in site.do("ky", "leaderboard", BENCHMARK).out or (
        "no results yet" in site.do("ky", "leaderboard", BENCHMARK).out
    )
    assert site.do("ky", "result", "ls", "--json").json == []
    assert len(site.do("ky", "result", "ls", "--all", "--json").json) == 1
    # It was measured, sent and taken back: it is not new.
    done = site.do("ky", *SUBMIT, expect=2)
    assert "nothing new to submit" in done.err


def test_nothing_was_measured(site: Site) -> None:
    done = site.do("ky", *SUBMIT, expect=2)
    assert "nothing new to submit" in done.err
    assert "mpgit run" in done.err


# --- the site's own rules -------------------------------------------------------------------


FORBIDDEN: dict[str, tuple[dict[str, Any], int, str, str]] = {
    "engine": ({"engines": ["docker"]}, 1, "engine-not-allowed", "site.yaml allows docker"),
    "benchmark": ({"benchmarks": ["ben/*"]}, 2, "site-refuses", "`benchmarks`, lists"),
    "model": ({"models": ["anna/*"]}, 1, "site-refuses", "`models`, lists"),
    "cases": ({"minimum_cases": 41}, 1, "too-few-cases", "gather more cases"),
    "output": ({"limits": {"seconds": 1}, "models": ["x/*"]}, 1, "site-refuses", "site.yaml"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_what_a_site_forbids_is_not_run(site: Site, name: str) -> None:
    rules, code, error, advice = FORBIDDEN[name]
    site.rules("ky", **rules)
    done = site.do("ky", *RUN, "--json", expect=code)
    found = done.json["error"] if isinstance(done.json, dict) else done.json[0]["error"]
    assert found["code"] == error
    assert advice in found["advice"]
    assert site.do("ky", "result", "ls", "--local", "--json").json == []


def test_a_site_gives_less_than_a_model_asks(site: Site) -> None:
    site.rules("ky", limits={"seconds": 1})
    words = ("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/slow", "--json")
    done = site.do("ky", *words, expect=1)
    assert done.json[0]["error"]["code"] == "time-limit"
    assert "after 1 seconds" in done.json[0]["error"]["message"]


def test_small_numbers_stay(site: Site) -> None:
    site.rules("ky", smallest_cell=15)
    done = site.do("ky", "dataset", "submit", "opt", "--yes", expect=2)
    assert "numbers below 15 may not leave this site: positive" in done.err
    site.rules("ky", smallest_cell=14)
    done = site.do("ky", "dataset", "submit", "opt", "--yes", expect=None)
    assert "may not leave" not in done.err


def test_a_site_allows_what_it_names(site: Site) -> None:
    site.rules(
        "ky", engines=["sandbox"], benchmarks=["anna/*"], models=["oak/good"],
        minimum_cases=MINIMUM, limits={"memory_mb": 64},
    )  # fmt: skip
    step = site.do("ky", *RUN, "--json").json[0]["execution"]["steps"][0]
    assert step["isolation"]["memory_mb"]["value"] == 64


BROKEN: dict[str, tuple[str, str]] = {
    "no YAML": ("engines: [", "not usable YAML"),
    "a list": ("- engines\n", "key: value"),
    "an unknown field": ("engine: docker\n", "engine"),
    "an unknown engine": ("engines: [qemu]\n", "engines.0"),
    "no engine": ("engines: []\n", "engines"),
    "text for a number": ("smallest_cell: five\n", "smallest_cell"),
    "below zero": ("minimum_cases: -1\n", "minimum_cases"),
    "a number for a list": ("benchmarks: 5\n", "benchmarks"),
    "an unknown limit": ("limits: {gpu: 1}\n", "limits.gpu"),
    "a limit of nothing": ("limits: {seconds: 0}\n", "limits.seconds"),
    "twice": ("smallest_cell: 5\nsmallest_cell: 0\n", "stands twice"),
    "an alias": ("models: &a [x]\nbenchmarks: *a\n", "aliases"),
    "not UTF-8": ("\udcff", "UTF-8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_rules_that_can_not_be_understood_stop_everything(site: Site, name: str) -> None:
    text, message = BROKEN[name]
    path = site.home("ky").site_file
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    prepare = ("dataset", "prepare", "x", "-b", BENCHMARK, "--data", str(site.raw))
    for words in (RUN, prepare, ("dataset", "submit", "opt", "--yes")):
        done = site.do("ky", *words, expect=2)
        assert str(path) in done.err
        assert message in done.err
    assert not site.outbox("ky")


def test_rules_that_can_not_be_read(site: Site) -> None:
    path = site.home("ky").site_file
    path.unlink()
    path.mkdir()
    done = site.do("ky", *RUN, expect=2)
    assert "can't be read" in done.err


def test_no_rules_allow_what_the_registry_asks(site: Site) -> None:
    site.home("ky").site_file.unlink()
    site.do("ky", *RUN, "--artefacts", site.parts)
