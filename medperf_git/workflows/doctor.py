"""The doctor: looks at everything that a site needs, and says how to mend what is wrong.

Each topic is looked at for itself: one that can't be looked at is a problem and stops no other.
Changes nothing but for a tiny task that is run on each engine.

Example::

    for seen in examine(Home.from_environment()):
        print(seen.state, seen.topic, seen.text, seen.advice)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from medperf_git.errors import MpgitError
from medperf_git.store.home import Home
from medperf_git.workflows import doctor_engines, doctor_registry, doctor_site
from medperf_git.workflows.observation import Observation, of_error, problem

_Look = Callable[[Home], Iterator[Observation]]

_TOPICS: Final[tuple[tuple[str, _Look], ...]] = (
    ("programs", doctor_site.programs),
    ("site.yaml", doctor_site.rules),
    ("disk", doctor_site.disk),
    ("permissions", doctor_site.permissions),
    ("engines", doctor_engines.engines),
    ("limits", doctor_engines.limits),
    ("GPUs", doctor_engines.gpus),
    ("keys", doctor_registry.keys),
    ("registries", doctor_registry.registries),
    ("clock", doctor_registry.clock),
    ("leftovers", doctor_site.killed_runs),
)


def examine(home: Home) -> Iterator[Observation]:
    """Looks at everything, topic by topic."""
    for topic, look in _TOPICS:
        try:
            yield from look(home)
        except MpgitError as error:
            yield of_error(topic, error)
        except OSError as error:
            yield problem(topic, f"can't be looked at: {error.strerror}", None, error.filename)


def examine_registry(home: Home, name: str) -> Iterator[Observation]:
    """Looks at one registry, and at how its host is set up.

    Raises:
        InputError: no such registry.
    """
    entry = home.registry(name)
    try:
        yield from doctor_registry.registry(home, entry)
        yield from doctor_registry.host(home, entry)
    except MpgitError as error:
        yield of_error(f"registry {name}", error)
