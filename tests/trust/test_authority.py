"""Every row of design.md §5: who must sign, and what others' signatures are worth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medperf_git.checks.report import Report
from medperf_git.records.base import Record
from medperf_git.records.codec import build, dump, encode
from medperf_git.store.paths import Place
from medperf_git.store.snapshot import Snapshot
from medperf_git.trust.authority import Requirement, demand
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    METRICS,
    MODEL,
    PREPARATION,
    REFERENCE_MODEL,
    RESULT,
    Simulator,
    begun_registry,
    full_registry,
    key_entry,
    participant_record,
    place_of,
)

Build = Callable[[Simulator], Record]
AUTO: dict[str, Any] = {"mode": "auto"}
KY_LISTED: dict[str, Any] = {"mode": "listed", "participants": ["ky"]}
OTHERS_LISTED: dict[str, Any] = {"mode": "listed", "participants": ["ms", "chair"]}
ASSOCIATION = f"{BENCHMARK}/{MODEL}"
DATA_ASSOCIATION = f"{BENCHMARK}/{DATASET}"


def findings(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def _preparation(registry: Simulator) -> Record:
    return registry.mlcube(PREPARATION, "data-preparation")


def _withdraws(kind: str, record_id: str) -> Build:
    return lambda registry: registry.withdrawal(kind, record_id)


# What is signed; enough signatures; too few; and one that nobody asked for.
ROWS: dict[str, tuple[Build, list[str], list[str], str]] = {
    "mlcube": (lambda r: r.mlcube("ky/m", "metrics"), ["ky"], [], "chair"),
    "model": (lambda r: r.model("maker/other"), ["maker"], [], "ada"),
    "dataset": (lambda r: r.dataset("ky/other"), ["ky"], [], "anna"),
    "benchmark": (
        lambda r: r.benchmark("chair/new"),
        ["chair", "anna", "chloe", "ada", "amy"],
        ["chair", "anna", "ada", "amy"],
        "ky",
    ),
    "benchmark-without-owner": (
        lambda r: r.benchmark("chair/new"),
        ["chair", "ben", "chloe", "alan", "amy"],
        ["ben", "chloe", "alan", "amy"],
        "maker",
    ),
    "benchmark-without-administrators": (
        lambda r: r.benchmark("chair/new"),
        ["chair", "ben", "chloe", "alan", "amy"],
        ["chair", "ben", "chloe", "alan"],
        "ms",
    ),
    "policy": (lambda r: r.policy(open=False), ["anna", "ben"], ["anna"], "chair"),
    "model-association": (
        lambda r: r.model_association(),
        ["maker", "anna", "ben"],
        ["maker", "anna"],
        "chair",
    ),
    "model-association-without-owner": (
        lambda r: r.model_association(),
        ["maker", "anna", "ben", "chloe"],
        ["anna", "ben", "chloe"],
        "ada",
    ),
    "dataset-association": (
        lambda r: r.dataset_association(),
        ["ky", "ben", "chloe"],
        ["ky"],
        "maker",
    ),
    "result": (lambda r: r.result(), ["ky"], [], "anna"),
    "registration": (lambda _: participant_record("new"), ["new", "amy"], ["new"], "anna"),
    "registration-without-itself": (
        lambda _: participant_record("new"),
        ["new", "ada"],
        ["ada", "alan", "amy"],
        "ky",
    ),
    "root": (lambda r: r.root(threshold=3), ["ada", "alan", "amy"], ["ada", "alan"], "anna"),
    "recovery": (
        lambda r: r.participant("ky", key_entry("ky"), name="K"),
        ["ada", "alan"],
        ["ada"],
        "ms",
    ),
    "own-next-revision": (
        lambda r: r.participant("ky", key_entry("ky"), name="K"),
        ["ky"],
        ["amy"],
        "anna",
    ),
    **{
        f"withdrawal-{kind}-{who[0]}": (_withdraws(kind, record_id), who, [], other)
        for kind, record_id, who, other in (
            ("dataset", DATASET, ["ky"], "chair"),
            ("dataset", DATASET, ["ada", "amy"], "anna"),
            ("model", MODEL, ["maker"], "chair"),
            ("mlcube", METRICS, ["chair"], "anna"),
            ("participant", "ms", ["ms"], "ky"),
            ("participant", "ms", ["alan", "amy"], "anna"),
            ("benchmark", BENCHMARK, ["chair"], "anna"),
            ("benchmark", BENCHMARK, ["ada", "alan"], "ben"),
            ("policy", BENCHMARK, ["anna", "chloe"], "chair"),
            ("policy", BENCHMARK, ["ada", "alan"], "chair"),
            ("model-association", ASSOCIATION, ["maker"], "chair"),
            ("model-association", ASSOCIATION, ["ben", "chloe"], "ky"),
            ("model-association", ASSOCIATION, ["ada", "amy"], "ky"),
            ("dataset-association", DATA_ASSOCIATION, ["ky"], "chair"),
            ("dataset-association", DATA_ASSOCIATION, ["anna", "ben"], "maker"),
            ("result", RESULT, ["ky"], "chair"),
            ("result", RESULT, ["ada", "alan"], "maker"),
        )
    },
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str) -> None:
    registry = full_registry()
    make, enough, too_few, unasked = ROWS[row]
    record = make(registry)
    assert registry.check(registry.sign(record, by=enough)).verdict == "complete"
    waiting = registry.check(registry.sign(record, by=too_few))
    assert waiting.verdict == "awaiting", waiting.findings
    assert waiting.waiting_for()
    refused = registry.check(registry.sign(record, by=[*enough, unasked]))
    assert findings(refused) == {"signature-wanted"}


MINIMAL = [row for row in ROWS if row != "model-association-without-owner"]


@pytest.mark.parametrize("row", MINIMAL)
def test_every_signature_of_a_minimal_set_is_needed(row: str) -> None:
    registry = full_registry()
    make, enough, _, _ = ROWS[row]
    record = make(registry)
    for left in enough:
        report = registry.check(registry.sign(record, by=[who for who in enough if who != left]))
        assert report.verdict == "awaiting", left


def test_the_way_that_somebody_began_is_the_one_reported() -> None:
    registry = full_registry()
    record = registry.withdrawal("dataset", DATASET)
    assert registry.check(registry.sign(record)).waiting_for() == ("ky",)
    begun = registry.check(registry.sign(record, by=["ada"]))
    assert begun.waiting_for() == ("alan", "amy")


@pytest.mark.parametrize("signer", ["anna", "ada", "ky"])
def test_administrators_one_by_one_withdraw_nothing(signer: str) -> None:
    registry = full_registry()
    record = registry.withdrawal("model", MODEL)
    verdict = registry.check(registry.sign(record, by=[signer])).verdict
    assert verdict == ("awaiting" if signer == "ada" else "invalid")


# --- policies -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "signers", "verdict"),
    [
        ({"datasets": AUTO}, ["ky"], "complete"),
        ({"datasets": AUTO}, ["ky", "anna"], "invalid"),
        ({"datasets": KY_LISTED}, ["ky"], "complete"),
        ({"datasets": OTHERS_LISTED}, ["ky"], "awaiting"),
        ({"datasets": OTHERS_LISTED}, ["ky", "anna", "ben"], "complete"),
        ({"models": AUTO}, ["ky"], "awaiting"),
        ({}, ["ky"], "awaiting"),
        ({}, ["ky", "chair"], "invalid"),
    ],
)
def test_admission(policy: dict[str, Any], signers: list[str], verdict: str) -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.policy(**policy), by=["anna", "ben"]))
    record = registry.dataset_association()
    assert registry.check(registry.sign(record, by=signers)).verdict == verdict


@pytest.mark.parametrize(
    ("signers", "verdict"),
    [(["ky"], "awaiting"), (["ky", "anna", "chloe"], "complete"), (["anna", "ben"], "awaiting")],
)
def test_results_that_need_approval(signers: list[str], verdict: str) -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.policy(results="approve"), by=["anna", "ben"]))
    assert registry.check(registry.sign(registry.result(), by=signers)).verdict == verdict


@pytest.mark.parametrize(
    ("before", "after", "verdict"),
    [("approve", "auto", "awaiting"), ("auto", "approve", "complete")],
)
def test_a_policy_of_the_same_request_decides_nothing(
    before: str, after: str, verdict: str
) -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.policy(results=before), by=["anna", "ben"]))
    both = registry.sign(registry.policy(results=after), by=["ben", "chloe"])
    report = registry.check(both | registry.sign(registry.result(), by=["ky"]))
    assert report.verdict == verdict, report.findings


@pytest.mark.parametrize(
    ("root", "make", "signers"),
    [
        ({"registration": "open"}, lambda _: participant_record("new"), ["new"]),
        ({"benchmarks": "open"}, lambda r: r.benchmark("chair/new"), ["chair", "anna", "ben"]),
    ],
)
def test_open_root(root: dict[str, str], make: Build, signers: list[str]) -> None:
    registry = full_registry()
    before = registry.check(registry.sign(make(registry), by=signers))
    assert before.verdict == "awaiting"
    registry.merge(registry.sign(registry.root(**root), by=["ada", "amy"]))
    assert registry.check(registry.sign(make(registry), by=signers)).verdict == "complete"
    with_administrator = registry.check(registry.sign(make(registry), by=[*signers, "ada"]))
    assert findings(with_administrator) == {"signature-wanted"}


# --- roots ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("signers", "verdict"),
    [
        (["ada", "alan"], "awaiting"),  # of the old alone: ada stays, ky and ms have to agree
        (["ada", "ky"], "awaiting"),  # of the new alone
        (["ada", "alan", "ky"], "complete"),
        (["alan", "amy", "ky", "ms"], "complete"),
        (["alan", "amy", "ky"], "awaiting"),
        (["ada", "alan", "ky", "anna"], "invalid"),
    ],
)
def test_root_rotation_needs_both_thresholds(signers: list[str], verdict: str) -> None:
    registry = full_registry()
    record = registry.root(["ada", "ky", "ms"], threshold=2)
    assert registry.check(registry.sign(record, by=signers)).verdict == verdict


def test_old_administrators_have_no_say_any_more() -> None:
    registry = full_registry()
    record = registry.root(["ky", "ms"], threshold=2)
    registry.merge(registry.sign(record, by=["ada", "alan", "ky", "ms"]))
    withdrawal = registry.withdrawal("model", MODEL)
    refused = registry.check(registry.sign(withdrawal, by=["ada", "alan"]))
    assert findings(refused) == {"signature-wanted"}
    assert registry.check(registry.sign(withdrawal, by=["ky", "ms"])).verdict == "complete"


def test_genesis_needs_a_threshold_of_itself() -> None:
    empty = Simulator()
    files = empty.genesis(threshold=2)
    root = Place("root", "root", 1)
    few = {
        p: b for p, b in files.items() if p not in (root.signature("ada"), root.signature("amy"))
    }
    report = empty.check(few)
    assert report.verdict == "awaiting"
    assert report.waiting_for() == ("ada", "amy")
    assert empty.check({p: b for p, b in files.items() if p != root.signature("amy")})


def test_genesis_needs_every_administrators_record_and_signature() -> None:
    empty = Simulator()
    files = empty.genesis()
    amy = Place("participant", "amy", 1)
    unsigned = {p: b for p, b in files.items() if p != amy.signature("amy")}
    assert empty.check(unsigned).verdict == "awaiting"
    without = {p: b for p, b in unsigned.items() if p != amy.path}
    assert "reference-resolves" in findings(empty.check(without))


def test_a_genesis_in_a_registry_is_no_genesis() -> None:
    registry = full_registry()
    other = Simulator().genesis(["eve"], threshold=1)
    assert registry.check(other).verdict == "invalid"


# --- keys -----------------------------------------------------------------------------------


def rotate(registry: Simulator, *, by: str = "ky") -> None:
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    registry.merge(registry.sign(registry.participant("ky", *keys), by=[by], proofs=["second"]))


def test_every_new_key_proves_possession() -> None:
    registry = full_registry()
    keys = [key_entry("new"), key_entry("new", "second"), key_entry("new", "third")]
    record = participant_record("new", *keys)
    report = registry.check(registry.sign(record, by=["new", "ada"], proofs=["second"]))
    assert report.verdict == "awaiting"
    assert report.records[0].unproved_keys == ("third",)
    proved = registry.sign(record, by=["new", "ada"], proofs=["second", "third"])
    assert registry.check(proved).verdict == "complete"


def test_rotation_needs_an_old_key_and_the_new_one() -> None:
    registry = full_registry()
    record = registry.participant("ky", key_entry("ky"), key_entry("ky", "second"))
    assert registry.check(registry.sign(record, by=["ky"])).verdict == "awaiting"
    by_new = registry.check(registry.sign(record, by=["ky:second"], proofs=["second"]))
    assert findings(by_new) == {"signature-key"}
    assert registry.check(registry.sign(record, by=["ky"], proofs=["second"]))


def test_a_revoked_key_signs_nothing() -> None:
    registry = full_registry()
    rotate(registry)
    for record in (registry.dataset("ky/other"), registry.withdrawal("dataset", DATASET)):
        old = registry.check(registry.sign(record, by=["ky:first"]))
        assert findings(old) == {"signature-key"}
        assert registry.check(registry.sign(record, by=["ky:second"])).verdict == "complete"


def test_a_revoked_key_does_not_bring_itself_back() -> None:
    registry = full_registry()
    rotate(registry)
    again = {**key_entry("ky"), "name": "third"}
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second"), again
    with pytest.raises(Exception, match="one public key stands twice"):
        registry.participant("ky", *keys)


def test_recovery_by_administrators_proves_the_new_key() -> None:
    registry = full_registry()
    keys = key_entry("ky", revoked="lost"), key_entry("ky", "second")
    record = registry.participant("ky", *keys)
    assert registry.check(registry.sign(record, by=["ada", "amy"])).verdict == "awaiting"
    assert (
        registry.check(registry.sign(record, by=["ada"], proofs=["second"])).verdict == "awaiting"
    )
    registry.merge(registry.sign(record, by=["ada", "amy"], proofs=["second"]))
    assert registry.check(registry.sign(registry.dataset("ky/o"), by=["ky:second"]))


def test_a_withdrawn_participant_signs_nothing_until_recovered() -> None:
    registry = full_registry()
    rotate(registry)
    registry.merge(registry.sign(registry.withdrawal("participant", "ky"), by=["ky"]))
    # Neither by its last key, nor by the first: an older revision does not stand again.
    for key in ("first", "second"):
        report = registry.check(registry.sign(registry.dataset("ky/other"), by=[f"ky:{key}"]))
        assert findings(report) == {"signature-key"}, key
    revoked = [key_entry("ky", revoked="lost"), key_entry("ky", "second", revoked="lost")]
    record = registry.participant("ky", *revoked, key_entry("ky", "third"))
    alone = registry.check(registry.sign(record, by=["ky:second"], proofs=["third"]))
    assert findings(alone) == {"signature-key"}
    registry.merge(registry.sign(record, by=["ada", "alan"], proofs=["third"]))
    assert registry.check(registry.sign(registry.dataset("ky/other"), by=["ky:third"]))


def test_a_participant_and_its_first_record_do_not_come_together() -> None:
    registry = full_registry()
    registration = registry.sign(participant_record("new"), by=["new", "ada"])
    dataset = registry.sign(registry.dataset("new/data"), by=["new"])
    assert findings(registry.check(registration | dataset)) == {"signature-key"}


def test_two_participants_may_list_one_key_but_not_both_sign_with_it() -> None:
    registry = full_registry()
    for twin in ("twin-one", "twin-two"):
        shared = {**key_entry("twin"), "name": "first"}
        record = participant_record(twin, shared)
        place = place_of(record)
        files = registry.sign(record, by=["ada"])
        own = registry.signature(place, files[place.path], "twin")
        registry.merge({**files, place.signature(twin): own})
    members = {"members": ["twin-one", "twin-two"], "threshold": 2}
    record = registry.benchmark("chair/new", committee=members)
    place = place_of(record)
    files = registry.sign(record, by=["chair", "ada", "amy"])
    for twin in members["members"]:  # type: ignore[attr-defined]
        files[place.signature(twin)] = registry.signature(place, files[place.path], "twin")
    assert findings(registry.check(files)) == {"one-key-one-person"}


# --- committees -----------------------------------------------------------------------------

NEW_COMMITTEE = {"members": ["chair", "ky", "ms"], "threshold": 2}


def test_a_new_committee_needs_the_old_ones_consent() -> None:
    registry = full_registry()
    record = registry.benchmark(committee=NEW_COMMITTEE)
    themselves = registry.check(registry.sign(record, by=["chair", "ada", "amy", "ky", "ms"]))
    assert findings(themselves) == {"signature-wanted"}
    assert registry.check(registry.sign(record, by=["chair", "ada", "amy"])).verdict == "awaiting"
    registry.merge(registry.sign(record, by=["chair", "ada", "amy", "anna", "ben"]))
    old = registry.check(registry.sign(registry.policy(open=False), by=["anna", "ben"]))
    assert findings(old) == {"signature-wanted"}
    assert registry.check(registry.sign(registry.policy(open=False), by=["ky", "ms"]))


def test_withdrawing_a_benchmark_does_not_shake_off_its_committee() -> None:
    """The owner withdraws alone; the committee still decides about the next revision."""
    registry = full_registry()
    registry.merge(registry.sign(registry.withdrawal("benchmark", BENCHMARK), by=["chair"]))
    record = registry.benchmark(committee=NEW_COMMITTEE)
    report = registry.check(registry.sign(record, by=["chair", "ada", "amy", "ky", "ms"]))
    assert findings(report) == {"signature-wanted"}
    assert registry.check(registry.sign(record, by=["chair", "ada", "amy"])).verdict == "awaiting"
    assert registry.check(registry.sign(record, by=BENCHMARK_SIGNERS)).verdict == "complete"


def test_withdrawing_a_revision_does_not_bring_the_old_committee_back() -> None:
    registry = full_registry()
    record = registry.benchmark(committee=NEW_COMMITTEE)
    registry.merge(registry.sign(record, by=BENCHMARK_SIGNERS))
    registry.merge(registry.sign(registry.withdrawal("benchmark", BENCHMARK), by=["chair"]))
    closing = registry.policy(open=False)
    assert findings(registry.check(registry.sign(closing, by=["anna", "ben"]))) == {
        "signature-wanted"
    }
    assert registry.check(registry.sign(closing, by=["ky", "ms"])).verdict == "complete"


def test_a_policy_for_a_benchmark_of_the_same_request_has_nobody_to_sign_it() -> None:
    registry = full_registry()
    files = registry.sign(registry.benchmark("chair/new"), by=BENCHMARK_SIGNERS)
    policy = registry.ahead(files).policy("chair/new")
    report = registry.check(files | registry.sign(policy, by=["anna", "ben"]))
    assert findings(report) == {"signature-wanted"}
    assert registry.check(files | registry.sign(policy)).verdict == "awaiting"


# --- after withdrawals ----------------------------------------------------------------------


def test_a_withdrawn_association_carries_no_more_results() -> None:
    registry = full_registry()
    record = registry.result()
    gone = registry.withdrawal("dataset-association", DATA_ASSOCIATION)
    registry.merge(registry.sign(gone, by=["anna", "ben"]))
    report = registry.check(registry.sign(record, by=["ky"]))
    assert findings(report) == {"reference-stands"}


def test_a_withdrawn_result_may_be_followed_by_another() -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.withdrawal("result", RESULT), by=["ky"]))
    assert registry.snapshot.standing("result", RESULT) is None
    registry.merge(registry.sign(registry.result(), by=["ky"]))
    assert registry.snapshot.standing("result", RESULT) == Place("result", RESULT, 2)


@pytest.mark.parametrize(
    ("kind", "record_id", "again", "owner", "others"),
    [
        ("dataset", DATASET, lambda r: r.dataset(), "ky", ["ada", "amy"]),
        ("model", MODEL, lambda r: r.model(), "maker", ["ada", "amy"]),
        ("mlcube", PREPARATION, _preparation, "chair", ["ada", "amy"]),
        ("result", RESULT, lambda r: r.result(), "ky", ["ada", "amy"]),
        ("model-association", ASSOCIATION, lambda r: r.model_association(), "maker", COMMITTEE[:2]),
    ],
)
@pytest.mark.parametrize("withdrawn_by_owner", [True, False])
def test_what_others_withdrew_comes_back_with_them(
    kind: str,
    record_id: str,
    again: Build,
    owner: str,
    others: list[str],
    withdrawn_by_owner: bool,  # noqa: FBT001 (a parameter of the test)
) -> None:
    registry = full_registry()
    auto = registry.policy(models={"mode": "auto"})
    registry.merge(registry.sign(auto, by=COMMITTEE[:2]))
    gone = registry.withdrawal(kind, record_id)
    registry.merge(registry.sign(gone, by=[owner] if withdrawn_by_owner else others))
    record = again(registry)
    alone = registry.check(registry.sign(record, by=[owner]))
    assert alone.verdict == ("complete" if withdrawn_by_owner else "awaiting"), alone.findings
    together = registry.check(registry.sign(record, by=[owner, *others]))
    assert together.verdict == ("invalid" if withdrawn_by_owner else "complete")


def test_nothing_is_withdrawn_twice() -> None:
    registry = full_registry()
    record = registry.withdrawal("dataset", DATASET)
    registry.merge(registry.sign(record, by=["ky"]))
    other = {**dump(record), "reason": "Another one."}
    report = registry.check(registry.sign(build("withdrawal", other), by=["ky"]))
    assert "only-additions" in findings(report)


def test_a_withdrawal_pins_the_very_bytes() -> None:
    registry = full_registry()
    record = registry.withdrawal("dataset", DATASET)
    pin = {**dump(record)["target"], "sha256": "0" * 64}
    report = registry.check(
        registry.sign(registry.withdrawal("dataset", DATASET, target=pin), by=["ky"])
    )
    assert findings(report) == {"reference-resolves"}


def test_a_superseded_model_asks_for_a_new_association() -> None:
    registry = full_registry()
    record = registry.result()
    registry.merge(registry.sign(registry.model(name="Net 2"), by=["maker"]))
    assert findings(registry.check(registry.sign(record, by=["ky"]))) == {"reference-stands"}


def test_a_new_benchmark_revision_asks_for_new_associations() -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.benchmark(), by=BENCHMARK_SIGNERS))
    report = registry.check(registry.sign(registry.result(), by=["ky"]))
    assert findings(report) == {"associations-agree"}
    registry.merge(registry.sign(registry.dataset_association(), by=["ky", "anna", "ben"]))
    registry.merge(registry.sign(registry.model_association(), by=["maker", "anna", "ben"]))
    assert registry.check(registry.sign(registry.result(), by=["ky"])).verdict == "complete"


@pytest.mark.parametrize("model", [MODEL, REFERENCE_MODEL])
def test_association_and_result_may_come_together(model: str) -> None:
    registry = full_registry()
    registry.merge(registry.sign(registry.dataset("ms/nicu"), by=["ms"]))
    files = registry.sign(registry.dataset_association("ms/nicu"), by=["ms", "anna", "ben"])
    result = registry.ahead(files).result("ms/nicu", model)
    assert registry.check(files | registry.sign(result, by=["ms"])).verdict == "complete"


# --- the function by itself -----------------------------------------------------------------


def test_a_threshold_counts_distinct_participants() -> None:
    requirement = Requirement("committee", COMMITTEE, 2)
    assert [requirement.missing(s) for s in ({"anna"}, {"anna", "ky"}, {"anna", "ben"})] == [
        1,
        1,
        0,
    ]


def test_what_nobody_may_sign_is_denied() -> None:
    registry = begun_registry()
    full = full_registry()
    for record in (full.policy(), full.dataset_association(), full.result()):
        wanted = demand(record, registry.snapshot)
        committee = [r for r in wanted.alternatives[0].requirements if r.role == "committee"]
        assert committee == [Requirement("committee", (), 1)]
    nothing = Simulator().snapshot
    assert demand(full.benchmark(), nothing).alternatives[0].requirements[-1].eligible == ()


def test_authority_is_read_from_the_base_alone() -> None:
    """No record added by a request changes what another one of it needs."""
    registry = full_registry()
    root = registry.root(["eve", "ada"]) if registry.snapshot.participant("eve") else None
    assert root is None
    registry.merge(registry.sign(participant_record("eve"), by=["eve", "ada"]))
    coup = registry.sign(registry.root(["eve"], threshold=1), by=["eve"])
    gone = registry.sign(registry.withdrawal("model", MODEL), by=["eve"])
    assert findings(registry.check(coup | gone)) == {"signature-wanted"}
    assert registry.check(coup).verdict == "awaiting"


def test_preparation_is_pinned_by_bytes() -> None:
    registry = full_registry()
    place = Place("mlcube", PREPARATION, 1)
    loaded = Snapshot(registry.tree).load(place)
    assert loaded.payload == encode(loaded.record, depth=place.depth)
    assert registry.pin("mlcube", PREPARATION)["sha256"] == loaded.sha256
