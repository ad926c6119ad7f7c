"""Objects read by their ids: nothing that is remembered, or sent ahead, stands for other bytes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest

from medperf_git.errors import GitError
from medperf_git.git.ahead import MOST_BYTES, Ahead
from medperf_git.git.objects import FILE_MODE, TreeEntry, blob_id, object_id, parse_tree, tree_bytes
from medperf_git.vcs import Repository
from tests.support.patience import assert_cheap

AUTHOR = ("Kentucky", "ky@example.org")
FIRST, SECOND = (object_id(b"commit", text) for text in (b"first", b"second"))


# --- what is remembered ---------------------------------------------------------------------


def test_a_wide_folder_grows_and_shrinks(tmp_path: Path) -> None:
    with Repository.create(tmp_path / "r.git") as repository:
        blob = repository.write_blob(b"x")
        entries = [TreeEntry(f"file-{number:04}", FILE_MODE, blob) for number in range(500)]
        for chosen in (entries[:300], entries[:301], entries, entries[1:], entries[5:400]):
            oid = repository.write_tree(chosen)
            assert list(repository.folder(oid).values()) == chosen
            malformed = object_id(b"tree", payload := tree_bytes(chosen) + tree_bytes(chosen[:1]))
            repository.write_object(b"tree", payload)
            with pytest.raises(GitError):
                repository.folder(malformed)


# --- what is sent ahead ---------------------------------------------------------------------


def sent(kind: str, payload: bytes, oid: str = "") -> bytes:
    oid = oid or object_id(kind.encode(), payload)
    return f"{oid} {kind} {len(payload)}\n".encode() + payload + b"\n"


def ahead_of(*objects: bytes) -> Ahead:
    return Ahead(BytesIO(b"".join(objects)))


def test_each_commit_comes_with_its_objects() -> None:
    ahead = ahead_of(
        sent("commit", b"first"), sent("blob", b"1"), sent("commit", b"second"), sent("blob", b"2")
    )
    one, two = blob_id(b"1"), blob_id(b"2")
    ahead.turn_to("ab" * 20)  # another commit, such as the head: nothing is lost
    assert ahead.get(one) is None
    ahead.turn_to(FIRST)
    assert (ahead.get(one), ahead.get(two)) == ((b"blob", b"1"), None)
    ahead.turn_to(SECOND)
    assert (ahead.get(one), ahead.get(two)) == (None, (b"blob", b"2"))
    ahead.turn_to(FIRST)
    assert ahead.get(two) is None


LIES: dict[str, bytes] = {
    "other bytes": sent("blob", b"wrong", blob_id(b"right")),
    "another kind": sent("tree", b"right", blob_id(b"right")),
    "missing": blob_id(b"right").encode() + b" missing\n",
    "cut off": sent("blob", b"right")[:-3],
    "longer than it says": sent("blob", b"right").replace(b" 5\n", b" 4\n"),
    "shorter than it says": sent("blob", b"right").replace(b" 5\n", b" 5000\n"),
    "a negative size": sent("blob", b"right").replace(b" 5\n", b" -1\n"),
    "no size": sent("blob", b"right").replace(b" 5\n", b" five\n"),
    "no words": b"\n",
    "no text": b"\xff\xff blob 5\nright\n",
    "too much": sent("blob", bytes(MOST_BYTES)),
    "more than there is": f"{blob_id(b'right')} blob {10**15}\n".encode(),
    "too many": b"".join(sent("blob", b"%d" % number) for number in range(20_000)),
}


@pytest.mark.parametrize("name", LIES)
def test_what_is_odd_ends_it(name: str) -> None:
    ahead = ahead_of(
        sent("commit", b"first"), sent("blob", b"1"), LIES[name], sent("commit", b"second")
    )
    ahead.turn_to(FIRST)
    assert ahead.get(blob_id(b"1")) == (b"blob", b"1")
    assert ahead.get(blob_id(b"right")) is None
    ahead.turn_to(SECOND)
    assert ahead.get(SECOND) is None


# --- both, in a repository ------------------------------------------------------------------


@pytest.fixture
def packed(tmp_path: Path) -> Iterator[tuple[Repository, list[str]]]:
    """A repository with everything in one pack, and its commits."""
    with Repository.create(tmp_path / "r.git") as repository:
        line: list[str] = []
        for number in range(5):
            blobs = [repository.write_blob(b"%d" % (number * at)) for at in (1, 1000)]
            entries = [TreeEntry(f"f{at}", FILE_MODE, oid) for at, oid in enumerate(blobs)]
            tree = repository.write_tree([TreeEntry("d", 0o40000, repository.write_tree(entries))])
            line.append(repository.write_commit(tree, line[-1:], f"{number}", AUTHOR))
        repository.set_ref("refs/heads/main", line[-1])
        subprocess.run(["git", "-C", str(repository.path), "repack", "-adq"], check=True)
    with Repository.open(tmp_path / "r.git") as repository:
        assert not any(len(path.name) == 38 for path in repository.path.glob("objects/*/*"))
        yield repository, line


def everything(repository: Repository, line: list[str]) -> list[object]:
    found: list[object] = []
    for oid in line:
        commit = repository.commit(oid)
        (folder,) = repository.folder(commit.tree).values()
        files = repository.folder(folder.oid)
        found += [commit, files]
        found += [(repository.blob_size(f.oid), repository.blob(f.oid)) for f in files.values()]
    return found


def test_reading_ahead_changes_nothing(packed: tuple[Repository, list[str]]) -> None:
    repository, line = packed
    with Repository.open(repository.path) as other, other.reading_ahead(line[-1]):
        assert other.commit(line[0]).subject == "0"
        assert other._reader._ahead.get(line[0]) is not None  # it is at work
        ahead = everything(other, line)
    assert ahead == everything(repository, line)
    with Repository.open(repository.path) as other, other.reading_ahead(line[-1], line[1]):
        assert everything(other, line) == ahead  # also what is not sent


def test_reading_ahead_of_nothing_changes_nothing(packed: tuple[Repository, list[str]]) -> None:
    repository, line = packed
    with Repository.open(repository.path) as other, other.reading_ahead("ab" * 20):
        assert everything(other, line) == everything(repository, line)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "noise": lambda pack: pack.write_bytes(pack.read_bytes()[:40] + bytes(pack.stat().st_size)),
    "cut off": lambda pack: pack.write_bytes(pack.read_bytes()[:60]),
    "gone": lambda pack: pack.unlink(),
}


@pytest.mark.parametrize("name", DAMAGES)
@pytest.mark.parametrize("ahead", [False, True])
def test_a_damaged_pack_is_an_error_and_others_stay_readable(
    packed: tuple[Repository, list[str]], name: str, *, ahead: bool
) -> None:
    repository, line = packed
    sound = repository.write_blob(b"sound")
    repository.close()
    for pack in repository.path.glob("objects/pack/*.pack"):
        pack.chmod(0o644)
        DAMAGES[name](pack)
    with Repository.open(repository.path) as other:
        for _ in range(2):
            if ahead:
                with other.reading_ahead(line[-1]), pytest.raises(GitError):
                    everything(other, line)
            with pytest.raises(GitError):
                everything(other, line)
            with pytest.raises(GitError):
                other.blob_size(blob_id(b"4000"))
            assert (other.blob(sound), other.blob_size(sound)) == (b"sound", 5)


def test_a_large_file_is_measured_without_reading_it(tmp_path: Path) -> None:
    with Repository.create(tmp_path / "r.git") as repository:
        oid = repository.write_blob(bytes(50_000_000))
        tree = repository.write_tree([TreeEntry("large", FILE_MODE, oid)])
        head = repository.write_commit(tree, [], "large", AUTHOR)
        repository.set_ref("refs/heads/main", head)
        subprocess.run(["git", "-C", str(repository.path), "repack", "-adq"], check=True)
        with repository.reading_ahead(head):
            assert repository.commit(head).tree == tree
            assert repository._reader._ahead.get(tree) is not None
            assert repository._reader._ahead.get(oid) is None
            assert repository.blob_size(oid) == 50_000_000
        assert repository.blob(oid) == bytes(50_000_000)
        assert not repository._reader._blobs._known


def test_a_malformed_tree_is_refused_in_linear_time() -> None:
    def refused() -> None:
        for payload in (b"100644 " * 300_000, b"1" * 2_000_000, b"100644 a\0" * 200_000):
            with pytest.raises(GitError):
                parse_tree("x", payload)

    assert_cheap(refused, 5)
