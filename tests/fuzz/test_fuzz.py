"""Fuzzing runs and finds nothing; what is found stays found; any bytes cost little."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzz import __main__ as fuzz
from fuzz.seeds import dictionary, seeds
from fuzz.targets import TARGETS
from medperf_git.canonical.document import HEADER, MAX_BYTES, parse
from medperf_git.errors import CanonicalError
from tests.canonical.strategies import TRAPS
from tests.support.patience import assert_cheap

SECONDS = 0.05
BYTES = 50 * 1024 * 1024
FIRST = HEADER.encode() + b"../../../../schemas/dataset.schema.json\n"


@pytest.mark.parametrize("target", fuzz.NAMES)
def test_guided_by_coverage(target: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--target", target, "--seconds", "15"]) == 0, capsys.readouterr().out
    assert "number_of_executed_units" in capsys.readouterr().out


def test_where_there_is_no_atheris(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--seconds", "1", "--plain"]) == 0
    assert "without coverage" in capsys.readouterr().out


@pytest.mark.parametrize("target", fuzz.NAMES)
def test_good_inputs_hold(target: str, tmp_path: Path) -> None:
    for number, seed in enumerate(seeds(target)):
        file = tmp_path / str(number)
        file.write_bytes(seed)
        assert fuzz.main(["--target", target, "--input", str(file)]) == 0
    assert dictionary(target).count("\n") > 5


def test_a_fault_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def broken(data: bytes) -> None:
        assert b"k" not in data

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TARGETS, "codec", broken)
    with pytest.raises(AssertionError):
        fuzz.main(["--target", "codec", "--seconds", "5", "--plain"])
    assert (tmp_path / "crash-codec").exists()


# --- 50 ms and 50 MB -------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _without_what_others_left() -> Iterator[None]:
    """The collector of garbage does not walk what the tests before this one left behind."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def read(payload: bytes) -> None:
    with suppress(CanonicalError):
        parse(payload)


def assert_small(payload: bytes) -> None:
    """Little time and little memory."""
    assert_cheap(lambda: read(payload), SECONDS, payload[:200])
    tracemalloc.start()
    try:
        read(payload)
        assert tracemalloc.get_traced_memory()[1] < BYTES, payload[:200]
    finally:
        tracemalloc.stop()


pieces = st.sampled_from(
    [*(trap.encode("utf-8", "surrogatepass") for trap in TRAPS), b"- ", b"  ", b"\n", b": ", b'"']
)


@settings(max_examples=150)
@given(st.binary(max_size=2000) | st.lists(pieces, max_size=60).map(b"".join))
def test_any_bytes_are_cheap(payload: bytes) -> None:
    assert_small(payload)
    assert_small(FIRST + payload)


@settings(max_examples=60)
@given(st.lists(pieces, min_size=1, max_size=6).map(b"".join).filter(bool), st.booleans())
def test_any_bytes_over_and_over_are_cheap(piece: bytes, lines: bool) -> None:  # noqa: FBT001 (drawn)
    piece += b"\n" if lines else b""
    assert_small(FIRST + piece * (MAX_BYTES // len(piece) + 1))
    assert_small((FIRST + piece * (MAX_BYTES // len(piece)))[: MAX_BYTES - 1] + b"\n")


WORST = {
    "one-long-key": b"a" * (MAX_BYTES - 200) + b": 1\n",
    "one-long-text": b'a: "' + b"\\u0041" * 40_000 + b'"\n',
    "backslashes": b'a: "' + b"\\" * 250_000 + b'"\n',
    "quotes": b'"' * 250_000 + b"\n",
    "colons": b"a" + b":" * 250_000 + b"\n",
    "colons-and-letters": b"a" + b":b" * 125_000 + b"\n",
    "dashes": b"a:\n  " + b"- " * 120_000 + b"1\n",
    "deep": b"".join(b"  " * n + b"a:\n" for n in range(490)),
    "many-keys": b"".join(b"a%07d: 1\n" % n for n in range(8190)),
    "many-items": b"a:\n" + b"  - 1\n" * 8189,
    "digits": b"a: " + b"9" * 250_000 + b"\n",
    "fraction": b"a: 0." + b"1" * 250_000 + b"\n",
    "exponent": b"a: 1.0e+999\n",
    "mappings-in-a-list": b"a:\n" + b"".join(b"  - k%07d: v\n" % n for n in range(8189)),
    "quoted-keys": b"".join(b'"%05d": "1\\n"\n' % n for n in range(8189)),
    "long-escapes": b'a: "' + b"\\U0001D173" * 25_000 + b'"\n',
    "spaces": b"a: b" + b" " * 250_000 + b"\n",
    "accents": b'a: "' + "e\u0301".encode() * 80_000 + b'"\n',
    "many-accents": b'a: "e' + "\u0301\u0323".encode() * 60_000 + b'"\n',
    "huge": b"a: 1\n" * 200_000,
}


@pytest.mark.parametrize("name", WORST)
def test_the_worst_is_cheap(name: str) -> None:
    assert_small(FIRST + WORST[name])
