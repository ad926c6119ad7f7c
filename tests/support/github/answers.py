"""What a handler gets and gives: a call, an answer, GitHub's error bodies, and pages of a list.

Example::

    raise refusal(422, "Validation Failed", [custom("No commits between main and x")])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from tests.support.github.state import Pull, Repo, User

if TYPE_CHECKING:
    from tests.support.github.views import Views
    from tests.support.github.world import World

DOCUMENTATION: Final = "https://docs.github.com/rest"
PER_PAGE: Final = 30
MOST: Final = 100


@dataclass
class Answer:
    """A status and JSON, or bytes of a `kind` of their own."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json; charset=utf-8"


class Refusal(Exception):  # noqa: N818 - it is an answer, not a failure
    """An answer that ends the handling."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass
class Call:
    """A request on its way through a handler."""

    world: World
    views: Views
    path: str
    query: Mapping[str, str]
    body: Any
    user: User | None
    found: Repo | None = None
    words: tuple[str, ...] = ()
    late: list[Callable[[], None]] = field(default_factory=list)
    """Runs between a merge's work and the move of its branch."""
    opened: list[tuple[Repo, Pull]] = field(default_factory=list)
    """Pull requests that were opened or whose head moved."""

    @property
    def repo(self) -> Repo:
        """The repository that the path names."""
        assert self.found
        return self.found

    @property
    def me(self) -> User:
        """Who calls, where a route asks for somebody."""
        assert self.user
        return self.user

    @property
    def fields(self) -> dict[str, Any]:
        """The body's fields; none where there is no object."""
        return self.body if isinstance(self.body, dict) else {}


def refusal(status: int, message: str, errors: list[dict[str, Any]] | None = None) -> Refusal:
    """An error as GitHub words it."""
    body: dict[str, Any] = {"message": message}
    if errors is not None:
        body["errors"] = errors
    return Refusal(
        Answer(status, {**body, "documentation_url": DOCUMENTATION, "status": str(status)})
    )


def invalid(resource: str, name: str, code: str = "invalid") -> Refusal:
    """422 because of one field."""
    return refusal(422, "Validation Failed", [{"resource": resource, "field": name, "code": code}])


def custom(resource: str, message: str) -> Refusal:
    """422 with words of its own."""
    return refusal(
        422,
        "Validation Failed",
        [{"resource": resource, "code": "custom", "message": message}],
    )


def wanted(call: Call, resource: str, *names: str) -> None:
    """Refuses a body without a field, or with one of null."""
    for name in names:
        if not call.fields.get(name):
            raise invalid(resource, name, "missing_field")


def window(call: Call, items: list[Any]) -> tuple[list[Any], dict[str, str]]:
    """The asked page of a list, and a header that leads to the others."""
    size = min(max(_number(call, "per_page", PER_PAGE), 1), MOST)
    page = max(_number(call, "page", 1), 1)
    last = max((len(items) + size - 1) // size, 1)
    links: dict[str, int] = {}
    if page > 1:
        links |= {"prev": page - 1, "first": 1}
    if page < last:
        links |= {"next": page + 1, "last": last}
    text = ", ".join(f'<{_address(call, number)}>; rel="{name}"' for name, number in links.items())
    return items[(page - 1) * size : page * size], {"Link": text} if text else {}


def paged(call: Call, items: list[Any], view: Callable[[Any], Any]) -> Answer:
    """An answer with one page of a list."""
    some, headers = window(call, items)
    return Answer(200, [view(each) for each in some], headers)


def _number(call: Call, name: str, otherwise: int) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isdecimal() else otherwise


def _address(call: Call, page: int) -> str:
    """GitHub names repositories by number in these links."""
    path = call.path
    if call.found:
        rest = path.split("/", 4 if path.startswith("/repos/") else 3)
        tail = rest[-1] if len(rest) > (4 if path.startswith("/repos/") else 3) else ""
        path = f"/repositories/{call.found.id}/{tail}"
    return f"{call.world.api}{path}?{urlencode({**call.query, 'page': page})}"
