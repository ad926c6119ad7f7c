"""One client merges all that is complete; the rest waits, and what fails is told."""

from __future__ import annotations

import pytest

from medperf_git.errors import GitError, RaceError
from medperf_git.forge.base import Request
from medperf_git.forge.plain import PlainForge
from medperf_git.workflows import requests as workflow
from tests.support.site import Site, model_draft
from tests.workflows.test_requests import ASSOCIATION, asked

__all__ = ["asked"]
NAMES = ("a", "b", "c")
REQUESTS = [f"oak/model-{name}-1" for name in NAMES]


@pytest.fixture
def many(asked: Site) -> Site:
    """Three models wait to be merged, and an association for approvals."""
    for name in NAMES:
        asked.do("oak", "model", "submit", asked.draft(name, model_draft(name)), "--yes")
    return asked


def test_all_that_is_complete(many: Site) -> None:
    done = many.do("anna", "request", "merge", "--all", "--yes", "--json")
    assert [(row["request"], row["state"]) for row in done.json] == [
        (name, "merged") for name in REQUESTS
    ]
    many.do("anna", "audit")
    left = many.do("anna", "request", "ls", "--json").json
    assert [row["id"] for row in left] == [ASSOCIATION]
    again = many.do("anna", "request", "merge", "--all")
    assert "no request is complete" in again.out
    assert many.do("anna", "request", "merge", "--all", "--json").json == []


def test_what_is_shown_first(many: Site) -> None:
    before = many.main()
    done = many.do("anna", "request", "merge", "--all", expect=2)
    assert all(name in done.err for name in REQUESTS)
    assert "add --yes" in done.err
    assert many.main() == before
    text = many.do("anna", "request", "merge", "--all", "--yes").out
    assert many.main()[:12] in text


def test_one_that_fails_stops_nobody(many: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = PlainForge.merge

    def second(forge: PlainForge, request: Request, main: str, commit: str) -> str:
        if request.id == REQUESTS[1]:
            raise RaceError("somebody else pushed first")
        return real(forge, request, main, commit)

    monkeypatch.setattr(PlainForge, "merge", second)
    monkeypatch.setattr(workflow, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("random.uniform", lambda low, _high: low)
    done = many.do("anna", "request", "merge", "--all", "--yes", "--json", expect=1)
    assert [row["state"] for row in done.json] == ["merged", "failed", "merged"]
    assert "others kept changing main" in done.json[1]["error"]["message"]


def test_a_host_that_goes_away_ends_it(many: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> str:
        raise GitError("no route", code="unreachable")

    monkeypatch.setattr(PlainForge, "merge", gone)
    done = many.do("anna", "request", "merge", "--all", "--yes", "--json", expect=1)
    assert [row["state"] for row in done.json] == ["failed", "not tried", "not tried"]


def test_a_host_that_refuses_one_is_asked_for_the_next(
    many: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PlainForge.merge

    def strict(forge: PlainForge, request: Request, main: str, commit: str) -> str:
        if request.id == REQUESTS[0]:
            raise GitError("a check of the host's own has not passed", code="push-refused")
        return real(forge, request, main, commit)

    monkeypatch.setattr(PlainForge, "merge", strict)
    done = many.do("anna", "request", "merge", "--all", "--yes", "--json", expect=1)
    assert [row["state"] for row in done.json] == ["failed", "merged", "merged"]


@pytest.mark.parametrize("words", [(), ("oak/model-a-1", "--all")])
def test_one_or_all(many: Site, words: tuple[str, ...]) -> None:
    done = many.do("anna", "request", "merge", *words, expect=2)
    assert "Name one request, or say --all" in done.err
