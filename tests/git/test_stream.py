"""Histories and blobs as streams: what git says in one go is what it says of each."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from medperf_git.errors import GitError
from medperf_git.git import history
from medperf_git.git.objects import EMPTY_TREE, TreeEntry, blob_id
from medperf_git.git.stream import landings
from medperf_git.store.change import write_files
from medperf_git.vcs import Repository

AUTHOR = ("a", "a@example")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    with Repository.create(tmp_path / "r.git") as made:
        yield made


def line(repository: Repository, count: int) -> list[str]:
    """Commits that each add a file."""
    tree, commits = EMPTY_TREE, list[str]()
    for number in range(count):
        tree = write_files(repository, tree, {f"d/{number}.txt": b"%d" % number})
        commits.append(repository.write_commit(tree, commits[-1:], f"{number}", AUTHOR))
    return commits


def paths(repository: Repository, head: str, after: str | None = None) -> list[list[str]]:
    return [[change.path for change in x.changes] for x in repository.landed(head, after)]


def test_each_commit_with_what_it_added(repository: Repository) -> None:
    commits = line(repository, 4)
    found = list(repository.landed(commits[-1]))
    assert [landing.commit for landing in found] == commits
    assert [landing.parent for landing in found] == ["", *commits[:-1]]
    (change,) = found[2].changes
    assert change == ("d/2.txt", "100644", blob_id(b"2"), True)
    assert all(landing.time > 0 for landing in found)


@pytest.mark.parametrize("few", [1000, 1])
def test_only_what_came_since(
    repository: Repository, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(history, "_FEW", few)
    commits = line(repository, 5)
    assert paths(repository, commits[-1], commits[1]) == [["d/2.txt"], ["d/3.txt"], ["d/4.txt"]]
    assert paths(repository, commits[-1], commits[-1]) == []
    assert paths(repository, commits[1], commits[3]) == []


def test_clocks_that_ran_ahead_change_nothing(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = line(repository, 1)
    ahead = repository.commit(first)
    text = f"tree {ahead.tree}\nparent {first}\nauthor a <a> 4000000000 +0000\n"
    text += "committer a <a> 4000000000 +0000\n\nlate\n"
    second = repository.write_object(b"commit", text.encode())
    tree = write_files(repository, ahead.tree, {"b.txt": b"b"})
    third = repository.write_commit(tree, [second], "now", AUTHOR)
    assert paths(repository, third) == [["d/0.txt"], [], ["b.txt"]]
    assert paths(repository, third, second) == [["b.txt"]]


def test_a_merge_brings_what_its_first_parent_lacks(repository: Repository) -> None:
    (first,) = line(repository, 1)
    base = repository.commit(first).tree
    side_tree = write_files(repository, base, {"side.txt": b"s"})
    side = repository.write_commit(side_tree, [first], "side", AUTHOR)
    merge = repository.write_commit(side_tree, [first, side], "merge", AUTHOR)
    assert paths(repository, merge) == [["d/0.txt"], ["side.txt"]]


def test_changes_and_removals_are_no_additions(repository: Repository) -> None:
    tree = write_files(repository, EMPTY_TREE, {"a": b"1", "b": b"1"})
    first = repository.write_commit(tree, [], "first", AUTHOR)
    changed = repository.write_tree([TreeEntry("a", 0o100644, repository.write_blob(b"2"))])
    second = repository.write_commit(changed, [first], "second", AUTHOR)
    *_, landing = repository.landed(second)
    assert {change.path: change.added for change in landing.changes} == {"a": False, "b": False}


def test_odd_names_come_through(repository: Repository) -> None:
    names = ["a\nb", "tab\t", "ü", ":colon", 'quo"te']
    tree = write_files(repository, EMPTY_TREE, dict.fromkeys(names, b"x"))
    head = repository.write_commit(tree, [], "odd", AUTHOR)
    ((found),) = paths(repository, head)
    assert sorted(found) == sorted(names)


def test_the_persons_own_configuration_changes_nothing(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "config"
    config.write_text(
        "[log]\n\tshowRoot = false\n\tshowSignature = true\n\tdecorate = full\n"
        "[diff]\n\trenames = copies\n\tnoprefix = true\n[color]\n\tui = always\n"
        "[format]\n\tpretty = fuller\n"
    )
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    commits = line(repository, 2)
    assert paths(repository, commits[-1]) == [["d/0.txt"], ["d/1.txt"]]


def test_no_such_commit(repository: Repository) -> None:
    (head,) = line(repository, 1)
    for words in (("0" * 40, None), (head, "0" * 40)):
        with pytest.raises(GitError):
            list(repository.landed(*words))


@pytest.mark.parametrize("text", [b"half", b"no commit\0", b"c 7\0:1 2\0", b"c x\0"])
def test_what_is_no_history_is_refused(text: bytes) -> None:
    with pytest.raises(GitError):
        list(landings(BytesIO(text)))


def test_many_blobs_in_their_order(repository: Repository) -> None:
    oids = [repository.write_blob(b"%d" % number * (number % 50)) for number in range(5000)]
    assert [blob_id(payload) for payload in repository.blobs(oids)] == oids
    assert list(repository.blobs([])) == []


@pytest.mark.parametrize("bad", ["0" * 40, "HEAD", "tree"])
def test_a_blob_that_is_not_there(repository: Repository, bad: str) -> None:
    (head,) = line(repository, 1)
    oid = repository.commit(head).tree if bad == "tree" else bad
    good = repository.write_blob(b"good")
    stream = repository.blobs([good, oid, good])
    assert next(stream) == b"good"
    with pytest.raises(GitError):
        next(stream)
