"""`ls` and `view`, the same for every kind of record.

Example:
    >>> add_reading(click.Group("model"), "model", lambda record: ()) is None
    True
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from medperf_git.analysis.state import State, States
from medperf_git.cli.app import Common, json_option, options, registry_option, table
from medperf_git.errors import InputError
from medperf_git.records.base import Record
from medperf_git.records.codec import dump
from medperf_git.store.paths import Place, SignaturePlace, locate
from medperf_git.store.snapshot import Loaded, Snapshot

Columns = Callable[[Any], Sequence[Any]]


SHOWN = ("stands", "outdated", "doubted")
"""What a listing shows unasked: what is doubted must not look as if it were not there."""


def label(state: State) -> str:
    """A state for people."""
    return f"{state.name}: {state.reason}" if state.reason else state.name


def listing(snapshot: Snapshot, kind: str, *, everything: bool) -> list[tuple[Loaded, State]]:
    """The records of a kind with their states: those that stand, or all of them."""
    rows = []
    states = States(snapshot)
    for place in snapshot.places(kind):
        state = states.of(place)
        if everything or state.name in SHOWN:
            rows.append((snapshot.load(place), state))
    return rows


def locate_record(snapshot: Snapshot, kind: str, record_id: str, revision: int | None) -> Loaded:
    """A record by id; the one that stands, or else the newest, where no revision is named.

    Raises:
        InputError: there is none.
    """
    place = Place(kind, record_id, revision) if revision else None
    place = place or snapshot.standing(kind, record_id) or snapshot.newest(kind, record_id)
    if place is None or not snapshot.has(place):
        raise InputError(
            f"no {kind} {record_id}" + (f" revision {revision}" if revision else ""),
            code="no-record",
            advice="`ls` lists what there is; `mpgit registry sync` brings news",
        )
    return snapshot.load(place)


def as_data(snapshot: Snapshot, loaded: Loaded, state: State | None = None) -> dict[str, Any]:
    """A record with where it stands, for ``--json``."""
    place = loaded.place
    state = state or States(snapshot).of(place)
    return {
        "path": place.path,
        "sha256": loaded.sha256,
        "state": state.name,
        **({"reason": state.reason} if state.reason else {}),
        "signed_by": _signers(snapshot, place),
        "record": dump(loaded.record),
    }


def _signers(snapshot: Snapshot, place: Place) -> list[str]:
    names = snapshot.tree.entries(place.folder)
    found = (locate(f"{place.folder}/{name}") for name in names)
    return sorted({s.signer for s in found if isinstance(s, SignaturePlace) and s.record == place})


def add_reading(
    group: click.Group, kind: str, columns: Columns, headers: Sequence[str] = ()
) -> None:
    """Adds `ls` and `view` for a kind to its group."""

    @group.command("ls")
    @click.option("--all", "everything", is_flag=True, help="Also what no longer stands.")
    @options(registry_option, json_option)
    def ls(*, everything: bool, common: Common) -> None:
        """List what stands in the registry."""
        with common.session() as session:
            snapshot = session.snapshot()
            rows = listing(snapshot, kind, everything=everything)
            shown_states = everything or not all(state.counts for _, state in rows)
            common.show(
                [as_data(snapshot, loaded, state) for loaded, state in rows],
                lambda: (
                    table(
                        ("id", "revision", *headers, *(("state",) if shown_states else ())),
                        [
                            (
                                loaded.place.id,
                                loaded.place.revision,
                                *columns(loaded.record),
                                *((label(state),) if shown_states else ()),
                            )
                            for loaded, state in rows
                        ],
                    )
                    if rows
                    else f"no {kind} yet"
                ),
            )

    @group.command("view")
    @click.argument("record_id", metavar="ID")
    @click.option("--revision", type=click.IntRange(min=1), help="Default: the one that stands.")
    @options(registry_option, json_option)
    def view(*, record_id: str, revision: int | None, common: Common) -> None:
        """Show one record, as its file has it."""
        with common.session() as session:
            snapshot = session.snapshot()
            loaded = locate_record(snapshot, kind, record_id, revision)
            data = as_data(snapshot, loaded)
            common.show(data, lambda: _text(loaded, data))


def _text(loaded: Loaded, data: dict[str, Any]) -> str:
    head = f"{data['path']} ({data['state']})\nsha256 {data['sha256']}\n"
    return head + f"signed by {', '.join(data['signed_by'])}\n\n" + loaded.payload.decode().rstrip()


def record_name(record: Record) -> str:
    """A record's name for people."""
    return str(getattr(record, "name", ""))


def measured(metric: Mapping[str, Any]) -> str:
    """A metric with its interval, for people."""
    text = f"{metric['value']:.3f}"
    if "low" in metric:
        text += f" ({metric['low']:.3f}–{metric['high']:.3f})"
    return text
