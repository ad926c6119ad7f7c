"""Which handler answers which path, for whom.

A handler takes a `Call` and gives an `Answer`, or raises a `Refusal`. `Routes.answer` finds the
repository that the path names (by name, by number, or moved), asks for the role that the route
needs, and calls the handler. Knows no HTTP.

Example::

    @route("GET", "/repos/{owner}/{repo}/pulls")
    def list_pulls(call: Call) -> Answer: ...
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from tests.support.github.answers import DOCUMENTATION, Answer, Call, Refusal, refusal
from tests.support.github.state import Repo

Handler = Callable[[Call], Answer]
_REPO: Final = "/repos/{owner}/{repo}"
_BY_NAME: Final = re.compile(r"/repos/([^/]+)/([^/]+)(/.*)?")
_BY_ID: Final = re.compile(r"/repositories/(\d+)(/.*)?")
_SPEAK: Final = {
    "read": "Requires authentication",
    "triage": "Must have admin rights to Repository.",
    "write": "Must have push access to repository",
    "admin": "Must have admin rights to Repository.",
}


@dataclass(frozen=True)
class Route:
    """A method and path, the role that they need ("" for none), and who answers."""

    method: str
    pattern: re.Pattern[str]
    role: str
    in_repo: bool
    handler: Handler


ROUTES: Final[list[Route]] = []


def route(method: str, template: str, role: str = "") -> Callable[[Handler], Handler]:
    """Registers a handler; words between braces become `call.words`, in order."""
    in_repo = template.startswith(_REPO)
    rest = template.removeprefix(_REPO)
    pattern = re.compile(re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(rest)))

    def register(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, role, in_repo, handler))
        return handler

    return register


def answer(method: str, call: Call) -> Answer:
    """What a call comes to."""
    rest = _locate(method, call)
    for each in ROUTES:
        match = each.pattern.fullmatch(rest)
        if match and each.method == method and each.in_repo == (call.found is not None):
            _admit(each, call)
            call.words = tuple(unquote(word) for word in match.groups())
            return each.handler(call)
    raise refusal(404, "Not Found")


def _locate(method: str, call: Call) -> str:
    """Sets the call's repository; returns the path behind it."""
    if match := _BY_ID.fullmatch(call.path):
        call.found, rest = call.world.by_id(int(match[1])), match[2] or ""
    elif match := _BY_NAME.fullmatch(call.path):
        owner, name, rest = unquote(match[1]), unquote(match[2]), match[3] or ""
        call.found = call.world.find(owner, name)
        if call.found is None and (moved := call.world.find_moved(owner, name)):
            raise _redirect(method, call, moved, rest)
    else:
        return call.path
    if call.found is None or not call.found.ready:
        raise refusal(404, "Not Found")
    return rest


def _redirect(method: str, call: Call, repo: Repo, rest: str) -> Refusal:
    url = f"{call.world.api}/repositories/{repo.id}{rest}"
    get = method == "GET"
    body = {
        "message": "Moved Permanently" if get else "Temporary Redirect",
        "url": url,
        "documentation_url": DOCUMENTATION,
    }
    return Refusal(Answer(301 if get else 307, body, {"Location": url}))


def _admit(found: Route, call: Call) -> None:
    if not found.role:
        return
    if call.user is None:
        raise refusal(401, _SPEAK["read"])
    if found.in_repo and not call.repo.allows(call.user, found.role):
        raise refusal(403, _SPEAK[found.role])
    if found.in_repo and found.method != "GET" and call.repo.archived:
        raise refusal(403, "Repository was archived so is read-only.")
