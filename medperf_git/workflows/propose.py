"""Proposals: signed records on their way to becoming a request.

A proposal is built and checked against main, shown to the person, put into the outbox, and
sent. Everything up to sending works without network; what could not be sent waits.

Example:
    >>> slug_of("dataset", "ky/opt", 2)
    'dataset-opt-2'
"""

from __future__ import annotations

import base64
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from medperf_git.canonical.digest import sha256_hex
from medperf_git.checks.check import check
from medperf_git.checks.report import Report
from medperf_git.errors import GitError, InputError, JudgedInvalidError
from medperf_git.forge.base import Draft, Request
from medperf_git.records.base import Pin, Record
from medperf_git.records.codec import encode
from medperf_git.records.namespace import namespace
from medperf_git.store.change import write_files
from medperf_git.store.home import damaged, read_json, write_json
from medperf_git.store.paths import Place
from medperf_git.store.snapshot import Snapshot
from medperf_git.store.tree import OverlayTree, read
from medperf_git.trust.keyring import Signer
from medperf_git.vcs import identity_from_environment
from medperf_git.workflows.request_text import request_body
from medperf_git.workflows.session import Session

MAX_SLUG = 64


@dataclass(frozen=True)
class Proposal:
    """Files to add, and what they are for.

    Attributes:
        slug: the request's name below its participant.
        title: what it asks for, in a line.
        files: bytes by path.
        places: the records among the files.
    """

    slug: str
    title: str
    files: dict[str, bytes] = field(default_factory=dict)
    places: tuple[Place, ...] = ()

    def joined(self, other: Proposal) -> Proposal:
        """Both in one request, under this one's name."""
        return Proposal(
            self.slug, self.title, {**self.files, **other.files}, self.places + other.places
        )


def place_of(kind: str, record: Record) -> Place:
    """Where a record will stand."""
    return Place(kind, record.record_id, getattr(record, "revision"))  # noqa: B009


def next_revision(snapshot: Snapshot, kind: str, record_id: str) -> int:
    """The number that a record's next revision has."""
    newest = snapshot.newest(kind, record_id)
    return newest.revision + 1 if newest else 1


def pin_of(place: Place, record: Record) -> Pin:
    """The reference to a record that is not in any tree yet."""
    payload = encode(record, depth=place.depth)
    return Pin(id=place.id, revision=place.revision, sha256=sha256_hex(payload))


def slug_of(kind: str, record_id: str, revision: int) -> str:
    """A request's name for one record."""
    return short_slug(f"{kind}-{record_id.split('/', 1)[-1].replace('/', '-')}-{revision}")


def short_slug(text: str, *, unlike: bytes = b"") -> str:
    """A slug of at most 64 characters; what is cut off is told apart by a digest.

    Args:
        text: the wanted slug.
        unlike: where given, the slug differs from the wanted one by these bytes' digest.
    """
    if len(text) <= MAX_SLUG and not unlike:
        return text
    mark = sha256_hex(unlike or text.encode())[:8]
    return f"{text[: MAX_SLUG - 9].strip('-')}-{mark}"


def propose(
    place: Place,
    record: Record,
    *,
    identity: str,
    signatures: Mapping[tuple[str, str | None], Signer],
    title: str,
    slug: str | None = None,
) -> Proposal:
    """A record with its signatures.

    Args:
        place: where it will stand.
        record: the record.
        identity: the registry's identity, which the namespace names.
        signatures: who signs with what; the second part of a name is a key whose possession
            is proved.
        title: what the request asks for.
        slug: the request's name; made from the record where not given.
    """
    payload = encode(record, depth=place.depth)
    space = namespace(place.record_kind, identity, revision=place.revision)
    files = {place.path: payload}
    for (who, key), signer in signatures.items():
        files[place.signature(who, key)] = signer.sign(payload, space)
    name = slug or slug_of(place.record_kind, place.id, place.revision)
    return Proposal(name, title, files, (place,))


def judge(session: Session, proposal: Proposal) -> Report:
    """The verdict on the proposal against main as this client knows it.

    Raises:
        JudgedInvalidError: a rule refuses it.
    """
    base = session.snapshot()
    report = check(base, Snapshot(OverlayTree(base.tree, proposal.files)))
    if report.findings:
        raise refusal(report)
    return report


def refusal(report: Report) -> JudgedInvalidError:
    """The error for a transition that a rule refuses; names every finding."""
    first = report.findings[0]
    lines = [
        f"{f.path}{f' ({f.field})' if f.field else ''}: {f.message} [{f.code}]"
        for f in report.findings[:20]
    ]
    return JudgedInvalidError(
        "the rules refuse this:\n  " + "\n  ".join(lines),
        code=first.code,
        place=first.path,
        advice=first.advice or None,
    )


# --- the outbox ----------------------------------------------------------------------------


def _apart(proposal: Proposal) -> Proposal:
    """The same proposal under a slug that no proposal of other records has."""
    names = "\n".join(place.path for place in proposal.places).encode()
    return replace(proposal, slug=short_slug(proposal.slug, unlike=names))


def _outbox_file(session: Session, proposal: Proposal) -> Path:
    """Where a proposal waits: beside others of the same slug, never in their stead."""
    folder = session.home.outbox(session.entry.name)
    places = [_place_parts(place) for place in proposal.places]
    path = folder / f"{proposal.slug}.json"
    if (read_json(path) or {"places": places}).get("places") == places:
        return path
    return folder / f"{_apart(proposal).slug}.json"


def _place_parts(place: Place) -> list[Any]:
    return [place.kind, place.id, place.revision, place.withdrawn]


def keep(session: Session, proposal: Proposal) -> Path:
    """Puts a proposal into the outbox; returns its file."""
    path = _outbox_file(session, proposal)
    write_json(
        path,
        {
            "slug": proposal.slug,
            "title": proposal.title,
            "files": {
                name: base64.b64encode(payload).decode() for name, payload in proposal.files.items()
            },
            "places": [_place_parts(place) for place in proposal.places],
        },
    )
    return path


def waiting(session: Session) -> list[Proposal]:
    """The proposals in the outbox, by name.

    Raises:
        InputError: one was damaged.
    """
    found = []
    folder = session.home.outbox(session.entry.name)
    for path in sorted(folder.glob("*.json")) if folder.exists() else []:
        data = read_json(path) or {}
        try:
            files = {name: base64.b64decode(text) for name, text in data["files"].items()}
            places = tuple(Place(*parts) for parts in data["places"])
            found.append(Proposal(data["slug"], data["title"], files, places))
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, f"{type(error).__name__} {error}") from error
    return found


def discard(session: Session, proposal: Proposal) -> None:
    """Takes a proposal out of the outbox."""
    _outbox_file(session, proposal).unlink(missing_ok=True)


def send(session: Session, proposal: Proposal) -> Request:
    """Sends a proposal as a request; it stays in the outbox until the host has it.

    Raises:
        GitError: out of reach; the proposal waits in the outbox.
        JudgedInvalidError: refused on the newest main.
        InputError: a request with another version of these records is open, or they are
            merged already.
    """
    keep(session, proposal)
    try:
        session.refresh()
    except GitError as error:
        error.advice = "nothing is lost: it waits in the outbox; `mpgit registry sync` sends it"
        raise
    try:
        report = judge(session, proposal)
    except JudgedInvalidError:
        # Signed for a main that moved on: it can never become valid, so it must not wait.
        discard(session, proposal)
        raise
    if not report.records:
        discard(session, proposal)
        raise InputError(
            f"main holds all of it already: {proposal.title}",
            code="already-merged",
            place=proposal.slug,
            advice="nothing more is to be done",
        )
    base = session.main
    tree = write_files(session.mirror, session.mirror.commit(base).tree, proposal.files)
    commit = session.mirror.write_commit(tree, [base], proposal.title, identity_from_environment())
    request = _open(session, proposal, draft_of(session, proposal, commit, report))
    discard(session, proposal)
    return request


def draft_of(session: Session, proposal: Proposal, commit: str, report: Report) -> Draft:
    """The request that a proposal becomes."""
    head = Snapshot(OverlayTree(session.snapshot().tree, proposal.files))
    records = [(status.place, head.load(status.place).record) for status in report.records]
    request_id = f"{session.participant}/{proposal.slug}"
    kinds = tuple(dict.fromkeys(place.record_kind for place, _ in records))
    body = request_body(request_id, records, report)
    return Draft(request_id, commit, proposal.title, body, kinds)


def _open(session: Session, proposal: Proposal, draft: Draft) -> Request:
    """Opens the request; the one that is open already where it brings the same files."""
    try:
        return session.forge.open(draft)
    except InputError as error:
        if error.code != "request-exists":
            raise
        session.refresh()
        request = session.forge.request(draft.id)
        there = session.proposed(session.mirror.commit(request.head).tree)
        tree = there.tree
        if all(read(tree, path) == payload for path, payload in proposal.files.items()):
            # A client that died between sending and noting it: it is sent.
            return request
        if _adds(session, there) == {place.path for place in proposal.places}:
            return _sent_anew(session, proposal, draft, request)
        if any(read(tree, place.path) is not None for place in proposal.places):
            raise
        # Another request that merely has the same name.
        other = f"{session.participant}/{_apart(proposal).slug}"
        return session.forge.open(replace(draft, id=other))


def _adds(session: Session, head: Snapshot) -> set[str]:
    """The records that a request adds, by path."""
    report = check(session.snapshot(), head)
    return {status.place.path for status in report.records}


def _sent_anew(session: Session, proposal: Proposal, draft: Draft, request: Request) -> Request:
    """The same records with other contents: the same request, without what was signed before."""
    commit = session.mirror.write_commit(
        session.mirror.commit(draft.commit).tree,
        [request.head, session.main],
        f"Send anew: {proposal.title}",
        identity_from_environment(),
    )
    return session.forge.update(request, commit)


def clear_scratch(path: Path) -> None:
    """Removes a scratch folder; containers may have left read-only folders in it."""
    shutil.rmtree(path, ignore_errors=True)
