"""The API's handlers about accounts and repositories: users, forks, comments, labels, Actions.

Example::

    GET /repos/anna/registry
"""

from __future__ import annotations

from typing import Final

from tests.support.github.answers import Answer, Call, invalid, paged, refusal, wanted
from tests.support.github.routes import route
from tests.support.github.state import Comment, Pull

_REPO: Final = "/repos/{owner}/{repo}"
_ISSUE: Final = f"{_REPO}/issues/{{issue_number}}"


@route("GET", "/meta")
def meta(call: Call) -> Answer:
    """What this host is."""
    return Answer(200, {"verifiable_password_authentication": False})


@route("GET", "/user", "read")
def user(call: Call) -> Answer:
    """Who calls."""
    return Answer(200, call.views.user(call.me, "private-user"))


@route("GET", _REPO)
def repository(call: Call) -> Answer:
    """A repository."""
    return Answer(200, call.views.repo(call.repo, call.user, "full-repository"))


@route("POST", f"{_REPO}/forks", "read")
def fork(call: Call) -> Answer:
    """Forks; the fork can be used some time later."""
    if call.repo.owner is call.me:
        raise refusal(403, "You cannot fork your own repository.")
    branch = call.repo.default_branch if call.fields.get("default_branch_only") else ""
    made = call.world.fork(call.repo, call.me, call.fields.get("name") or "", branch=branch)
    return Answer(202, call.views.repo(made, call.user, "full-repository"))


@route("GET", f"{_REPO}/actions/permissions", "admin")
def actions(call: Call) -> Answer:
    """Whether Actions run here."""
    return Answer(200, call.repo.actions)


@route("GET", f"{_ISSUE}/comments")
def comments(call: Call) -> Answer:
    """The comments on a pull request, the oldest first."""
    pull, since = issue(call), call.query.get("since", "")
    found = [each for each in pull.comments if each.created_at >= since]
    return paged(call, found, lambda each: call.views.comment(call.repo, pull.number, each))


@route("POST", f"{_ISSUE}/comments", "read")
def comment(call: Call) -> Answer:
    """Comments."""
    pull = issue(call)
    wanted(call, "IssueComment", "body")
    made = Comment(call.me, call.fields["body"])
    pull.comments.append(made)
    return Answer(201, call.views.comment(call.repo, pull.number, made))


@route("GET", f"{_ISSUE}/labels")
def labels(call: Call) -> Answer:
    """The labels of a pull request."""
    return paged(call, issue(call).labels, lambda name: call.views.label(call.repo, name))


@route("POST", f"{_ISSUE}/labels", "triage")
def label(call: Call) -> Answer:
    """Adds labels."""
    pull = issue(call)
    given = call.fields.get("labels", call.body)
    if not isinstance(given, list) or not given:
        raise invalid("Label", "labels", "missing_field")
    names = [each["name"] if isinstance(each, dict) else each for each in given]
    pull.labels[:] = dict.fromkeys([*pull.labels, *names])
    return Answer(200, [call.views.label(call.repo, name) for name in pull.labels])


def issue(call: Call) -> Pull:
    """The pull request whose number is the path's first word."""
    number = call.words[0]
    pull = call.repo.pulls.get(int(number)) if number.isdecimal() else None
    if pull is None:
        raise refusal(404, "Not Found")
    return pull
