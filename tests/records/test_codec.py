"""Records to bytes and back: one record, one file, and nothing else gets through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medperf_git.canonical.document import Document, emit, parse
from medperf_git.errors import CanonicalError, MpgitError, RecordError
from medperf_git.records.codec import build, decode, dump, encode
from medperf_git.records.kinds import KINDS as TABLE
from medperf_git.records.schema import schema_faults
from tests.canonical.strategies import mappings, same, values
from tests.records.samples import GONE, KINDS, OPTIONAL, changed, sample
from tests.support.patience import assert_cheap


def _payload(data: dict[str, Any], kind: str | None = None) -> bytes:
    kind = kind or data["kind"]
    return emit(Document(f"../../schemas/{kind}.schema.json", data))


def test_there_is_a_sample_of_each_kind() -> None:
    assert set(KINDS) == set(TABLE)


@pytest.mark.parametrize("kind", KINDS)
def test_decode_inverts_encode(kind: str) -> None:
    record = build(kind, sample(kind))
    payload = encode(record, depth=2)
    assert decode(payload, kind, depth=2) == record
    assert same(parse(payload).data, sample(kind))
    assert dump(record) == sample(kind)


@pytest.mark.parametrize("kind", OPTIONAL)
def test_options_may_be_absent(kind: str) -> None:
    data = changed(kind, dict.fromkeys(OPTIONAL[kind], GONE))
    record = decode(_payload(data), kind, depth=2)
    assert dump(record) == data


@pytest.mark.parametrize("kind", KINDS)
def test_every_other_field_must_stand(kind: str) -> None:
    for field in sample(kind):
        if field not in OPTIONAL.get(kind, ()):
            with pytest.raises(RecordError) as caught:
                decode(_payload(changed(kind, {field: GONE}), kind), kind, depth=2)
            assert caught.value.place == field


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_has_no_other_fields(kind: str) -> None:
    with pytest.raises(RecordError):
        decode(_payload(changed(kind, {"more": 1})), kind, depth=2)


@pytest.mark.parametrize("kind", KINDS)
def test_defaults_are_spelled_out(kind: str) -> None:
    record = build(kind, sample(kind))
    for field, info in type(record).model_fields.items():
        if info.default is not None and not info.is_required():
            without = changed(kind, {field: GONE})
            build(kind, without)  # a draft may leave it to the default
            with pytest.raises(RecordError):
                decode(_payload(without), kind, depth=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tail", ["\n", "\x00", " ", "/", "\u0661"])
def test_no_id_with_a_tail(kind: str, tail: str) -> None:
    data = changed(kind, {"id": sample(kind)["id"] + tail})
    if kind == "withdrawal":
        data["target"]["id"] = data["id"]
    with pytest.raises(RecordError):
        decode(_payload(data), kind, depth=2)


def _strings(node: Any, place: str = "") -> list[str]:
    if isinstance(node, dict):
        return [p for key, value in node.items() for p in _strings(value, f"{place}.{key}")]
    if isinstance(node, list):
        return [p for at, value in enumerate(node) for p in _strings(value, f"{place}.{at}")]
    return [place.strip(".")] if isinstance(node, str) else []


FREE_TEXT = (
    *("description", "reason", "contact", "unit", "login", "setting", "task", "labelling"),
    *("inclusion_criteria.0", "exclusion_criteria.0", "command.0", "command.1"),
    *("labels.0", "labels.1"),
)


@pytest.mark.parametrize("kind", KINDS)
def test_only_free_text_may_end_in_a_newline(kind: str) -> None:
    # Python's `$` also matches before a trailing newline; the models' must not.
    for place in _strings(sample(kind)):
        node: Any = sample(kind)
        for part in place.split("."):
            node = node[int(part) if part.isdigit() else part]
        if place.endswith(FREE_TEXT) and not place.endswith(".task"):
            continue
        if place == "clinical.task":
            continue
        with pytest.raises(RecordError):
            decode(_payload(changed(kind, {place: node + "\n"}), kind), kind, depth=2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_line_must_name_the_kind_and_depth(kind: str) -> None:
    payload = _payload(sample(kind))
    with pytest.raises(CanonicalError) as caught:
        decode(payload, kind, depth=3)
    assert caught.value.place == "line 1"
    other = "control" if kind == "root" else "root"
    with pytest.raises(CanonicalError):
        decode(payload, other, depth=2)
    with pytest.raises(RecordError):
        decode(_payload(sample(kind), other), other, depth=2)


def test_a_whole_number_where_a_decimal_stands() -> None:
    with pytest.raises(CanonicalError) as caught:
        decode(_payload(changed("result", {"metrics.0.value": 1})), "result", depth=2)
    assert caught.value.code == "not-the-records-spelling"


def test_a_decimal_where_a_whole_number_stands() -> None:
    with pytest.raises(RecordError) as caught:
        decode(_payload(changed("result", {"denominator.cases": 100.0})), "result", depth=2)
    assert caught.value.place == "denominator.cases"


def test_unknown_kinds() -> None:
    with pytest.raises(RecordError):
        build("federation", {})
    with pytest.raises(MpgitError):
        decode(_payload(sample("root"), "federation"), "federation", depth=2)


@pytest.mark.parametrize("parameters", [{"a": None}, {"a": [1, None]}, {"a": {"b": [{"c": None}]}}])
def test_a_null_parameter_is_refused_not_dropped(parameters: dict[str, Any]) -> None:
    with pytest.raises(RecordError) as caught:
        build("model", changed("model", {"parameters": parameters}))
    assert caught.value.place == "parameters"


@given(mappings)
def test_any_parameters_survive(parameters: dict[str, Any]) -> None:
    record = build("model", changed("model", {"parameters": parameters}))
    payload = encode(record, depth=2)
    assert decode(payload, "model", depth=2) == record
    assert same(parse(payload).data["parameters"], parameters)


_NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(
    allow_nan=False, allow_infinity=False
).map(lambda number: number + 0.0)


@given(
    st.dictionaries(
        st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"),
        st.recursive(
            _NUMBERS,
            lambda inner: st.dictionaries(st.sampled_from(("a", "b-c", "0")), inner),
            max_leaves=5,
        ),
    )
)
def test_any_statistics_survive(statistics: dict[str, Any]) -> None:
    try:
        record = build("dataset", changed("dataset", {"statistics": statistics}))
    except RecordError as error:
        assert "levels" in str(error)  # noqa: PT017 (deep ones are refused, the others are not)
        return
    payload = encode(record, depth=2)
    assert decode(payload, "dataset", depth=2) == record
    assert same(parse(payload).data["statistics"], statistics)


def _places(node: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inside: list[tuple[Any, ...]] = [place] if place else []
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            inside += _places(value, (*place, key))
    return inside


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.data())
def test_any_change_is_refused_or_survives(kind: str, draw: st.DataObject) -> None:
    data = sample(kind)
    *parents, last = draw.draw(st.sampled_from(_places(data)), label="place")
    node: Any = data
    for parent in parents:
        node = node[parent]
    node[last] = draw.draw(values | st.sampled_from([[], {}, "a/b", 1e308, -1]), label="value")
    try:
        payload = _payload(data, kind)
        record = decode(payload, kind, depth=2)
    except MpgitError:
        return
    assert encode(record, depth=2) == payload
    assert not schema_faults(kind, data)


HOSTILE: dict[str, dict[str, Any]] = {
    "a list of wrong things": {"keys": ["no"] * 8000},
    "many unknown fields": {f"k{number}": 1 for number in range(8000)},
    "a long id": {"id": "a-" * 120_000},
    "a long id that almost fits": {"id": "a" * 240_000 + "!"},
    "a long public key": {"keys.0.public_key": "ssh-ed25519 " + "A" * 240_000},
    "a long path of recipients": {"encryption": ["age1" + "q" * 50] * 4000},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_records_cost_little(name: str) -> None:
    payload = _payload(changed("participant", HOSTILE[name]))

    def refused() -> None:
        with pytest.raises(MpgitError) as caught:
            decode(payload, "participant", depth=2)
        assert len(str(caught.value)) < 20_000

    assert_cheap(refused, 3)
