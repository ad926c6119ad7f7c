"""A token in memory, which no log, message or traceback shows.

Keeps nothing (``tokens`` does).

Example:
    >>> Secret("ghp_hunter2")
    Secret(…)
"""

from __future__ import annotations

import hmac
import re
from typing import Final, NoReturn

from medperf_git.errors import InputError

TOKEN: Final = re.compile(r"[\x21-\x7e]+")
"""What a token is made of: what a header can carry."""


class Secret:
    """A token that shows itself to nobody who does not ask: not in logs, not in tracebacks.

    Args:
        text: the token.

    Raises:
        InputError: empty, or with spaces, line breaks or other than ASCII: no header can carry
            it.

    Example:
        >>> f"{Secret('ghp_hunter2')}", Secret("ghp_hunter2").reveal()
        ('Secret(…)', 'ghp_hunter2')
    """

    __slots__ = ("_text",)
    _text: str

    def __init__(self, text: str) -> None:
        if not TOKEN.fullmatch(text):
            raise InputError(
                "that is no token" if text else "there is no token",
                code="bad-token",
                advice="give the token alone: one word, without quotes",
            )
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The token itself, for the request that carries it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text, other._text)

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    def __deepcopy__(self, memo: object) -> Secret:
        return self  # so that dataclasses.asdict hands on a secret, not its text

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written down")
