"""What a host must offer for requests: open, list, add to, merge, close.

Example:
    >>> Request("ky/dataset-opt-1", "0" * 40, "open", "Add dataset ky/opt").participant
    'ky'
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, TypeAlias

State: TypeAlias = Literal["open", "merged", "rejected", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Request:
    """A proposed set of new records.

    Attributes:
        id: `participant/slug`.
        head: its newest commit.
        state: where it stands.
        title: what it asks for, in a line.
        reason: for a rejected or withdrawn request, why.
    """

    id: str
    head: str
    state: State
    title: str
    reason: str = ""

    @property
    def participant(self) -> str:
        """Who opened it."""
        return self.id.split("/")[0]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        return asdict(self)


class Forge(Protocol):
    """Requests on one host; every method talks about what was fetched last."""

    def fetch(self) -> None:
        """Brings main and all requests to the mirror."""

    def main(self) -> str | None:
        """Main's newest commit on the host, or None in an empty repository."""

    def requests(self, *, ended: bool = False) -> list[Request]:
        """Every open request; with `ended` the merged and closed ones too."""

    def request(self, request_id: str) -> Request:
        """One request by id."""

    def open(self, request_id: str, commit: str) -> Request:
        """Opens a request whose newest commit this is."""

    def update(self, request: Request, commit: str) -> Request:
        """Adds a commit to a request, if nobody else did meanwhile."""

    def merge(self, request: Request, main: str, commit: str) -> None:
        """Makes a merge commit main, if main is still what it was, and closes the request."""

    def close(self, request: Request, commit: str) -> None:
        """Closes a request without merging; `commit` says why and keeps everything readable."""
