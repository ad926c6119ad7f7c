"""The attacks as they lie in folders, their repositories, and the verdict on a verdict.

Knows the command line's words and nothing else of the program that is tried.

Example:
    >>> len(attacks()) >= 80
    True
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

import yaml

from tests.attacks.world import World

FOLDER: Final = Path(__file__).parent
KINDS: Final = (
    *("forgery", "replay", "tree", "bytes", "signatures"),
    *("history", "authority", "references", "privacy"),
)
Side = Literal["attack", "twin"]
SIDES: Final[tuple[Side, ...]] = ("attack", "twin")
Run = Callable[[list[str]], tuple[int, str]]
"""Runs a command line; returns its exit code and its standard output."""


@dataclass(frozen=True)
class Attack:
    """One folder; the fields are those of its `attack.yaml`, described in the README."""

    kind: str
    name: str
    gains: str
    door: Literal["check", "audit"]
    expect: dict[str, Any]
    twin: int
    since: str | None = None

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def build(self, side: Side, repository: Path) -> list[str]:
        """Writes the repository of one side; returns the arguments that judge it."""
        script: Any = import_module(f"tests.attacks.{self.kind}.{self.name}.build")
        world = World(repository, history=self.door == "audit")
        if hasattr(script, "base"):
            script.base(world)
        pinned = world.snapshot.identity if world.snapshot.exists else ""
        getattr(script, side)(world)
        world.finish()
        at = ["--git-dir", str(repository), "--json"]
        if self.door == "check":
            return ["check", "--base", "main" if world.main else "", "--head", "request", *at]
        since = ["--from", self.since] if self.since else []
        return ["audit", "--genesis", pinned, *since, *at]


@cache
def attacks() -> tuple[Attack, ...]:
    """Every attack, by kind and name."""
    return tuple(_read())


def _read() -> Iterator[Attack]:
    for kind in KINDS:
        for file in sorted((FOLDER / kind).glob("*/attack.yaml")):
            data = yaml.safe_load(file.read_text("utf-8"))
            data["since"] = data.pop("from", None)
            yield Attack(kind, file.parent.name, **data)


def refused(attack: Attack, code: int, output: str) -> str:
    """Why the attack was not refused for its own reason; "" if it was."""
    expect = attack.expect
    try:
        verdict = _verdict(json.loads(output))
    except (ValueError, KeyError, TypeError) as error:
        return f"exit code {code}, and not the JSON of a verdict: {error!r}: {output[:300]}"
    if code != expect["exit"]:
        return f"exit code {code}, not {expect['exit']}: {verdict}"
    if verdict.codes != ({expect["code"]} if "code" in expect else set()):
        return f"another reason: {verdict}"
    if "path" in expect and expect["path"] not in verdict.paths:
        return f"another path: {verdict}"
    return ""


def accepted(attack: Attack, code: int, output: str) -> str:
    """Why the twin was not accepted; "" if it was."""
    return "" if code == attack.twin else f"exit code {code}, not {attack.twin}: {output[:1500]}"


@dataclass(frozen=True)
class Verdict:
    """What the command said: codes of what is wrong, and where; or what awaits approvals."""

    codes: set[str]
    paths: set[str]


def _verdict(data: dict[str, Any]) -> Verdict:
    if "error" in data:
        return Verdict({data["error"]["code"]}, set())
    reports = data.get("failures", [data])
    findings = [finding for report in reports for finding in report["findings"]]
    if findings:
        return Verdict({f["code"] for f in findings}, {f["path"] for f in findings})
    records = [record for report in reports for record in report["records"]]
    return Verdict(set(), {r["path"] for r in records if r["state"] == "awaiting"})
