"""The corpus holds, each rule is needed by it, and it runs as another program would run it."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from medperf_git.checks.check import RULES, check
from medperf_git.checks.rule import Rule
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from tests.attacks.corpus import FOLDER, KINDS, Attack, accepted, attacks, refused
from tests.attacks.run import by_command, in_process, main, outcome

MPGIT = f"{sys.executable} -m medperf_git.cli.main"
AS_PROCESSES = {
    *("forgery/result_in_anothers_name", "replay/administrators_records_swapped"),
    *("tree/path_that_is_no_text", "bytes/not_utf8", "history/another_genesis"),
    *("history/commit_replaced", "authority/policy_of_the_same_request"),
}


def named(names: set[str]) -> list[Attack]:
    return [attack for attack in attacks() if str(attack) in names]


@pytest.mark.parametrize("attack", attacks(), ids=str)
def test_attack_is_refused_and_its_twin_accepted(attack: Attack, tmp_path: Path) -> None:
    assert outcome(attack, in_process, tmp_path) == ("", "")


@pytest.mark.parametrize("attack", named(AS_PROCESSES), ids=str)
def test_by_another_process(attack: Attack, tmp_path: Path) -> None:
    assert outcome(attack, by_command(MPGIT), tmp_path) == ("", "")


def test_the_corpus_is_whole() -> None:
    counts = Counter(attack.kind for attack in attacks())
    assert sum(counts.values()) >= 250
    assert min(counts[kind] for kind in KINDS) >= 15
    scripts = {path.parent for path in FOLDER.glob("*/*/build.py")}
    assert len(scripts) == len(attacks())
    assert len({attack.gains for attack in attacks()}) > len(attacks()) * 0.9


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_without_the_rule_an_attack_gets_through(rule: Rule, tmp_path: Path) -> None:
    """Switched off in turn: no rule is untested, and none is dead."""
    rest = [other for other in RULES if other is not rule]
    through = []
    for attack in attacks():
        if attack.door != "check" or attack.expect.get("code") != rule.code:
            continue
        path = tmp_path / attack.name
        _, _, base, *_ = attack.build("attack", path)
        with Repository.open(path) as repository:
            before = snapshot_at(repository, repository.resolve(base) if base else None)
            after = snapshot_at(repository, repository.resolve("request"))
            assert check(before, after).verdict == "invalid"
            if check(before, after, rest).verdict == "complete":
                through.append(str(attack))
                break
    assert through


def test_a_check_that_refuses_everything_does_not_look_good() -> None:
    (attack,) = named({"bytes/norway"})
    verdict = {"verdict": "invalid", "findings": [{"code": "schema", "path": "x"}], "records": []}
    assert "another reason" in refused(attack, 1, json.dumps(verdict))
    assert "another path" in refused(
        attack, 1, json.dumps({**verdict, "findings": [{"code": "canonical-bytes", "path": "x"}]})
    )
    assert "exit code 0" in refused(attack, 0, json.dumps(verdict))
    assert "exit code 2" in refused(attack, 2, "usage")
    assert accepted(attack, 1, json.dumps(verdict))


def test_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--kind", "privacy", "--name", "too_few_cases"]) == 0
    shown = capsys.readouterr().out
    assert "refused for the right reason" in shown
    assert "100 % refused, 100 % accepted" in shown
    assert main(["--name", "too_few_cases", "--command", "true"]) == 1
    assert "0 % refused, 100 % accepted" in capsys.readouterr().out


def test_repositories_alone_can_be_written(tmp_path: Path) -> None:
    assert main(["--kind", "privacy", "--write", str(tmp_path)]) == 0
    index = json.loads((tmp_path / "index.json").read_text())
    for entry in index[:6]:
        arguments = [
            str(tmp_path / word) if word == entry["repository"] else word
            for word in entry["arguments"]
        ]
        assert in_process(arguments)[0] == entry["expect"]["exit"]


def test_every_run_writes_the_same_bytes(tmp_path: Path) -> None:
    (attack,) = named({"history/parents_swapped"})
    heads = []
    for name in ("one", "two"):
        attack.build("attack", tmp_path / name)
        heads.append((tmp_path / name / "refs" / "heads" / "main").read_text())
    assert heads[0] == heads[1]
