"""What a reviewer reads first: short, complete, and never markup of somebody else's."""

from __future__ import annotations

import re

from medperf_git.checks.report import Report
from medperf_git.workflows.propose import draft_of, judge, waiting
from medperf_git.workflows.request_text import request_body
from tests.support.site import BENCHMARK, Site

EVIL = "![x](https://evil/x.png) @everyone <script> | `code` # h"


def body(site: Site, who: str, *words: str) -> str:
    """The text of the request that a command would open: it can't be sent, so it waits."""
    with site.session(who) as session:
        url = session.entry.url
        site.home(who).save_registry(session.entry.model_copy(update={"url": "/nowhere"}))
    site.do(who, *words, "--yes", expect=1)
    with site.session(who) as session:
        site.home(who).save_registry(session.entry.model_copy(update={"url": url}))
        (proposal,) = waiting(session)
        report = judge(session, proposal)
        draft = draft_of(session, proposal, session.main, report)
    return draft.body


def test_what_is_asked_what_was_checked_and_who_must_agree(site: Site) -> None:
    text = body(site, "ky", "withdraw", "dataset/ky/opt", "--reason", "It was wrong.")
    assert text.startswith("Asks to withdraw the dataset `ky/opt`, revision 1.")
    assert "| reason | `It was wrong.` |" in text
    assert "**Checked** with mpgit" in text
    assert "mpgit request approve ky/withdraw-dataset-ky-opt-1" in text
    assert len(text) < 1500


def test_who_still_has_to_approve_is_named(site: Site) -> None:
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")
    text = body(site, "oak", "withdraw", f"model-association/{BENCHMARK}/oak/good", "--reason", "x")
    assert "**Approvals" in text


def test_nothing_in_it_is_markup(site: Site) -> None:
    text = body(site, "ky", "withdraw", "dataset/ky/opt", "--reason", EVIL)
    outside = re.sub(r"`[^`\n]*`", "", text)
    for trace in ("evil", "@everyone", "<script>", "![", "hunter"):
        assert trace not in outside
    row = next(line for line in text.splitlines() if line.startswith("| reason"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 3


def test_a_request_without_records_says_so() -> None:
    assert "none is missing" in request_body("ky/x", [], Report("", "", (), ()))
