"""Which results somebody wants to see: by what they are of, their state, their numbers.

Example:
    >>> Condition.parse("auroc>=0.8")
    Condition(metric='auroc', sign='>=', value=0.8)
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

from medperf_git.analysis.results import ResultRow
from medperf_git.errors import InputError

SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
"""How a metric's value is compared."""
STATES: Final = ("stands", "outdated", "doubted", "superseded", "withdrawn")
"""Every state that a result can be in (`analysis.state`)."""
_CONDITION = re.compile(r"\s*([a-z][a-z0-9_]*)\s*(>=|<=|>|<|=)\s*(\S+)\s*")


@dataclass(frozen=True)
class Condition:
    """A bound on a metric.

    Attributes:
        metric: its id.
        sign: one of `SIGNS`.
        value: the bound.
    """

    metric: str
    sign: str
    value: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """The condition that a person typed.

        Raises:
            InputError: it is none.
        """
        found = _CONDITION.fullmatch(text)
        try:
            value = float(found[3]) if found else float("nan")
        except ValueError:
            value = float("nan")
        if found is None or value != value:  # noqa: PLR0124 (not a number)
            raise InputError(
                f"no condition on a metric: {text!r}",
                code="bad-condition",
                place="--metric",
                advice="a metric's id, a sign and a number: --metric 'auroc>=0.8'",
            )
        return cls(found[1], found[2], value)


@dataclass(frozen=True)
class Selection:
    """What is wanted; everything by default.

    Attributes:
        benchmark: only of this benchmark.
        model: only of this model.
        dataset: only of this dataset.
        states: only in one of these states.
        conditions: only where all of these hold.
    """

    benchmark: str | None = None
    model: str | None = None
    dataset: str | None = None
    states: tuple[str, ...] = STATES
    conditions: tuple[Condition, ...] = ()

    def holds(self, row: ResultRow) -> bool:
        """Whether a result is wanted."""
        values = {m.id: m.value for m in row.result.metrics}
        return (
            self.benchmark in (None, row.benchmark)
            and self.model in (None, row.model)
            and self.dataset in (None, row.dataset)
            and row.state in self.states
            and all(
                c.metric in values and SIGNS[c.sign](values[c.metric], c.value)
                for c in self.conditions
            )
        )
