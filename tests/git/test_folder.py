"""A folder read like another one is the folder read by itself, or refused like it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.errors import GitError
from medperf_git.git.folder import Folder, read_folder
from medperf_git.git.objects import FILE_MODE, TREE_MODE, TreeEntry, parse_tree, tree_bytes
from tests.support.patience import assert_cheap

NAMES = ["a", "a.b", "a-b", "a0", "ab", "b", "b.c", "c", "é", "\udcff", "a b", "0", "z", ".git"]
entries = st.builds(
    TreeEntry,
    st.sampled_from(NAMES),
    st.sampled_from([FILE_MODE, TREE_MODE, 0o120000, 0o100755]),
    st.sampled_from(["00" * 20, "61" * 20, "0061" * 10, "2061" * 10, "ab" * 20]),
)
sound = st.lists(
    entries.filter(lambda entry: entry.name != ".git"), unique_by=lambda entry: entry.name
).map(tree_bytes)


@st.composite
def spliced(draw: st.DrawFn, payloads: st.SearchStrategy[bytes] = sound) -> bytes:
    """Bytes like a tree's: its entries in any order, any number of times, or cut anywhere."""
    parts = [tree_bytes([entry]) for entry in draw(st.lists(entries, max_size=6))]
    whole = draw(payloads) + b"".join(parts)
    at = draw(st.integers(0, len(whole)))
    return draw(st.sampled_from([whole, whole[at:], whole[:at], b"".join(sorted(parts))]))


def outcome(payload: bytes, like: Folder | None = None) -> tuple[str, object]:
    """What comes of reading bytes: entries and bounds, or the refusal."""
    try:
        read = read_folder("x", payload, like) if like else read_folder("x", payload)
    except GitError as error:
        return "refused", error.code
    assert read.bounds == Folder(payload, {}).bounds
    return "read", (read.payload, list(read.entries.items()))


@given(sound, sound | spliced())
def test_like_another_or_by_itself(before: bytes, payload: bytes) -> None:
    like = read_folder("x", before)
    assert outcome(payload, like) == outcome(payload)
    try:
        alone = parse_tree("x", payload)
    except GitError:
        assert outcome(payload, like)[0] == "refused"
    else:
        assert outcome(payload, like) == ("read", (payload, [(e.name, e) for e in alone]))


@given(st.lists(sound, min_size=2, max_size=5))
def test_like_one_after_the_other(versions: list[bytes]) -> None:
    like = read_folder("x", b"")
    for payload in versions:
        like = read_folder("x", payload, like)
        assert ("read", (like.payload, list(like.entries.items()))) == outcome(payload)


WIDE = [TreeEntry(f"net-{number:05}", TREE_MODE, f"{number:040x}") for number in range(20_000)]


@pytest.mark.parametrize("at", [0, 10_000, 19_999])
@pytest.mark.parametrize("change", ["added", "changed", "gone", "twice", "out of order"])
def test_one_entry_of_many(at: int, change: str) -> None:
    like = read_folder("x", tree_bytes(WIDE))
    other = WIDE[at]._replace(oid="ab" * 20)
    made = {
        "added": [*WIDE[: at + 1], other._replace(name=other.name + "x"), *WIDE[at + 1 :]],
        "changed": [*WIDE[:at], other, *WIDE[at + 1 :]],
        "gone": [*WIDE[:at], *WIDE[at + 1 :]],
        "twice": [*WIDE[: at + 1], other, *WIDE[at + 1 :]],
        "out of order": [*WIDE[:at], *WIDE[at + 1 :][:5], other, *WIDE[at + 6 :], WIDE[0]],
    }[change]
    payload = b"".join(tree_bytes([entry]) for entry in made)
    assert_cheap(lambda: outcome(payload, like), 1)
    found = outcome(payload, like)
    assert found == outcome(payload)
    assert (found[0] == "refused") is (change in ("twice", "out of order"))
