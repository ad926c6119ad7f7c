"""The API's handlers about checks and rules: check runs, statuses, rulesets, protection.

Only apps post check runs, as on GitHub. Rules are kept here and enforced in `merging` (merges)
and `git_http` (pushes).

Example::

    POST /repos/anna/registry/check-runs
"""

from __future__ import annotations

from typing import Any, Final

from tests.support.github.answers import Answer, Call, refusal, wanted, window
from tests.support.github.routes import route
from tests.support.github.state import Ruleset, Run, now

_REPO: Final = "/repos/{owner}/{repo}"
_SET: Final = ("name", "target", "enforcement", "bypass_actors", "conditions", "rules")


@route("GET", f"{_REPO}/commits/{{ref}}/check-runs")
def runs(call: Call) -> Answer:
    """The check runs of a commit, the newest first; of each app and name the last."""
    sha, query = _commit(call), call.query
    found = call.repo.latest_runs(sha)
    if query.get("filter") == "all":
        found = [run for run in reversed(call.repo.runs) if run.sha == sha]
    if "check_name" in query:
        found = [run for run in found if run.name == query["check_name"]]
    if "status" in query:
        found = [run for run in found if run.status == query["status"]]
    if "app_id" in query:
        found = [run for run in found if str(run.app_id) == query["app_id"]]
    some, headers = window(call, found)
    shown = [call.views.run(call.repo, run) for run in some]
    return Answer(200, {"total_count": len(found), "check_runs": shown}, headers)


@route("POST", f"{_REPO}/check-runs", "read")
def run(call: Call) -> Answer:
    """An app reports."""
    if not call.me.app:
        raise refusal(403, "You must authenticate via a GitHub App.")
    if not call.repo.allows(call.user, "write"):
        raise refusal(403, "Resource not accessible by integration")
    wanted(call, "CheckRun", "name", "head_sha")
    fields = call.fields
    if call.repo.disk.resolve(fields["head_sha"]) is None:
        raise refusal(422, f"No commit found for SHA: {fields['head_sha']}")
    status = "completed" if fields.get("conclusion") else fields.get("status", "queued")
    if status == "completed":
        wanted(call, "CheckRun", "conclusion")
    made = Run(
        fields["name"], fields["head_sha"], call.me.login, call.me.id, status,
        fields.get("conclusion"), fields.get("output") or {},
        fields.get("details_url"), fields.get("external_id"),
    )  # fmt: skip
    call.repo.runs.append(made)
    return Answer(201, call.views.run(call.repo, made))


@route("GET", f"{_REPO}/commits/{{ref}}/status")
def status(call: Call) -> Answer:
    """All statuses of a commit in one."""
    return Answer(200, call.views.combined(call.repo, _commit(call)))


@route("GET", f"{_REPO}/rulesets")
def rulesets(call: Call) -> Answer:
    """The rulesets, without their rules."""
    some, headers = window(call, list(call.repo.rulesets.values()))
    return Answer(200, [call.views.ruleset_line(call.repo, each) for each in some], headers)


@route("POST", f"{_REPO}/rulesets", "admin")
def add_ruleset(call: Call) -> Answer:
    """A new ruleset."""
    wanted(call, "Ruleset", "name", "enforcement")
    if any(each.name == call.fields["name"] for each in call.repo.rulesets.values()):
        raise refusal(422, "Validation Failed", [_error("Name must be unique")])
    made = Ruleset(**_parts(call))
    call.repo.rulesets[made.id] = made
    return Answer(201, call.views.ruleset(call.repo, made, call.user))


@route("GET", f"{_REPO}/rulesets/{{ruleset_id}}")
def ruleset(call: Call) -> Answer:
    """One ruleset."""
    return Answer(200, call.views.ruleset(call.repo, _ruleset(call), call.user))


@route("PUT", f"{_REPO}/rulesets/{{ruleset_id}}", "admin")
def change_ruleset(call: Call) -> Answer:
    """Changes the parts that are given."""
    found = _ruleset(call)
    for name, value in _parts(call).items():
        setattr(found, name, value)
    found.updated_at = now()
    return Answer(200, call.views.ruleset(call.repo, found, call.user))


@route("GET", f"{_REPO}/rules/branches/{{branch}}")
def rules(call: Call) -> Answer:
    """The rules in force for a branch, which need not exist; whoever may bypass them."""
    shown = [
        {
            **rule,
            "ruleset_source_type": "Repository",
            "ruleset_source": call.repo.full_name,
            "ruleset_id": ruleset.id,
        }
        for ruleset, rule in call.repo.rules(call.words[0])
    ]
    some, headers = window(call, shown)
    return Answer(200, some, headers)


@route("GET", f"{_REPO}/branches/{{branch}}/protection", "read")
def protection(call: Call) -> Answer:
    """Classic protection of a branch, for administrators."""
    branch = call.words[0]
    if not call.repo.allows(call.user, "admin"):
        raise refusal(404, "Not Found")
    if call.repo.disk.tip(branch) is None:
        raise refusal(404, "Branch not found")
    if branch not in call.repo.protection:
        raise refusal(404, "Branch not protected")
    url = f"{call.views.address(call.repo)}/branches/{branch}/protection"
    return Answer(200, {"url": url, **call.repo.protection[branch]})


def _commit(call: Call) -> str:
    sha = call.repo.disk.resolve(call.words[0])
    if sha is None:
        raise refusal(422, f"No commit found for SHA: {call.words[0]}")
    return sha


def _ruleset(call: Call) -> Ruleset:
    number = call.words[0]
    found = call.repo.rulesets.get(int(number)) if number.isdecimal() else None
    if found is None:
        raise refusal(404, "Not Found")
    return found


def _parts(call: Call) -> dict[str, Any]:
    return {name: call.fields[name] for name in _SET if name in call.fields}


def _error(message: str) -> dict[str, Any]:
    return {"resource": "Ruleset", "code": "custom", "message": message}
