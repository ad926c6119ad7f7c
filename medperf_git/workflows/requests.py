"""Working with open requests: look, approve, merge, reject, withdraw.

The verdict is always taken on the merged tree against the newest main, as ``merge`` would
make it. Pushes race honestly: whoever is second is tried again on the new state, after a pause
that grows and is left to chance, so that many who merge at once do not meet again and again.

Example:
    >>> [longest_pause(lost) for lost in (1, 2, 3, 9)]
    [0.25, 0.5, 1.0, 2.0]
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from medperf_git.checks.check import check
from medperf_git.checks.report import Report
from medperf_git.errors import AwaitingError, InputError, RaceError, RegistryError
from medperf_git.forge.base import TRAILER, Request, State
from medperf_git.records.base import Record
from medperf_git.store.change import merge_trees, write_files
from medperf_git.store.paths import Place
from medperf_git.store.tree import GitTree, difference
from medperf_git.trust.authority import demand
from medperf_git.trust.keyring import Signer
from medperf_git.vcs import identity_from_environment
from medperf_git.workflows.propose import refusal
from medperf_git.workflows.session import Session, refused

LEAST_TRIES: Final = 5
"""So many, however long they take: a host with checks of its own needs minutes for one."""
PATIENCE_SECONDS: Final = 120.0
"""And more for so long: of many who merge at once each lost race is somebody else's merge."""
_FIRST_PAUSE: Final = 0.25
_LAST_PAUSE: Final = 2.0


def longest_pause(lost: int) -> float:
    """The most seconds to wait for the next try after so many lost ones."""
    return min(_LAST_PAUSE, _FIRST_PAUSE * 2.0 ** min(lost - 1, 9))


def _tries() -> Iterator[int]:
    """The numbers of the tries, from 1; each but the first comes after a pause."""
    until = time.monotonic() + PATIENCE_SECONDS
    number = 0
    while number < LEAST_TRIES or time.monotonic() < until:
        if number:
            time.sleep(random.uniform(0, longest_pause(number)))  # noqa: S311 (no secret)
        number += 1
        yield number


@dataclass(frozen=True)
class Judged:
    """A request together with the verdict on merging it now.

    Attributes:
        request: the request.
        report: the verdict on main → merged tree.
        main: the main that it was judged against.
        tree: the merged tree's id.
        conflict: where it can't be merged at all, why.
    """

    request: Request
    report: Report
    main: str
    tree: str
    conflict: RegistryError | None = None

    @property
    def state(self) -> str:
        """`conflict`, `invalid`, `awaiting` or `complete`."""
        return "conflict" if self.conflict else self.report.verdict

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for ``--json``."""
        data = {**self.request.as_dict(), **self.report.as_dict(), "state": self.request.state}
        if self.conflict is not None:
            data |= {"verdict": "conflict", "conflict": self.conflict.as_dict()}
        return data


def judge_request(session: Session, request: Request) -> Judged:
    """The verdict on merging a request into main as this client knows it."""
    main = session.main
    base = session.snapshot()
    try:
        tree = merge_trees(session.mirror, main, request.head)
    except RegistryError as error:
        return Judged(request, Report(main, request.head, (), ()), main, "", error)
    head = session.proposed(tree, request.head)
    return Judged(request, check(base, head), main, tree)


def added_records(session: Session, judged: Judged) -> list[tuple[Place, Record]]:
    """The records that a judged request adds, by place."""
    if judged.conflict is not None:
        return []
    head = session.proposed(judged.tree)
    return [(status.place, head.load(status.place).record) for status in judged.report.records]


def changed_paths(session: Session, judged: Judged) -> list[str]:
    """Every path that merging the request would change."""
    if judged.conflict is not None:
        return []
    main_tree = session.mirror.commit(judged.main).tree
    pair = GitTree(session.mirror, main_tree), GitTree(session.mirror, judged.tree)
    return [change.path for change in difference(*pair)]


def open_request(session: Session, request_id: str) -> Request:
    """The open request of that id.

    Raises:
        InputError: there is none, or it was closed.
    """
    request = session.forge.request(request_id)
    if request.state != "open":
        raise InputError(
            f"the request {request_id} is {request.state}"
            + (f": {request.reason}" if request.reason else ""),
            code="request-closed",
            advice="`mpgit request ls` lists the open ones",
        )
    return request


def approve(
    session: Session, request_id: str, signer: Signer, *, seen: Judged | None = None
) -> Judged:
    """Signs everything in a request that asks for this participant's signature.

    Args:
        session: the registry.
        request_id: which.
        signer: this participant's key.
        seen: what the person was shown; nothing else is signed.

    Raises:
        JudgedInvalidError: a rule refuses the request, or it with this signature; nothing
            was sent.
        InputError: nothing in it asks for this signature, or it is not what was seen.
        RaceError: others kept adding to it.
    """
    for _ in _tries():
        session.refresh()
        request = open_request(session, request_id)
        judged = judge_request(session, request)
        if judged.conflict is not None:
            raise judged.conflict
        if judged.report.findings:
            raise refusal(judged.report)
        if seen is not None and _digests(session, judged) != _digests(session, seen):
            raise InputError(
                f"the request {request_id} was changed while you looked at it; nothing was signed",
                code="request-changed",
                place=request_id,
                advice=f"look again: mpgit request view {request_id}",
            )
        files = _signatures(session, judged, signer)
        tree = write_files(session.mirror, session.mirror.commit(request.head).tree, files)
        commit = session.mirror.write_commit(
            tree,
            [request.head],
            f"Approve as {session.participant}: {request.title}",
            identity_from_environment(),
        )
        approved = judge_request(session, replace(request, head=commit))
        if approved.report.findings:
            # Such as a key that does not speak for this participant: a signature that nobody
            # can take back must not spoil the request.
            raise refusal(approved.report)
        try:
            request = session.forge.update(request, commit)
        except RaceError:
            continue
        return replace(approved, request=request)
    raise _busy(request_id)


def _digests(session: Session, judged: Judged) -> dict[str, str]:
    """What a request would add: the digest of each record by path."""
    head = session.proposed(judged.tree)
    places = (status.place for status in judged.report.records)
    return {place.path: head.load(place).sha256 for place in places}


def _signatures(session: Session, judged: Judged, signer: Signer) -> dict[str, bytes]:
    base = session.snapshot()
    head = session.proposed(judged.tree)
    me = session.participant
    files: dict[str, bytes] = {}
    already = 0
    for status in judged.report.records:
        loaded = head.load(status.place)
        if me not in demand(loaded.record, base).eligible:
            continue
        path = status.place.signature(me)
        if head.payload(path) is not None:
            already += 1
            continue
        files[path] = signer.sign(loaded.payload, base.namespace(status.place))
    if files:
        return files
    raise InputError(
        f"{me} has signed it already" if already else f"nothing in it asks for {me}'s signature",
        code="already-approved" if already else "not-asked",
        place=judged.request.id,
        advice=f"waiting for: {', '.join(judged.report.waiting_for()) or 'nobody: merge it'}",
    )


def merge(session: Session, request_id: str, *, seen: Judged | None = None) -> str:
    """Merges a complete request; returns main's new commit.

    Args:
        session: the registry.
        request_id: which.
        seen: what it must still bring; else what it brings when it is first looked at.

    Raises:
        InputError: it was changed meanwhile.
        JudgedInvalidError: a rule refuses the merged tree.
        AwaitingError: approvals are missing.
        RegistryError: it conflicts with main.
        RaceError: main kept moving.
    """
    for _ in _tries():
        session.refresh()
        request = open_request(session, request_id)
        judged = judge_request(session, request)
        _refuse_unready(judged)
        _refuse_unseen(session, judged, seen)
        seen = judged
        commit = session.mirror.write_commit(
            judged.tree,
            [judged.main, request.head],
            f"{request.title}\n\n{TRAILER}{request.id}\n",
            identity_from_environment(),
        )
        try:
            merged = session.forge.merge(request, judged.main, commit)
        except RaceError:
            continue
        report = session.accept()
        if not report.accepted:
            raise refused(report)
        return merged
    raise _busy(request_id)


def _refuse_unseen(session: Session, judged: Judged, seen: Judged | None) -> None:
    """Raises where a request no longer brings what it brought when this began."""
    if seen is not None and _brings(session, judged) != _brings(session, seen):
        raise InputError(
            f"the request {judged.request.id} was changed meanwhile; nothing was merged",
            code="request-changed",
            place=judged.request.id,
            advice=f"look again: mpgit request view {judged.request.id}",
        )


def _brings(session: Session, judged: Judged) -> set[tuple[str, str | None]]:
    """Every file that merging would change, and what it would hold then."""
    if judged.conflict is not None:
        return set()
    main_tree = session.mirror.commit(judged.main).tree
    pair = GitTree(session.mirror, main_tree), GitTree(session.mirror, judged.tree)
    return {(c.path, c.new.oid if c.new else None) for c in difference(*pair)}


def _refuse_unready(judged: Judged) -> None:
    if judged.conflict is not None:
        raise judged.conflict
    if judged.report.findings:
        raise refusal(judged.report)
    if not judged.report:
        unproved = [key for r in judged.report.records for key in r.unproved_keys]
        who = ", ".join(judged.report.waiting_for())
        raise AwaitingError(
            "approvals are missing"
            + (f" from {who}" if who else "")
            + (f"; unproved keys: {', '.join(unproved)}" if unproved else ""),
            place=judged.request.id,
            advice=f"they run: mpgit request approve {judged.request.id}",
        )


def close(session: Session, request_id: str, verb: str, reason: str) -> Request:
    """Closes a request without merging it.

    Args:
        session: the registry.
        request_id: which.
        verb: `Reject` or `Withdraw`.
        reason: why; it stays readable in the closing commit.

    Raises:
        InputError: not open, or not this participant's to withdraw.
        RaceError: others kept adding to it.
    """
    for _ in _tries():
        session.refresh()
        request = open_request(session, request_id)
        if verb == "Withdraw" and request.participant != session.participant:
            raise InputError(
                f"{request.participant} opened it, not {session.participant}",
                code="not-yours",
                advice=f"mpgit request reject {request_id} --reason TEXT",
            )
        tree = session.mirror.commit(request.head).tree
        line = " ".join(reason.split())
        commit = session.mirror.write_commit(
            tree, [request.head], f"{verb}: {line}", identity_from_environment()
        )
        try:
            session.forge.close(request, commit)
        except RaceError:
            continue
        session.refresh()
        state: State = "withdrawn" if verb == "Withdraw" else "rejected"
        return replace(request, head=commit, state=state, reason=line)
    raise _busy(request_id)


def _busy(request_id: str) -> RaceError:
    return RaceError(
        f"others kept changing main or {request_id}",
        place=request_id,
        advice="nothing was lost; try again",
    )
