"""The index's tables as people and our own questions see them: SQL, and what each column means.

A record's state follows from other records, so it is no column of a file: it is worked out
whenever it is asked for, by the rules of ``analysis.state``. A test holds both against each other.

Example:
    >>> [name for name in TABLES if name.startswith("r")]
    ['results', 'records']
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from medperf_git.index.duckdb_engine import parquet
from medperf_git.index.tables import COLUMNS

RESTING: Final = ("model-association", "dataset-association")
"""Beside results: kinds that count only while everything that they pin stands."""
_PINS: Final = ("benchmark", "dataset", "model", "dataset_association", "model_association")


def sources(files: dict[str, Sequence[Path]]) -> list[str]:
    """The statements that make the files' tables, each named `raw_…`."""
    found = []
    for table, columns in COLUMNS.items():
        if here := files.get(table):
            body = f"SELECT * FROM {parquet(here)}"
        else:
            empty = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items())
            body = f"SELECT {empty} WHERE false"
        found.append(f"CREATE VIEW raw_{table} AS {body}")
    return found


GONE: Final = (
    """CREATE TEMP TABLE withdrawn AS
    SELECT kind, id, revision FROM raw_records WHERE withdrawal""",
    # Every record but results that does not stand, with the reason. Most have one revision.
    """CREATE TEMP TABLE gone AS
    WITH suspects AS (
        SELECT DISTINCT kind, id FROM raw_records WHERE (revision > 1 OR withdrawal)
            AND kind <> 'result'
    ), places AS (
        SELECT kind, id, r.revision, w.id IS NOT NULL AS is_withdrawn
        FROM raw_records r SEMI JOIN suspects USING (kind, id)
        LEFT JOIN withdrawn w USING (kind, id, revision) WHERE NOT r.withdrawal
    ), ranked AS (
        SELECT *, max(revision) FILTER (WHERE NOT is_withdrawn) OVER (PARTITION BY kind, id) AS s
        FROM places
    )
    SELECT kind, id, revision, if(is_withdrawn, 'withdrawn', 'superseded') AS why
    FROM ranked WHERE is_withdrawn OR revision IS DISTINCT FROM s""",
    # Every result that is withdrawn, or that a newer revision stands before.
    """CREATE TEMP TABLE gone_results AS
    WITH suspects AS (
        SELECT id FROM raw_results WHERE revision > 1
        UNION SELECT id FROM withdrawn WHERE kind = 'result'
    ), places AS (
        SELECT r.id, r.revision, w.id IS NOT NULL AS is_withdrawn
        FROM raw_results r SEMI JOIN suspects USING (id)
        LEFT JOIN (FROM withdrawn WHERE kind = 'result') w
            ON w.id = r.id AND w.revision = r.revision
    ), ranked AS (
        SELECT *, max(revision) FILTER (WHERE NOT is_withdrawn) OVER (PARTITION BY id) AS s
        FROM places
    )
    SELECT id, revision, if(is_withdrawn, 'withdrawn', 'superseded') AS why
    FROM ranked WHERE is_withdrawn OR revision IS DISTINCT FROM s""",
    "CREATE TEMP TABLE doubted (kind VARCHAR, id VARCHAR, revision INTEGER, reason VARCHAR)",
)
"""Small tables that the states follow from."""


def _outdated() -> str:
    """The first pin of a result whose target does not stand, in words."""
    cases = " ".join(
        f"WHEN g_{pin}.id IS NOT NULL THEN '{pin} ' || r.{pin} || ' revision ' || "
        f"r.{pin}_revision || ' is ' || g_{pin}.why"
        for pin in _PINS
    )
    return f"CASE {cases} END"


def _joins() -> str:
    return " ".join(
        f"LEFT JOIN (FROM gone WHERE kind = '{pin.replace('_', '-')}') g_{pin} "
        f"ON g_{pin}.id = r.{pin} AND g_{pin}.revision = r.{pin}_revision"
        for pin in _PINS
    )


def _signers(of: str) -> str:
    """Everybody whose signature stands beside a record."""
    late = f"(SELECT flatten(list(signatures)) FROM raw_late l WHERE l.path = {of}.path)"
    both = f"list_concat({of}.signatures, coalesce({late}, []))"
    return f"list_sort(list_distinct([s.signer FOR s IN {both}]))"


def _state(own: str, outdated: str) -> str:
    return f"""CASE WHEN r.fault IS NOT NULL THEN 'unreadable'
        WHEN {own}.why IS NOT NULL THEN {own}.why
        WHEN {outdated} IS NOT NULL THEN 'outdated'
        WHEN d.reason IS NOT NULL THEN 'doubted' ELSE 'stands' END AS state,
    CASE WHEN r.fault IS NOT NULL THEN r.fault WHEN {own}.why IS NOT NULL THEN ''
        ELSE coalesce({outdated}, d.reason, '') END AS reason"""


JUDGED: Final = f"""CREATE VIEW judged AS
SELECT r.*, {_state("g", _outdated())}
FROM raw_results r LEFT JOIN gone_results g ON g.id = r.id AND g.revision = r.revision
LEFT JOIN (FROM doubted WHERE kind = 'result') d ON d.id = r.id AND d.revision = r.revision
{_joins()}"""
"""Results with their states, for our own questions: what nobody asks for costs nothing."""

_PRIMARY: Final = """SELECT id, revision, json_extract_string(record, '$.primary_metric') AS metric
FROM raw_records WHERE kind = 'benchmark' AND NOT withdrawal AND fault IS NULL"""

_LANDED: Final = "to_timestamp(r.time)::TIMESTAMP AS landed"

VIEWS: Final = (
    f"""CREATE VIEW results AS
    SELECT r.path, r.id, r.revision, r.state, r.reason,
        r.benchmark, r.benchmark_revision, r.dataset, r.dataset_revision, r.model,
        r.model_revision, p.metric AS primary_metric,
        [m FOR m IN r.metrics IF m.id = p.metric][1].value AS primary_value,
        r.cases, r.evaluated, r.failed, r.excluded, r.partial, r.finished, r.seconds,
        r.engine, r.engine_version, r.client, r.client_version, r.registry_commit,
        r.owner, {_signers("r")} AS signers, r.commit, {_LANDED}, r.blob, r.sha256,
        r.benchmark_sha256, r.dataset_sha256, r.model_sha256,
        r.dataset_association, r.dataset_association_revision, r.dataset_association_sha256,
        r.model_association, r.model_association_revision, r.model_association_sha256,
        r.metrics, r.record::JSON AS record
    FROM judged r LEFT JOIN ({_PRIMARY}) p
        ON p.id = r.benchmark AND p.revision = r.benchmark_revision""",
    f"""CREATE VIEW metrics AS
    SELECT r.path, r.benchmark, r.benchmark_revision, r.dataset, r.model, r.revision, r.state,
        m.id AS metric, m.id = p.metric AS is_primary, m.value, m.low, m.high,
        m.standard_error, m.n
    FROM (SELECT *, unnest(metrics) AS m FROM judged) r LEFT JOIN ({_PRIMARY}) p
        ON p.id = r.benchmark AND p.revision = r.benchmark_revision""",
    f"""CREATE VIEW records AS
    WITH first_gone AS (
        SELECT path, arg_min(field || ' ' || ref_id || ' revision ' || ref_revision || ' is '
            || why, number) AS why
        FROM (SELECT path, unnest(refs).field AS field, unnest(refs).kind AS ref_kind,
                unnest(refs).id AS ref_id, unnest(refs).revision AS ref_revision,
                generate_subscripts(refs, 1) AS number
            FROM raw_records WHERE kind IN {RESTING!r} AND NOT withdrawal) r
        JOIN gone g ON g.kind = ref_kind AND g.id = ref_id AND g.revision = ref_revision
        GROUP BY path
    )
    SELECT r.path, r.kind, r.id, r.revision, {_state("g", "f.why")}, r.owner, r.name,
        {_signers("r")} AS signers, r.commit, {_LANDED}, r.blob, r.sha256,
        r.record::JSON AS record
    FROM raw_records r
    LEFT JOIN gone g ON g.kind = r.kind AND g.id = r.id AND g.revision = r.revision
    LEFT JOIN doubted d ON d.kind = r.kind AND d.id = r.id AND d.revision = r.revision
    LEFT JOIN first_gone f ON f.path = r.path
    WHERE NOT r.withdrawal
    UNION ALL
    SELECT path, 'result', id, revision, state, reason, owner, NULL, signers, commit, landed,
        blob, sha256, record
    FROM results""",
    f"""CREATE VIEW withdrawals AS
    SELECT r.path, r.kind, r.id, r.revision,
        json_extract_string(r.record, '$.reason') AS reason, {_signers("r")} AS signers,
        r.commit, {_LANDED}, r.blob, r.sha256
    FROM raw_records r WHERE r.withdrawal""",
    """CREATE VIEW signatures AS
    SELECT path, s.signer, s.key, s.public_key, s.blob, commit FROM (
        SELECT path, unnest(signatures) AS s, commit FROM raw_results
        UNION ALL SELECT path, unnest(signatures) AS s, commit FROM raw_records
        UNION ALL SELECT path, unnest(signatures) AS s, commit FROM raw_late)""",
    """CREATE VIEW commits AS
    SELECT commit, position, to_timestamp(time)::TIMESTAMP AS committed FROM raw_commits""",
)
"""The tables that people name; they stand on those of `sources`, `GONE` and `JUDGED`."""

TABLES: Final = {
    "results": "every result: what it is of, its state, its numbers, how it ran, who signed it",
    "metrics": "every metric of every result, one row each",
    "records": "every record of every kind, results too; `record` is all of it, as JSON",
    "withdrawals": "what was taken out of use, and why",
    "signatures": "who signed what; with `key`, a proof that a further key is held",
    "commits": "main along first parents, oldest first; the clocks are those of whoever merged",
}
"""The tables that a query may name, with what they hold."""
