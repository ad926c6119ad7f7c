"""The git adapter on real bare repositories: objects, refs, fetch, push, and hostile input."""

from __future__ import annotations

import subprocess
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medperf_git.errors import GitError, RaceError
from medperf_git.git.objects import EMPTY_TREE, FILE_MODE, TREE_MODE, TreeEntry, blob_id, tree_id
from medperf_git.git.url import refuse_url
from medperf_git.vcs import Repository, identity_from_environment

AUTHOR = ("Kentucky", "ky@example.org")
MAIN = "refs/heads/main"
NOWHERE = "ab" * 20


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Repository]]:
    """Makes bare repositories by name; closes them."""
    made: list[Repository] = []

    def create(name: str) -> Repository:
        made.append(Repository.create(tmp_path / f"{name}.git"))
        return made[-1]

    yield create
    for repository in made:
        repository.close()


@pytest.fixture
def repository(make: Callable[[str], Repository]) -> Repository:
    return make("one")


def git(repository: Repository, *arguments: str, payload: bytes = b"") -> str:
    """Runs git itself; fails where it fails."""
    done = subprocess.run(
        ["git", "-C", str(repository.path), *arguments],
        input=payload,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode("utf-8", "surrogateescape").strip()


def commit(repository: Repository, text: str, *parents: str, ref: str = "") -> str:
    blob = repository.write_blob(text.encode())
    tree = repository.write_tree([TreeEntry("file", FILE_MODE, blob)])
    oid = repository.write_commit(tree, parents, text, AUTHOR)
    if ref:
        repository.set_ref(ref, oid)
    return oid


# --- objects --------------------------------------------------------------------------------

# Names that sort differently as files and as folders, and some that are no text at all.
names = st.one_of(
    st.sampled_from(["a", "a.b", "a-b", "a0", "b", "A", "é", "\udcff", "a b", "-rf", "*", "a\nb"]),
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=5
    ),
).filter(lambda name: name.lower() not in (".", "..", ".git"))


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=40,
)
@given(st.dictionaries(names, st.sampled_from([FILE_MODE, 0o100755, 0o120000, TREE_MODE])))
def test_git_reads_every_tree_that_we_write(repository: Repository, modes: dict[str, int]) -> None:
    blob = repository.write_blob(b"x")
    folder = repository.write_tree([TreeEntry("x", FILE_MODE, blob)])
    entries = [TreeEntry(n, m, folder if m == TREE_MODE else blob) for n, m in modes.items()]
    oid = repository.write_tree(reversed(entries))
    assert oid == tree_id(entries)
    listed = git(repository, "ls-tree", "-z", oid).split("\0")
    shown = {line.partition("\t")[2]: int(line[:6], 8) for line in listed if line}
    assert shown == modes
    assert {name: e.mode for name, e in repository.folder(oid).items()} == modes
    as_git_makes_it = git(
        repository, "mktree", "-z", payload="\0".join(listed).encode("utf-8", "surrogateescape")
    )
    assert as_git_makes_it == oid


def test_order_of_files_and_folders(repository: Repository) -> None:
    blob = repository.write_blob(b"x")
    folder = repository.write_tree([TreeEntry("x", FILE_MODE, blob)])
    entries = [
        TreeEntry("a", TREE_MODE, folder),
        TreeEntry("a.b", FILE_MODE, blob),
        TreeEntry("a-b", TREE_MODE, folder),
        TreeEntry("a0", FILE_MODE, blob),
    ]
    oid = repository.write_tree(entries)
    assert list(repository.folder(oid)) == ["a-b", "a.b", "a", "a0"]
    repository.set_ref(MAIN, repository.write_commit(oid, [], "order", AUTHOR))
    git(repository, "fsck", "--strict", "--full")


def test_empty_tree(repository: Repository) -> None:
    assert repository.write_tree([]) == EMPTY_TREE
    assert repository.folder(EMPTY_TREE) == {}


@pytest.mark.parametrize(
    "names", [["a", "a"], ["a/b"], [".."], ["."], [".git"], [".GIT"], [""], ["a\0b"]]
)
def test_trees_that_git_refuses_are_not_written(repository: Repository, names: list[str]) -> None:
    blob = repository.write_blob(b"x")
    with pytest.raises(GitError):
        repository.write_tree([TreeEntry(name, FILE_MODE, blob) for name in names])


def test_blobs(repository: Repository) -> None:
    for payload in (b"", b"text\n", bytes(range(256)) * 1000):
        oid = repository.write_blob(payload)
        assert oid == blob_id(payload)
        assert repository.blob(oid) == payload
        assert repository.blob_size(oid) == len(payload)
        assert repository.write_blob(payload) == oid
        assert git(repository, "cat-file", "-s", oid) == str(len(payload))


def test_commits(repository: Repository) -> None:
    first = commit(repository, "first\n\nbody ü")
    second = commit(repository, "second", first)
    merge = commit(repository, "merge", second, first, ref=MAIN)
    read = repository.commit(merge)
    assert (read.oid, read.parents, read.subject) == (merge, (second, first), "merge")
    assert read.author == "Kentucky <ky@example.org>"
    assert repository.commit(first).message == "first\n\nbody ü\n"
    git(repository, "fsck", "--strict", "--full")


@pytest.mark.parametrize(
    ("message", "author"),
    [
        ("a\0b", AUTHOR),
        ("lone \udcff", AUTHOR),
        ("", AUTHOR),
        ("x", ("Mallory <m@x>\ncommitter Eve", "e>\n@x")),
        ("x", ("", "")),
    ],
)
def test_odd_messages_and_authors_make_sound_commits(
    repository: Repository, message: str, author: tuple[str, str]
) -> None:
    tree = repository.write_tree([])
    oid = repository.write_commit(tree, [], message, author)
    repository.set_ref(MAIN, oid)
    assert repository.commit(oid).tree == tree
    git(repository, "fsck", "--full")


@pytest.mark.parametrize("payload", [b"", b"tree\n", b"tree x\nauthor y\n\nz", b"\xff\n\n"])
def test_malformed_commits_are_errors(repository: Repository, payload: bytes) -> None:
    oid = repository.write_object(b"commit", payload)
    with pytest.raises(GitError):
        repository.commit(oid)


@pytest.mark.parametrize(
    "payload",
    [
        b"x",
        b"100644 a\0short",
        b"100644 a" + bytes(20),
        b"99999 a\0" + bytes(20),
        b"040000 a\0" + bytes(20),
        b"100644 \0" + bytes(20),
        b"100644 a/b\0" + bytes(20),
        b"100644 b\0" + bytes(20) + b"100644 a\0" + bytes(20),
        b"100644 a\0" + bytes(20) + b"100644 a\0" + bytes(20),
        b"100644 a\0" + bytes(20) + b"100644 a.b\0" + bytes(20) + b"40000 a\0" + bytes(20),
        b"100644 a\0" + bytes(20) + b" ",
    ],
)
def test_malformed_trees_are_errors(repository: Repository, payload: bytes) -> None:
    oid = repository.write_object(b"tree", payload)
    with pytest.raises(GitError):
        repository.folder(oid)


@pytest.mark.parametrize("oid", [NOWHERE, "", "x", "ab", "HEAD", "-x", NOWHERE + "\n" + NOWHERE])
def test_missing_objects_are_errors(repository: Repository, oid: str) -> None:
    known = repository.write_blob(b"known")
    for read in (repository.blob, repository.blob_size, repository.folder, repository.commit):
        with pytest.raises(GitError):
            read(oid)
    assert repository.blob(known) == b"known"


def test_an_object_of_another_type_is_an_error(repository: Repository) -> None:
    oid = commit(repository, "x")
    tree = repository.commit(oid).tree
    for read, wrong in (
        (repository.blob, tree),
        (repository.blob_size, oid),
        (repository.folder, oid),
        (repository.commit, tree),
    ):
        with pytest.raises(GitError):
            read(wrong)


def loose(repository: Repository, oid: str) -> Path:
    return repository.path / "objects" / oid[:2] / oid[2:]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "truncated": lambda raw: raw[: len(raw) // 2],
    "noise": lambda raw: bytes(len(raw)),
    "other-content": lambda _: zlib.compress(b"blob 5\0wrong"),
    "shorter-content": lambda _: zlib.compress(b"blob 500\0wrong"),
    "other-type": lambda _: zlib.compress(b"tree 5\0wrong"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_objects_are_errors_and_others_stay_readable(
    repository: Repository, damage: str
) -> None:
    sound, hurt = repository.write_blob(b"sound"), repository.write_blob(b"right" * 50)
    path = loose(repository, hurt)
    path.chmod(0o644)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    for _ in range(2):
        with pytest.raises(GitError):
            repository.blob(hurt)
        assert repository.blob(sound) == b"sound"


def test_a_full_disk_is_an_error(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(repository._commands._objects, "store", full)
    with pytest.raises(GitError) as caught:
        repository.write_blob(b"x")
    assert caught.value.code == "disk"


# --- revisions and history ------------------------------------------------------------------


def test_resolve(repository: Repository) -> None:
    oid = commit(repository, "x", ref=MAIN)
    assert repository.resolve("main") == repository.resolve(MAIN) == repository.resolve(oid) == oid
    for wrong in ("nothing", NOWHERE, "-x", "--all", "", repository.commit(oid).tree):
        assert repository.find(wrong) is None
        with pytest.raises(GitError):
            repository.resolve(wrong)


def test_replace_refs_are_ignored(repository: Repository) -> None:
    right, wrong = repository.write_blob(b"right"), repository.write_blob(b"wrong")
    first, other = commit(repository, "first", ref=MAIN), commit(repository, "other")
    git(repository, "replace", right, wrong)
    git(repository, "replace", first, other)
    assert git(repository, "cat-file", "blob", right) == "wrong"
    assert repository.blob(right) == b"right"
    assert repository.commit(first).subject == "first"
    assert repository.resolve("main") == first


def test_history(repository: Repository) -> None:
    one = commit(repository, "one")
    side = commit(repository, "side", one)
    two = commit(repository, "two", one)
    three = commit(repository, "three", two, side, ref=MAIN)
    unrelated = commit(repository, "unrelated")
    assert list(repository.first_parents(three)) == [one, two, three]
    assert list(repository.first_parents(three, after=one)) == [two, three]
    assert list(repository.first_parents(three, after=three)) == []
    assert repository.is_ancestor(one, three)
    assert repository.is_ancestor(side, three)
    assert repository.is_ancestor(three, three)
    assert not repository.is_ancestor(three, one)
    assert not repository.is_ancestor(unrelated, three)
    assert not repository.is_ancestor(NOWHERE, three)
    assert repository.merge_base(side, two) == one
    assert repository.merge_base(unrelated, two) is None
    with pytest.raises(GitError):
        repository.first_parents(NOWHERE)


def test_refs(repository: Repository) -> None:
    oid = commit(repository, "x", ref=MAIN)
    repository.set_ref("refs/heads/requests/a", oid)
    assert repository.refs("refs/heads/") == {MAIN: oid, "refs/heads/requests/a": oid}
    assert repository.refs("refs/heads/requests/") == {"refs/heads/requests/a": oid}
    assert repository.refs("refs/tags") == {}


def test_set_ref_moves_only_what_it_expects(repository: Repository) -> None:
    one = commit(repository, "one", ref=MAIN)
    two = commit(repository, "two", one)
    repository.set_ref(MAIN, two, old=one)
    with pytest.raises(RaceError):
        repository.set_ref(MAIN, one, old=one)
    with pytest.raises(RaceError):
        repository.set_ref(MAIN, one, old="0" * 40)
    assert repository.resolve(MAIN) == two


def test_open_and_create(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GitError):
        Repository.open(tmp_path / "nothing")
    with pytest.raises(GitError):
        Repository.open(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(GitError):
        Repository.create(tmp_path / "file")
    path = tmp_path / "odd $HOME ~ name.git"
    with Repository.create(path, branch="trunk") as made:
        assert made.path == path
        oid = commit(made, "x", ref="refs/heads/trunk")
        assert not made.is_shallow
    # As within a hook of another repository.
    with Repository.create(tmp_path / "other.git") as other:
        monkeypatch.setenv("GIT_DIR", str(other.path))
    with Repository.open(path) as again:
        assert again.resolve("HEAD") == oid
    with Repository.create(tmp_path / "third.git") as third:
        assert third.path == tmp_path / "third.git"
        assert third.refs("refs/") == {}


def test_a_working_folder_opens_too(repository: Repository, tmp_path: Path) -> None:
    oid = commit(repository, "x", ref=MAIN)
    git(repository, "clone", "--quiet", str(repository.path), str(tmp_path / "clone"))
    with Repository.open(tmp_path / "clone") as clone:
        assert clone.resolve("HEAD") == oid
        assert clone.blob(clone.write_blob(b"new")) == b"new"
    subprocess.run(
        ["git", "worktree", "add", "--quiet", str(tmp_path / "tree"), "-b", "side"],
        cwd=tmp_path / "clone",
        check=True,
        capture_output=True,
    )
    with Repository.open(tmp_path / "tree") as worktree:
        assert worktree.resolve("HEAD") == oid
        assert worktree.blob(worktree.write_blob(b"newer")) == b"newer"


# --- addresses ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/a/b.git",
        "http://localhost:3000/a.git",
        "ssh://git@example.org:22/a.git",
        "git@example.org:a/b.git",
        "git@example.org:~a/b.git",
        "git://example.org/a.git",
        "file:///srv/registry.git",
        "/srv/registry.git",
        "../registry.git",
        "registry",
        "/srv/with space/é.git",
        "example.org:a/b.git",
    ],
)
def test_addresses(url: str) -> None:
    assert refuse_url(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-x",
        "--upload-pack=touch x",
        "--",
        "ext::sh -c touch% x",
        "ext::https://example.org/",
        "fd::17",
        "https::x",
        "transport::address",
        "ssh://-oProxyCommand=x/a",
        "https://-x/a",
        "-oProxyCommand=x@example.org:a",
        "git@-oProxyCommand=x:a",
        "-git@example.org:a",
        "git@example.org:-a",
        "example.org:-a",
        "ftp://example.org/a",
        "javascript://x",
        "https://",
        "https://example.org/a\nb",
        "/srv/a\nb",
        "/srv/a\0b",
    ],
)
def test_addresses_that_could_do_more_than_fetch_are_refused(
    repository: Repository, url: str
) -> None:
    with pytest.raises(GitError) as caught:
        refuse_url(url)
    assert caught.value.code == "bad-url"
    with pytest.raises(GitError):
        repository.fetch(url, ["refs/heads/*:refs/heads/*"])
    with pytest.raises(GitError):
        repository.push(url, [(NOWHERE, MAIN, None)])


# --- fetching -------------------------------------------------------------------------------

MIRROR = ["+refs/heads/*:refs/remotes/origin/*"]


def test_fetch_mirrors_and_prunes(make: Callable[[str], Repository]) -> None:
    server, client = make("server"), make("client")
    one = commit(server, "one", ref=MAIN)
    server.set_ref("refs/heads/request", one)
    client.fetch(str(server.path), MIRROR)
    assert set(client.refs("refs/remotes/")) == {
        "refs/remotes/origin/main",
        "refs/remotes/origin/request",
    }
    git(server, "update-ref", "-d", "refs/heads/request")
    rewritten = commit(server, "rewritten", ref=MAIN)
    client.fetch(server.path.as_uri(), MIRROR)
    assert client.refs("refs/remotes/") == {"refs/remotes/origin/main": rewritten}
    assert client.commit(one).subject == "one"
    assert client.refs("refs/tags") == {}


def test_fetch_out_of_reach(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        repository.fetch(str(tmp_path / "nothing.git"), MIRROR)
    assert caught.value.code == "unreachable"
    assert caught.value.advice


def test_fetch_refuses_damaged_objects(make: Callable[[str], Repository]) -> None:
    server, client = make("server"), make("client")
    blob = server.write_blob(b"x")
    entry = bytes.fromhex(blob)
    for payload in (
        b"100644 a\0" + entry + b"100644 a\0" + entry,
        b"100644 ..\0" + entry,
        b"100644 .git\0" + entry,
        b"100644 b\0" + entry + b"100644 a\0" + entry,
        b"100644 a/b\0" + entry,
    ):
        tree = server.write_object(b"tree", payload)
        server.set_ref(MAIN, server.write_commit(tree, [], "bad", AUTHOR))
        with pytest.raises(GitError):
            client.fetch(str(server.path), MIRROR)
        assert client.refs("refs/") == {}


def test_shallow_is_seen(make: Callable[[str], Repository], tmp_path: Path) -> None:
    server = make("server")
    commit(server, "two", commit(server, "one"), ref=MAIN)
    subprocess.run(
        ["git", "clone", "--quiet", "--bare", "--depth=1", server.path.as_uri(), "shallow.git"],
        cwd=tmp_path,
        check=True,
    )
    with Repository.open(tmp_path / "shallow.git") as shallow:
        assert shallow.is_shallow
    assert not server.is_shallow


# --- pushing --------------------------------------------------------------------------------


def test_push_creates_moves_and_deletes(make: Callable[[str], Repository]) -> None:
    server, client = make("server"), make("client")
    url = str(server.path)
    one = commit(client, "one")
    two = commit(client, "two", one)
    client.push(url, [(one, MAIN, None), (one, "refs/heads/request", None)])
    client.push(url, [(two, MAIN, one), ("", "refs/heads/request", one)])
    assert server.refs("refs/") == {MAIN: two}
    client.push(url, [(one, MAIN, two)])  # a lease allows what is no fast-forward
    assert server.refs("refs/") == {MAIN: one}


@pytest.mark.parametrize("old", [None, NOWHERE])
def test_push_with_a_stale_lease_changes_nothing(
    make: Callable[[str], Repository], old: str | None
) -> None:
    server, client = make("server"), make("client")
    url = str(server.path)
    one = commit(client, "one")
    client.push(url, [(one, MAIN, None)])
    two = commit(client, "two", one)
    with pytest.raises(RaceError):
        client.push(url, [(two, "refs/heads/request", None), (two, MAIN, old)])
    assert server.refs("refs/") == {MAIN: one}


def test_push_that_a_hook_refuses(make: Callable[[str], Repository]) -> None:
    server, client = make("server"), make("client")
    hook = server.path / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'signature-key: not an active key' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError) as caught:
        client.push(str(server.path), [(commit(client, "one"), MAIN, None)])
    assert not isinstance(caught.value, RaceError)
    assert caught.value.code == "push-refused"
    assert "not an active key" in caught.value.message
    assert server.refs("refs/") == {}


def test_push_out_of_reach(repository: Repository, tmp_path: Path) -> None:
    oid = commit(repository, "x")
    with pytest.raises(GitError) as caught:
        repository.push(str(tmp_path / "nothing.git"), [(oid, MAIN, None)])
    assert caught.value.code == "unreachable"


@pytest.mark.parametrize("begun", [False, True])
def test_of_racing_pushes_one_wins_and_nothing_is_lost(
    make: Callable[[str], Repository], *, begun: bool
) -> None:
    server = make("server")
    url = str(server.path)
    base = commit(server, "base", ref=MAIN) if begun else None
    clients = [make(f"client-{number}") for number in range(4)]
    mine = []
    for number, client in enumerate(clients):
        if base:
            client.fetch(url, MIRROR)
        mine.append(commit(client, f"by {number}", *([base] if base else [])))
    barrier = threading.Barrier(len(clients))
    outcomes: dict[int, Exception | None] = {}

    def run(number: int) -> None:
        barrier.wait()
        try:
            clients[number].push(url, [(mine[number], MAIN, base)])
            outcomes[number] = None
        except GitError as error:
            outcomes[number] = error

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winners = [number for number, error in outcomes.items() if error is None]
    assert len(winners) == 1, outcomes
    assert all(isinstance(error, RaceError) for error in outcomes.values() if error), outcomes
    assert server.resolve(MAIN) == mine[winners[0]]
    for number, client in enumerate(clients):
        assert client.commit(mine[number]).subject == f"by {number}"


def test_identity_from_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GIT_AUTHOR_NAME", raising=False)
    monkeypatch.delenv("GIT_AUTHOR_EMAIL", raising=False)
    assert identity_from_environment() == ("mpgit", "mpgit@localhost")
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ky")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ky@example.org")
    assert identity_from_environment() == ("Ky", "ky@example.org")
