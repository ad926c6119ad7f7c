"""Runs a GitHub workflow's jobs on this machine: the shell steps for real, expressions and all.

Knows as much of GitHub Actions as this project's files use: `env`, `with`, composite actions of
the checkout, and expressions made of paths and `||`. `actions/checkout` and `actions/setup-python`
are what the machine has already.

Example:
    >>> expand("${{ a.b || a.c }}-x", {"a": {"c": "1"}})
    '1-x'
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TOP = Path(__file__).resolve().parent.parent.parent
_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}")
_PATH = re.compile(r"[a-z_]+(?:\.[A-Za-z0-9_-]+)*")


def load(path: Path) -> dict[str, Any]:
    """A workflow or an action."""
    data: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    # YAML 1.1 reads the key `on` as a boolean.
    return {"on" if key is True else str(key): value for key, value in data.items()}


def expand(text: str, contexts: Mapping[str, Any]) -> str:
    """A text with its expressions evaluated."""
    return _EXPRESSION.sub(lambda match: _value(match[1], contexts), text)


def _value(expression: str, contexts: Mapping[str, Any]) -> str:
    for part in expression.split("||"):
        path = part.strip()
        assert _PATH.fullmatch(path), f"an expression that this can't evaluate: {expression}"
        found: Any = contexts
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        if found:
            return str(found)
    return ""


@dataclass
class Ran:
    """What a job did."""

    code: int = 0
    log: str = ""
    summary: str = ""
    checkouts: list[dict[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Runner:
    """A machine that runs jobs; what the first one installed in `temp` serves all."""

    temp: Path

    def job(self, workflow: Path, github: Mapping[str, Any]) -> Ran:
        """Runs the one job of a workflow."""
        (job,) = load(workflow)["jobs"].values()
        summary = self.temp / "summary.md"
        summary.write_text("")
        ran = Ran()
        contexts = {"github": {**github, "token": "no-such-token"}}
        installed = (self.temp / "mpgit" / "bin" / "mpgit").exists()
        for step in _flat(job["steps"], contexts, ran, str(self.temp)):
            if installed and step.get("name") == "Install mpgit":
                continue
            env = {
                name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ
            }
            env["PATH"] = f"{Path(sys.executable).resolve().parent}:{env['PATH']}"
            env |= {**step["env"], "GITHUB_STEP_SUMMARY": str(summary)}
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=self.temp,
                env=env,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
            )
            ran.log += done.stdout + done.stderr
            ran.code = done.returncode
            if ran.code:
                break
        ran.summary = summary.read_text()
        return ran


def _flat(
    steps: list[dict[str, Any]], contexts: dict[str, Any], ran: Ran, temp: str
) -> Iterator[dict[str, Any]]:
    """The shell steps, those of composite actions in their place."""
    for step in steps:
        assert "if" not in step, "every step is unconditional"
        given = {k: expand(str(v), contexts) for k, v in step.get("with", {}).items()}
        used = str(step.get("uses", ""))
        if used.startswith("actions/checkout@"):
            ran.checkouts.append(given)
        elif used.startswith("actions/setup-python@"):
            continue
        elif used:
            # `./`, or this project's action by its address.
            action = load(TOP / "action.yml")
            inputs = {k: expand(v["default"], contexts) for k, v in action["inputs"].items()}
            assert given.keys() <= inputs.keys()
            github = {**contexts["github"], "action_path": str(TOP)}
            inner = {
                "github": github,
                "inputs": inputs | given,
                "runner": {"temp": temp},
            }
            yield from _flat(action["runs"]["steps"], inner, ran, temp)
        else:
            assert "${{" not in step["run"], "an expression in a script is an injection"
            env = {k: expand(str(v), contexts) for k, v in step.get("env", {}).items()}
            yield {**step, "env": env}
