"""How large a replayed challenge is, who takes part in it, and what is noted of its phases.

Pure: names and numbers alone; what they do is ``fets_story``'s affair.

Example:
    >>> Size(sites=2, models=3, labs=1).all_models
    ['anna/rule', 'lab-1/net-1', 'lab-1/net-2']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DATASET: Final = "set"
"""The name of each site's one dataset."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the challenge is.

    Attributes:
        sites: each with one dataset.
        models: the reference model among them.
        labs: whose the other models are.
        each: the most results that a site puts into one request; None for all that it has.
        approve: whether the committee signs results; else each site merges its own.
    """

    sites: int = 32
    models: int = 41
    labs: int = 8
    each: int | None = None
    approve: bool = True

    @property
    def hospitals(self) -> list[str]:
        """The sites' participants."""
        return [f"site-{number}" for number in range(1, self.sites + 1)]

    @property
    def owners(self) -> dict[str, list[str]]:
        """The labs that have models, and these models' names."""
        owned: dict[str, list[str]] = {}
        for number in range(1, self.models):
            owned.setdefault(f"lab-{(number - 1) % self.labs + 1}", []).append(f"net-{number}")
        return owned

    @property
    def all_models(self) -> list[str]:
        """Every model's id."""
        nets = (f"{lab}/{name}" for lab, names in self.owners.items() for name in names)
        return ["anna/rule", *nets]


@dataclass(frozen=True, slots=True)
class Phase:
    """What everybody did at the same time.

    Attributes:
        name: what.
        began: seconds since the beginning.
        seconds: how long it took.
        merged: how many requests reached main in it.
    """

    name: str
    began: float
    seconds: float
    merged: int
