"""Reading a part of a registry: what this client remembers of it, and what it fetches.

A partial mirror holds all commits and trees, and the files in scope alone. They are fetched by id,
many at once, while the client syncs or looks at a request, and never because something is read.

Example:
    >>> part_of(RegistryEntry(name="r", url="u", genesis="0" * 64)) is None
    True
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from medperf_git.errors import GitError
from medperf_git.git.objects import FILE_MODE
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.store.scope import Scope, ScopedSnapshot, ScopedTree
from medperf_git.store.tree import GitTree, difference
from medperf_git.vcs import Repository
from medperf_git.workflows.audit_part_report import Bring, Coverage, Known
from medperf_git.workflows.proven import rule_set
from medperf_git.workflows.sealed import seal, unseal

_AT_ONCE: Final = 50_000
"""How many files one request asks for."""


def part_of(entry: RegistryEntry) -> tuple[str, ...] | None:
    """The benchmarks that this client reads; None for everything."""
    return tuple(entry.benchmarks) or None


def bringer(mirror: Repository, url: str) -> Bring:
    """What fetches the blobs that are not here yet, from where the mirror itself was fetched."""

    def bring(oids: list[str]) -> None:
        lacking = mirror.lacking(oids)
        for at in range(0, len(lacking), _AT_ONCE):
            mirror.fetch_blobs(url, lacking[at : at + _AT_ONCE])
        if still := mirror.lacking(lacking):
            raise GitError(
                f"{url} did not send {len(still)} of {len(lacking)} files, such as {still[0]}",
                code="withheld",
                place=url,
                advice="try again; if it stays so, tell the administrators: a registry that holds "
                "files back can't be verified",
            )

    return bring


# --- what is remembered -----------------------------------------------------------------------


def recall(home: Home, entry: RegistryEntry, head: str | None, *, rules: bool = False) -> Known:
    """What was audited up to a commit; nothing where that was another commit or another part.

    Args:
        home: this client's files.
        entry: the registry.
        head: the commit that this client has checked.
        rules: nothing either where other rules judged.
    """
    data = unseal(home, home.part(entry.name)) or {}
    nothing = Known(Scope(tuple(entry.benchmarks)))
    same = (data.get("genesis"), data.get("benchmarks")) == (entry.genesis, [*entry.benchmarks])
    if head is None or data.get("head") != head or not same:
        return nothing
    if rules and data["rules"] != rule_set():
        return nothing
    scope = Scope(nothing.scope.benchmarks, frozenset(data["folders"]))
    return Known(scope, head, Coverage(**data["coverage"]))


def remember(home: Home, entry: RegistryEntry, known: Known) -> None:
    """Writes down what was audited."""
    noted = {
        "rules": rule_set(),
        "genesis": entry.genesis,
        "benchmarks": [*entry.benchmarks],
        "head": known.head,
        "folders": sorted(known.scope.folders),
        "coverage": asdict(known.coverage),
    }
    seal(home, home.part(entry.name), noted)


# --- looking at what was fetched --------------------------------------------------------------


def seen_at(mirror: Repository, commit: str, scope: Scope) -> ScopedSnapshot:
    """The part of a registry at a commit."""
    return ScopedSnapshot(ScopedTree(mirror, mirror.commit(commit).tree, scope), commit)


def proposed(
    base: ScopedSnapshot, mirror: Repository, tree: str, commit: str | None, bring: Bring
) -> ScopedSnapshot:
    """A proposed tree as it can be judged here; its new files are fetched.

    Args:
        base: what stands.
        mirror: holds the tree.
        tree: the proposed tree's id.
        commit: the commit whose tree it is, if it is one's.
        bring: called with the blobs that are needed.

    Raises:
        GitError: `not-fetched`: it changes something that is not in scope.
    """
    assert isinstance(base.tree, ScopedTree)  # noqa: S101 (a scoped snapshot's)
    scope = base.tree.scope
    real = GitTree(mirror, mirror.commit(base.commit or "").tree)
    changes = list(difference(real, GitTree(mirror, tree)))
    for change in changes:
        # Else a verdict would be given on something that nobody here has looked at.
        if not scope.covers(change.path):
            raise scope.refusal(change.path)
    bring([c.new.oid for c in changes if c.new is not None and c.new.mode == FILE_MODE])
    return ScopedSnapshot(ScopedTree(mirror, tree, scope), commit)
