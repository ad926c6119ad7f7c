"""Doubted records of an index: what rests on the signature of a compromised key.

The rules are those of ``analysis.doubt``; here whole tables are asked at once, since a key may
have signed thousands of results. Asked only where a record names a compromised key.

Example::

    mark_doubts(engine, snapshot, repository)
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final, TypeAlias

from medperf_git.index.duckdb_engine import Engine
from medperf_git.store.paths import Place, locate
from medperf_git.store.snapshot import Snapshot
from medperf_git.trust.authority import demand
from medperf_git.vcs import Repository

_PINS: Final = ("benchmark", "dataset", "model", "dataset_association", "model_association")
_SIGNED: Final = """SELECT path, s.signer, s.key, s.public_key, position FROM (
    SELECT path, unnest(signatures) AS s, position FROM raw_results
    UNION ALL SELECT path, unnest(signatures) AS s, position FROM raw_records
    UNION ALL SELECT path, unnest(signatures) AS s, position FROM raw_late)"""
_NEVER: Final = 1 << 62

Reasons: TypeAlias = dict[Place, str]


def mark_doubts(engine: Engine, snapshot: Snapshot, repository: Repository) -> None:
    """Fills the table `doubted`.

    Raises:
        CacheError: the index can't be read.
        RegistryError, CanonicalError, RecordError: a record that authority rests on can't be.
    """
    since = {
        key: _position(engine, repository, commit) for key, commit in _compromised(engine).items()
    }
    own = _own(engine, snapshot, since)
    found = own | _resting(engine, own)
    columns = zip(*((p.kind, p.id, p.revision, why) for p, why in found.items()), strict=True)
    if lists := [list(column) for column in columns]:
        engine.run("INSERT INTO doubted SELECT " + ", ".join(["unnest(?)"] * len(lists)), lists)
    _mark_results(engine)


def _compromised(engine: Engine) -> dict[str, str]:
    """Compromised public keys, each with the first commit that is doubted."""
    found: dict[str, str] = {}
    newest = engine.rows(
        "SELECT arg_max(record, revision) FROM raw_records "
        "WHERE kind = 'participant' AND NOT withdrawal GROUP BY id ORDER BY id"
    )
    for (record,) in newest:
        for key in json.loads(record or "{}").get("keys", ()):
            if (since := (key.get("revoked") or {}).get("doubted_from")) is not None:
                found[key["public_key"]] = since
    return found


def _position(engine: Engine, repository: Repository, commit: str) -> int:
    """The first place in main's history from which on it contains a commit."""
    known = engine.rows("SELECT position FROM raw_commits WHERE commit = ?", [commit])
    if known:
        return int(known[0][0])
    # It came by a merge, or never: what contains it once contains it from then on.
    line = [row[0] for row in engine.rows("SELECT commit FROM raw_commits ORDER BY position")]
    low, high = 0, len(line)
    while low < high:
        middle = (low + high) // 2
        if repository.is_ancestor(commit, line[middle]):
            high = middle
        else:
            low = middle + 1
    return low if low < len(line) else _NEVER


def _own(engine: Engine, snapshot: Snapshot, since: dict[str, int]) -> Reasons:
    """Records that are not complete without the signatures of compromised keys."""
    suspects = f"SELECT path FROM ({_SIGNED}) WHERE public_key IN (SELECT unnest(?))"
    signatures: dict[str, list[tuple[str, str | None, bool]]] = {}
    for path, signer, key, public, position in engine.rows(
        f"{_SIGNED} WHERE path IN ({suspects})",
        [list(since)],
    ):
        doubted = public in since and position >= since[public]
        signatures.setdefault(path, []).append((signer, key, doubted))
    enough = _enough(engine, snapshot)
    found: Reasons = {}
    for path, these in signatures.items():
        place = locate(path)
        doubted = {signer for signer, _, is_doubted in these if is_doubted}
        if not doubted or not isinstance(place, Place) or place.withdrawn:
            continue
        good = frozenset(signer for signer, key, _ in these if key is None) - doubted
        if not enough(place, good):
            found[place] = f"signed with a compromised key of {', '.join(sorted(doubted))}"
    return found


def _enough(engine: Engine, snapshot: Snapshot) -> Callable[[Place, frozenset[str]], bool]:
    """Whether signers make a record complete.

    Results of one owner under one benchmark need the same signatures: asked once.
    """
    withdrawn = set(engine.rows("SELECT kind, id FROM withdrawn"))
    known: dict[tuple[object, ...], bool] = {}

    def enough(place: Place, good: frozenset[str]) -> bool:
        alike: tuple[object, ...] = (place, good)
        if place.kind == "result" and (place.kind, place.id) not in withdrawn:
            alike = (*place.id.split("/")[:3], good)
        if alike not in known:
            wanted = demand(snapshot.load(place).record, snapshot)
            known[alike] = wanted.nearest(set(good)).missing(set(good)) == 0
        return known[alike]

    return enough


def _resting(engine: Engine, own: Reasons) -> Reasons:
    """Other records than results that rest on doubted ones, however far away."""
    if not any(place.kind != "result" for place in own):
        return {}
    pins = {
        Place(kind, name, revision): [
            (ref["field"], Place(ref["kind"], ref["id"], ref["revision"])) for ref in refs
        ]
        for kind, name, revision, refs in engine.rows(
            "SELECT kind, id, revision, refs FROM raw_records WHERE NOT withdrawal"
        )
    }
    reasons: dict[Place, str] = dict(own)

    def reason(place: Place) -> str:
        if place not in reasons:
            reasons[place] = ""
            for field, target in pins.get(place, ()):
                if reason(target):
                    reasons[place] = f"{field} {target.id} is doubted"
                    break
        return reasons[place]

    return {place: why for place in pins if (why := reason(place))}


def _mark_results(engine: Engine) -> None:
    """Results that rest on doubted records."""
    cases = " ".join(
        f"WHEN d_{pin}.id IS NOT NULL THEN '{pin} ' || r.{pin} || ' is doubted'" for pin in _PINS
    )
    joins = " ".join(
        f"LEFT JOIN (FROM doubted WHERE kind = '{pin.replace('_', '-')}') d_{pin} "
        f"ON d_{pin}.id = r.{pin} AND d_{pin}.revision = r.{pin}_revision"
        for pin in _PINS
    )
    engine.run(
        f"""INSERT INTO doubted
        SELECT 'result', r.id, r.revision, CASE {cases} END AS why FROM raw_results r {joins}
        WHERE why IS NOT NULL AND NOT EXISTS (FROM doubted d
            WHERE d.kind = 'result' AND d.id = r.id AND d.revision = r.revision)"""
    )
