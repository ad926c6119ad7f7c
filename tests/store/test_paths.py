"""A path is a function of kind, id and revision, and every other path is nobody's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medperf_git.records.base import RESERVED_IDS
from medperf_git.records.kinds import KINDS
from medperf_git.store.paths import Place, SignaturePlace, kind_folder, locate

slugs = st.from_regex(r"\A[a-z0-9]{1,5}(-[a-z0-9]{1,5}){0,2}\Z").filter(
    lambda slug: slug not in RESERVED_IDS
)
KIND_PARTS = {kind.name: kind.id_parts for kind in KINDS.values() if kind.name != "withdrawal"}


@st.composite
def places(draw: st.DrawFn) -> Place:
    kind = draw(st.sampled_from(sorted(KIND_PARTS)))
    parts = KIND_PARTS[kind]
    ids = draw(st.lists(slugs, min_size=parts, max_size=parts))
    withdrawn = draw(st.booleans()) and kind not in ("root", "control")
    return Place(kind, "/".join(ids) or kind, draw(st.integers(1, 999_999)), withdrawn)


@given(places())
def test_locate_inverts_path(place: Place) -> None:
    assert locate(place.path) == place
    assert place.path.startswith(kind_folder(place.kind) + "/")
    assert place.depth == len(place.path.split("/")) - 1


@given(places(), slugs, st.none() | slugs)
def test_locate_inverts_a_signatures_path(place: Place, signer: str, key: str | None) -> None:
    signature = SignaturePlace(place, signer, key)
    assert locate(signature.path) == signature
    assert locate(place.signature(signer, key)) == signature


@given(places(), places())
def test_two_places_have_two_paths(one: Place, other: Place) -> None:
    assert (one == other) == (one.path == other.path)


def test_a_withdrawal_stands_beside_its_record() -> None:
    place = Place("dataset", "ky/opt", 3)
    assert place.withdrawal.path == "registry/datasets/ky/opt/3.withdrawn.yaml"
    assert place.record_kind == "dataset"
    assert place.withdrawal.record_kind == "withdrawal"
    assert locate("registry/datasets/ky/opt/3.withdrawn.ky.sig") == SignaturePlace(
        place.withdrawal, "ky"
    )


BAD = {
    "nothing": "",
    "the folder": "registry",
    "outside": "README.md",
    "outside, alike": "registry2/datasets/ky/opt/1.yaml",
    "inside another folder": "x/registry/datasets/ky/opt/1.yaml",
    "absolute": "/registry/datasets/ky/opt/1.yaml",
    "doubled slash": "registry//datasets/ky/opt/1.yaml",
    "climbing": "registry/datasets/ky/../1.yaml",
    "dot": "registry/./datasets/ky/opt/1.yaml",
    "backslash": "registry\\datasets\\ky\\opt\\1.yaml",
    "newline behind": "registry/datasets/ky/opt/1.yaml\n",
    "newline in the folder": "registry/datasets/ky/opt\n/1.yaml",
    "newline before the ending": "registry/datasets/ky/opt/1\n.yaml",
    "NUL": "registry/datasets/ky/opt/1.yaml\0",
    "capitals": "registry/datasets/KY/opt/1.yaml",
    "capital ending": "registry/datasets/ky/opt/1.YAML",
    "other digits": "registry/datasets/ky/opt/\u0661.yaml",
    "other letters": "registry/datasets/\u043a\u0443/opt/1.yaml",
    "revision 0": "registry/datasets/ky/opt/0.yaml",
    "leading zero": "registry/datasets/ky/opt/01.yaml",
    "seven digits": "registry/datasets/ky/opt/1000000.yaml",
    "no revision": "registry/datasets/ky/opt/.yaml",
    "no ending": "registry/datasets/ky/opt/1",
    "other ending": "registry/datasets/ky/opt/1.yml",
    "two endings": "registry/datasets/ky/opt/1.yaml.yaml",
    "backup": "registry/datasets/ky/opt/1.yaml~",
    "withdrawn twice": "registry/datasets/ky/opt/1.withdrawn.withdrawn.yaml",
    "withdrawn root": "registry/root/1.withdrawn.yaml",
    "withdrawn control": "registry/control/1.withdrawn.yaml",
    "signature of nobody": "registry/datasets/ky/opt/1.sig",
    "signature by the reserved": "registry/datasets/ky/opt/1.withdrawn.sig",
    "signature with a reserved key": "registry/datasets/ky/opt/1.ky.policy.sig",
    "signature with three names": "registry/datasets/ky/opt/1.a.b.c.sig",
    "signature in capitals": "registry/datasets/ky/opt/1.KY.sig",
    "signer too long": f"registry/datasets/ky/opt/1.{'a' * 65}.sig",
    "id too long": f"registry/datasets/{'a' * 65}/opt/1.yaml",
    "id with two hyphens": "registry/datasets/k--y/opt/1.yaml",
    "id with a hyphen first": "registry/datasets/-ky/opt/1.yaml",
    "id with a dot": "registry/datasets/k.y/opt/1.yaml",
    "id with an underscore": "registry/datasets/k_y/opt/1.yaml",
    "one part too few": "registry/datasets/ky/1.yaml",
    "one part too many": "registry/datasets/ky/opt/more/1.yaml",
    "participant with two parts": "registry/participants/ky/opt/1.yaml",
    "root with an id": "registry/root/a/1.yaml",
    "association in part": "registry/benchmarks/a/b/models/c/1.yaml",
    "association of a benchmark": "registry/benchmarks/a/b/benchmarks/c/d/1.yaml",
    "benchmark by a reserved name": "registry/benchmarks/a/policy/1.yaml",
    "owner by a reserved name": "registry/datasets/models/opt/1.yaml",
    "result in part": "registry/results/a/b/c/d/e/1.yaml",
    "unknown folder": "registry/keys/ky/1.yaml",
    "git's own": "registry/datasets/ky/.git/1.yaml",
    "attributes": "registry/.gitattributes",
}


@pytest.mark.parametrize("name", BAD)
def test_paths_that_nothing_may_have(name: str) -> None:
    assert locate(BAD[name]) is None


@given(st.text())
def test_any_text(path: str) -> None:
    found = locate("registry/" + path)
    assert found is None or found.path == "registry/" + path
