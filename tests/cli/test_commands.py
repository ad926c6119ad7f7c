"""The command line itself: help, completion, exit codes, and JSON that is nothing but JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from medperf_git.cli.main import COMMANDS, command, exit_code
from medperf_git.errors import (
    AwaitingError,
    EngineError,
    ExecutionError,
    GitError,
    InputError,
    JudgedInvalidError,
    MpgitError,
    RegistryError,
    TrustError,
)
from tests.support.site import BENCHMARK, MPGIT, ROOT, Site, copy_site

HEAVY = (
    "pydantic", "git", "gitdb", "docker", "cryptography", "jsonschema", "yaml", "duckdb", "_duckdb",
)  # fmt: skip


def mpgit(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MPGIT, *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


# --- help and completion --------------------------------------------------------------------


@pytest.mark.parametrize("words", [("--help",), ("-h",), ("--version",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *MPGIT[1:], *words],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not {name for name in imported if name.partition(".")[0] in HEAVY}


def test_help_answers_fast() -> None:
    """In under 0.3 s; the best of five, for other work may slow the machine down."""
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        assert mpgit("--help").returncode == 0
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 0.3


def test_help_names_every_command_and_the_exit_codes() -> None:
    text = mpgit("--help").stdout
    for name, line in COMMANDS.items():
        assert name in text
        assert line.split()[0] in text
    assert "3 awaiting approvals" in text


def leaves() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for name in COMMANDS:
        module = command.get_command(None, name)  # type: ignore[arg-type]  # unused
        assert module is not None
        inner = getattr(module, "commands", None)
        found += [(name, sub) for sub in inner] if inner else [(name,)]
    return found


LEAVES = leaves()


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_explains_itself(site_free: Site, words: tuple[str, ...]) -> None:
    done = site_free.do("nobody", *words, "--help")
    usage, _, rest = done.out.partition("\n\n")
    assert usage.startswith("Usage: mpgit " + " ".join(words))
    assert rest.strip()
    assert "--verbose" in done.out


@pytest.fixture(scope="session")
def site_free(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A place without any registry."""
    folder = tmp_path_factory.mktemp("free")
    return Site(folder)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_offered(shell: str) -> None:
    done = mpgit(_MPGIT_COMPLETE=f"{shell}_source")
    assert done.returncode == 0
    assert "_MPGIT_COMPLETE" in done.stdout


COMPLETIONS = {
    ("mpgit reg", "1"): "registry",
    ("mpgit request app", "2"): "approve",
    ("mpgit run --eng", "2"): "--engine",
    ("mpgit run --engine san", "3"): "sandbox",
}


@pytest.mark.parametrize(("typed", "wanted"), COMPLETIONS.items())
def test_completion_completes(typed: tuple[str, str], wanted: str) -> None:
    words, word = typed
    done = mpgit(_MPGIT_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=word)
    assert f"plain,{wanted}" in done.stdout.splitlines()


# --- exit codes -----------------------------------------------------------------------------


CODES: dict[str, tuple[MpgitError, int]] = {
    "usage": (InputError("x"), 2),
    "a key": (TrustError("x"), 2),
    "awaiting": (AwaitingError("x"), 3),
    "invalid": (JudgedInvalidError("x"), 1),
    "execution": (ExecutionError("x"), 1),
    "engine": (EngineError("x"), 1),
    "git": (GitError("x"), 1),
    "registry": (RegistryError("x"), 1),
    "interrupted": (ExecutionError("x", code="interrupted"), 130),
    "a full disk": (InputError("x", code="disk-full"), 1),
    "locked": (InputError("x", code="locked"), 1),
}


@pytest.mark.parametrize("name", CODES)
def test_an_error_has_its_exit_code(name: str) -> None:
    error, code = CODES[name]
    assert exit_code(error) == code


USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "no command": (("frobnicate",), "No such command 'frobnicate'"),
    "no subcommand": (("request", "frobnicate"), "No such command 'frobnicate'"),
    "no option": (("run", "--frobnicate"), "--frobnicate"),
    "missing option": (("run", "-b", BENCHMARK), "--dataset"),
    "missing argument": (("request", "approve"), "REQUEST"),
    "no choice": (("run", "-b", "x", "-d", "y", "--engine", "qemu"), "qemu"),
    "no folder": (("dataset", "prepare", "x", "-b", "y", "--data", "/nowhere"), "/nowhere"),
}


@pytest.mark.parametrize("name", USAGE)
def test_a_wrong_word_is_a_usage_error(site_free: Site, name: str) -> None:
    words, message = USAGE[name]
    done = site_free.do("nobody", *words, expect=2)
    assert message in done.err
    assert done.out == ""


def test_v_shows_the_cause(site: Site) -> None:
    site.host.rename(site.folder / "away.git")
    assert "cause:" not in site.do("ky", "registry", "sync", expect=1).err
    assert "cause: TransportError" in site.do("ky", "registry", "sync", "-v", expect=1).err


def test_a_reader_that_goes_away_is_no_error(site: Site) -> None:
    words = [*MPGIT, "audit", "--json"]
    settings = {**os.environ, **site.settings("ky"), "PYTHONPATH": str(ROOT)}
    script = '"$@" | true; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "x", *words], env=settings, capture_output=True, check=False
    )
    assert b"Traceback" not in done.stderr


# --- JSON -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lively(first_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with a result, an open request and a closed one."""
    site = copy_site(first_site, tmp_path_factory.mktemp("lively") / "site")
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "anna/rule")
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    site.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
    withdraw = ("withdraw", "dataset/ky/opt", "--reason", "Consent.", "--yes")
    site.do("ky", *withdraw)
    close = ("--reason", "Not yet.", "--yes")
    site.do("ky", "request", "withdraw", "ky/withdraw-dataset-ky-opt-1", *close)
    return site


OPEN = "ky/dataset-association-fever-ky-opt-2"
READING: dict[str, tuple[tuple[str, ...], int]] = {
    "registry ls": (("registry", "ls"), 0),
    "registry status": (("registry", "status"), 0),
    "registry sync": (("registry", "sync"), 0),
    "participant ls": (("participant", "ls"), 0),
    "participant view": (("participant", "view", "ky"), 0),
    "key ls": (("key", "ls"), 0),
    "key view": (("key", "view"), 0),
    "mlcube ls": (("mlcube", "ls"), 0),
    "mlcube view": (("mlcube", "view", "anna/fever-prep"), 0),
    "model ls": (("model", "ls", "--all"), 0),
    "model view": (("model", "view", "oak/good", "--revision", "1"), 0),
    "benchmark ls": (("benchmark", "ls"), 0),
    "benchmark view": (("benchmark", "view", BENCHMARK), 0),
    "dataset ls": (("dataset", "ls"), 0),
    "dataset view": (("dataset", "view", "ky/opt"), 0),
    "dataset check": (("dataset", "check", "opt"), 0),
    "result ls": (("result", "ls"), 0),
    "result ls --local": (("result", "ls", "--local"), 0),
    "result ls --all": (("result", "ls", "--all"), 0),
    "result view": (("result", "view", f"{BENCHMARK}/ky/opt/oak/good"), 0),
    "leaderboard": (("leaderboard", BENCHMARK), 0),
    "leaderboard --no-index": (("leaderboard", BENCHMARK, "--no-index"), 0),
    "query": (("query", "SELECT * FROM records"), 0),
    "query --schema": (("query", "--schema"), 0),
    "request ls": (("request", "ls"), 0),
    "request ls --all": (("request", "ls", "--all"), 0),
    "request view": (("request", "view", OPEN), 3),
    "request check": (("request", "check", OPEN), 3),
    "audit": (("audit",), 0),
    "audit --tree": (("audit", "--tree"), 0),
    "test": (("test", "-b", BENCHMARK), 0),
    "run": (("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good"), 0),
    "doctor": (("doctor",), 0),
    "storage ls": (("storage", "ls"), 0),
}


@pytest.mark.parametrize("name", READING)
def test_json_is_all_that_is_printed(lively: Site, name: str) -> None:
    words, code = READING[name]
    done = lively.do("ky", *words, "--json", expect=code)
    assert isinstance(done.json, dict | list)
    assert done.json
    plain = lively.do("ky", *words, expect=code)
    assert plain.out.strip()
    with pytest.raises(json.JSONDecodeError):
        json.loads(plain.out)


def test_check_needs_no_configuration(lively: Site) -> None:
    words = ("--base", "main~1", "--head", "main", "--git-dir", str(lively.host))
    done = lively.do("nobody", "check", *words, "--json")
    assert done.json["verdict"] == "complete"
    assert "complete" in lively.do("nobody", "check", *words).out
    assert lively.do("nobody", "check", *words, "--markdown").out.startswith("## complete")
    back = ("--base", "main", "--head", "main~1", "--git-dir", str(lively.host))
    assert lively.do("nobody", "check", *back, "--json", expect=1).json["verdict"] == "invalid"
    ahead = ("--base", "main", "--head", f"requests/{OPEN}", "--git-dir", str(lively.host))
    assert lively.do("nobody", "check", *ahead, "--json", expect=3).json["verdict"] == "awaiting"
    no = ("--base", "nothing", "--head", "main", "--git-dir", str(lively.host), "--json")
    assert "nothing" in lively.do("nobody", "check", *no, expect=1).json["error"]["message"]


EMPTY = ("model", "result", "dataset", "benchmark", "mlcube")


@pytest.mark.parametrize("noun", EMPTY)
def test_an_empty_list_is_one(tmp_path: Path, noun: str) -> None:
    from medperf_git.vcs import Repository  # noqa: PLC0415 (beside its only use)

    site = Site(tmp_path)
    Repository.create(site.host).close()
    site.do("ana", "key", "create", "--no-passphrase")
    site.do(
        "ana", "registry", "init", "x", site.host, "--title", "T", "--participant", "ana",
        "--participant-name", "Ana", "--yes",
    )  # fmt: skip
    assert site.do("ana", noun, "ls", "--json").json == []
    assert site.do("ana", noun, "ls").out.startswith("no ")


UNKNOWN: dict[str, tuple[str, ...]] = {
    "model": ("model", "view", "oak/none"),
    "revision": ("model", "view", "oak/good", "--revision", "7"),
    "benchmark": ("leaderboard", "anna/none"),
    "request": ("request", "view", "ky/none"),
    "dataset": ("dataset", "check", "none"),
    "key": ("key", "view", "none"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_what_is_not_there_is_a_usage_error_in_json_too(lively: Site, name: str) -> None:
    done = lively.do("ky", *UNKNOWN[name], "--json", expect=2)
    assert set(done.json["error"]) >= {"code", "message", "advice"}


def test_a_terminal_gets_no_control_characters(lively: Site) -> None:
    """What a request's author wrote can't move the cursor of who reads it."""
    from medperf_git.cli.app import block, printable, table  # noqa: PLC0415 (beside its only use)

    evil = "a\x1b[2Jb\rc\u202ed"
    for text in (printable(evil), table(("x",), [(evil,)]), block({"x": evil})):
        assert not [c for c in text if not c.isprintable() and c != "\n"]
