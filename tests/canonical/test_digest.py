"""Fingerprints see every change of a set of files."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.canonical.digest import FileDigest, fingerprint, sha256_hex
from medperf_git.errors import CanonicalError

A = FileDigest("a.csv", 1, sha256_hex(b"a"))
B = FileDigest("b.csv", 1, sha256_hex(b"b"))

files = st.builds(
    FileDigest,
    st.text(st.characters(exclude_categories=()), min_size=1, max_size=8),
    st.integers(0, 2**63),
    st.binary(min_size=32, max_size=32).map(bytes.hex),
)
sets = st.lists(files, max_size=6, unique_by=lambda file: file.path)


def test_known_answer() -> None:
    leaf = b"\x00" + (5).to_bytes(8) + b"a.csv" + (1).to_bytes(8) + hashlib.sha256(b"a").digest()
    root = b"\x01" + (1).to_bytes(8) + hashlib.sha256(leaf).digest()
    assert fingerprint([A]) == hashlib.sha256(root).hexdigest()


@given(sets)
def test_order_does_not_matter(some: list[FileDigest]) -> None:
    try:
        wanted = fingerprint(some)
    except CanonicalError:  # surrogates that no file system gives
        return
    assert fingerprint(reversed(some)) == wanted


CHANGES = {
    "nothing there": [],
    "one gone": [A],
    "renamed": [A, FileDigest("c.csv", 1, B.sha256)],
    "moved": [A, FileDigest("x/b.csv", 1, B.sha256)],
    "swapped": [FileDigest("a.csv", 1, B.sha256), FileDigest("b.csv", 1, A.sha256)],
    "another size": [A, FileDigest("b.csv", 2, B.sha256)],
    "one more": [A, B, FileDigest("c.csv", 0, sha256_hex(b""))],
    "path and size shifted": [A, FileDigest("b.cs", 1, B.sha256)],
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(name: str) -> None:
    assert fingerprint(CHANGES[name]) != fingerprint([A, B])


def test_one_path_twice() -> None:
    with pytest.raises(CanonicalError):
        fingerprint([A, B, A])


def test_names_that_are_not_utf_8() -> None:
    names = [b"\xff", b"\xfe", "é".encode()]
    some = [FileDigest(name.decode("utf-8", "surrogateescape"), 1, A.sha256) for name in names]
    assert len({fingerprint([one]) for one in some}) == len(names)
    assert fingerprint(some) == fingerprint(some[::-1])
