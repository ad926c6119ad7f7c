"""The API's handlers about pull requests, but for merging: list, open, look, change.

Example::

    POST /repos/anna/registry/pulls {"title": …, "head": "ky:result", "base": "main"}
"""

from __future__ import annotations

from typing import Any, Final

from tests.support.github.answers import Answer, Call, custom, invalid, paged, refusal, wanted
from tests.support.github.repositories import issue
from tests.support.github.routes import route
from tests.support.github.state import Pull, Repo, now

_PULLS: Final = "/repos/{owner}/{repo}/pulls"
_PULL: Final = f"{_PULLS}/{{pull_number}}"
_TEXTS: Final = ("title", "body", "maintainer_can_modify")


@route("GET", _PULLS)
def pulls(call: Call) -> Answer:
    """Those that the query asks for, the newest first; a `head` without an owner counts not."""
    query = call.query
    state, head, base = query.get("state", "open"), query.get("head", ""), query.get("base")
    found = [
        pull
        for pull in call.repo.pulls.values()
        if state in ("all", pull.state)
        and (":" not in head or head.lower() == pull.head.lower())
        and base in (None, pull.base)
    ]
    sort = query.get("sort", "created")
    direction = query.get("direction", "desc" if sort == "created" else "asc")
    found.sort(key=_SORTS.get(sort, _created), reverse=direction == "desc")
    return paged(
        call, found, lambda pull: call.views.pull(call.repo, pull, call.user, "pull-request-simple")
    )


@route("POST", _PULLS, "read")
def open_pull(call: Call) -> Answer:
    """Opens one."""
    wanted(call, "PullRequest", "title", "head", "base")
    repo, base = call.repo, call.fields["base"]
    source, branch = _head(call)
    old, tip = repo.disk.tip(base), source.disk.tip(branch)
    if old is None:
        raise invalid("PullRequest", "base")
    if tip is None:
        raise invalid("PullRequest", "head")
    if not source.allows(call.user, "write"):
        raise refusal(403, "Must have push access to the head repository")
    _new(call, source, branch)
    number = max(repo.pulls, default=0) + 1
    ref = f"refs/pull/{number}/head"
    repo.disk.take(source.disk, tip, ref)
    if not repo.disk.ahead(old, tip):
        repo.disk.git("update-ref", "-d", ref)
        head = branch if source is repo else f"{source.owner.login}:{branch}"
        shown = base if source is repo else f"{repo.owner.login}:{base}"
        raise custom("PullRequest", f"No commits between {shown} and {head}")
    modifiable = source is not repo and call.fields.get("maintainer_can_modify", False)
    pull = Pull(
        number, call.me, call.fields["title"], call.fields.get("body"),
        source, source.owner, branch, tip, base, old,
        maintainer_can_modify=modifiable,
        draft=call.fields.get("draft", False),
        unknown=call.world.unknown_first,
    )  # fmt: skip
    repo.pulls[number] = pull
    call.opened.append((repo, pull))
    body = call.views.pull(repo, pull, call.user)
    return Answer(201, body, {"Location": body["url"]})


def _head(call: Call) -> tuple[Repo, str]:
    """The repository and branch that a body's `head` names: of the same network alone."""
    owner, colon, branch = call.fields["head"].rpartition(":")
    if not colon:
        return call.repo, branch
    network = _network(call.repo)
    for repo in call.world.repos:
        name = call.fields.get("head_repo", repo.name)
        named = repo.owner.login == owner and name in (repo.name, repo.full_name)
        if named and repo.ready and _network(repo) is network:
            return repo, branch
    raise invalid("PullRequest", "head")


def _network(repo: Repo) -> Repo:
    while repo.parent:
        repo = repo.parent
    return repo


def _new(call: Call, source: Repo, branch: str) -> None:
    for pull in call.repo.pulls.values():
        same = pull.head_repo is source and pull.head_branch == branch
        if pull.state == "open" and same and pull.base == call.fields["base"]:
            raise custom("PullRequest", f"A pull request already exists for {pull.head}.")


@route("GET", _PULL)
def pull(call: Call) -> Answer:
    """One of them."""
    return Answer(200, call.views.pull(call.repo, issue(call), call.user))


@route("PATCH", _PULL, "read")
def change_pull(call: Call) -> Answer:
    """Changes text, state or base; its author may, and who writes here."""
    found = issue(call)
    if found.user is not call.me and not call.repo.allows(call.user, "write"):
        raise refusal(403, "Must have push access to repository")
    if "base" in call.fields and call.fields["base"] != found.base:
        _rebase(call, found)
    for name in _TEXTS:
        if name in call.fields:
            setattr(found, name, call.fields[name])
    state = call.fields.get("state", found.state)
    if state == "closed" and found.state == "open":
        found.close(call.me)
    elif state == "open" and found.state == "closed":
        _reopen(call, found)
    found.updated_at = now()
    return Answer(200, call.views.pull(call.repo, found, call.user))


def _rebase(call: Call, found: Pull) -> None:
    tip = call.repo.disk.tip(call.fields["base"])
    if tip is None or found.state == "closed":
        raise invalid("PullRequest", "base")
    found.base, found.base_sha = call.fields["base"], tip


def _reopen(call: Call, found: Pull) -> None:
    tip = found.head_repo.disk.tip(found.head_branch) if found.head_repo else None
    if found.merged or tip is None:
        raise custom("PullRequest", "state cannot be changed. The pull request cannot be reopened.")
    found.state, found.closed_at, found.closed_by = "open", None, None
    call.opened += call.world.follow(call.repo, call.user)


def _created(pull: Pull) -> Any:
    return pull.number


_SORTS: Final = {
    "created": _created,
    "updated": lambda pull: (pull.updated_at, pull.number),
    "popularity": lambda pull: (len(pull.comments), pull.number),
    "long-running": _created,
}
