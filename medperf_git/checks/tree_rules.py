"""Rules about paths: the tree only grows, and only by files that it knows.

They look at names and modes, never into a file.

Example:
    >>> OnlyAdditions.code
    'only-additions'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import MAX_SIDECARS, Transition
from medperf_git.errors import GitError
from medperf_git.git.objects import FILE_MODE
from medperf_git.store.paths import REGISTRY, Place, locate


class ReadableTree(Rule):
    """The proposed tree can be read: no missing objects, no name twice, no endless folders.

    A tree that two readers could see differently, or that nobody can finish reading, is not
    judged any further.
    """

    advice = "build the request again from main: `git fsck` names the object"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """The tree's fault, or every added record whose bytes are missing."""
        error = transition.unreadable_tree
        if error is not None:
            yield self.finding(error.place or REGISTRY, error.message)
        for place, fault in transition.unreadable.items():
            if isinstance(fault, GitError):
                transition.blocked.add(place)
                yield self.finding(place.path, fault.message)


class OnlyAdditions(Rule):
    """Nothing under registry/ is ever edited, deleted or replaced.

    A change is the next revision, an end is a withdrawal; so every record that anybody ever
    relied on can still be read.
    """

    advice = "restore the file; write the next revision, or `mpgit withdraw` it"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every path under registry/ that was there before and differs now."""
        for change in transition.registry_changes:
            if change.old is not None:
                done = "deleted" if change.new is None else "changed"
                yield self.finding(change.path, f"a file of the registry was {done}")


class RegularFiles(Rule):
    """Every addition is a regular file with mode 100644.

    A link, a submodule or an executable could make a checkout act or lead elsewhere.
    """

    advice = "add a plain file that is not executable"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every addition with another mode."""
        for change in transition.registry_changes:
            if change.old is None and change.new is not None and change.new.mode != FILE_MODE:
                yield self.finding(change.path, f"mode {change.new.mode:o}, not 100644")


class KnownPaths(Rule):
    """Every path under registry/ is one that some kind of record has.

    What no kind knows is refused, so that nothing can hide in the tree.
    """

    advice = "docs/records.md lists the paths; ids are lowercase letters, digits and hyphens"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every addition whose path is not in design.md §3."""
        for change in transition.registry_changes:
            if change.old is None and locate(change.path) is None:
                yield self.finding(change.path, "no record or signature may stand here")


class NextRevision(Rule):
    """A new revision is the newest of the base plus one: 1, 2, 3 … without gaps.

    One transition adds one revision of a record, so that each is judged by the one before.
    """

    advice = "number it after the newest revision on main"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every added record with another number."""
        for place in {**transition.added, **transition.unreadable}:
            if place.withdrawn:
                if not transition.head.has(Place(place.kind, place.id, place.revision)):
                    transition.blocked.add(place)
                    yield self.finding(place.path, "withdraws a revision that does not exist")
                continue
            newest = transition.base.newest(place.kind, place.id)
            wanted = newest.revision + 1 if newest else 1
            if place.revision != wanted:
                transition.blocked.add(place)
                yield self.finding(place.path, f"revision {place.revision}; next is {wanted}")


class StraySignatures(Rule):
    """A signature arrives together with the record that it signs.

    Main holds complete records only, so one beside an old record is not asked for.
    """

    advice = "remove the signature"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Every signature beside no added record, and too many beside one."""
        for record, signatures in transition.signatures.items():
            if record not in transition.added and record not in transition.unreadable:
                for signature in signatures:
                    yield self.finding(signature.path, "signs no record that is added here")
            elif len(signatures) > MAX_SIDECARS:
                transition.blocked.add(record)
                yield self.finding(
                    record.path, f"{len(signatures)} signatures; at most {MAX_SIDECARS}"
                )


class Genesis(Rule):
    """The first commit of a registry holds root 1 and its administrators, nothing else.

    Root 1 pins them, so the registry's identity covers their keys.
    """

    advice = "`mpgit registry init` makes the genesis"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """Records beside the genesis, or records without one."""
        if transition.base.exists:
            return
        pinned: set[str] = set()
        if transition.is_genesis:
            root = transition.view.root()
            pinned = set(root.administrator_ids) if root else set()
        for place in {**transition.added, **transition.unreadable}:
            allowed = place == Place("root", "root", 1) or (
                place.kind == "participant" and place.revision == 1 and place.id in pinned
            )
            if not allowed or not transition.is_genesis:
                transition.blocked.add(place)
                why = (
                    "does not belong in the genesis" if pinned else "there is no genesis before it"
                )
                yield self.finding(place.path, why)
