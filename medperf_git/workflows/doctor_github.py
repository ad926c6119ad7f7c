"""The doctor's look at a registry on GitHub: what of its guard is missing, or weaker than it was.

Nothing of it is needed for safety, since every client audits main; what is missing lets bad
transitions onto main, which all clients then refuse. Changes nothing.

Example::

    for seen in host_settings(session):
        print(seen.state, seen.text)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Final

from medperf_git.errors import InputError, MpgitError
from medperf_git.forge.github_guard import GitHubGuard, InForce
from medperf_git.forge.github_pulls import GitHubPulls
from medperf_git.store.tree import GitTree, read
from medperf_git.workflows.github import WRITTEN
from medperf_git.workflows.observation import Observation, of_error, ok, problem, warning
from medperf_git.workflows.session import Session

_IMPORT: Final = "mpgit registry guard; or import main's .github/ruleset.json in Settings, Rules"
_CHECK: Final = "validate"


def host_settings(session: Session) -> Iterator[Observation]:
    """Each thing in which the repository differs from what `mpgit registry init` sets up."""
    topic = f"host of {session.entry.name}"
    try:
        found = guard_of(session).in_force()
    except MpgitError as error:
        yield of_error(topic, error)
        return
    seen = [
        *_repository(topic, found),
        *_rules(topic, found),
        *_check(topic, found),
        *_bypasses(topic, found),
        *_files(topic, session),
    ]
    yield from seen or [ok(topic, "main is guarded as mpgit sets it up")]


def guard_of(session: Session) -> GitHubGuard:
    """The rules of a registry's repository.

    Raises:
        InputError: it is not on GitHub.
        HostError: it is not there, or not for us.
    """
    if not isinstance(session.forge, GitHubPulls):
        raise InputError(
            f"{session.entry.name} is not on GitHub, as far as is known here",
            code="not-github",
            place=session.entry.url,
            advice="if it is, add it under another name: mpgit registry add NAME URL --host github",
        )
    return GitHubGuard(session.forge)


def _repository(topic: str, found: InForce) -> Iterator[Observation]:
    settings = found.repository
    where = settings.get("html_url")
    if settings.get("default_branch") != "main":
        text = f"the default branch is {settings.get('default_branch')!r}, not main"
        yield problem(topic, text, "Settings, General, Default branch", where)
    if settings.get("archived"):
        yield problem(topic, "it is archived: no request can be opened", None, where)
    if settings.get("allow_merge_commit") is False:
        text = "merge commits are switched off: nobody can merge a request"
        yield problem(topic, text, "Settings, General, Pull Requests, Allow merge commits", where)
    if found.actions is False:
        text = "Actions are switched off: the check never runs"
        yield problem(topic, text, "Settings, Actions, General", where)


def _rules(topic: str, found: InForce) -> Iterator[Observation]:
    wanted = {
        "deletion": "main may be deleted",
        "non_fast_forward": "main may be rewritten by force",
        "pull_request": "anybody who may write can push to main without a request",
        "required_status_checks": "no check is required: a refused request can be merged",
    }
    for name, text in wanted.items():
        if name not in found.rules:
            yield problem(topic, text, _IMPORT)
    reviews = found.rules.get("pull_request", [])
    if reviews and not any(each.get("require_code_owner_review") for each in reviews):
        text = "code owners need not agree: a request may bring its own check along"
        yield problem(topic, text, _IMPORT)
    if reviews and not any(each.get("allowed_merge_methods") == ["merge"] for each in reviews):
        text = "squashing or rebasing is allowed: that makes another history than was judged"
        yield warning(topic, text, _IMPORT)


def _check(topic: str, found: InForce) -> Iterator[Observation]:
    rules = found.rules.get("required_status_checks", [])
    checks = [check for rule in rules for check in rule.get("required_status_checks", ())]
    ours = [check for check in checks if check.get("context") == _CHECK]
    if rules and not ours:
        yield problem(topic, f"the check {_CHECK} is not among the required ones", _IMPORT)
    if ours and not any(check.get("integration_id") for check in ours):
        text = f"whoever may write can report {_CHECK} as passed: the check is tied to no app"
        yield warning(topic, text, _IMPORT)
    queued = "merge_queue" in found.rules
    strict = any(rule.get("strict_required_status_checks_policy") for rule in rules)
    if ours and not queued and not strict:
        text = "requests need not be up to date: two that are good may be bad together"
        yield warning(topic, text, _IMPORT)


def _bypasses(topic: str, found: InForce) -> Iterator[Observation]:
    for name, actors in found.bypasses.items():
        text = f"the ruleset {name!r} can be passed by: {', '.join(actors)}"
        yield warning(topic, text, "Settings, Rules, Rulesets, Bypass list: empty it")


def _files(topic: str, session: Session) -> Iterator[Observation]:
    """The guard's files on main, as this client last audited it."""
    tree = GitTree(session.mirror, session.mirror.commit(session.main).tree)
    for name, path in WRITTEN.items():
        if name == "ruleset.json":
            continue
        found = read(tree, path)
        if found is None:
            yield problem(topic, f"{path} is missing on main", "mpgit server github DIR")
        elif not re.fullmatch(_shape(name, session.entry.genesis), found):
            text = f"{path} is not what mpgit writes for this registry"
            yield warning(topic, text, "compare it with what `mpgit server github DIR` writes")


def _shape(name: str, genesis: str) -> bytes:
    """The pattern of a template's files, for this registry."""
    text = re.escape((files("medperf_git") / "templates" / "github" / name).read_text("utf-8"))
    values = {
        "@ACTION@": r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+@[0-9a-f]{40}",
        "@GENESIS@": f'"{genesis}"',
        "@OWNERS@": r"@[A-Za-z0-9/._-]+(?: @[A-Za-z0-9/._-]+)*",
    }
    for mark, pattern in values.items():
        text = text.replace(mark, pattern)
    return text.encode()
