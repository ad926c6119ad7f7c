"""Registries: found one, join one, send what waits, change the root.

Example:
    >>> README.startswith("# ")
    True
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from medperf_git.checks.check import check
from medperf_git.errors import InputError, MpgitError, RegistryError, TrustError
from medperf_git.forge.base import Request
from medperf_git.forge.hosts import Kind, recognise
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.progress import Progress, untold
from medperf_git.records.codec import replace
from medperf_git.records.kinds import KINDS
from medperf_git.records.participant import Key, Participant
from medperf_git.records.root import Root
from medperf_git.records.schema import schema_file, schema_text
from medperf_git.store.change import write_files
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.store.paths import Place
from medperf_git.store.snapshot import Snapshot, snapshot_at
from medperf_git.store.tree import GitTree, MemoryTree, find
from medperf_git.trust import keyring
from medperf_git.trust.keyring import Signer
from medperf_git.vcs import Repository, identity_from_environment
from medperf_git.workflows.audit_part import identity_of
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.github import Guard
from medperf_git.workflows.hosts import forge_of
from medperf_git.workflows.partial import bringer
from medperf_git.workflows.propose import (
    Proposal,
    clear_scratch,
    next_revision,
    pin_of,
    place_of,
    propose,
    refusal,
    send,
    waiting,
)
from medperf_git.workflows.session import Session, create_mirror, refused

Tell = Callable[[str], None]

README = """# A registry of medical AI benchmarks

Every file under `registry/` is a record: canonical YAML, checked by the JSON Schemas in
`schemas/`, signed by the files beside it. Nothing is ever edited or deleted.

    mpgit registry add NAME URL --genesis SHA256
    mpgit audit
    mpgit leaderboard OWNER/BENCHMARK
"""


@dataclass(frozen=True)
class Founded:
    """A new registry."""

    entry: RegistryEntry
    commit: str


def found(
    home: Home,
    entry_name: str,
    url: str,
    root: dict[str, Any],
    person: Participant,
    signer: Signer,
    key_name: str,
    guard: Guard | None = None,
    kind: Kind | None = None,
    tell: Tell = lambda _line: None,
) -> Founded:
    """Makes a registry on an empty host: control plane first, then the genesis.

    Args:
        home: this client's files.
        entry_name: what this client will call it.
        url: a Git repository without a registry.
        root: the fields of root 1 that are the administrator's to choose.
        person: the administrator's participant record.
        signer: the administrator's key.
        key_name: that key's name.
        guard: also what guards it on GitHub, before the genesis and with it pinned.
        kind: what the host speaks; None to find out.
        tell: called where the host lets us wait.

    Raises:
        RegistryError: there is a registry at the address already, or one of the guard's files.
        GitError: out of reach.
    """
    files, identity = _genesis_files(root, person, signer)
    mirror = create_mirror(home, entry_name)
    try:
        entry = RegistryEntry(
            name=entry_name,
            url=url,
            genesis=identity,
            participant=person.id,
            key=key_name,
            host=recognise(url, kind).kind,
        )
        forge = forge_of(home, entry, mirror, tell)
        forge.fetch()
        main = forge.main()
        if main is not None and snapshot_at(mirror, main).exists:
            raise RegistryError(
                "there is a registry at this address already",
                code="registry-exists",
                place=url,
                advice=f"mpgit registry add {entry_name} {url} --genesis SHA256",
            )
        base = main or _control_plane(mirror)
        if guard is not None:
            base = _guarded(mirror, base, guard.files(identity), url)
        report = check(Snapshot(MemoryTree({})), Snapshot(MemoryTree({}).with_files(files)))
        if not report:
            raise refusal(report)
        tree = write_files(mirror, mirror.commit(base).tree, files)
        commit = mirror.write_commit(
            tree, [base], f"Found the registry {root['name']}", identity_from_environment()
        )
        forge.create_main(commit, main)
        home.save_registry(entry)
    except MpgitError:
        clear_scratch(home.mirror(entry_name))
        raise
    finally:
        mirror.close()
    with Session.open(home, entry_name) as session:
        session.refresh()
    return Founded(entry, commit)


def _control_plane(mirror: Repository) -> str:
    files = {"README.md": README.encode()}
    for kind in KINDS:
        files[f"schemas/{schema_file(kind)}"] = schema_text(kind).encode()
    tree = write_files(mirror, EMPTY_TREE, files)
    message = "Add schemas and a README for the registry"
    return mirror.write_commit(tree, [], message, identity_from_environment())


def _guarded(mirror: Repository, base: str, files: dict[str, bytes], url: str) -> str:
    tree = mirror.commit(base).tree
    for path in files:
        if find(GitTree(mirror, tree), path) is not None:
            raise RegistryError(
                "it is there already, and nothing is overwritten",
                code="file-exists",
                place=f"{url}: {path}",
                advice="found it without --github, then compare with `mpgit server github DIR`",
            )
    tree = write_files(mirror, tree, files)
    message = "Guard main: workflows, code owners, a ruleset"
    return mirror.write_commit(tree, [base], message, identity_from_environment())


def _genesis_files(
    fields: dict[str, Any], person: Participant, signer: Signer
) -> tuple[dict[str, bytes], str]:
    person_place = Place("participant", person.id, 1)
    root = Root(
        kind="root",
        id="root",
        revision=1,
        administrators=(pin_of(person_place, person),),
        threshold=1,
        **fields,
    )
    root_place = Place("root", "root", 1)
    identity = pin_of(root_place, root).sha256
    mine: dict[tuple[str, str | None], Signer] = {(person.id, None): signer}
    proposals = [
        propose(place, record, identity=identity, signatures=mine, title="")
        for place, record in ((root_place, root), (person_place, person))
    ]
    return {**proposals[0].files, **proposals[1].files}, identity


def first_key(name: str, signer: Signer) -> Key:
    """A participant's first key."""
    return Key(name=name, public_key=signer.public.text)


def join(
    home: Home,
    name: str,
    url: str,
    genesis: str | None,
    progress: Progress,
    kind: Kind | None = None,
    benchmarks: Sequence[str] = (),
    fetching: Progress = untold,
) -> AuditReport:
    """Adds a registry: fetches and audits all of its history, or what touches some benchmarks.

    What came of a long history before the network failed is kept, for whoever tries again.

    Args:
        home: this client's files.
        name: what this client will call it.
        url: where it is.
        genesis: its published fingerprint; None trusts the one that is there (the caller
            has asked).
        progress: called after each audited transition.
        kind: what the host speaks; None to find out.
        benchmarks: which are read; none: everything.
        fetching: called with how much came, of how much.

    Returns:
        The audit; where it was refused, nothing was added.

    Raises:
        RegistryError: no registry, or another genesis.
        GitError: out of reach.
    """
    mirror = create_mirror(home, name, narrow=bool(benchmarks))
    mirror.watch(fetching)
    try:
        entry = RegistryEntry(
            name=name,
            url=url,
            genesis=genesis or "0" * 64,
            host=recognise(url, kind).kind,
            benchmarks=tuple(dict.fromkeys(benchmarks)),
        )
        if entry.benchmarks:
            mirror.narrow()
        forge = forge_of(home, entry, mirror, lambda _line: None)
        forge.fetch()
        main = forge.main()
        if main is None:
            raise RegistryError(
                "not a registry: the repository is empty", code="no-registry", place=url
            )
        identity = genesis or identity_of(mirror, main, bringer(mirror, url))
        entry = entry.model_copy(update={"genesis": identity})
        session = Session(home, entry, mirror, forge)
        report = session.accept(progress)
        if not report.accepted:
            raise refused(report)
        home.save_registry(_with_who(home, session.entry, session.snapshot()))
    except MpgitError:
        if not mirror.is_begun(narrow=bool(benchmarks)):
            clear_scratch(home.mirror(name))
        raise
    finally:
        mirror.close()
    return report


def _with_who(home: Home, entry: RegistryEntry, snapshot: Snapshot) -> RegistryEntry:
    """The entry with who this client is there: whose active key is on this machine, if any is.

    A second machine, a lost mirror or an `init` that was interrupted after it had sent the
    genesis need nothing more than `add`.
    """
    here: dict[str, str] = {}
    for name in keyring.names(home.keys):
        with suppress(TrustError, InputError):
            here.setdefault(keyring.public_key(home.key(name)).text, name)
    for place in snapshot.standing_places("participant") if here else ():
        record = snapshot.participant(place.id)
        for key in record.active_keys if record else ():
            if key.public_key in here:
                who = {"participant": place.id, "key": here[key.public_key]}
                return entry.model_copy(update=who)
    for known in home.configuration().registries:
        if (known.name, known.genesis) == (entry.name, entry.genesis):
            # Asked to be registered, and not yet approved.
            return entry.model_copy(update={"participant": known.participant, "key": known.key})
    return entry


def send_waiting(session: Session) -> tuple[list[Request], list[tuple[Proposal, MpgitError]]]:
    """Sends everything in the outbox: what was sent, and what could not be, with the reason."""
    sent: list[Request] = []
    failed: list[tuple[Proposal, MpgitError]] = []
    for proposal in waiting(session):
        try:
            sent.append(send(session, proposal))
        except MpgitError as error:
            if error.code != "already-merged":
                failed.append((proposal, error))
    return sent, failed


def next_root(
    session: Session,
    signer: Signer,
    *,
    add: Sequence[str] = (),
    remove: Sequence[str] = (),
    changes: dict[str, Any],
) -> Proposal:
    """The next root, signed by this administrator.

    Args:
        session: the registry.
        signer: this administrator's key.
        add: participants that become administrators.
        remove: participants that cease to be.
        changes: fields of the root to set.

    Raises:
        InputError: not an administrator, or an unknown participant.
    """
    snapshot = session.snapshot()
    root = snapshot.root()
    if root is None:
        raise RegistryError("not a registry", code="no-registry")
    ids = [name for name in root.administrator_ids if name not in remove]
    ids += [name for name in add if name not in ids]
    pins = []
    for name in ids:
        place = snapshot.standing("participant", name)
        if place is None:
            raise InputError(
                f"{name} is not registered",
                code="unknown-participant",
                advice="`mpgit participant ls` lists them",
            )
        pins.append(snapshot.load(place).pin)
    revision = next_revision(snapshot, "root", "root")
    record = replace(root, **{**changes, "revision": revision, "administrators": tuple(pins)})
    if replace(record, revision=root.revision) == root:
        raise InputError("nothing would change", code="no-change", place=f"root {root.revision}")
    return propose(
        place_of("root", record),
        record,
        identity=snapshot.identity,
        signatures={(session.participant, None): signer},
        title=f"Change the root to revision {revision}",
        slug=f"root-{revision}",
    )
