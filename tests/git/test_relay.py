"""What the relay passes on, what it adds, and that nobody waits for the dead."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest

from medperf_git.git.relay import (
    HostRefusedError,
    _packets,
    _with_prefixes,
    let_go,
    listed,
    packet,
    relay,
)

FLUSH, DELIMITER = b"0000", b"0001"
ABILITIES = packet(b"version 2\n") + FLUSH
MAIN = packet(b"ab" * 20 + b" refs/heads/main\n")

STREAMS: dict[str, tuple[bytes, list[bytes]]] = {
    "nothing": (b"", []),
    "packets": (packet(b"a") + FLUSH, [packet(b"a"), FLUSH]),
    "half a head": (packet(b"a") + b"00", [packet(b"a")]),
    "words after them": (FLUSH + b"lock here\n", [FLUSH]),
    "half a packet": (b"0010abc", [b"0010abc"]),
}


@pytest.mark.parametrize("name", STREAMS)
def test_packets(name: str) -> None:
    stream, packets = STREAMS[name]
    assert list(_packets(BytesIO(stream))) == packets


def test_names_are_added_to_the_list_alone() -> None:
    ask = [packet(b"command=ls-refs\n"), DELIMITER, packet(b"peel\n"), FLUSH]
    fetch = [packet(b"command=fetch"), DELIMITER, packet(b"done\n"), FLUSH]
    prefixes = [packet(b"ref-prefix refs/a\n"), packet(b"ref-prefix refs/b\n")]
    passed = list(_with_prefixes(iter([*ask, *fetch]), ["refs/a", "refs/b"]))
    assert passed == [*ask[:-1], *prefixes, FLUSH, *fetch]


def program(code: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe)


def says(*parts: bytes) -> subprocess.Popen[bytes]:
    return program(f"import sys; sys.stdout.buffer.write({b''.join(parts)!r})")


ANSWERS: dict[str, tuple[bytes, dict[str, str] | None]] = {
    "a ref": (ABILITIES + MAIN + FLUSH, {"refs/heads/main": "ab" * 20}),
    "none": (ABILITIES + FLUSH, {}),
    "no end": (ABILITIES + MAIN, None),
    "no beginning": (b"", None),
    "no protocol": (b"<html>", None),
    "an empty line": (ABILITIES + packet(b"\n") + FLUSH, {}),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_list(name: str) -> None:
    answer, found = ANSWERS[name]
    with says(answer) as helper:
        assert listed(helper, ["refs/heads/"]) == found


@pytest.mark.parametrize("before", [b"", ABILITIES])
def test_a_host_that_refuses_is_no_host_without_refs(before: bytes) -> None:
    with (
        says(before, packet(b"ERR access denied\n"), FLUSH) as helper,
        pytest.raises(HostRefusedError, match="access denied"),
    ):
        listed(helper, ["refs/heads/"])


def test_a_helper_that_dies_ends_it() -> None:
    packer = program("import sys; sys.exit(0 if sys.stdin.read().endswith('0000') else 1)")
    with program("") as helper, packer:
        assert relay(helper, packer, ["refs/heads/main"], []) == 0


def test_a_packer_that_dies_ends_it() -> None:
    endless = "import sys\nwhile True: sys.stdout.buffer.write(bytes(100_000))"
    with program(endless) as helper, program("import sys; sys.exit(3)") as packer:
        assert relay(helper, packer, ["refs/heads/main"], []) == 3


def test_only_ones_own_marks_go(tmp_path: Path) -> None:
    for name, process in {"a": 7, "b": 77}.items():
        (tmp_path / f"{name}.keep").write_text(f"fetch-pack {process} on here")
    (tmp_path / "c.keep").write_text("a backup")
    let_go(tmp_path, 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.keep", "c.keep"]
