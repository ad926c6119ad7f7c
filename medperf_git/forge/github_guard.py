"""What guards main on GitHub: the rules that are in force there, and putting them in force.

Reads what anybody may read, and more where we may. What the rules should be, ``workflows`` knows.

Paths and fields are those of https://docs.github.com/en/rest/repos/rules, version 2022-11-28.

Example::

    GitHubGuard(forge).in_force().rules["required_status_checks"]
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from medperf_git.errors import HostError
from medperf_git.forge.github_pulls import PAGE, GitHubPulls


@dataclass(frozen=True)
class InForce:
    """How a repository is set up now.

    Attributes:
        repository: what the host says of it.
        rules: the rules for main by type, with all their parameters; several where several
            rulesets say so.
        bypasses: who may pass by a ruleset, as far as we may know it, by the ruleset's name.
        actions: whether Actions run; None where we may not know it.
    """

    repository: Mapping[str, Any]
    rules: Mapping[str, list[Mapping[str, Any]]]
    bypasses: Mapping[str, list[str]] = field(default_factory=dict)
    actions: bool | None = None


class GitHubGuard:
    """The rules of one repository."""

    def __init__(self, pulls: GitHubPulls) -> None:
        self._api = pulls.api
        self._path = pulls.path
        self._repository = pulls.repository

    def in_force(self) -> InForce:
        """How the repository is set up now.

        Raises:
            HostError: it is not there, or not for us.
        """
        rules: dict[str, list[Mapping[str, Any]]] = {}
        rulesets = set()
        for rule in self._api.pages(f"{self._path}/rules/branches/main", per_page=PAGE):
            rules.setdefault(str(rule["type"]), []).append(rule.get("parameters") or {})
            rulesets.add(int(rule["ruleset_id"]))
        actions: bool | None = None
        with suppress(HostError):  # for its administrators alone
            actions = bool(self._api.get(f"{self._path}/actions/permissions")["enabled"])
        return InForce(self._repository, rules, self._bypasses(rulesets), actions)

    def _bypasses(self, rulesets: set[int]) -> dict[str, list[str]]:
        found = {}
        for number in sorted(rulesets):
            # An organisation's ruleset may be hidden from us.
            with suppress(HostError):
                ruleset = self._api.get(f"{self._path}/rulesets/{number}")
                actors = [
                    str(actor.get("actor_type")) for actor in ruleset.get("bypass_actors", ())
                ]
                if ruleset.get("current_user_can_bypass", "never") != "never":
                    actors.append("you yourself")
                if actors:
                    found[str(ruleset["name"])] = actors
        return found

    def apply(self, ruleset: Mapping[str, Any]) -> Literal["made", "changed", "there"]:
        """Puts a ruleset in force, in the place of the one of the same name.

        Raises:
            HostError: only its administrators may; or the plan has none.
        """
        for known in self._api.pages(f"{self._path}/rulesets", per_page=PAGE):
            if known["name"] == ruleset["name"] and known.get("source_type") != "Organization":
                path = f"{self._path}/rulesets/{known['id']}"
                if _holds(self._api.get(path), ruleset):
                    return "there"
                self._api.send("PUT", path, ruleset)
                return "changed"
        self._api.send("POST", f"{self._path}/rulesets", ruleset, done=lambda: self._made(ruleset))
        return "made"

    def _made(self, ruleset: Mapping[str, Any]) -> Any:
        known = self._api.pages(f"{self._path}/rulesets", per_page=PAGE)
        return next((each for each in known if each["name"] == ruleset["name"]), None)


def _holds(found: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there; hosts add fields of their own."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            name in found and _holds(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(found, list)
            and len(found) == len(wanted)
            and all(map(_holds, found, wanted))
        )
    return bool(found == wanted)
