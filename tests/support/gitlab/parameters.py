"""The operations of GitLab's REST API in use, and what they take: written by hand.

GitLab publishes an OpenAPI description, but in no package that a machine of the CI gets at a pinned
version, and under a licence (CC BY-SA 4.0) that this repository does not carry. So this table says
what https://docs.gitlab.com/api/ documents for version 4, in our own words and for our operations
alone; `test_host` holds its names against those that `python-gitlab` declares, where it declares
any. Answers are not judged: the stand-in's are as good as our reading of the documentation.

Example:
    >>> faults("PUT", "/projects/7/merge_requests/1/merge", {}, {"sha": 1})
    ["PUT /projects/{id}/merge_requests/{iid}/merge: body 'sha' is no string"]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Kind = type | tuple[str, ...]
"""A type, or the words that are allowed."""

_PAGES: Final[dict[str, Kind]] = {"page": int, "per_page": int}
_ORDER: Final = ("asc", "desc")
_PROJECT: Final = "/projects/{id}"
_MERGES: Final = "/projects/{id}/merge_requests"
_MERGE: Final = "/projects/{id}/merge_requests/{iid}"


@dataclass(frozen=True)
class Operation:
    """What an operation takes: by name its kind, and which names it needs."""

    query: Mapping[str, Kind] = field(default_factory=dict)
    body: Mapping[str, Kind] | None = None
    needs: tuple[str, ...] = ()


_CHANGE: Final[dict[str, Kind]] = {
    "title": str,
    "description": str,
    "labels": str,
    "assignee_id": int,
    "milestone_id": int,
    "remove_source_branch": bool,
    "squash": bool,
    "allow_collaboration": bool,
}
OPERATIONS: Final[dict[str, Operation]] = {
    "GET /version": Operation(),
    "GET /user": Operation(),
    f"GET {_PROJECT}": Operation({"license": bool, "statistics": bool}),
    f"POST {_PROJECT}/fork": Operation(
        body={
            "branches": str,
            "description": str,
            "mr_default_target_self": bool,
            "name": str,
            "namespace_id": int,
            "namespace_path": str,
            "path": str,
            "visibility": ("private", "internal", "public"),
        }
    ),
    f"GET {_PROJECT}/forks": Operation(
        {**_PAGES, "owned": bool, "membership": bool, "search": str, "simple": bool, "sort": _ORDER}
    ),
    f"GET {_PROJECT}/members/all/{{user_id}}": Operation(),
    f"GET {_MERGES}": Operation(
        {
            **_PAGES,
            "state": ("opened", "closed", "locked", "merged", "all"),
            "order_by": ("created_at", "updated_at", "merged_at", "title"),
            "sort": _ORDER,
            "scope": ("created_by_me", "assigned_to_me", "all"),
            "labels": str,
            "source_branch": str,
            "source_project_id": int,
            "target_branch": str,
            "search": str,
            "created_after": str,
            "updated_after": str,
        }
    ),
    f"POST {_MERGES}": Operation(
        body={**_CHANGE, "source_branch": str, "target_branch": str, "target_project_id": int},
        needs=("source_branch", "target_branch", "title"),
    ),
    f"GET {_MERGE}": Operation({"include_rebase_in_progress": bool, "render_html": bool}),
    f"PUT {_MERGE}": Operation(
        body={
            **_CHANGE,
            "add_labels": str,
            "remove_labels": str,
            "state_event": ("close", "reopen"),
            "target_branch": str,
            "discussion_locked": bool,
        }
    ),
    f"PUT {_MERGE}/merge": Operation(
        body={
            "auto_merge": bool,
            "merge_commit_message": str,
            "sha": str,
            "should_remove_source_branch": bool,
            "squash": bool,
            "squash_commit_message": str,
        }
    ),
    f"GET {_MERGE}/notes": Operation(
        {**_PAGES, "order_by": ("created_at", "updated_at"), "sort": _ORDER}
    ),
    f"POST {_MERGE}/notes": Operation(
        body={"body": str, "created_at": str, "internal": bool}, needs=("body",)
    ),
}


def faults(method: str, path: str, query: Mapping[str, str], body: Any) -> list[str]:
    """What is wrong with a request, in plain words; `body` is parsed JSON, None without one."""
    name = next((each for each in OPERATIONS if _matches(each, method, path)), None)
    if name is None:
        return [f"{method} {path}: not in the table"]
    operation = OPERATIONS[name]
    given = dict(body) if isinstance(body, dict) else {}
    if body and operation.body is None:
        return [f"{name}: takes no body"]
    found = [
        *_wrong("query", operation.query, {key: _typed(value) for key, value in query.items()}),
        *_wrong("body", operation.body or {}, given),
        *(f"needs {key!r}" for key in operation.needs if not given.get(key)),
    ]
    return [f"{name}: {text}" for text in found]


def _wrong(where: str, known: Mapping[str, Kind], given: Mapping[str, Any]) -> Iterator[str]:
    for key, value in given.items():
        kind = known.get(key)
        if kind is None:
            yield f"{where} {key!r} is unknown"
        elif isinstance(kind, tuple):
            if value not in kind:
                yield f"{where} {key!r} is none of {', '.join(kind)}"
        elif where == "query" and kind is str:
            continue
        elif type(value) is not kind:
            yield f"{where} {key!r} is no {_WORDS[kind]}"


_WORDS: Final = {str: "string", int: "number", bool: "boolean"}


def _matches(name: str, method: str, path: str) -> bool:
    verb, _, template = name.partition(" ")
    pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template))
    return verb == method and re.fullmatch(pattern, path) is not None


def _typed(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text
