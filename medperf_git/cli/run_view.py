"""What somebody sees while many models run: a live table on a terminal, plain lines elsewhere.

Fed with events from many threads. Everything goes to standard error: standard output is the
outcome's. Shows nothing that a container printed.

Example::

    with run_view(["oak/net", "anna/rule"]) as view:
        schedule.run(session, place, work, local, view.watch)
"""

from __future__ import annotations

import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from medperf_git.cli import app
from medperf_git.workflows.schedule import Event

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


_STYLES: Final = {"finished": "green", "failed": "red", "running": "cyan", "retrying": "yellow"}


class View(ABC):
    """Where events go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def watch(self, event: Event) -> None:
        """Takes an event, from any thread."""
        with self._lock:
            self._take(event)

    @abstractmethod
    def _take(self, event: Event) -> None:
        """Shows it."""


class Lines(View):
    """A line an event, for logs."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()

    def _take(self, event: Event) -> None:
        app.tell(f"[{time.monotonic() - self._began:7.1f} s] {event.model}: {_words(event)}")


def _words(event: Event) -> str:
    if event.state == "running":
        return event.what
    if event.state == "retrying":
        return f"failed, and is tried again ({event.what.splitlines()[0]})"
    error = event.outcome.error if event.outcome else None
    if error is not None:
        return f"failed: {error.message.splitlines()[0]}"
    known = event.outcome is not None and not event.outcome.fresh
    return "was finished before" if known else "finished"


class LiveTable(View):
    """A row a model, drawn anew several times a second."""

    def __init__(self, models: Sequence[str]) -> None:
        super().__init__()
        self._rows: dict[str, tuple[str, str]] = dict.fromkeys(models, ("waiting", ""))
        self._since = dict.fromkeys(models, 0.0)
        self._ended: dict[str, float] = {}

    def _take(self, event: Event) -> None:
        now = time.monotonic()
        if not self._since[event.model]:
            self._since[event.model] = now
        if event.state in ("finished", "failed"):
            self._ended[event.model] = now
        words = _words(event) if event.state in ("failed", "retrying") else event.what
        self._rows[event.model] = (event.state, words)

    def __rich__(self) -> Table:
        """The table as it is now."""
        from rich.table import Table  # noqa: PLC0415 (start-up cost: only a terminal needs it)
        from rich.text import Text  # noqa: PLC0415 (as above)

        table = Table(box=None, pad_edge=False)
        for title in ("model", "state"):
            table.add_column(title, no_wrap=True)
        table.add_column("")
        table.add_column("time", justify="right")
        with self._lock:
            for model, (state, words) in self._rows.items():
                # Text: brackets in an error are no markup.
                shown = Text(app.printable(words))
                style = _STYLES.get(state, "dim")
                table.add_row(model, Text(state, style=style), shown, self._time(model))
        return table

    def _time(self, model: str) -> str:
        if not self._since[model]:
            return ""
        seconds = int(self._ended.get(model, time.monotonic()) - self._since[model])
        return f"{seconds // 60}:{seconds % 60:02d}"


@contextmanager
def run_view(models: Sequence[str]) -> Iterator[View]:
    """A live table where standard error is a terminal, lines otherwise."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    table = LiveTable(models)
    with _live(table):
        yield table


def _live(table: LiveTable) -> Live:
    # Start-up cost: rich takes a tenth of a second, which a log does not need.
    from rich.console import Console  # noqa: PLC0415
    from rich.live import Live  # noqa: PLC0415

    return Live(table, console=Console(stderr=True), refresh_per_second=4, redirect_stdout=False)
