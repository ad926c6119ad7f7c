"""The contract refuses what GitHub's description refuses, and says what is wrong in words."""

from __future__ import annotations

from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from tests.support.github.contract import ANYWHERE, Contract
from tests.support.github.description import description
from tests.support.github.operations import OPERATIONS
from tests.support.github.samples import Samples

REPO: Final = "/repos/anna/registry"
PULL: Final = {"title": "A result", "head": "ky:result", "base": "main"}
CHECK: Final = {"name": "verify", "head_sha": "a" * 40, "conclusion": "success"}
OUTPUT: Final = {"title": "Good", "summary": ""}
RULES: Final[dict[str, Any]] = {
    "type": "required_status_checks",
    "parameters": {
        "strict_required_status_checks_policy": False,
        "required_status_checks": [{"context": "verify"}],
    },
}
RULESET: Final[dict[str, Any]] = {
    "name": "main",
    "enforcement": "active",
    "target": "branch",
    "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
    "rules": [{"type": "deletion"}, RULES],
}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return Contract()


GOOD: Final = [
    ("GET", "/meta", {}, None),
    ("GET", f"/api/v3{REPO}", {}, None),
    ("GET", "/repositories/17/pulls", {"state": "all", "per_page": "100", "page": "2"}, None),
    ("POST", f"{REPO}/pulls", {}, PULL | {"maintainer_can_modify": True}),
    ("POST", f"{REPO}/forks", {}, None),
    ("POST", f"{REPO}/check-runs", {}, CHECK | {"output": OUTPUT}),
    ("POST", f"{REPO}/rulesets", {}, RULESET),
    ("PUT", f"{REPO}/pulls/3/merge", {}, {"sha": "a" * 40, "merge_method": "merge"}),
    ("GET", f"{REPO}/rules/branches/a%2Fb", {}, None),
]
BAD: Final = {
    "unknown path": ("GET", f"{REPO}/puls", {}, None, "GitHub describes no such operation"),
    "unknown method": ("PUT", f"{REPO}/pulls", {}, None, "GitHub describes no such operation"),
    "not served here": ("GET", f"{REPO}/branches", {}, None, "not in operations.py"),
    "unknown query": ("GET", f"{REPO}/pulls", {"sate": "all"}, None, "query parameter 'sate'"),
    "query's value": ("GET", f"{REPO}/pulls", {"state": "shut"}, None, "'shut' is not one of"),
    "query's type": ("GET", f"{REPO}/pulls", {"page": "two"}, None, "not of type 'integer'"),
    "path's type": ("GET", f"{REPO}/pulls/one", {}, None, "path parameter 'pull_number'"),
    "body's type": ("POST", f"{REPO}/pulls", {}, PULL | {"head": 3}, "body.head: 3 is not of type"),
    "no body": ("POST", f"{REPO}/pulls", {}, None, "needs a body"),
    "a body": ("GET", f"{REPO}/pulls", {}, PULL, "takes no body"),
    "missing field": ("POST", f"{REPO}/pulls", {}, {"title": "x", "head": "x"}, "'base' is a req"),
    "misspelt field": ("POST", f"{REPO}/pulls", {}, PULL | {"boddy": ""}, "'boddy' was unexpected"),
    "misspelt where more is allowed": (
        "POST", f"{REPO}/check-runs", {}, CHECK | {"detail_url": "x"}, "'detail_url' was unexp",
    ),
    "misspelt below": (
        "POST", f"{REPO}/check-runs", {}, CHECK | {"output": OUTPUT | {"txt": ""}},
        "body.output: Additional properties are not allowed ('txt'",
    ),
    "misspelt in a choice": (
        "POST", f"{REPO}/rulesets", {},
        RULESET | {"rules": [RULES | {"parameters": {**RULES["parameters"], "strict": True}}]},
        "body.rules[0].parameters: Additional properties are not allowed ('strict'",
    ),
    "unknown choice": (
        "POST", f"{REPO}/rulesets", {}, RULESET | {"rules": [{"type": "delete"}]}, "body.rules[0]",
    ),
    "value": (
        "PUT", f"{REPO}/pulls/3/merge", {}, {"merge_method": "octopus"}, "'octopus' is not one of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "query", "body"), GOOD)
def test_good_requests(
    contract: Contract, method: str, path: str, query: dict[str, str], body: Any
) -> None:
    assert contract.request(method, path, query, body) == []


@pytest.mark.parametrize("name", BAD)
def test_bad_requests(contract: Contract, name: str) -> None:
    method, path, query, body, words = BAD[name]
    (text,) = contract.request(method, path, query, body)
    assert words in text


def test_every_fault_is_named(contract: Contract) -> None:
    assert len(contract.request("POST", f"{REPO}/pulls", {"x": "1"}, {"head": 3, "y": 1})) == 4


def test_a_required_query_parameter(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of the operations in use has one: one is made required."""
    states = [
        each for each in _parameters("GET /repos/{owner}/{repo}/pulls") if each["name"] == "state"
    ]
    monkeypatch.setitem(states[0], "required", value=True)
    (text,) = contract.request("GET", f"{REPO}/pulls", {})
    assert text.endswith("missing query parameter 'state'")


def test_answers(contract: Contract) -> None:
    label = Samples(contract).complete("label", {"name": "x", "url": "http://localhost/x"})
    path = f"{REPO}/issues/1/labels"
    assert contract.response("GET", path, 200, [label]) == []
    assert contract.response("GET", "/repositories/5/issues/1/labels", 200, [label]) == []
    del label["color"]
    (text,) = contract.response("GET", path, 200, [label])
    assert text.endswith("answer 200[0]: 'color' is a required property")
    (text,) = contract.response("GET", path, 200, [label | {"color": 3}])
    assert text.endswith("answer 200[0].color: 3 is not of type 'string'")
    (text,) = contract.response("GET", path, 200, [label | {"color": "", "url": "nowhere"}])
    assert text.endswith("answer 200[0].url: 'nowhere' is not a 'uri'")


def test_statuses(contract: Contract) -> None:
    (text,) = contract.response("GET", "/meta", 201, {})
    assert text == "GET /meta: answer 201 is not described"
    assert contract.response("GET", "/meta", 502) == []
    for status in ANYWHERE:
        assert contract.response("GET", "/meta", status, {"message": "No."}) == []
        assert contract.response("GET", "/meta", status, {"message": 3})
    assert contract.response("GET", "/nowhere", 404, {"message": "Not Found"}) == []
    assert contract.response("GET", "/nowhere", 200, {})


def test_a_deleted_fork_is_the_one_departure(contract: Contract) -> None:
    found = Samples(contract).complete("pull-request", {"url": "http://localhost/pulls/1"})
    found["head"] |= {"repo": None, "user": None}
    assert contract.response("GET", f"{REPO}/pulls/1", 200, found) == []
    found["head"]["sha"] = None
    assert contract.response("GET", f"{REPO}/pulls/1", 200, found)


def test_the_cut_is_json_schema_and_whole() -> None:
    data = description()
    assert set(data["operations"]) == set(OPERATIONS)
    for schema in (*data["schemas"].values(), *data["strict"].values()):
        Draft202012Validator.check_schema(schema)


def _parameters(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = description()["operations"][name]["parameters"]
    return found
