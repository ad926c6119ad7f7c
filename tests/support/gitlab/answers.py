"""What the stand-in answers: a status, a body, headers.

Example::

    raise refusal(404, "404 Project Not Found")
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.gitlab.state import User


@dataclass
class Answer:
    """An answer; a body of bytes is sent as it is, any other as JSON."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    kind: str = "application/json"


class Refusal(Exception):  # noqa: N818 - it is an answer
    """An answer that ends the work."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def refusal(status: int, message: Any) -> Refusal:
    """GitLab's usual shape of a refusal."""
    return Refusal(Answer(status, {"message": message}))


@dataclass
class Call:
    """A request to the API."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Mapping[str, Any]
    user: User | None

    def known(self) -> User:
        """Who calls; a refusal where nobody says who they are."""
        if self.user is None:
            raise refusal(401, "401 Unauthorized")
        return self.user
