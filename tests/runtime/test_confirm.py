"""What was read once is not read again, and no change goes unnoticed for that."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import ArtefactError, InputError
from medperf_git.runtime import confirm, file_index
from medperf_git.runtime.confirm import confirm_tree, fingerprint_tree
from medperf_git.runtime.file_index import index_of, keeps_times, read_index, write_index
from medperf_git.runtime.file_rows import IDENTITY_BYTES, Row, identities_of
from medperf_git.runtime.files import digest_tree, read_files
from medperf_git.runtime.many_files import opened_folder

FILES = {
    "a/1.dcm": b"x" * 50_000,
    "a/2.dcm": b"y" * 50_000,
    "b/3.dcm": b"z" * 40_000,
    "b/4.dcm": b"",
    "table.csv": b"case\n",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Data worth an index, of which nothing changed for a long time."""
    monkeypatch.setattr(confirm, "WORTH_FILES", 1)
    monkeypatch.setattr(file_index, "RACY_NS", 0)
    data = tmp_path / "data"
    for name, payload in FILES.items():
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_bytes(payload)
    wait_for_the_clock(tmp_path)
    return data


def wait_for_the_clock(folder: Path) -> None:
    """Files' clocks tick a hundred times a second or more."""
    began = file_index.now(folder)
    assert began is not None
    while (file_index.now(folder) or 0) <= began + 10_000_000:
        time.sleep(0.005)


def read_by(look: Callable[..., object], folder: Path) -> list[int]:
    """The sizes of the files that were read."""
    sizes: list[int] = []
    look(folder, sizes.append)
    return sorted(sizes)


ALL = sorted(map(len, FILES.values()))


def test_what_did_not_change_is_not_read(folder: Path) -> None:
    assert read_by(confirm_tree, folder) == ALL
    assert read_by(confirm_tree, folder) == []
    assert read_by(fingerprint_tree, folder) == ALL
    assert confirm_tree(folder) == fingerprint_tree(folder)
    assert confirm_tree(folder).sha256 == fingerprint(digest_tree(folder))
    assert (confirm_tree(folder).files, confirm_tree(folder).size) == (5, 140_005)
    assert index_of(folder).stat().st_mode & 0o777 == 0o600


def rewritten(path: Path, payload: bytes) -> None:
    """Other bytes of the same length in the same file, with the old times."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(payload)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert path.stat().st_mtime_ns == status.st_mtime_ns
    assert path.stat().st_size == status.st_size


def replaced(path: Path, payload: bytes) -> None:
    """Another file in its place, with the old times."""
    status = path.stat()
    other = path.parent.parent / "other"
    other.write_bytes(payload)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


def exchanged(one: Path, other: Path) -> None:
    between = one.with_name("between")
    one.rename(between)
    other.rename(one)
    between.rename(other)


def added_with_the_folders_times(folder: Path) -> None:
    status = folder.stat()
    (folder / "5.dcm").write_bytes(b"more")
    os.utime(folder, ns=(status.st_atime_ns, status.st_mtime_ns))


def emptied(top: Path) -> None:
    shutil.rmtree(top)
    top.mkdir()


CHANGES: dict[str, Callable[[Path], object]] = {
    "a-byte": lambda top: rewritten(top / "a/1.dcm", b"!"),
    "all-bytes": lambda top: rewritten(top / "table.csv", b"CASE\n"),
    "longer": lambda top: (top / "table.csv").write_bytes(b"case\n1\n"),
    "shorter": lambda top: os.truncate(top / "a/1.dcm", 49_999),
    "replaced": lambda top: replaced(top / "a/2.dcm", b"x" * 50_000),
    "renamed": lambda top: (top / "a/1.dcm").rename(top / "a/0.dcm"),
    "moved": lambda top: (top / "a/1.dcm").rename(top / "b/1.dcm"),
    "swapped": lambda top: exchanged(top / "a/1.dcm", top / "a/2.dcm"),
    "folders-swapped": lambda top: exchanged(top / "a", top / "b"),
    "folder-renamed": lambda top: (top / "a").rename(top / "c"),
    "added": lambda top: (top / "b/5.dcm").write_bytes(b""),
    "added-slyly": lambda top: added_with_the_folders_times(top / "b"),
    "added-in-a-new-folder": lambda top: shutil.copytree(top / "a", top / "c"),
    "removed": lambda top: (top / "b/4.dcm").unlink(),
    "folder-removed": lambda top: shutil.rmtree(top / "b"),
    "emptied": emptied,
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_is_noticed(folder: Path, change: str) -> None:
    before = fingerprint_tree(folder)
    assert confirm_tree(folder) == before
    CHANGES[change](folder)
    now = confirm_tree(folder)
    assert now.sha256 == fingerprint(digest_tree(folder))
    assert now.sha256 != before.sha256
    # Nor is the truth forgotten again.
    assert confirm_tree(folder) == now


def test_only_what_changed_is_read(folder: Path) -> None:
    before = fingerprint_tree(folder)
    (folder / "a" / "1.dcm").touch()
    (folder / "empty").mkdir()
    wait_for_the_clock(folder.parent)
    assert read_by(confirm_tree, folder) == [50_000]
    assert read_by(confirm_tree, folder) == []
    assert confirm_tree(folder) == before


@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_what_is_no_file_is_refused_as_ever(folder: Path, kind: str) -> None:
    fingerprint_tree(folder)
    path = folder / "b" / "3.dcm"
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(folder / "a" / "1.dcm")
    with pytest.raises(ArtefactError, match=kind) as caught:
        confirm_tree(folder)
    assert (caught.value.code, caught.value.place) == ("not-plain", str(path))


def test_a_folder_that_has_gone_is_said(folder: Path) -> None:
    fingerprint_tree(folder)
    shutil.rmtree(folder)
    with pytest.raises(ArtefactError, match="not a folder"):
        confirm_tree(folder)


def flipped(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def other_version(path: Path) -> None:
    head, _, rest = path.read_bytes()[:-32].partition(b"\n")
    body = json.dumps({**json.loads(head), "version": 2}).encode() + b"\n" + rest
    path.write_bytes(body + hashlib.sha256(body).digest())


def without_a_digest(path: Path) -> None:
    body = path.read_bytes()[:-64]
    path.write_bytes(body + hashlib.sha256(body).digest())


def without_names(path: Path) -> None:
    body = b'{"version": 1}\n'
    path.write_bytes(body + hashlib.sha256(body).digest())


def a_folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_link_instead(path: Path) -> None:
    path.rename(path.with_name("i"))
    path.symlink_to("i")


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: os.truncate(path, path.stat().st_size - 1),
    "cut-short": lambda path: os.truncate(path, 20),
    "first-bit": lambda path: flipped(path, 0),
    "middle-bit": lambda path: flipped(path, path.stat().st_size // 2),
    "last-bit": lambda path: flipped(path, -1),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "noise": lambda path: path.write_bytes(os.urandom(5000)),
    "other-version": other_version,
    "file-missing": without_a_digest,
    "without-names": without_names,
    "anybodys": lambda path: path.chmod(0o666),
    "link": a_link_instead,
    "folder": a_folder_instead,
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_index_costs_a_full_reading(folder: Path, damage: str) -> None:
    before = fingerprint_tree(folder)
    DAMAGE[damage](index_of(folder))
    assert read_by(confirm_tree, folder) == ALL
    assert confirm_tree(folder) == before


def test_another_folders_index_counts_for_nothing(folder: Path) -> None:
    copy = folder.with_name("copy")
    fingerprint_tree(folder)
    shutil.copytree(folder, copy)  # with their times
    shutil.copy(index_of(folder), index_of(copy))
    assert read_by(confirm_tree, copy) == ALL


def test_what_just_changed_is_not_trusted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_index, "RACY_NS", 2_000_000_000)
    fingerprint_tree(folder)
    index = read_index(folder)
    assert index is not None
    assert not index.settled
    assert not index.known()
    # The same length, and whatever the clock says, the same times: Git's racy entry.
    (folder / "table.csv").write_bytes(b"CASE\n")
    assert read_by(confirm_tree, folder) == ALL
    assert confirm_tree(folder).sha256 == fingerprint(digest_tree(folder))
    time.sleep(2.1)
    assert read_by(confirm_tree, folder) == ALL
    assert read_by(confirm_tree, folder) == []


def test_the_future_is_not_trusted(folder: Path) -> None:
    ahead = time.time() + 3600
    os.utime(folder / "a" / "1.dcm", (ahead, ahead))
    wait_for_the_clock(folder.parent)
    fingerprint_tree(folder)
    for _ in range(2):
        assert read_by(confirm_tree, folder) == [50_000]


def test_a_file_that_changed_while_it_was_read_is_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reading(top: Path, *arguments: Any) -> list[Row]:
        found = read_files(top, *arguments)
        rewritten(top / "table.csv", b"CASE\n")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(confirm, "read_files", reading)
        before = fingerprint_tree(folder)
    now = confirm_tree(folder)
    assert now != before
    assert now.sha256 == fingerprint(digest_tree(folder))


def test_small_folders_get_no_index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confirm, "WORTH_FILES", 6)
    fingerprint_tree(folder)
    assert not index_of(folder).exists()
    assert read_by(confirm_tree, folder) == ALL
    monkeypatch.setattr(confirm, "WORTH_BYTES", 140_005)
    fingerprint_tree(folder)
    assert read_by(confirm_tree, folder) == []


def test_no_room_for_an_index_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise InputError("full", code="disk-full")

    monkeypatch.setattr(file_index, "write_bytes", refuse)
    assert fingerprint_tree(folder).sha256 == fingerprint(digest_tree(folder))
    monkeypatch.setattr(confirm, "now", lambda _folder: None)
    assert confirm_tree(folder).sha256 == fingerprint(digest_tree(folder))
    assert not index_of(folder).exists()


def test_a_forged_index_is_believed_and_reading_everything_is_not_fooled(folder: Path) -> None:
    """What ``--thorough`` is for: whoever is root, or this user, may do this."""
    before = fingerprint_tree(folder)
    rewritten(folder / "a" / "1.dcm", b"!")
    forge(folder)
    assert confirm_tree(folder) == before
    assert fingerprint_tree(folder) != before


def forge(folder: Path) -> None:
    """Makes the index say that what is there now is what was read."""
    index = read_index(folder)
    assert index is not None
    with opened_folder(folder) as top:
        now = identities_of(top, index.paths)
    write_index(folder, replace(index, identities=now, settled=True))


def test_times_are_trusted_on_this_kernels_file_systems_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert keeps_times(folder)
    assert not keeps_times(Path("/proc/self"))
    assert not keeps_times(Path("/"))  # /proc is below it
    fingerprint_tree(folder)
    monkeypatch.setattr(confirm, "keeps_times", lambda _folder: False)
    assert read_by(confirm_tree, folder) == ALL


MOUNTS = r"""
21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
22 21 0:20 / /proc rw - proc proc rw
23 21 0:40 / /mnt/a\040drive rw shared:7 master:1 - nfs4 server:/a rw
24 21 0:41 / /mnt/disk rw - xfs /dev/vdb rw
25 24 0:42 / /mnt/disk/ky/far rw - fuse.sshfs a:/b rw
26 21 0:43 / /mnt/over rw - ext4 /dev/vdc rw
27 21 0:44 / /mnt/over rw - cifs //a/b rw
"""


@pytest.mark.parametrize(
    ("place", "trusted"),
    [
        ("/srv/data", True),
        ("/mnt/a drive/data", False),
        ("/mnt/a drive", False),
        ("/mnt/a", True),
        ("/mnt/disk/ky/near", True),
        ("/mnt/disk/ky", False),
        ("/mnt/disk/ky/far/data", False),
        ("/mnt/disk/ky/farther", True),
        ("/mnt/over/data", False),
        ("/proc/1", False),
    ],
)
def test_mounts_are_read_as_the_kernel_writes_them(
    place: str,
    trusted: bool,  # noqa: FBT001 (a column of the table)
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda *_: MOUNTS.lstrip())
    monkeypatch.setattr(Path, "resolve", lambda path: path)
    assert keeps_times(Path(place)) == trusted


def test_the_index_keeps_any_name_and_time(folder: Path) -> None:
    names = [b"new\nline", b"\xff\xfe", b" ", "ä".encode()]
    for number, name in enumerate(names):
        path = folder / os.fsdecode(name)
        path.write_bytes(b"1" * number)
        os.utime(path, (0, -1e9))
    wait_for_the_clock(folder.parent)
    fingerprint_tree(folder)
    index = read_index(folder)
    assert index is not None
    assert set(names) <= set(index.paths)
    assert len(index.identities) == IDENTITY_BYTES * len(index.paths)
    assert read_by(confirm_tree, folder) == []


@pytest.fixture(autouse=True)
def _no_litter(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob("*.part"))
