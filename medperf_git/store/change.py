"""Changes become commits: added files, and the merge of a request into main.

Builds trees from objects, touching only the folders on the changed paths; nothing is checked
out. Does not judge (``checks``) and does not send (``forge``).

Example:
    >>> import tempfile; from pathlib import Path
    >>> repository = Repository.create(Path(tempfile.mkdtemp()) / "r.git")
    >>> tree = write_files(repository, EMPTY_TREE, {"registry/root/1.yaml": b"x"})
    >>> list(repository.folder(tree))
    ['registry']
"""

from __future__ import annotations

from collections.abc import Mapping

from medperf_git.errors import RegistryError
from medperf_git.git.objects import EMPTY_TREE, FILE_MODE, TREE_MODE, TreeEntry
from medperf_git.store.tree import Change, GitTree, difference, find
from medperf_git.vcs import Repository


def write_files(repository: Repository, tree: str, files: Mapping[str, bytes]) -> str:
    """A tree with files added or replaced; returns its id."""
    entries = {
        path: TreeEntry(path.rpartition("/")[2], FILE_MODE, repository.write_blob(payload))
        for path, payload in files.items()
    }
    return write_entries(repository, tree, entries)


def write_entries(
    repository: Repository, tree: str, entries: Mapping[str, TreeEntry | None]
) -> str:
    """A tree with entries set (or, for None, removed) at their paths; returns its id."""
    here: dict[str, TreeEntry | None] = {}
    below: dict[str, dict[str, TreeEntry | None]] = {}
    for path, entry in entries.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = entry
        else:
            here[name] = entry
    merged = dict(repository.folder(tree))
    for name, changed in here.items():
        merged.pop(name, None)
        if changed is not None:
            merged[name] = changed
    for name, inner in below.items():
        old = merged.get(name)
        oid = write_entries(
            repository, old.oid if old is not None and old.is_tree else EMPTY_TREE, inner
        )
        merged.pop(name, None)
        if oid != EMPTY_TREE:
            merged[name] = TreeEntry(name, TREE_MODE, oid)
    return repository.write_tree(merged.values()) if merged else EMPTY_TREE


def changes_of(repository: Repository, base: str | None, head: str) -> list[Change]:
    """What a branch changed since it left main.

    Args:
        repository: holds both.
        base: the commit where it left main; None where it has nothing in common.
        head: the branch's newest commit.
    """
    base_tree = EMPTY_TREE if base is None else repository.commit(base).tree
    head_tree = repository.commit(head).tree
    return list(difference(GitTree(repository, base_tree), GitTree(repository, head_tree)))


def merge_trees(repository: Repository, main: str, head: str) -> str:
    """The tree of main with the changes of a request's branch on top; returns its id.

    Args:
        repository: holds both.
        main: main's newest commit.
        head: the request's newest commit.

    Raises:
        RegistryError: main has changed one of the same paths since.
    """
    main_tree = repository.commit(main).tree
    now = GitTree(repository, main_tree)
    entries: dict[str, TreeEntry | None] = {}
    conflicts: list[str] = []
    for change in changes_of(repository, repository.merge_base(main, head), head):
        current = find(now, change.path)
        if current == change.new:
            continue
        if current != change.old:
            conflicts.append(change.path)
        entries[change.path] = change.new
    if conflicts:
        # The record rather than its signatures.
        path = next((path for path in conflicts if path.endswith(".yaml")), conflicts[0])
        raise RegistryError(
            f"main has changed {path} since the request was made",
            code="merge-conflict",
            place=path,
            advice="withdraw the request and submit it again on the newest main",
        )
    return write_entries(repository, main_tree, entries)
