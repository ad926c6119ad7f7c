"""The index for commands: opened for a session, and done without where it can't be had.

Example::

    with indexed(common, session) as index:
        rows = results(index, wanted) if index else [...]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

import click

from medperf_git.cli import app
from medperf_git.errors import CacheError, InputError
from medperf_git.index.index import Index, open_index
from medperf_git.index.tables import FORMAT
from medperf_git.workflows.session import Session

no_index_option = click.option(
    "--no-index", is_flag=True, help="Read the records themselves, not the index made of them."
)
_PART: Final = "part-only"
_NO_CACHE: Final = frozenset({"disk-full", "locked", "not-writable"})
"""Codes of `InputError` that only say that nothing can be kept."""


@contextmanager
def opened(session: Session) -> Iterator[Index]:
    """The index of a session's registry, at the commit that this client has audited.

    Raises:
        MpgitError: it can't be had.
    """
    if session.entry.benchmarks:
        raise InputError(
            f"this client reads a part of {session.entry.name}, and an index needs all of it",
            code=_PART,
            place=", ".join(session.entry.benchmarks),
            advice="mpgit result ls, mpgit leaderboard; or add the registry once more as a whole",
        )
    with ExitStack() as held:
        with app.progress("reading the records for the index") as step:
            index = open_index(
                session.mirror,
                session.main,
                identity=session.entry.genesis,
                folder=session.home.index(session.entry.genesis, FORMAT),
                tell=app.tell,
                progress=step,
            )
        yield held.enter_context(index)


@contextmanager
def indexed(session: Session, *, wanted: bool) -> Iterator[Index | None]:
    """As `opened`; None where it is not wanted, or where it can't be had, which is said."""
    with ExitStack() as held:
        index = None
        if wanted and not session.entry.benchmarks:
            try:
                index = held.enter_context(opened(session))
            except (CacheError, InputError) as error:
                if not isinstance(error, CacheError) and error.code not in _NO_CACHE:
                    raise
                app.tell(f"without the index: {error.message}")
        yield index
