"""Listings, leaderboards and SQL from the index; and how little the index can do."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from medperf_git.index import segments
from medperf_git.index.duckdb_engine import Engine, parquet, quoted
from medperf_git.index.export import LAYOUT
from medperf_git.store.change import write_files
from medperf_git.store.tree import GitTree, difference, read
from medperf_git.vcs import Repository
from tests.support.indexed import Client, join
from tests.support.site import ROOT

RESULTS = 60


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return join(tmp_path_factory.mktemp("indexed") / "site", RESULTS)


def rows(client: Client, *words: str) -> Any:
    return client.do("query", *words, "--json").json


# --- listings and leaderboards -----------------------------------------------------------------

WORDS: dict[str, tuple[str, ...]] = {
    "all": ("result", "ls"),
    "everything": ("result", "ls", "--all"),
    "a benchmark": ("result", "ls", "-b", "institute-0/preterm-0"),
    "another benchmark": ("result", "ls", "-b", "institute-0/none"),
    "a model": ("result", "ls", "-m", "institute-0/baseline-0"),
    "a state": ("result", "ls", "--state", "withdrawn"),
    "two states": ("result", "ls", "--state", "stands", "--state", "outdated"),
    "a bound": ("result", "ls", "--metric", "auroc>=0.75"),
    "two bounds": ("result", "ls", "--metric", "auroc >= 0.7", "--metric", "brier<0.15"),
    "some": ("result", "ls", "--limit", "7"),
    "none": ("result", "ls", "--limit", "0"),
    "leaderboard": ("leaderboard", "institute-0/preterm-0"),
}


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("name", WORDS)
def test_the_index_and_the_records_say_the_same(client: Client, name: str, form: str) -> None:
    words = (*WORDS[name], *(["--json"] if form == "json" else []))
    indexed = client.do(*words)
    assert indexed.out == client.do(*words, "--no-index").out
    assert indexed.out.strip()


def test_filters_leave_something_and_leave_something_out(client: Client) -> None:
    for name in ("a model", "a bound", "two bounds"):
        assert 0 < len(client.do(*WORDS[name], "--json").json) < RESULTS
    assert len(client.do("result", "ls", "--json").json) == RESULTS


@pytest.mark.parametrize("bound", ["auroc", "auroc>", "auroc>=high", "0.5<auroc", "auroc>=nan"])
def test_what_is_no_bound_is_a_usage_error(client: Client, bound: str) -> None:
    done = client.do("result", "ls", "--metric", bound, expect=2)
    assert "auroc>=0.8" in done.err


def test_local_measurements_take_no_other_filter(client: Client) -> None:
    assert "--local" in client.do("result", "ls", "--local", "--limit", "1", expect=2).err


def test_where_nothing_can_be_kept_the_records_are_read(client: Client, tmp_path: Path) -> None:
    own = client.copy(tmp_path / "site")
    own.home.cache.mkdir(parents=True, exist_ok=True)
    folder = own.home.cache / "index"
    if folder.exists():
        folder.rename(tmp_path / "away")
    folder.write_text("a file, where a folder should be")
    done = own.do("leaderboard", own.benchmark)
    assert "without the index" in done.err
    assert done.out == client.do("leaderboard", client.benchmark, "--no-index").out
    assert own.do("query", "SELECT 1", expect=1).err


# --- SQL ---------------------------------------------------------------------------------------


def test_a_question_in_sql(client: Client) -> None:
    sql = "SELECT state, count(*) AS n FROM results GROUP BY state"
    assert rows(client, sql) == [{"state": "stands", "n": RESULTS}]
    text = client.do("query", sql).out
    assert text.splitlines()[0].split() == ["state", "n"]
    found = list(csv.reader(io.StringIO(client.do("query", sql, "--csv").out)))
    assert found == [["state", "n"], ["stands", str(RESULTS)]]
    assert client.do("query", "SELECT 1 WHERE false").out == "no rows\n"


def test_every_kind_of_value_is_json(client: Client) -> None:
    sql = """SELECT signers, metrics, landed, record, partial, NULL AS nothing,
        'nan'::DOUBLE AS nan, '\\x00'::BLOB AS bytes, 1 AS a, 2 AS a
        FROM results ORDER BY path LIMIT 1"""
    (row,) = rows(client, sql)
    assert row["partial"] is False
    assert row["nothing"] is None
    assert row["metrics"][0]["id"] == "auroc"
    assert (row["nan"], row["bytes"], row["a"], row["a_2"]) == ("nan", "AA==", 1, 2)
    assert json.loads(row["record"])["kind"] == "result"
    assert client.do("query", sql).out
    assert client.do("query", sql, "--csv").out


def test_the_tables_agree_with_each_other(client: Client) -> None:
    (counted,) = rows(
        client,
        """SELECT (SELECT count(*) FROM results) AS results,
            (SELECT count(*) FROM metrics WHERE is_primary) AS primaries,
            (SELECT count(*) FROM records WHERE kind = 'result') AS records,
            (SELECT count(*) FROM results WHERE primary_value IS NULL) AS missing,
            (SELECT count(*) FROM signatures s JOIN results r USING (path)) AS signed,
            (SELECT count(*) FROM results r JOIN commits c USING (commit)) AS landed""",
    )
    assert counted.pop("missing") == 0
    assert set(counted.values()) == {RESULTS}


def test_the_schema_is_what_can_be_asked(client: Client) -> None:
    tables = client.do("query", "--schema", "--json").json
    assert [table["table"] for table in tables][:2] == ["results", "metrics"]
    for table in tables:
        columns = ", ".join(table["columns"])
        assert rows(client, f"SELECT {columns} FROM {table['table']} LIMIT 1") is not None
    assert "primary_value" in client.do("query", "--schema").out


def test_a_part_of_a_registry_has_no_index(client: Client, tmp_path: Path) -> None:
    own = client.copy(tmp_path / "site")
    entry = own.home.registry()
    own.home.save_registry(entry.model_copy(update={"benchmarks": (client.benchmark,)}))
    error = own.do("query", "SELECT 1", "--json", expect=2).json["error"]
    assert error["code"] == "part-only"
    assert own.do("export", "parquet", tmp_path / "parquet", expect=2).err


def test_a_table_for_people_ends_somewhere(client: Client) -> None:
    done = client.do("query", "SELECT range FROM range(3000)")
    assert "the first 1000 rows" in done.out
    assert len(rows(client, "SELECT range FROM range(3000)")) == 3000


RECIPES = re.findall(
    r"^```sql\n(.*?)^```$", (ROOT / "docs" / "query.md").read_text(), re.MULTILINE | re.DOTALL
)


@pytest.mark.parametrize("number", range(len(RECIPES)))
def test_a_recipe_of_the_documentation_has_an_answer(client: Client, number: int) -> None:
    sql = RECIPES[number].replace("anna-weber/preterm", client.benchmark)
    found = rows(client, sql)
    assert found or "<> 'stands'" in sql


BAD_SQL: dict[str, tuple[str, str, str]] = {
    "an unknown column": ("SELECT modle FROM results", "bad-sql", 'did you mean "model"'),
    "an unknown table": ("SELECT * FROM result", "bad-sql", 'did you mean "results"'),
    "no SQL": ("selec", "bad-sql", "--schema"),
    "two questions": ("SELECT 1; SELECT 2", "not-a-question", "one question"),
    "nothing": ("", "not-a-question", "one question"),
    "a change": ("CREATE TABLE t AS SELECT 1", "not-a-question", "one question"),
    "a deletion": ("DELETE FROM raw_results", "not-a-question", "one question"),
    "a setting": ("SET memory_limit = '9GB'", "not-a-question", "one question"),
    "a pragma": ("PRAGMA enable_profiling", "not-a-question", "one question"),
    "a file to write": ("COPY results TO '{there}'", "not-a-question", "one question"),
    "a database": ("ATTACH '{there}' AS x", "not-a-question", "one question"),
    "an extension": ("INSTALL httpfs", "not-a-question", "one question"),
    "another file": ("SELECT * FROM read_csv('{here}')", "not-allowed", "no other file"),
    "a file by name": ("SELECT * FROM '{here}'", "not-allowed", "no other file"),
    "a text file": ("SELECT * FROM read_text('{here}')", "not-allowed", "no other file"),
    "a list of files": ("SELECT * FROM glob('/*')", "not-allowed", "no other file"),
    "the network": (
        "SELECT * FROM read_parquet('https://example.org/x.parquet')", "not-allowed",
        "no other file"),
    "more than there is room for": (
        "SELECT list(a.range) FROM range(400000000) a", "too-much", "export parquet"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_SQL)
def test_sql_that_is_refused(client: Client, tmp_path: Path, name: str) -> None:
    sql, code, advice = BAD_SQL[name]
    here, there = tmp_path / "secret.csv", tmp_path / "out.csv"
    here.write_text("patient\n1\n")
    error = client.do("query", sql.format(here=here, there=there), "--json", expect=2).json["error"]
    assert error["code"] == code, error
    assert advice in error["advice"], error
    assert error["place"]
    assert not there.exists()
    assert "patient" not in json.dumps(error)


@pytest.mark.parametrize("words", [(), ("SELECT 1", "--schema"), ("SELECT 1", "--csv", "--json")])
def test_query_wants_one_thing(client: Client, words: tuple[str, ...]) -> None:
    client.do("query", *words, expect=2)


# --- a cache and nothing else ------------------------------------------------------------------


def lie(client: Client) -> None:
    """Every result's numbers become others, in the files of the index."""
    for path in client.index.glob("results-*.parquet"):
        target = path.with_suffix(".new")
        metrics = "[struct_update(m, value := 0.999::DOUBLE) FOR m IN metrics]"
        with Engine() as engine:
            engine.run(
                f"COPY (SELECT * REPLACE ({metrics} AS metrics) FROM {parquet([path])}) "
                f"TO {quoted(target)} (FORMAT parquet)"
            )
        target.replace(path)


def lie_well(client: Client) -> None:
    """As `lie`, and the manifest says that this is as it should be."""
    lie(client)
    manifest = segments.Manifest.model_validate_json(
        json.dumps(_without_digest(client.index / segments.MANIFEST))
    )
    forged = tuple(
        segments.segment_of(each.table, client.index / each.file, each.rows)
        for each in manifest.segments
    )
    segments.save(client.index, manifest.model_copy(update={"segments": forged}))


def _without_digest(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(path.read_bytes())
    del data["digest"]
    return data


def best(client: Client, *words: str) -> float:
    board = client.do("leaderboard", client.benchmark, "--json", *words).json
    found: float = board["models"][0]["mean"]
    return found


DECIDING = ("audit", "check", "request", "run", "withdraw", "dataset", "benchmark", "server")


def test_what_decides_knows_no_index() -> None:
    """An import-linter contract says so of the modules; here it is seen."""
    names = ", ".join(f"medperf_git.cli.{name}_command" for name in DECIDING)
    code = (
        f"import sys, {names}\n"
        "found = [m for m in sys.modules if 'duckdb' in m or m.startswith('medperf_git.index')]\n"
        "sys.exit(', '.join(found) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_damage_is_noticed_and_mended(client: Client, tmp_path: Path) -> None:
    own = client.copy(tmp_path / "site")
    truth = best(own)
    lie(own)
    done = own.do("leaderboard", own.benchmark, "--json")
    assert done.json["models"][0]["mean"] == truth
    assert done.err.count("the index is made anew") == 1
    assert own.do("leaderboard", own.benchmark).err == ""


def requested(client: Client) -> str:
    """Main loses its last commit, and a request brings one of its results."""
    with Repository.open(client.repository) as repository:
        main = repository.resolve("main")
        base = repository.commit(main).parents[0]
        trees = [GitTree(repository, repository.commit(oid).tree) for oid in (base, main)]
        added = sorted(change.path for change in difference(*trees))
        stem = next(path for path in added if path.endswith("/1.yaml")).removesuffix("yaml")
        files = {path: read(trees[1], path) or b"" for path in added if path.startswith(stem)}
        author = ("eve", "eve@example")
        tree = write_files(repository, trees[0].oid, files)
        head = repository.write_commit(tree, [base], "Submit one result", author)
        owner = stem.split("/")[4]
        repository.set_ref(f"refs/heads/requests/{owner}/one", head)
        repository.set_ref("refs/heads/main", base)
    return f"{owner}/one"


def verdicts(client: Client, request: str) -> dict[str, Any]:
    """All that anybody relies on."""
    git = ("--git-dir", client.repository)
    check = ("check", "--base", "main~1", "--head", "main", *git, "--json")
    head = ("check", "--base", "main", "--head", f"requests/{request}", *git, "--json")
    return {
        "audit": client.do("audit", "--full", "--json").json["verdict"],
        "tree": client.do("audit", "--tree", "--json").json["verdict"],
        "check": client.do(*check).json,
        "head": client.do(*head, expect=None).json,
        "request": client.do("request", "check", request, "--json", expect=None).json,
    }


@pytest.mark.parametrize("poison", [lie, lie_well])
def test_a_poisoned_index_changes_no_verdict(tmp_path: Path, poison: Any) -> None:
    own = join(tmp_path / "site", 30)
    request = requested(own)
    # The client has seen the whole main; it starts anew from the shorter one.
    own = _joined_again(own)
    truth = best(own)
    honest = verdicts(own, request)
    assert honest["audit"] == "accepted"
    assert honest["head"]["verdict"] == "complete"
    poison(own)
    assert verdicts(own, request) == honest
    assert best(own, "--no-index") == truth
    if poison is lie_well:
        # Who may write the client's files may lie to it: in listings, and nowhere else.
        assert best(own) == pytest.approx(0.999)


def _joined_again(client: Client) -> Client:
    home = client.home.top
    assert home is not None
    home.rename(home.with_name("before"))
    add = ("registry", "add", "large", client.repository, "--genesis", client.identity, "--yes")
    client.do(*add)
    return client


# --- export ------------------------------------------------------------------------------------


def test_export_writes_all_of_it(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "parquet"
    done = client.do("export", "parquet", target, "--json").json
    about = json.loads((target / "registry.json").read_text())
    assert about["identity"] == client.identity
    assert about["commit"] == done["commit"]
    assert "every transition" in about["verification"]["audited"]
    assert (target / "README.md").exists()
    with Engine() as engine:

        def count(table: str, by: str) -> list[tuple[Any, ...]]:
            files = sorted((target / table).glob(f"{by}=*/*.parquet"))
            return engine.rows(
                f"SELECT count(*), count(DISTINCT {by}), min(verification), max(verification) "
                f"FROM {parquet(files)}"
            )

        assert count("results", "benchmark") == [(RESULTS, 1, "audited", "audited")]
        assert count("metrics", "benchmark")[0][0] == 4 * RESULTS
        kinds = {path.name for path in (target / "records").iterdir()}
        assert "kind=dataset-association" in kinds
        assert "kind=result" not in kinds
        # What a row says of its record is so.
        files = sorted((target / "results").rglob("*.parquet"))
        path, blob, sha256, signers = engine.rows(
            f"SELECT path, blob, sha256, signers FROM {parquet(files)} ORDER BY path"
        )[0]
    (shown,) = (r for r in client.do("result", "ls", "--json").json if r["path"] == path)
    assert shown["sha256"] == sha256
    assert signers == [shown["record"]["dataset"]["id"].split("/")[0]]
    with Repository.open(client.repository) as repository:
        assert repository.blob(blob)
    assert list(tmp_path.joinpath("deep").iterdir()) == [target]


def test_export_overwrites_nothing(client: Client, tmp_path: Path) -> None:
    target = tmp_path / "parquet"
    target.mkdir()
    client.do("export", "parquet", target)
    before = sorted(target.rglob("*"))
    error = client.do("export", "parquet", target, "--json", expect=2).json["error"]
    assert error["code"] == "folder-not-empty"
    assert sorted(target.rglob("*")) == before
    file = tmp_path / "file"
    file.write_text("mine")
    client.do("export", "parquet", file, expect=2)
    assert file.read_text() == "mine"


def test_an_export_that_fails_leaves_nothing(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LAYOUT, "no_such_table", "nothing")
    client.do("export", "parquet", tmp_path / "parquet", expect=1)
    assert list(tmp_path.iterdir()) == []
