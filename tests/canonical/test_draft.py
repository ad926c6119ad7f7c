"""People's YAML: any style, but plain data of bounded size, depth and cost."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from medperf_git.canonical.draft import MAX_BYTES, MAX_DEPTH, read_mapping, read_yaml
from medperf_git.errors import InputError
from tests.canonical.strategies import mappings, same
from tests.support.patience import assert_cheap

GOOD: dict[str, tuple[str, Any]] = {
    "comment": ("a: 1  # b\n", {"a": 1}),
    "flow": ("{a: [1, two]}", {"a": [1, "two"]}),
    "JSON": ('{"a": 1e-05}', {"a": 1e-05}),
    "exponents": ("[1e+3, 1E+3, -2e-3, 1.e+4]", [1000.0, 1000.0, -0.002, 10000.0]),
    "not exponents": ("[e-3, 1e, 1e3, 1e-3x, 0x1e3]", ["e-3", "1e", "1e3", "1e-3x", 0x1E3]),
    "literal block": ("a: |\n  b\n  c\n", {"a": "b\nc\n"}),
    "date stays text": ("a: 2024-01-31", {"a": "2024-01-31"}),
    "moment stays text": ("a: 2024-01-31T12:00:00Z", {"a": "2024-01-31T12:00:00Z"}),
    "time stays text": ("a: 12:30:45", {"a": "12:30:45"}),
    "time with a fraction stays text": ("a: 1:30.5", {"a": "1:30.5"}),
    "port mapping stays text": ("a: 22:22", {"a": "22:22"}),
    "number keys": ("{0: 0.5, 1: 0.7}", {0: 0.5, 1: 0.7}),
    "anchor without alias": ("a: &b 1", {"a": 1}),
    "document start": ("---\na: 1\n", {"a": 1}),
    "byte order mark": ("\ufeffa: 1", {"a": 1}),
    "nothing": ("", None),
}


@pytest.mark.parametrize("name", GOOD)
def test_good_drafts(name: str) -> None:
    text, data = GOOD[name]
    assert same(read_yaml(text.encode(), "draft.yaml"), data)


@given(mappings)
def test_what_tools_write_is_read(data: dict[str, Any]) -> None:
    text = yaml.safe_dump(data)
    assume("1e-05" not in text)  # PyYAML writes this text as people write that number
    assert same(read_yaml(text.encode(), "x"), data)


@given(st.dictionaries(st.text("abc"), st.floats(allow_nan=False, allow_infinity=False)))
def test_json_numbers_are_read(data: dict[str, float]) -> None:
    assert same(read_yaml(json.dumps(data).encode(), "x"), data)


BAD = {
    "alias": b"a: &b [1]\nc: *b\n",
    "alias bomb": b"a: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "key twice": b"a: 1\na: 2\n",
    "key twice, nested": b"a: {b: 1, b: 2}\n",
    "key twice in two spellings": b"a: 1\n'a': 2\n",
    "merge": b"<<: {a: 1}\n",
    "code": b"!!python/object/apply:os.system [ls]\n",
    "binary": b"!!binary aGk=\n",
    "set": b"!!set {a, b}\n",
    "ordered map": b"!!omap [a: 1]\n",
    "string by tag": b"!!str 1\n",
    "boolean by tag": b"a: !!bool maybe\n",
    "local tag": b"a: !b c\n",
    "empty tag": b"a: ! c\n",
    "list as key": b"? [a]\n: 1\n",
    "mapping as key": b"{a: 1}: 2\n",
    "two documents": b"a: 1\n---\nb: 1\n",
    "not UTF-8": b"a: \xff\n",
    "UTF-16": "a: 1".encode("utf-16"),
    "NUL": b"a: \0\n",
    "unclosed": b"a: [1\n",
    "tab": b"a:\n\tb: 1\n",
    "too deep": b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1),
    "too large": b"#" * (MAX_BYTES + 1),
    "hexadecimal without end": b"a: 0x" + b"F" * 1000,
    "binary number without end": b"a: 0b" + b"1" * 1000,
    "digits without end": b"a: " + b"9" * 5000,
    "a key beyond 2^53": b"{9007199254740992: 1}",
    "value tag": b"a: =\n",
}


@pytest.mark.parametrize("name", BAD)
def test_bad_drafts(name: str) -> None:
    with pytest.raises(InputError) as caught:
        read_yaml(BAD[name], "draft.yaml")
    assert str(caught.value.place).startswith("draft.yaml")


@given(st.binary(max_size=80) | st.text("ab:-[]{}&*!#'\"|>?%@ \n012.e,~<=").map(str.encode))
def test_any_bytes(payload: bytes) -> None:
    with contextlib.suppress(InputError):
        read_yaml(payload, "x")


@pytest.mark.parametrize(
    "payload",
    [
        b"a: 1" + b":59" * 300_000,
        b"a: 1" + b":59" * 300_000 + b".5",
        b"a: 0x" + b"F" * 900_000,
        b"[" * 900_000,
        b"".join(b"? %d\n: 1\n" % (number * (2**61 - 1)) for number in range(1, 30_000)),
    ],
    ids=["sexagesimal", "sexagesimal float", "hexadecimal", "brackets", "colliding keys"],
)
def test_expensive_drafts_cost_little(payload: bytes) -> None:
    def read() -> None:
        with contextlib.suppress(InputError):
            read_yaml(payload, "x")

    assert_cheap(read, 5)


@pytest.mark.parametrize("payload", [b"", b"- a", b"a", b"1: 2", b"null: 1"])
def test_documents_that_are_no_mapping(payload: bytes) -> None:
    with pytest.raises(InputError) as caught:
        read_mapping(payload, "x")
    assert caught.value.code == "not-a-mapping"
