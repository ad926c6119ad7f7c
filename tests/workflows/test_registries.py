"""Founding, joining, following: what is no registry, what was rewritten, what is out of reach."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from medperf_git.git import commands
from medperf_git.git.fetch import Fetch
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.store.change import write_files
from medperf_git.store.home import Home
from medperf_git.vcs import Repository
from tests.support.pack_hook import PackHook
from tests.support.site import BENCHMARK, MPGIT, REGISTRY, ROOT, Site, git, model_draft

NOBODY = "newcomer"


def commit_main(folder: Path, files: dict[str, bytes]) -> Path:
    """A repository whose main holds these files, and no registry."""
    with Repository.create(folder) as repository:
        tree = write_files(repository, EMPTY_TREE, files)
        oid = repository.write_commit(tree, [], "First", ("a", "a@b"))
        repository.set_ref("refs/heads/main", oid)
    return folder


# --- addresses that are none ----------------------------------------------------------------


def _nothing(site: Site) -> Path:
    return site.folder / "nowhere.git"


def _folder(site: Site) -> Path:
    return site.parts


def _empty(site: Site) -> Path:
    Repository.create(site.folder / "empty.git").close()
    return site.folder / "empty.git"


def _other(site: Site) -> Path:
    return commit_main(site.folder / "other.git", {"README.md": b"# Not a registry\n"})


def _malformed(site: Site) -> Path:
    return commit_main(site.folder / "bad.git", {"registry/root/1.yaml": b"kind: root\n"})


def _shallow(site: Site) -> Path:
    target = site.folder / "shallow.git"
    address = f"file://{site.host}"
    clone = ["git", "clone", "--bare", "--quiet", "--depth", "2", address, str(target)]
    subprocess.run(clone, check=True, capture_output=True)
    return target


ADDRESSES: dict[str, tuple[Callable[[Site], Path], str]] = {
    "nothing there": (_nothing, "can't fetch from"),
    "a plain folder": (_folder, "can't fetch from"),
    "an empty repository": (_empty, "repository is empty"),
    "another repository": (_other, "not a registry"),
    "a genesis that is none": (_malformed, "this is another registry"),
    "a shallow clone": (_shallow, "shallow"),
}


@pytest.mark.parametrize("name", ADDRESSES)
def test_what_is_no_registry_is_not_added(site: Site, name: str) -> None:
    make, message = ADDRESSES[name]
    address = make(site)
    words = ("registry", "add", "x", str(address), "--genesis", site.genesis)
    done = site.do(NOBODY, *words, expect=1)
    assert message in done.err
    assert "Traceback" not in done.err
    home = site.home(NOBODY)
    assert not home.configuration().registries
    assert not home.mirror("x").exists()
    # The same name is free for the right address.
    site.do(NOBODY, "registry", "add", "x", site.host, "--genesis", site.genesis)


def slowly(site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch) -> PackHook:
    """As if its history were too long to come at once."""
    git(site.host, "config", "uploadpack.allowFilter", "true")
    most = int(git(site.host, "rev-list", "--count", "--all")) * 4
    hook = PackHook(folder, most)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(hook.settings))
    monkeypatch.setattr(commands, "Fetch", partial(Fetch, most=most, step=8))
    return hook


@pytest.mark.parametrize("part", [(), ("--benchmark", BENCHMARK)])
def test_who_was_interrupted_while_joining_goes_on(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: tuple[str, ...]
) -> None:
    hook = slowly(site, tmp_path, monkeypatch)
    words = ("registry", "add", "x", site.host.as_uri(), "--genesis", site.genesis, *part)
    hook.dies_after(4)
    done = site.do(NOBODY, *words, expect=1)
    assert "goes on from there" in done.err
    whole, _commits, *first = hook.sent()
    assert len(first) == 2
    hook.dies_after(None)
    site.do(NOBODY, *words)
    rest = hook.sent()
    if not part:  # of which some files come at last, by their ids
        assert sum(first) + sum(rest) == whole
    assert not list(site.home(NOBODY).mirror("x").glob("commits-*"))
    site.do(NOBODY, "audit", "--full")


def test_what_began_for_a_part_is_none_of_the_whole(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commits are here, and their files are not: who goes on with it would never get them."""
    hook = slowly(site, tmp_path, monkeypatch)
    words = ("registry", "add", "x", site.host.as_uri(), "--genesis", site.genesis)
    hook.dies_after(4)
    site.do(NOBODY, *words, "--benchmark", BENCHMARK, expect=1)
    hook.dies_after(None)
    site.do(NOBODY, *words)
    site.do(NOBODY, "audit", "--full")


def test_a_malformed_genesis_is_refused_even_when_pinned(site: Site) -> None:
    digest = hashlib.sha256(b"kind: root\n").hexdigest()
    words = ("registry", "add", "x", _malformed(site), "--genesis", digest)
    done = site.do(NOBODY, *words, expect=1)
    assert "registry/root/1.yaml" in done.err


def test_another_genesis(site: Site) -> None:
    words = ("registry", "add", "x", site.host, "--genesis", "0" * 64)
    done = site.do(NOBODY, *words, expect=1)
    assert f"its genesis is {site.genesis}" in done.err
    assert "published" in done.err


BAD_WORDS: dict[str, tuple[tuple[str, ...], str]] = {
    "name": (("registry", "add", "Bad Name", "u", "--genesis", "0" * 64), "registry, name"),
    "name-2": (("registry", "add", "../x", "u", "--yes"), "registry, name"),
    "genesis": (("registry", "add", "x", "u", "--genesis", "abc"), "registry, genesis"),
    "url": (("registry", "add", "x", "--", "-o"), "--genesis you trust"),
    "participant": (
        ("registry", "init", "x", "u", "--title", "T", "--participant", "Ky", "--yes",
         "--participant-name", "K"), "participant, id",
    ),
    "title": (
        ("registry", "init", "x", "u", "--title", "", "--participant", "ky", "--yes",
         "--participant-name", "K"), "registry, name",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_WORDS)
def test_a_word_that_can_not_be_meant(site: Site, name: str) -> None:
    words, place = BAD_WORDS[name]
    done = site.do("ky", *words, expect=2)
    assert place in done.err or "nobody can be asked" in done.err
    assert len(site.home("ky").configuration().registries) == 1


def test_an_option_is_no_address(site: Site) -> None:
    words = ("registry", "add", "x", "--yes", "--", "--upload-pack=touch x")
    done = site.do(NOBODY, *words, expect=1)
    assert "not a repository address" in done.err


def test_nobody_is_asked_without_a_terminal(site: Site) -> None:
    done = site.do(NOBODY, "registry", "add", "x", site.host, expect=2)
    assert "add --yes" in done.err
    assert not site.home(NOBODY).data.exists()


def test_a_name_is_used_once(site: Site) -> None:
    words = ("registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    done = site.do("ky", *words, expect=2)
    assert "known already" in done.err


def test_a_second_registry_at_one_address(site: Site) -> None:
    site.do(NOBODY, "key", "create", "--no-passphrase")
    done = site.do(
        NOBODY, "registry", "init", "mine", site.host, "--title", "Mine",
        "--participant", "new", "--participant-name", "New", "--yes", expect=1,
    )  # fmt: skip
    assert "there is a registry at this address already" in done.err
    assert not site.home(NOBODY).mirror("mine").exists()


# --- what a killed command leaves -----------------------------------------------------------


def test_a_mirror_that_a_killed_add_left_is_no_hindrance(site: Site) -> None:
    mirror = site.home(NOBODY).mirror("x")
    mirror.parent.mkdir(parents=True)
    Repository.create(mirror).close()
    site.do(NOBODY, "registry", "add", "x", site.host, "--genesis", site.genesis)
    assert site.do(NOBODY, "benchmark", "ls", "--json").json[0]["record"]["id"] == BENCHMARK


def test_a_founder_who_was_stopped_joins_as_who_she_is(site: Site) -> None:
    home = site.home("ana")
    shutil.rmtree(home.data)
    (home.config / "registries.json").unlink()
    site.do("ana", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    status = site.do("ana", "registry", "status", "--json").json
    assert (status["participant"], status["key"]) == ("ana", "default")


def test_a_lost_mirror_is_named_and_mended(site: Site) -> None:
    shutil.rmtree(site.home("ky").mirror(REGISTRY))
    done = site.do("ky", "benchmark", "ls", expect=2)
    command = f"mpgit registry add {REGISTRY} {site.host} --genesis {site.genesis}"
    assert command in done.err
    site.do("ky", *command.split()[1:])
    assert site.do("ky", "registry", "status", "--json").json["participant"] == "ky"
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")


DAMAGED = {
    "cut off": '{"registries": [',
    "a list": "[]",
    "another field": '{"registries": [], "server": "x"}',
    "no bytes": "",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_list_of_registries(site: Site, name: str) -> None:
    path = site.home("ky").config / "registries.json"
    path.write_text(DAMAGED[name])
    done = site.do("ky", "registry", "ls", expect=2)
    assert str(path) in done.err
    assert "next:" in done.err
    assert path.read_text() == DAMAGED[name]


# --- a main that was rewritten --------------------------------------------------------------


def _back(site: Site) -> None:
    git(site.host, "update-ref", "refs/heads/main", "main~3")


def _replaced(site: Site) -> None:
    tree = git(site.host, "rev-parse", "main^{tree}")
    oid = git(
        site.host, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree, "-m", "All of it"
    )
    git(site.host, "update-ref", "refs/heads/main", oid)


def _other_registry(site: Site) -> None:
    tree = git(site.host, "rev-parse", "main~5^{tree}")
    oid = git(site.host, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree, "-m", "x")
    git(site.host, "update-ref", "refs/heads/main", oid)


def _gone(site: Site) -> None:
    git(site.host, "update-ref", "-d", "refs/heads/main")


REWRITTEN: dict[str, tuple[Callable[[Site], None], str]] = {
    "set back": (_back, "main was rewritten"),
    "one commit of all": (_replaced, "main was rewritten"),
    "an older tree": (_other_registry, "main was rewritten"),
    "deleted": (_gone, "there is no branch main"),
}


@pytest.mark.parametrize("name", REWRITTEN)
def test_a_rewritten_main_is_refused_and_what_was_checked_stays(site: Site, name: str) -> None:
    rewrite, message = REWRITTEN[name]
    before = site.do("ky", "registry", "status", "--json").json["checked"]
    rewrite(site)
    for words in (
        ("registry", "sync"),
        ("request", "ls"),
        ("dataset", "associate", "opt", "-b", BENCHMARK, "--yes"),
    ):
        done = site.do("ky", *words, expect=1)
        assert message in done.err
        assert "next:" in done.err
    assert site.do("ky", "registry", "status", "--json").json["checked"] == before
    # Running rests on what was checked before.
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")
    done = site.do("ky", "audit", expect=None)
    assert (done.code, message in done.err) == ((0, False) if name == "deleted" else (1, True))


def test_a_forged_record_on_main_is_refused(site: Site) -> None:
    before = site.do("ky", "registry", "status", "--json").json["checked"]
    with Repository.open(site.host) as host:
        main = host.resolve("main")
        path = "registry/datasets/ky/opt/2.yaml"
        payload = host.blob(git(site.host, "rev-parse", "main:registry/datasets/ky/opt/1.yaml"))
        forged = payload.replace(b"revision: 1\nsta", b"revision: 2\nsta")
        assert forged != payload
        tree = write_files(host, host.commit(main).tree, {path: forged})
        host.set_ref("refs/heads/main", host.write_commit(tree, [main], "Add", ("x", "x@y")))
    done = site.do("ky", "registry", "sync", expect=1)
    assert path in done.err
    assert site.do("ky", "registry", "status", "--json").json["checked"] == before
    words = ("registry", "add", "x", site.host, "--genesis", site.genesis)
    assert path in site.do(NOBODY, *words, expect=1).err


# --- out of reach ---------------------------------------------------------------------------


@pytest.fixture
def offline(site: Site) -> Site:
    site.host.rename(site.folder / "away.git")
    return site


def online(site: Site) -> None:
    (site.folder / "away.git").rename(site.host)


def test_all_but_sending_works_offline(offline: Site) -> None:
    site = offline
    for words in (
        ("benchmark", "ls"),
        ("dataset", "view", "ky/opt"),
        ("registry", "status"),
        ("leaderboard", BENCHMARK),
        ("audit",),
        ("dataset", "prepare", "two", "-b", BENCHMARK, "--data", str(site.raw)),
        ("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good"),
    ):
        site.do("ky", *words)
    waiting = (
        ("dataset", "submit", "two", "--yes", "--merge"),
        ("dataset", "associate", "opt", "-b", BENCHMARK, "--yes"),
        ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes"),
        ("withdraw", "dataset/ky/opt", "--reason", "Consent.", "--yes"),
    )
    for typed in waiting:
        done = site.do("ky", *typed, expect=1)
        assert "can't fetch from" in done.err
        assert "it waits in the outbox; `mpgit registry sync` sends it" in done.err
    assert site.outbox("ky") == [
        "dataset-association-fever-ky-opt-2",
        "dataset-two-1",
        "results-fever-opt-1",
        "withdraw-dataset-ky-opt-1",
    ]
    states = site.do("ky", "result", "ls", "--local", "--json").json
    assert [line["state"] for line in states] == ["waiting"]
    for online_only in (("registry", "sync"), ("request", "merge", "ky/dataset-two-1")):
        assert "try again" in site.do("ky", *online_only, expect=1).err

    online(site)
    done = site.do("ky", "registry", "sync", "--json")
    assert sorted(request["id"] for request in done.json["sent"]) == [
        f"ky/{slug}"
        for slug in (
            "dataset-association-fever-ky-opt-2",
            "dataset-two-1",
            "results-fever-opt-1",
            "withdraw-dataset-ky-opt-1",
        )
    ]
    assert done.json["not_sent"] == []
    assert not site.outbox("ky")
    site.do("ky", "request", "merge", "ky/results-fever-opt-1")
    assert len(site.do("ky", "result", "ls", "--json").json) == 1


def test_the_owner_of_a_model_works_offline_too(offline: Site) -> None:
    site = offline
    draft = site.draft("new", model_draft("new"))
    site.do("oak", "model", "submit", draft, "--yes", expect=1)
    site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes", expect=1)
    assert site.outbox("oak") == ["model-association-fever-oak-good-2", "model-new-1"]


def test_what_can_never_be_sent_does_not_wait_for_ever(offline: Site) -> None:
    site = offline
    site.do("ky", "withdraw", "dataset/ky/opt", "--reason", "Mine.", "--yes", expect=1)
    online(site)
    site.do("ana", "withdraw", "dataset/ky/opt", "--reason", "Theirs.", "--yes", "--merge")
    done = site.do("ky", "registry", "sync", expect=1)
    assert "not sent: withdraw-dataset-ky-opt-1" in done.out
    assert "registry/datasets/ky/opt/1.withdrawn.yaml" in done.out
    assert not site.outbox("ky")
    site.do("ky", "registry", "sync")


def test_one_that_can_not_be_sent_holds_up_no_other(offline: Site) -> None:
    site = offline
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good")
    site.do("ky", "withdraw", "dataset/ky/opt", "--reason", "Mine.", "--yes", expect=1)
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", expect=1)
    damaged = site.home("ky").outbox(REGISTRY) / "a-damaged.json"
    online(site)
    done = site.do("ky", "registry", "sync", "--json")
    assert len(done.json["sent"]) == 2
    damaged.write_text('{"slug": "x"}')
    done = site.do("ky", "registry", "sync", expect=2)
    assert str(damaged) in done.err
    assert f"mv {damaged}" in done.err


def test_two_offline_results_of_one_dataset_wait_side_by_side(offline: Site) -> None:
    site = offline
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "anna/rule")
    for model in ("oak/good", "anna/rule"):
        words = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "-m", model, "--yes")
        site.do("ky", *words, expect=1)
    assert len(site.outbox("ky")) == 2
    online(site)
    done = site.do("ky", "registry", "sync", "--json")
    ids = [request["id"] for request in done.json["sent"]]
    assert len(set(ids)) == 2
    for request in ids:
        site.do("ky", "request", "merge", request)
    assert len(site.do("ky", "result", "ls", "--json").json) == 2


def test_two_online_results_of_one_dataset_are_two_requests(site: Site) -> None:
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "anna/rule")
    ids = []
    for model in ("oak/good", "anna/rule"):
        words = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "-m", model, "--yes", "--json")
        ids.append(site.do("ky", *words).json["request"])
    assert len(set(ids)) == 2
    assert ids[0] == "ky/results-fever-opt-1"


def _kept(site: Site) -> Path:
    """What a client leaves in its outbox that dies just after it sent."""
    site.host.rename(site.folder / "away.git")
    site.do("ky", "withdraw", "dataset/ky/opt", "--reason", "Mine.", "--yes", expect=1)
    online(site)
    path = site.home("ky").outbox(REGISTRY) / "withdraw-dataset-ky-opt-1.json"
    kept = path.read_bytes()
    site.do("ky", "registry", "sync")
    assert not path.exists()
    path.write_bytes(kept)
    return path


def test_sending_twice_is_sending_once(site: Site) -> None:
    path = _kept(site)
    refs = site.refs()
    done = site.do("ky", "registry", "sync", "--json")
    assert [request["id"] for request in done.json["sent"]] == ["ky/withdraw-dataset-ky-opt-1"]
    assert site.refs() == refs
    assert not path.exists()


def test_sending_what_was_merged_is_no_new_request(site: Site) -> None:
    path = _kept(site)
    site.do("ky", "request", "merge", "ky/withdraw-dataset-ky-opt-1")
    refs = site.refs()
    done = site.do("ky", "registry", "sync", "--json")
    assert done.json["sent"] == done.json["not_sent"] == []
    assert site.refs() == refs
    assert not path.exists()


def test_a_host_that_takes_nothing_loses_nothing(site: Site) -> None:
    hook = site.host / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'not today' >&2\nexit 1\n")
    hook.chmod(0o755)
    words = ("withdraw", "dataset/ky/opt", "--reason", "Mine.", "--yes", "--json")
    done = site.do("ky", *words, expect=1)
    error = done.json["error"]
    assert error["code"] == "push-refused"
    assert "not today" in error["message"]
    assert site.outbox("ky") == ["withdraw-dataset-ky-opt-1"]
    hook.unlink()
    site.do("ky", "registry", "sync")
    assert not site.outbox("ky")


# --- the root -------------------------------------------------------------------------------


def test_administrators_change(site: Site) -> None:
    words = ("--add-administrator", "ben", "--threshold", "2", "--yes", "--json")
    done = site.do("ana", "registry", "rotate", *words)
    assert done.json == {"request": "ana/root-2", "state": "open", "verdict": "awaiting"}
    site.approve("ana/root-2", "ben")
    site.do("ky", "registry", "sync")
    status = site.do("ky", "registry", "status", "--json").json
    assert (status["administrators"], status["threshold"]) == (["ana", "ben"], 2)
    site.do("ana", "withdraw", "dataset/ky/opt", "--reason", "Ours.", "--yes")
    site.do("ana", "request", "merge", "ana/withdraw-dataset-ky-opt-1", expect=3)
    site.approve("ana/withdraw-dataset-ky-opt-1", "ben")


BAD_ROOTS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "nothing": ((), 2, "nothing would change"),
    "no change": (("--threshold", "1"), 2, "nothing would change"),
    "known already": (("--add-administrator", "ana"), 2, "nothing would change"),
    "unknown": (("--add-administrator", "nobody"), 2, "nobody is not registered"),
    "too many": (("--threshold", "5"), 2, "5 of 1 administrators"),
    "nobody left": (("--remove-administrator", "ana"), 2, "administrators"),
    "zero": (("--threshold", "0"), 2, "0 is not in the range"),
}


@pytest.mark.parametrize("name", BAD_ROOTS)
def test_a_root_that_can_not_be(site: Site, name: str) -> None:
    words, code, message = BAD_ROOTS[name]
    done = site.do("ana", "registry", "rotate", *words, "--yes", expect=code)
    assert message in done.err
    assert not [ref for ref in site.refs() if "requests/" in ref]


def test_only_administrators_change_the_root(site: Site) -> None:
    done = site.do("eve", "registry", "rotate", "--registration", "open", "--yes", expect=1)
    assert "eve" in done.err
    assert not site.outbox("eve")


def test_open_registration_needs_no_administrator(site: Site) -> None:
    site.do("ana", "registry", "rotate", "--registration", "open", "--yes", "--merge")
    site.do(NOBODY, "key", "create", "--no-passphrase")
    site.do(NOBODY, "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    site.do(NOBODY, "participant", "register", "new", "--name", "New", "--yes", "--merge")
    listed = site.do(NOBODY, "participant", "ls", "--json").json
    assert "new" in [line["record"]["id"] for line in listed]


def test_a_registry_that_is_not_known(site: Site) -> None:
    done = site.do("ky", "benchmark", "ls", "--registry", "other", expect=2)
    assert "no registry named 'other'" in done.err
    assert f"known: {REGISTRY}" in done.err
    done = site.do(NOBODY, "benchmark", "ls", expect=2)
    assert "mpgit registry add NAME URL --genesis SHA256" in done.err


def test_the_first_registry_added_is_the_default(site: Site) -> None:
    site.do("ky", "registry", "add", "again", site.host, "--genesis", site.genesis)
    assert [entry.name for entry in site.home("ky").configuration().registries] == [
        REGISTRY,
        "again",
    ]
    assert site.do("ky", "registry", "status", "--json").json["name"] == REGISTRY
    named = site.do("ky", "registry", "status", "-r", "again", "--json").json
    assert (named["name"], named["participant"]) == ("again", "ky")


@pytest.mark.parametrize("kibibytes", [16, 64, 100])
def test_a_full_disk_while_joining(site: Site, kibibytes: int) -> None:
    """A small file system of its own holds the newcomer's home."""
    small = site.folder / "small"
    small.mkdir()
    mount = f'mount -t tmpfs -o size={kibibytes}k none "{small}"'
    script = (
        f'{mount} && "$@"; code=$?; test ! -e "{small}/home/config/registries.json" && exit $code'
    )
    add = ("registry", "add", "x", str(site.host), "--genesis", site.genesis, "--json")
    done = subprocess.run(
        ["unshare", "--mount", "--map-root-user", "bash", "-c", script, "x", *MPGIT, *add],
        env={**os.environ, "MPGIT_HOME": f"{small}/home", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "space" in json.loads(done.stdout)["error"]["message"]


def test_a_home_that_can_not_be_written(site: Site, tmp_path: Path) -> None:
    top = tmp_path / "file"
    top.write_text("a file where the home should be")
    home = Home(top)
    assert home.top == top
    site.environment = {}
    (site.folder / "homes" / "odd").symlink_to(top)
    done = site.do("odd", "key", "create", "--no-passphrase", "--json", expect=1)
    assert done.json["error"]["code"] == "not-writable"
    assert top.read_text() == "a file where the home should be"
