"""Rules about the control plane: everything outside ``registry/``.

Example:
    >>> SeparateControlPlane.code
    'separate-control-plane'
"""

from __future__ import annotations

from collections.abc import Iterator

from medperf_git.canonical.digest import FileDigest, fingerprint, sha256_hex
from medperf_git.checks.report import Finding
from medperf_git.checks.rule import Rule
from medperf_git.checks.transition import Transition
from medperf_git.errors import MpgitError, RegistryError
from medperf_git.records.control import Control
from medperf_git.store.paths import REGISTRY, locate
from medperf_git.store.tree import Tree, walk

MAX_BYTES = 64 * 1024 * 1024
"""Bytes outside ``registry/`` that one control record can pin: they are all read."""
_WITH_BYTES = frozenset({0o100644, 0o100755, 0o120000})


def control_digest(tree: Tree) -> str:
    """The fingerprint over everything outside ``registry/``: mode and path, size, digest.

    Raises:
        RegistryError: more than `MAX_BYTES`, or folders without end.
        GitError: an object is missing.
    """
    files = []
    read = 0
    for name, entry in tree.entries("").items():
        if name == REGISTRY:
            continue
        below = walk(tree, name) if entry.is_tree else [(name, entry)]
        for path, file in below:
            if file.mode in _WITH_BYTES:
                read += tree.size(file)
                if read > MAX_BYTES:
                    raise RegistryError(
                        f"more than {MAX_BYTES} bytes outside registry/",
                        code="too-large",
                        place=path,
                    )
                payload = tree.blob(file)
            else:
                # A submodule has no bytes here: its commit id stands for them.
                payload = file.oid.encode()
            files.append(FileDigest(f"{file.mode:o} {path}", len(payload), sha256_hex(payload)))
    return fingerprint(files)


class SeparateControlPlane(Rule):
    """Records and control plane never change in one request.

    A workflow or schema edited along with a record could change who judges the record.
    """

    advice = "make two requests of it"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """The control-plane paths of a mixed transition."""
        if not transition.control_changes or not transition.registry_changes:
            return
        if all(_is_control_record(change.path) for change in transition.registry_changes):
            return
        for change in transition.control_changes:
            yield self.finding(change.path, "changes together with records")


def _is_control_record(path: str) -> bool:
    place = locate(path)
    return getattr(getattr(place, "record", place), "kind", None) == "control"


class ControlPlaneSigned(Rule):
    """Where the root says so, a change outside registry/ brings a signed control record.

    Any control record pins the digest of everything outside registry/.
    """

    advice = "add registry/control/<n>.yaml with the digest that this message names"

    def check(self, transition: Transition) -> Iterator[Finding]:
        """A change without a record, or a record that pins another tree."""
        controls = [
            (place, record) for place, record in transition.judged() if isinstance(record, Control)
        ]
        root = transition.base.root() if transition.base.exists else None
        signed = root is not None and root.control_plane == "signed"
        if not controls and not (signed and transition.control_changes):
            return
        try:
            digest = control_digest(transition.head.tree)
        except MpgitError as error:
            yield self.finding(error.place or "(top)", error.message)
            return
        if not controls:
            for change in transition.control_changes:
                yield self.finding(change.path, f"no control record pins the tree {digest}")
        for place, record in controls:
            if record.tree != digest:
                yield self.finding(place.path, f"the tree is {digest}", field="tree")
