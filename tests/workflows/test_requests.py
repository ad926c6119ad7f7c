"""Requests: who may do what, races, closing and opening anew, what two make together."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from medperf_git.errors import InputError, JudgedInvalidError, RaceError
from medperf_git.forge.base import MIRROR, Request
from medperf_git.forge.plain import PlainForge
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.store.change import write_files
from medperf_git.trust.keyring import signer
from medperf_git.vcs import Repository
from medperf_git.workflows import requests as workflow
from medperf_git.workflows.drafts import complete, read_draft, record_from
from medperf_git.workflows.propose import place_of, propose, send, short_slug
from tests.support.site import BENCHMARK, Site, git, model_draft, write_table

ASSOCIATION = "ky/dataset-association-fever-ky-two-1"


@pytest.fixture
def asked(site: Site) -> Site:
    """A site where ky has asked for the association of a second dataset."""
    write_table(site.folder / "two", 30)
    prepare = ("dataset", "prepare", "two", "-b", BENCHMARK, "--data", site.folder / "two")
    site.do("ky", *prepare)
    site.do("ky", "dataset", "submit", "two", "--yes", "--merge")
    site.do("ky", "dataset", "associate", "two", "-b", BENCHMARK, "--yes")
    return site


# --- who may --------------------------------------------------------------------------------


WRONG: dict[str, tuple[str, tuple[str, ...], int, str]] = {
    "approve without a say": ("eve", ("approve", ASSOCIATION, "--yes"), 2, "nothing in it asks"),
    "approve one's own": ("ky", ("approve", ASSOCIATION, "--yes"), 2, "ky has signed it already"),
    "an administrator approves": ("ana", ("approve", ASSOCIATION, "--yes"), 2, "nothing in it"),
    "withdraw another's": (
        "eve", ("withdraw", ASSOCIATION, "--reason", "x", "--yes"), 2, "ky opened it, not eve",
    ),
    "merge too early": ("ky", ("merge", ASSOCIATION), 3, "approvals are missing from anna"),
    "no such request": ("ben", ("approve", "ky/nothing", "--yes"), 2, "no request ky/nothing"),
    "no id": ("ben", ("merge", "nothing"), 2, "not a request: 'nothing'"),
    "a path": ("ben", ("merge", "../main"), 2, "not a request: '../main'"),
    "nobody to ask": ("ben", ("approve", ASSOCIATION), 2, "add --yes"),
    "nobody to ask to reject": ("ben", ("reject", ASSOCIATION, "--reason", "x"), 2, "add --yes"),
    "no reason": ("ben", ("reject", ASSOCIATION, "--yes"), 2, "--reason"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_somebody_may_not(asked: Site, name: str) -> None:
    who, words, code, message = WRONG[name]
    before = asked.refs()
    done = asked.do(who, "request", *words, expect=code)
    assert message in done.err
    assert asked.refs() == before


def test_a_stranger_approves_nothing(asked: Site) -> None:
    asked.do("stranger", "key", "create", "--no-passphrase")
    asked.do("stranger", "registry", "add", "x", asked.host, "--genesis", asked.genesis)
    done = asked.do("stranger", "request", "approve", ASSOCIATION, "--yes", expect=2)
    assert "you have no part in x yet" in done.err
    assert "mpgit participant register ID --name NAME" in done.err


def test_the_way_of_a_request(asked: Site) -> None:
    site = asked
    assert site.do("anna", "request", "view", ASSOCIATION, "--json", expect=3).json["verdict"] == (
        "awaiting"
    )
    first = site.do("anna", "request", "approve", ASSOCIATION, "--yes")
    assert "next: ben, chloe: mpgit request approve" in first.err
    again = site.do("anna", "request", "approve", ASSOCIATION, "--yes", expect=2)
    assert "anna has signed it already" in again.err
    second = site.do("chloe", "request", "approve", ASSOCIATION, "--yes")
    assert f"mpgit request merge {ASSOCIATION}" in second.err
    site.do("anna", "request", "check", ASSOCIATION)
    # Anybody may merge what is complete.
    site.do("eve", "request", "merge", ASSOCIATION)
    late = site.do("ben", "request", "approve", ASSOCIATION, "--yes", expect=2)
    assert f"the request {ASSOCIATION} is merged" in late.err
    listed = site.do("ben", "request", "ls", "--all", "--json").json
    assert {r["state"] for r in listed if r["id"] == ASSOCIATION} == {"merged"}
    assert site.do("ben", "request", "ls", "--json").json == []
    site.do("ben", "audit")


def test_only_what_was_shown_is_signed(asked: Site) -> None:
    with asked.session("anna") as session:
        session.refresh()
        seen = workflow.judge_request(session, workflow.open_request(session, ASSOCIATION))
        # Meanwhile somebody who can push puts something else under the same name.
        other = asked.draft("other", model_draft("other"))
        asked.do("ky", "model", "submit", other, "--yes")
        added = asked.refs()["refs/heads/requests/ky/model-other-1"]
        git(asked.host, "update-ref", f"refs/heads/requests/{ASSOCIATION}", added)
        key = signer(asked.home("anna").key("default"), lambda _name: None)
        before = asked.refs()
        with pytest.raises(InputError, match="changed while you looked") as caught:
            workflow.approve(session, ASSOCIATION, key, seen=seen)
    assert caught.value.code == "request-changed"
    assert asked.refs() == before


# --- closing and opening anew ---------------------------------------------------------------


@pytest.mark.parametrize(("verb", "who"), [("reject", "ben"), ("withdraw", "ky")])
def test_a_closed_request_can_be_opened_anew(asked: Site, verb: str, who: str) -> None:
    site = asked
    state = {"reject": "rejected", "withdraw": "withdrawn"}[verb]
    for count in (1, 2, 3):
        reason = f"reason {count}"
        done = site.do(who, "request", verb, ASSOCIATION, "--reason", reason, "--yes", "--json")
        assert (done.json["state"], done.json["reason"]) == (state, reason)
        late = site.do("anna", "request", "approve", ASSOCIATION, "--yes", expect=2)
        assert f"is {state}: reason" in late.err
        listed = site.do("anna", "request", "ls", "--all", "--json").json
        closed = [r["reason"] for r in listed if r["id"] == ASSOCIATION]
        assert sorted(closed) == [f"reason {n}" for n in range(1, count + 1)]
        site.do("ky", "dataset", "associate", "two", "-b", BENCHMARK, "--yes")
    site.approve(ASSOCIATION, "anna", "ben")
    view = site.do("anna", "request", "view", ASSOCIATION, "--json").json
    assert view["state"] in ("merged", state)


def test_sent_again_with_other_contents_it_is_the_same_request(asked: Site) -> None:
    site = asked
    words = ("withdraw", "dataset/ky/two", "--yes")
    site.do("ky", *words, "--reason", "One.")
    before = site.refs()
    done = site.do("ky", *words, "--reason", "Another.")
    assert "ky/withdraw-dataset-ky-two-1" in done.out
    after = site.refs()
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"refs/heads/requests/ky/withdraw-dataset-ky-two-1"}
    view = site.do("ana", "request", "view", "ky/withdraw-dataset-ky-two-1", "--json").json
    assert [each["record"]["reason"] for each in view["added"]] == ["Another."]
    assert view["title"] == "Withdraw dataset ky/two revision 1"
    assert view["verdict"] == "complete"


def test_what_was_signed_before_is_not_carried_over(asked: Site) -> None:
    """An approval is of bytes: other bytes need it anew."""
    site = asked
    words = ("withdraw", "model/oak/good", "--yes")
    first = site.do("oak", *words, "--reason", "One.", "--json").json
    request = first["request"]
    site.do("oak", *words, "--reason", "Another.")
    changes = site.do("ana", "request", "view", request, "--json").json["changes"]
    assert len([path for path in changes if path.endswith(".sig")]) == 1


def test_long_names_stay_apart(site: Site) -> None:
    """Withdrawals of two results whose ids begin alike for more than 64 characters."""
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "anna/rule")
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    long = "a" * 70
    slugs = {short_slug(f"withdraw-{long}-{end}") for end in ("x-1", "x-2", "y-1")}
    assert len(slugs) == 3
    assert all(len(slug) <= 64 for slug in slugs)
    for model in ("oak/good", "anna/rule"):
        record = f"result/{BENCHMARK}/ky/opt/{model}"
        site.do("ky", "withdraw", record, "--reason", "A bug.", "--yes", "--merge")
    assert site.do("ky", "result", "ls", "--json").json == []


# --- two at once ----------------------------------------------------------------------------


def together(*commands: Callable[[], int]) -> list[int]:
    with ThreadPoolExecutor(len(commands)) as pool:
        return [future.result() for future in [pool.submit(command) for command in commands]]


def typed(site: Site, who: str, *words: str) -> Callable[[], int]:
    """A command in a process of its own."""
    return lambda: site.finish(site.start(who, *words)).code


def test_two_approvals_at_once_both_count(asked: Site) -> None:
    codes = together(
        *(typed(asked, who, "request", "approve", ASSOCIATION, "--yes") for who in ("anna", "ben"))
    )
    assert codes == [0, 0]
    view = asked.do("chloe", "request", "view", ASSOCIATION, "--json").json
    assert view["verdict"] == "complete"


def test_two_merges_at_once(asked: Site) -> None:
    """Of one request: one lands, the other is told. Of two requests: both land."""
    site = asked
    site.approve(ASSOCIATION, "anna")
    site.do("ben", "request", "approve", ASSOCIATION, "--yes")
    codes = together(*(typed(site, who, "request", "merge", ASSOCIATION) for who in ("anna", "ky")))
    assert sorted(codes) == [0, 2]
    names = ["a", "b", "c"]
    for name in names:
        site.do("oak", "model", "submit", site.draft(name, model_draft(name)), "--yes")
    codes = together(
        *(
            typed(site, who, "request", "merge", f"oak/model-{name}-1")
            for who, name in zip(("oak", "ky", "eve"), names, strict=True)
        )
    )
    assert codes == [0, 0, 0]
    site.do("oak", "registry", "sync")
    listed = site.do("oak", "model", "ls", "--json").json
    assert {f"oak/{name}" for name in names} <= {line["record"]["id"] for line in listed}
    site.do("oak", "audit")


def test_a_merge_that_keeps_coming_second_waits_longer_and_lands(
    asked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.do("oak", "model", "submit", asked.draft("late", model_draft("late")), "--yes")
    pauses: list[float] = []
    lost = iter(range(8))
    real = PlainForge.merge

    def second(forge: PlainForge, request: Request, main: str, commit: str) -> str:
        if next(lost, None) is not None:
            raise RaceError("somebody else pushed first")
        return real(forge, request, main, commit)

    monkeypatch.setattr(PlainForge, "merge", second)
    monkeypatch.setattr("time.sleep", pauses.append)
    monkeypatch.setattr("random.uniform", lambda low, high: low + high)
    asked.do("oak", "request", "merge", "oak/model-late-1")
    assert pauses == [workflow.longest_pause(number) for number in range(1, 9)]
    assert pauses == sorted(pauses)


def test_a_merge_that_only_comes_second_gives_up_in_the_end(
    asked: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.do("oak", "model", "submit", asked.draft("late", model_draft("late")), "--yes")
    tried: list[str] = []

    def second(_forge: PlainForge, request: Request, _main: str, _commit: str) -> str:
        tried.append(request.id)
        raise RaceError("somebody else pushed first")

    monkeypatch.setattr(PlainForge, "merge", second)
    monkeypatch.setattr(workflow, "PATIENCE_SECONDS", 0.0)
    monkeypatch.setattr("random.uniform", lambda low, _high: low)
    done = asked.do("oak", "request", "merge", "oak/model-late-1", expect=1)
    assert "others kept changing main or oak/model-late-1" in done.err
    assert tried == ["oak/model-late-1"] * workflow.LEAST_TRIES


def test_the_same_merge_twice_at_once_lands_once(asked: Site) -> None:
    before = asked.main()
    asked.approve(ASSOCIATION, "anna")
    asked.do("ben", "request", "approve", ASSOCIATION, "--yes")
    together(*(typed(asked, who, "request", "merge", ASSOCIATION) for who in ("anna", "ky")))
    assert git(asked.host, "rev-list", "--count", "--first-parent", f"{before}..main") == "1"


def test_two_good_requests_that_are_bad_together(site: Site) -> None:
    """Both add revision 2 of one model: the second merge is refused, by name."""
    for name, title in (("first", "One"), ("second", "Another")):
        data = {**model_draft("good"), "name": title}
        with site.session("oak") as session:
            draft = read_draft(site.draft(name, data))
            snapshot = session.snapshot()
            record = record_from(draft, "model", complete(draft, "model", snapshot, "oak"))
            key = signer(site.home("oak").key("default"), lambda _name: None)
            send(
                session,
                propose(
                    place_of("model", record), record, identity=site.genesis,
                    signatures={("oak", None): key}, title=title, slug=name,
                ),
            )  # fmt: skip
    site.do("oak", "request", "merge", "oak/first")
    before = site.main()
    done = site.do("oak", "request", "merge", "oak/second", expect=1)
    assert "main has changed registry/models/oak/good/2.yaml" in done.err
    assert "withdraw the request and submit it again" in done.err
    assert site.main() == before
    listed = site.do("oak", "request", "ls", "--json").json
    assert [(r["id"], r["verdict"]) for r in listed] == [("oak/second", "conflict")]
    done = site.do("oak", "request", "approve", "oak/second", "--yes", expect=1)
    assert "main has changed" in done.err
    done = site.do("oak", "request", "check", "oak/second", "--json", expect=1)
    assert done.json["verdict"] == "conflict"


def test_a_request_that_became_bad_says_so(asked: Site) -> None:
    """The dataset is withdrawn while its association waits."""
    site = asked
    site.do("ky", "withdraw", "dataset/ky/two", "--reason", "Consent.", "--yes", "--merge")
    before = site.refs()
    done = site.do("anna", "request", "approve", ASSOCIATION, "--yes", expect=1)
    assert "the rules refuse this" in done.err
    assert "withdrawn" in done.err
    assert site.refs() == before
    assert site.do("anna", "request", "ls", "--json").json[0]["verdict"] == "invalid"


# --- branches that somebody pushed by hand --------------------------------------------------


def push(site: Site, name: str, files: dict[str, bytes], *, parent: bool = True) -> None:
    with Repository.open(site.host) as host:
        main = host.resolve("main")
        base = host.commit(main).tree if parent else EMPTY_TREE
        tree = write_files(host, base, files)
        oid = host.write_commit(tree, [main] if parent else [], "Push", ("x", "x@y"))
        host.set_ref(f"refs/heads/requests/{name}", oid)


HOSTILE: dict[str, tuple[dict[str, bytes], bool]] = {
    "records and a workflow": (
        {"registry/models/eve/m/1.yaml": b"x", ".github/workflows/x.yml": b"on: push\n"}, True,
    ),
    "no record": ({"registry/models/eve/m/1.yaml": b"\xff\x00"}, True),
    "an unknown place": ({"registry/secrets/1.yaml": b"x"}, True),
    "an edited record": ({"registry/root/1.yaml": b"kind: root\n"}, True),
    "a history of its own": ({"registry/root/1.yaml": b"kind: root\n"}, False),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_branch_is_neither_signed_nor_merged(asked: Site, name: str) -> None:
    files, parent = HOSTILE[name]
    push(asked, "eve/evil", files, parent=parent)
    before = asked.main()
    for words in (("merge", "eve/evil"), ("approve", "eve/evil", "--yes")):
        done = asked.do("ana", "request", *words, expect=1)
        assert "Traceback" not in done.text
    listed = {r["id"]: r for r in asked.do("ana", "request", "ls", "--json").json}
    assert listed["eve/evil"]["verdict"] in ("invalid", "conflict")
    assert listed[ASSOCIATION]["verdict"] == "awaiting"
    assert asked.main() == before


def test_a_damaged_branch_hides_no_other(asked: Site) -> None:
    """A tree whose entries are out of order: git fsck refuses it, a mirror may have it."""
    raw = b"100644 b\0" + bytes(20) + b"100644 a\0" + bytes(20)
    asked.do("ana", "registry", "sync")
    mirror = asked.home("ana").mirror("clinic")
    words = ["git", "--git-dir", str(mirror), "hash-object", "-t", "tree", "-w", "--literally"]
    done = subprocess.run([*words, "--stdin"], input=raw, capture_output=True, check=True)
    tree = done.stdout.decode().strip()
    oid = git(mirror, "-c", "user.name=x", "-c", "user.email=x", "commit-tree", tree, "-m", "x")
    git(mirror, "update-ref", MIRROR + "requests/eve/evil", oid)
    # Out of reach, so that what the mirror holds is what is listed.
    asked.host.rename(asked.folder / "away.git")
    listed = asked.do("ana", "request", "ls", "--json")
    assert {r["id"] for r in listed.json} == {ASSOCIATION, "eve/evil"}
    assert "eve/evil can't be read" in listed.err


def test_signing_needs_what_the_rules_accept(asked: Site) -> None:
    push(asked, "eve/evil", {"registry/models/eve/m/1.yaml": b"x"})
    key = signer(asked.home("ana").key("default"), lambda _name: None)
    with asked.session("ana") as session, pytest.raises(JudgedInvalidError):
        workflow.approve(session, "eve/evil", key)
