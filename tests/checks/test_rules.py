"""Every rule: a good twin passes, each defect is refused by it alone, and it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.checks.check import RULES, check
from medperf_git.checks.report import Report
from medperf_git.checks.rule import Rule
from medperf_git.store.snapshot import Snapshot
from medperf_git.vcs import Repository
from tests.checks.cases import CASES, Bench, Case

BAD = [case for case in CASES if not case.good]
GOOD = [case for case in CASES if case.good]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    path: Path = tmp_path_factory.mktemp("cases")
    with Repository.create(path / "cases.git") as repository:
        yield Bench(repository)


def verdict(bench: Bench, case: Case, without: Rule | None = None) -> Report:
    base, head = case.build(bench)
    rules = [rule for rule in RULES if rule is not without]
    return check(Snapshot(base), Snapshot(head), rules)


@pytest.mark.parametrize("case", GOOD, ids=str)
def test_good_twin_is_complete(bench: Bench, case: Case) -> None:
    report = verdict(bench, case)
    assert report.verdict == "complete", (report.findings, report.waiting_for())


@pytest.mark.parametrize("case", BAD, ids=str)
def test_defect_is_refused_by_its_rule_alone(bench: Bench, case: Case) -> None:
    report = verdict(bench, case)
    assert {finding.code for finding in report.findings} == {case.rule}, report.findings
    assert report.verdict == "invalid"


def test_every_rule_has_a_good_and_a_bad_case() -> None:
    codes = {rule.code for rule in RULES}
    assert {case.rule for case in GOOD} == codes
    assert {case.rule for case in BAD} == codes


def test_rules_are_named_and_explained() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    assert all(rule.help() and rule.advice for rule in RULES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_rule_is_needed(bench: Bench, rule: Rule) -> None:
    """Without the rule, one of its defects passes every other rule."""
    cases = [case for case in BAD if case.rule == rule.code]
    findings = {case.name: verdict(bench, case, without=rule).findings for case in cases}
    assert not all(findings.values()), findings


def test_findings_show_what_can_not_be_seen(bench: Bench) -> None:
    for case in BAD:
        for finding in verdict(bench, case).findings:
            assert finding.path.isprintable(), case
            assert finding.message.isprintable(), case
