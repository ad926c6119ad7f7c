"""What a rule is: a class whose name is its code and whose docstring is its help.

Example:
    >>> class OnlyAdditions(Rule):
    ...     '''Records are added, never edited.'''
    >>> OnlyAdditions.code, OnlyAdditions.help()
    ('only-additions', 'Records are added, never edited.')
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import ClassVar

from medperf_git.checks.report import Finding
from medperf_git.checks.transition import Transition


class Rule:
    """Base of all rules; a subclass says in its docstring what it holds and why."""

    code: ClassVar[str] = "rule"
    advice: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        cls.code = re.sub(r"(?<!^)(?=[A-Z])", "-", cls.__name__).lower()

    @classmethod
    def help(cls) -> str:
        """The rule's text for people."""
        return inspect.cleandoc(cls.__doc__ or "")

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every place where the transition breaks the rule."""
        del transition
        return iter(())

    def finding(self, path: str, message: str, *, field: str = "", advice: str = "") -> Finding:
        """A finding of this rule; what can't be seen in a hostile name or value is escaped."""
        return Finding(
            self.code, _visible(path), _visible(message), _visible(field), advice or self.advice
        )


def _visible(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
