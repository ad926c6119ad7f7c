"""A session: one registry as this client knows it, and the way to its host.

Reading works from the mirror, at the last commit that this client has checked, without
network. ``sync`` brings what is new, audits it, and only then moves that mark.

Example:
    >>> # with Session.open(Home.from_environment(), None) as session:
    >>> #     print(session.snapshot().identity)
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from medperf_git.atomic import lock
from medperf_git.errors import GitError, InputError, RegistryError, TrustError
from medperf_git.forge.base import MIRROR, Forge
from medperf_git.progress import Progress, untold
from medperf_git.records.participant import Participant
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.store.site_rules import SiteRules, load_site_rules
from medperf_git.store.snapshot import Snapshot, snapshot_at
from medperf_git.store.tree import GitTree
from medperf_git.trust import keyring
from medperf_git.trust.keyring import AskPassphrase, Signer, signer
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import rewritten
from medperf_git.workflows.audit_part_report import Known, PartialReport
from medperf_git.workflows.audit_report import AuditReport
from medperf_git.workflows.hosts import forge_of
from medperf_git.workflows.mirror_audit import audit_mirror
from medperf_git.workflows.partial import bringer, part_of, proposed, recall, remember, seen_at

CHECKED = "refs/mpgit/checked"
"""The last commit of main that this client has audited."""


@dataclass
class Session:
    """One registry, as this client knows it."""

    home: Home
    entry: RegistryEntry
    mirror: Repository
    forge: Forge

    @classmethod
    @contextmanager
    def open(
        cls, home: Home, name: str | None, tell: Callable[[str], None] = lambda _line: None
    ) -> Iterator[Session]:
        """The session of a registry that was added before.

        Args:
            home: this client's files.
            name: the registry's; None for the default one.
            tell: called where its host lets us wait.

        Raises:
            InputError: no such registry.
        """
        entry = home.registry(name)
        path = home.mirror(entry.name)
        if not path.exists():
            raise InputError(
                f"the mirror of {entry.name} is missing",
                code="no-mirror",
                place=str(path),
                advice=f"mpgit registry add {entry.name} {entry.url} --genesis {entry.genesis}",
            )
        with Repository.open(path) as mirror:
            if entry.benchmarks:
                mirror.narrow()
            yield cls(home, entry, mirror, forge_of(home, entry, mirror, tell))

    # --- who ---------------------------------------------------------------------------------

    @property
    def participant(self) -> str:
        """Who this client is in the registry.

        Raises:
            InputError: it has not registered.
        """
        if self.entry.participant is None:
            raise InputError(
                f"you have no part in {self.entry.name} yet",
                code="no-participant",
                advice="mpgit participant register ID --name NAME",
            )
        participant: str = self.entry.participant
        return participant

    def signer(self, ask: AskPassphrase) -> Signer:
        """What signs for this client here.

        Raises:
            InputError: no key was chosen.
            TrustError: the key is missing or locked.
        """
        if self.entry.key is None:
            raise InputError(
                "no key was chosen for this registry",
                code="no-key",
                advice="mpgit key create, then mpgit participant register",
            )
        return signer(self.home.key(self._active_key(self.entry.key)), ask)

    def _active_key(self, chosen: str) -> str:
        """The chosen key, or another one here that the registry knows as active.

        After a rotation the new key signs from the moment that the change is merged.
        """
        record = self._participant_record()
        if record is None:
            return chosen
        active = {key.public_key for key in record.active_keys}
        others = [name for name in keyring.names(self.home.keys) if name != chosen]
        for name in (chosen, *others):
            with suppress(TrustError, InputError):
                if keyring.public_key(self.home.key(name)).text in active:
                    return name
        return chosen

    def _participant_record(self) -> Participant | None:
        if self.entry.participant is None or self.mirror.find(CHECKED) is None:
            return None
        return self.snapshot().participant(self.entry.participant)

    def resolve(self, revision: str) -> str:
        """The commit that a person names: by its id, or by a branch of the host.

        Raises:
            GitError: it names none.
        """
        return self.mirror.find(f"{MIRROR}{revision}") or self.mirror.resolve(revision)

    def site_rules(self) -> SiteRules:
        """This site's own rules.

        Raises:
            InputError: `site.yaml` can't be understood.
        """
        return load_site_rules(self.home.site_file)

    # --- what is known -----------------------------------------------------------------------

    @property
    def main(self) -> str:
        """The last commit of main that this client has audited.

        Raises:
            RegistryError: none yet.
        """
        checked = self.mirror.find(CHECKED)
        if checked is None:
            raise RegistryError(
                "nothing of this registry was checked yet",
                code="not-synced",
                advice="mpgit registry sync",
            )
        return checked

    @property
    def scope(self) -> tuple[str, ...] | None:
        """The benchmarks that this client reads; None for everything."""
        return part_of(self.entry)

    def snapshot(self) -> Snapshot:
        """The registry at that commit; of a part, that part.

        Raises:
            RegistryError: none was checked yet, or another part.
        """
        main = self.main
        if self.scope is None:
            return snapshot_at(self.mirror, main)
        return seen_at(self.mirror, main, self._known(main).scope)

    def _known(self, main: str) -> Known:
        known = recall(self.home, self.entry, main)
        if known.head != main:
            raise RegistryError(
                f"this part of {self.entry.name} was not checked yet",
                code="not-synced",
                place=", ".join(self.scope or ()),
                advice="mpgit registry sync",
            )
        return known

    def proposed(self, tree: str, commit: str | None = None) -> Snapshot:
        """A tree that a request would make main, as it is judged against `snapshot`.

        Args:
            tree: its id.
            commit: the commit whose tree it is, if it is one's.

        Raises:
            GitError: `not-fetched`: it changes something that this client does not read.
        """
        if self.scope is None:
            return Snapshot(GitTree(self.mirror, tree), commit)
        base = seen_at(self.mirror, self.main, self._known(self.main).scope)
        return proposed(base, self.mirror, tree, commit, bringer(self.mirror, self.entry.url))

    # --- what is new -------------------------------------------------------------------------

    def sync(self, progress: Progress = untold) -> AuditReport:
        """Fetches, audits what is new, and moves the mark if all of it is good.

        Raises:
            GitError: the host is out of reach.
            RegistryError: another genesis, or a main that does not descend from the mark.
        """
        with self.locked():
            self.forge.fetch()
            return self.accept(progress)

    def locked(self) -> AbstractContextManager[None]:
        """Held while the mirror moves, so that two processes take turns."""
        return lock(self.home.registry_lock(self.entry.name), wait_seconds=120)

    def accept(self, progress: Progress = untold) -> AuditReport:
        """Audits what was fetched, and moves the mark if all of it is good.

        Raises:
            RegistryError: no main, another genesis, or a main that was rewritten.
        """
        head = self.forge.main()
        if head is None:
            raise RegistryError(
                "not a registry: there is no branch main",
                code="no-registry",
                place=self.entry.url,
                advice="check the address; `mpgit registry init` makes a new registry",
            )
        before = self.mirror.find(CHECKED)
        if self.scope is not None:
            return self._accept_part(head, before, progress)
        report = audit_mirror(self.home, self.entry, self.mirror, head, before, progress)
        if report.accepted:
            self.mirror.set_ref(CHECKED, head)
        return report

    def _accept_part(self, head: str, before: str | None, progress: Progress) -> AuditReport:
        known = recall(self.home, self.entry, before)
        lost = before is not None and not known.head  # else the audit itself sees to this
        if lost and before not in set(self.mirror.first_parents(head)):
            raise rewritten(str(before), head)
        report, known = self.audit_part(head, known, progress)
        if report.accepted:
            remember(self.home, self.entry, known)
            self.mirror.set_ref(CHECKED, head)
        return report

    def audit_part(
        self, head: str, known: Known, progress: Progress = untold
    ) -> tuple[PartialReport, Known]:
        """Audits the part that this client reads; remembers nothing.

        Raises:
            RegistryError: another genesis, or a main that does not descend from what is known.
            GitError: something in scope can't be had.
        """
        # Start-up cost: most commands audit nothing.
        from medperf_git.workflows.audit_part import audit_part  # noqa: PLC0415

        return audit_part(
            self.mirror,
            head,
            genesis=self.entry.genesis,
            known=known,
            bring=bringer(self.mirror, self.entry.url),
            progress=progress,
        )

    def refresh(self) -> None:
        """As `sync`, for work that builds on the newest main.

        Raises:
            RegistryError: also where the new part of the history is refused.
        """
        report = self.sync()
        if not report.accepted:
            raise refused(report)


def refused(report: AuditReport) -> RegistryError:
    """The error for a history that the audit refuses."""
    failure = report.failures[0]
    finding = failure.findings()[0]
    return RegistryError(
        f"main holds a transition that the rules refuse: {finding.message} ({finding.code})",
        code="bad-history",
        place=f"commit {failure.commit[:12]}, {finding.path}",
        advice="tell the administrators; `mpgit audit` lists everything that is wrong",
    )


def create_mirror(home: Home, name: str, *, narrow: bool = False) -> Repository:
    """A new mirror; one that another `add` began goes on, since objects are what their ids say.

    Args:
        home: this client's files.
        name: the registry's.
        narrow: it will have no file but those that are asked for.

    Raises:
        InputError: there is one already.
    """
    path = home.mirror(name)
    if name not in [entry.name for entry in home.configuration().registries]:
        if (begun := _begun(path, narrow=narrow)) is not None:
            return begun
        # What an `init` or `add` left that was killed: nothing refers to it.
        shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        raise InputError(
            f"a registry named {name} is known already",
            code="registry-exists",
            place=str(path),
            advice="choose another name, or use that one with --registry",
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Repository.create(Path(path))


def _begun(path: Path, *, narrow: bool) -> Repository | None:
    """A mirror of which slices came and not yet all, and of which nobody believes anything yet."""
    if not path.exists():
        return None
    with suppress(GitError):
        mirror = Repository.open(path)
        if mirror.is_begun(narrow=narrow) and mirror.find(CHECKED) is None:
            return mirror
        mirror.close()
    return None
