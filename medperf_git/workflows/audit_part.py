"""Auditing a part of a registry: some benchmarks, and what they refer to.

Every transition that touches the scope is judged by ``checks.check``, base and head both seen
through a ``ScopedTree``; of all others the paths are held against the rules about paths. The
report says what was verified and what was not. Fetches nothing by itself: `bring` does.

1. Git lists what each commit along first parents changed: this says which commits touch the scope.
2. Records in scope name others: their folders join the scope, with the commits that touch them.
3. Each of these commits is judged. Between two of them the scope must not differ, else what lies
   between is judged as well: the list of step 1 need not be believed.
4. What a rule asked for outside the scope voids all verdicts: it joins the scope, and 2 follows.

Example::

    known = Known(Scope(("anna/preterm",)))
    report, known = audit_part(mirror, head, genesis=None, known=known, bring=bring)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from medperf_git.checks.check import check
from medperf_git.checks.control_rules import SeparateControlPlane
from medperf_git.checks.report import Finding, Report
from medperf_git.checks.transition import Transition
from medperf_git.checks.tree_rules import KnownPaths, OnlyAdditions, ReadableTree, RegularFiles
from medperf_git.errors import GitError, InputError, MpgitError
from medperf_git.git.objects import EMPTY_TREE, FILE_MODE, TreeEntry
from medperf_git.git.stream import Landed, Landing
from medperf_git.progress import Progress, untold
from medperf_git.records.codec import decode
from medperf_git.store.paths import GENESIS, REGISTRY, Place, SignaturePlace, folder_of, locate
from medperf_git.store.scope import Scope, ScopedSnapshot, ScopedTree
from medperf_git.store.snapshot import Snapshot, snapshot_at
from medperf_git.store.tree import Change, GitTree, MemoryTree, difference, find
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import other_genesis, refuse_shallow, rewritten
from medperf_git.workflows.audit_part_report import Bring, Coverage, Known, PartialReport, statement
from medperf_git.workflows.audit_report import Failure

_PATH_RULES: Final = (OnlyAdditions(), RegularFiles(), KnownPaths(), SeparateControlPlane())
_UNREADABLE: Final = ReadableTree().code
_PLAIN: Final = f"{FILE_MODE:o}"
_NO_BLOB: Final = frozenset({"000000", "160000"})
"""Modes in a list of changes: what is gone, and a submodule."""
_AT_ONCE: Final = 500
"""How many folders one of git's command lines names."""


@dataclass
class _PathsOnly(Transition):
    """A transition of which only the changed paths are known: for rules that read no more."""

    listed: tuple[Change, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """Every path that differs."""
        return self.listed


def identity_of(repository: Repository, head: str, bring: Bring) -> str:
    """The identity of the registry at a commit, of which nothing may be here yet but its trees.

    Raises:
        RegistryError: no registry.
    """
    genesis = find(GitTree(repository, repository.commit(head).tree), GENESIS)
    if genesis is not None:
        bring([genesis.oid])
    return snapshot_at(repository, head).identity


def audit_part(
    repository: Repository,
    head: str,
    *,
    genesis: str | None,
    known: Known,
    bring: Bring,
    progress: Progress = untold,
) -> tuple[PartialReport, Known]:
    """Replays what of main's first-parent history touches some benchmarks.

    Args:
        repository: holds the commits and trees of the whole history.
        head: main's newest commit.
        genesis: the pinned identity; None takes the one that is there.
        known: which benchmarks, and what was audited before.
        bring: called with the blobs that are needed.
        progress: called after each transition.

    Returns:
        The verdict, and, if it is good, what is known from now on.

    Raises:
        RegistryError: no registry, another genesis, or a history that was cut off or rewritten.
        InputError: there is no such benchmark.
        GitError: something in scope can't be had.
    """
    refuse_shallow(repository)
    identity = identity_of(repository, head, bring)
    if genesis is not None and identity != genesis:
        raise other_genesis(genesis, identity)
    part = _Part(repository, head, known, bring)
    failures = part.judge(progress)
    now = part.known()
    report = PartialReport(
        identity,
        head,
        len(part.order),
        part.records,
        failures,
        statement(known.scope.benchmarks, now.coverage),
        known.scope.benchmarks,
        now.coverage,
    )
    return report, now


class _Part:
    """One audit: what the lists of changes said, and what follows from it."""

    def __init__(self, repository: Repository, head: str, known: Known, bring: Bring) -> None:
        """Reads the lists of changes, and brings everything in scope."""
        self._repository = repository
        self._head = head
        self._before = known
        self._bring = bring
        self._scope = known.scope
        self._missed: set[str] = set()
        self._last: Snapshot | None = None
        self._touching: set[str] = set()
        self._late: list[tuple[frozenset[str], list[str]]] = []
        self._odd: dict[str, list[Finding]] = {}
        self._oids: dict[str, None] = {}
        self._naming: list[tuple[Place, str]] = []
        self._all_records = self._all_signatures = 0
        self.order: dict[str, int] = {}
        self.records = self.signatures = 0
        self._list()
        self._follow()
        for benchmark in known.scope.benchmarks:
            folder = folder_of("benchmark", benchmark)
            if not self._view(head).tree.entries(folder):
                raise InputError(
                    f"there is no benchmark {benchmark} in this registry",
                    code="no-benchmark",
                    place=folder,
                    advice="ask its owner for its id: owner/name",
                )

    # --- 1. which commits touch the scope -----------------------------------------------------

    def _list(self) -> None:
        after = self._before.head or None
        previous = after or ""
        for landing in self._repository.landed(self._head, after):
            if landing.parent != previous:
                raise rewritten(after or landing.parent, self._head)
            previous = landing.commit
            self.order[landing.commit] = len(self.order)
            if odd := _odd(landing):
                self._odd[landing.commit] = odd
            # A commit without changes may still hold a folder without files.
            touches = not landing.changes
            for change in landing.changes:
                self._count(change.path)
                if self._scope.touches(change.path):
                    touches = True
                    self._note(change)
            if touches:
                self._touching.add(landing.commit)
        if previous != self._head:
            raise rewritten(after or previous, self._head)

    def _count(self, path: str) -> None:
        if path.startswith(f"{REGISTRY}/"):
            self._all_records += path.endswith(".yaml")
            self._all_signatures += path.endswith(".sig")

    def _note(self, change: Landed) -> None:
        """A change in scope: its blob is wanted, and a record may name others."""
        if change.mode not in _NO_BLOB:
            self._oids[change.oid] = None
        place = locate(change.path)
        self.records += isinstance(place, Place)
        self.signatures += isinstance(place, SignaturePlace)
        if isinstance(place, Place) and change.mode == _PLAIN:
            self._naming.append((place, change.oid))

    # --- 2. what they refer to ----------------------------------------------------------------

    def _follow(self) -> None:
        """Brings what is in scope, and lets join what it names, until nothing new is named."""
        while self._oids:
            self._bring(list(self._oids))
            self._oids = {}
            named = {folder for pair in self._naming for folder in self._named_by(*pair)}
            self._naming = []
            self._join(named)

    def _join(self, folders: Iterable[str]) -> None:
        before, self._last = self._scope, None
        self._scope = before.plus({folder for folder in folders if not before.covers(folder)})
        new = sorted(self._scope.folders - before.folders)
        for some in (new[at : at + _AT_ONCE] for at in range(0, len(new), _AT_ONCE)):
            late = []
            for landing in self._repository.landed(self._head, None, some):
                changes = [c for c in landing.changes if self._scope.covers(c.path)]
                for change in changes:
                    self._note(change)
                if landing.commit in self.order:
                    self._touching.add(landing.commit)
                elif changes:
                    late.append(landing.commit)
            if self._before.head:
                self._late.append((frozenset(some), late))

    def _named_by(self, place: Place, oid: str) -> Iterator[str]:
        """The folders of what a record refers to.

        From its path where that says it. This only saves time: what is forgotten here is missed
        when a rule asks for it.
        """
        parts = place.id.split("/")
        if place.withdrawn:
            return
        if place.kind == "result":
            yield folder_of("dataset", "/".join(parts[2:4]))
            yield folder_of("model", "/".join(parts[4:]))
        elif place.kind in ("model-association", "dataset-association"):
            yield folder_of(place.kind.partition("-")[0], "/".join(parts[2:]))
        elif place.kind in ("dataset", "benchmark"):
            try:
                record = decode(self._repository.blob(oid), place.kind, depth=place.depth)
            except GitError:
                raise
            except MpgitError:
                return  # the check says what is wrong with it
            for reference in record.references():
                yield folder_of(reference.kind, reference.pin.id)

    # --- 3. verdicts --------------------------------------------------------------------------

    def judge(self, progress: Progress) -> tuple[Failure, ...]:
        """The transitions that are not good, oldest first."""
        while True:
            found = {report.head: report for report in self._reports(progress) if not report}
            if not self._missed:
                break
            missed, self._missed, before = self._missed, set(), self._scope
            self._join(missed)
            if self._scope == before:
                raise before.refusal(min(missed))  # never: what is missed can join
            self._follow()
        for commit, odd in self._odd.items():
            report = found.get(commit) or Report("", commit, (), ())
            if _UNREADABLE in {finding.code for finding in report.findings}:
                continue  # what git lists of such a tree says nothing
            findings = tuple(sorted({*report.findings, *odd}))
            found[commit] = replace(report, findings=findings)
        commits = sorted(found, key=lambda commit: self.order.get(commit, -1))
        return tuple(Failure(commit, found[commit]) for commit in commits)

    def _reports(self, progress: Progress) -> Iterator[Report]:
        after = self._before.head or None
        touching = sorted(self._touching, key=self.order.__getitem__)
        lines: list[tuple[str | None, str | None, Scope, list[str]]] = [
            (None, after, Scope((), folders, common=False), late) for folders, late in self._late
        ]
        lines.append((after, self._head, self._scope, touching))
        done, total = 0, sum(len(commits) for *_, commits in lines)
        for start, end, scope, commits in lines:
            for commit in self._without_gaps(start, end, scope, commits):
                yield from self._report(commit)
                done += 1
                progress(min(done, total), total)

    def _without_gaps(
        self, start: str | None, end: str | None, scope: Scope, commits: list[str]
    ) -> Iterator[str]:
        """The commits, and between two of them, where the scope differs, all that lie between."""
        previous = start
        for commit in commits:
            yield from self._gap(previous, self._parent(commit), scope)
            yield commit
            previous = commit
        yield from self._gap(previous, end, scope)

    def _gap(self, previous: str | None, parent: str | None, scope: Scope) -> Iterator[str]:
        if previous == parent or parent is None:
            return
        pair = (self._tree(previous, scope), self._tree(parent, scope))
        if next(difference(*pair), None) is not None:
            yield from self._repository.first_parents(parent, previous)

    def _report(self, commit: str) -> Iterator[Report]:
        """The verdict; none where a rule asked for what is not in scope."""
        before = self._view(self._parent(commit))
        self._last = self._view(commit)
        try:
            report = check(before, self._last)
        except GitError:
            if not self._missed:
                raise
            return
        if not self._missed:
            yield report

    def _parent(self, commit: str) -> str | None:
        return next(iter(self._repository.commit(commit).parents), None)

    def _tree(self, commit: str | None, scope: Scope) -> ScopedTree:
        oid = EMPTY_TREE if commit is None else self._repository.commit(commit).tree
        return ScopedTree(self._repository, oid, scope, self._missed)

    def _view(self, commit: str | None) -> Snapshot:
        if self._last is not None and self._last.commit == commit:
            return self._last
        return ScopedSnapshot(self._tree(commit, self._scope), commit)

    def known(self) -> Known:
        """What is known once the verdict is good."""
        old = self._before.coverage
        records, signatures = old.records + self.records, old.signatures + self.signatures
        coverage = Coverage(
            commits=old.commits + len(self.order),
            judged=old.judged + len(self._touching) + sum(len(late) for _, late in self._late),
            records=records,
            signatures=signatures,
            other_records=old.records + old.other_records + self._all_records - records,
            other_signatures=old.signatures
            + old.other_signatures
            + self._all_signatures
            - signatures,
        )
        return Known(self._scope, self._head, coverage)


# --- paths alone ------------------------------------------------------------------------------


def _odd(landing: Landing) -> list[Finding]:
    """What the rules about paths find in a commit; they are asked where not all is as usual."""
    records = [c for c in landing.changes if c.path.startswith(f"{REGISTRY}/")]
    usual = all(c.added and c.mode == _PLAIN and locate(c.path) is not None for c in records)
    if usual and len(records) in (0, len(landing.changes)):
        return []
    nothing = Snapshot(MemoryTree({}))
    transition = _PathsOnly(nothing, nothing, listed=tuple(map(_change, landing.changes)))
    return [finding for rule in _PATH_RULES for finding in rule.check(transition)]


def _change(change: Landed) -> Change:
    name, mode = change.path.rpartition("/")[2], int(change.mode, 8)
    old = None if change.added else TreeEntry(name, FILE_MODE, "")
    return Change(change.path, old, TreeEntry(name, mode, change.oid) if mode else None)
