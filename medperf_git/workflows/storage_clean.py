"""Freeing what may go: chosen first, shown, and removed under the locks of who could use it.

Never chosen: results that are not registered, what waits to be sent, mirrors, keys. A dataset
only by its name. What somebody works with is kept, and said.

Example::

    chosen = choose(home, Wanted(cache=True))
    freed = clean(home, chosen)
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Final

from medperf_git.atomic import lock
from medperf_git.errors import InputError
from medperf_git.runtime.disk import erase, is_inside, usage
from medperf_git.store.home import Home
from medperf_git.workflows.storage import Item, stored
from medperf_git.workflows.storage_leftovers import leftovers, remove_groups_and_containers

_LEADS_OUT: Final = "a link leads out of mpgit's folders"
_IN_USE: Final = "somebody works with it"


@dataclass(frozen=True)
class Wanted:
    """What shall be freed.

    Attributes:
        leftovers: what killed runs left.
        cache: artefacts that can be had again, and scratch folders.
        executions: those whose results are registered.
        datasets: ids of prepared datasets.
    """

    leftovers: bool = False
    cache: bool = False
    executions: bool = False
    datasets: tuple[str, ...] = ()


@dataclass
class Choice:
    """What would be freed, and what of the same kinds would not.

    Attributes:
        items: what goes.
        kept: what stays, with the reason.
    """

    items: list[Item] = field(default_factory=list)
    kept: list[tuple[Item, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes that would be free."""
        return sum(item.size for item in self.items)


def choose(home: Home, wanted: Wanted) -> Choice:
    """What of that there is to free; changes nothing.

    Raises:
        InputError: no such dataset.
    """
    choice = Choice()
    everything = stored(home)
    for item in everything:
        if not _asked(item, wanted):
            continue
        reason = _reason_to_keep(home, item)
        if reason is None:
            # All of it, logs too.
            choice.items.append(replace(item, size=usage(item.path)))
        else:
            choice.kept.append((item, reason))
    named = {item.name for item in everything if item.kind == "dataset"}
    for name in wanted.datasets:
        if name not in named:
            raise InputError(
                f"{name} was not prepared here",
                code="no-dataset",
                advice="mpgit storage ls lists datasets by their ids: owner/name",
            )
    if wanted.leftovers:
        choice.items += leftovers(home)
    return choice


def _asked(item: Item, wanted: Wanted) -> bool:
    if item.kind in ("file", "tree", "image", "scratch", "index"):
        return wanted.cache
    if item.kind == "execution":
        return wanted.executions
    return item.kind == "dataset" and item.name in wanted.datasets


def _reason_to_keep(home: Home, item: Item) -> str | None:
    if _leads_out(home, item):
        return _LEADS_OUT
    if item.state == "in use":
        return _IN_USE
    if item.kind in ("file", "tree") and item.again is None:
        return "nothing says where it could be had again"
    if item.kind == "execution" and item.state != "registered":
        return f"its result is {item.state}, not registered"
    return None


def _leads_out(home: Home, item: Item) -> bool:
    tops = (home.cache, home.data, home.config)
    top = next((top for top in tops if item.path.is_relative_to(top)), home.data)
    # Of a leftover that is a link, the link itself is removed.
    is_link = item.kind != "leftover" and item.path.is_symlink()
    return is_link or not is_inside(item.path, top)


@dataclass
class Cleaned:
    """What was freed.

    Attributes:
        freed: bytes.
        removed: what went.
        kept: what was chosen and stays, with the reason.
    """

    freed: int = 0
    removed: list[Item] = field(default_factory=list)
    kept: list[tuple[Item, str]] = field(default_factory=list)


def clean(home: Home, items: Iterable[Item]) -> Cleaned:
    """Removes what was chosen, each thing while nobody else can work with it."""
    done = Cleaned()
    for item in items:
        reason = _remove(home, item)
        if reason is None:
            done.removed.append(item)
            done.freed += item.size
        else:
            done.kept.append((item, reason))
    return done


def _remove(home: Home, item: Item) -> str | None:
    """Removes one thing, or says why it stays."""
    if item.kind in ("group", "container"):
        remove_groups_and_containers()
        return None
    try:
        with ExitStack() as held:
            for guard in item.guards:
                held.enter_context(lock(guard))
            # Looked at again, now that nobody else changes it.
            if _leads_out(home, item):
                return _LEADS_OUT
            erase(item.path)
    except InputError as error:
        return _IN_USE if error.code == "locked" else error.message
    except OSError as error:
        return error.strerror or str(error)
    return None
