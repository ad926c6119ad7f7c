"""What the doctor sees: a topic, how it stands, and how to mend it.

Example:
    >>> warning("clock", "behind by 3 days", "set it").state
    'warning'
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from medperf_git.errors import MpgitError
from medperf_git.git.url import without_secrets

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Observation:
    """One thing that was looked at.

    Attributes:
        topic: what.
        state: `ok`; `warning`: it works, but; `problem`: it has to be mended.
        text: what was found; paths stand in `place`, which stays on this machine.
        advice: how to mend it.
        place: where.
    """

    topic: str
    state: State
    text: str
    advice: str | None = None
    place: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``; what is None is left out."""
        return {name: value for name, value in asdict(self).items() if value is not None}


def ok(topic: str, text: str) -> Observation:
    """All is well."""
    return Observation(topic, "ok", without_secrets(text))


def warning(topic: str, text: str, advice: str | None, place: object = None) -> Observation:
    """It works, but somebody should know."""
    return _bad(topic, "warning", text, advice, place)


def problem(topic: str, text: str, advice: str | None, place: object = None) -> Observation:
    """It has to be mended."""
    return _bad(topic, "problem", text, advice, place)


def of_error(topic: str, error: MpgitError) -> Observation:
    """An error, as a problem."""
    return problem(topic, error.message, error.advice, error.place)


def _bad(topic: str, state: State, text: str, advice: str | None, place: object) -> Observation:
    where = None if place is None else without_secrets(str(place))
    how = None if advice is None else without_secrets(advice)
    return Observation(topic, state, without_secrets(text), how, where)
