"""The Git side of a hosted repository: one bare folder, asked and changed by real git.

Knows of branches, commits and merges; nothing of people, pull requests or rules.

Example::

    disk = Disk.create(folder / "1.git", {"README.md": "# Registry"})
    disk.tip("main")
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ZERO: Final = "0" * 40
GITHUB: Final = ("GitHub", "noreply@github.com")
"""Who commits what is merged on the site."""
_SETTINGS: Final = {
    "core.hooksPath": "../../hooks",
    "gc.auto": "0",
    "receive.autogc": "false",
    "receive.hideRefs": "refs/pull",  # GitHub: "deny updating a hidden ref"
    "transfer.fsckObjects": "false",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
}


def environment() -> dict[str, str]:
    """Git's, without anybody's own settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return {**kept, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"}


@dataclass(frozen=True)
class Disk:
    """A bare repository."""

    path: Path

    @classmethod
    def create(cls, path: Path, files: Mapping[str, str]) -> Disk:
        """A new one, with one commit on main where there are files."""
        disk = cls(path)
        words = ("init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
        _run(path.parent, *words)
        disk._configure()
        if files:
            author = ("Initial", "initial@example")
            disk.move("main", disk.commit(disk.tree(files), [], "Initial commit", author), ZERO)
        return disk

    @classmethod
    def copy(cls, source: Path, path: Path, *, branch: str = "") -> Disk:
        """A copy of another one's branches and tags, or of one branch alone."""
        alone = ("--single-branch", "--branch", branch) if branch else ()
        _run(
            path.parent, "clone", "--quiet", "--bare", "--template=", *alone, str(source), str(path)
        )
        disk = cls(path)
        disk._configure()
        return disk

    def _configure(self) -> None:
        for name, value in _SETTINGS.items():
            self.git("config", name, value)

    def git(self, *words: str, check: bool = True, given: str | None = None, **env: str) -> str:
        """What git prints; nothing where it fails and `check` is off."""
        return _run(self.path, *words, check=check, given=given, env=env)

    def resolve(self, revision: str) -> str | None:
        """The commit that a name or an id stands for."""
        words = ("rev-parse", "--quiet", "--verify", "--end-of-options", f"{revision}^{{commit}}")
        return self.git(*words, check=False) or None

    def tip(self, branch: str) -> str | None:
        """A branch's commit."""
        return self.resolve(f"refs/heads/{branch}")

    def refs(self, below: str = "refs/heads") -> dict[str, str]:
        """Commits by full name."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)", below).splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether `ancestor` is in the history of `commit`."""
        return not self.ahead(commit, ancestor)

    def ahead(self, base: str, head: str) -> int:
        """How many commits of head base does not have."""
        return int(self.git("rev-list", "--count", f"{base}..{head}"))

    def take(self, source: Disk, commit: str, ref: str) -> None:
        """Copies a commit from another repository, and names it."""
        if source != self:
            self.git(
                "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(source.path), commit
            )
        self.git("update-ref", ref, commit)

    def tree(self, files: Mapping[str, str]) -> str:
        """Writes a flat tree of files."""
        lines = []
        for name, text in files.items():
            blob = self.git("hash-object", "-w", "--stdin", given=text)
            lines.append(f"100644 blob {blob}\t{name}\n")
        return self.git("mktree", given="".join(lines))

    def merged_tree(self, base: str, head: str) -> str | None:
        """The tree of both; None where they conflict."""
        return self.git("merge-tree", "--write-tree", base, head, check=False) or None

    def commit(self, tree: str, parents: list[str], message: str, author: tuple[str, str]) -> str:
        """Writes a commit."""
        words = [word for parent in parents for word in ("-p", parent)]
        return self.git(
            "commit-tree", tree, *words, "-F", "-",
            given=message,
            GIT_AUTHOR_NAME=author[0], GIT_AUTHOR_EMAIL=author[1],
            GIT_COMMITTER_NAME=GITHUB[0], GIT_COMMITTER_EMAIL=GITHUB[1],
        )  # fmt: skip

    def move(self, branch: str, commit: str, old: str) -> bool:
        """Moves a branch, if it still is where it was."""
        words = ["git", "update-ref", f"refs/heads/{branch}", commit, old]
        done = subprocess.run(
            words, cwd=self.path, env=environment(), capture_output=True, check=False
        )
        return not done.returncode

    def write(self, branch: str, files: Mapping[str, str], message: str = "Write") -> str:
        """Commits files on top of a branch, a new one on top of main."""
        tip = self.tip(branch)
        old = tip or self.tip("main")
        kept = self.git("ls-tree", old) if old else ""
        added = self.git("ls-tree", self.tree(files)) + "\n"
        names = {line.split("\t")[1] for line in added.splitlines()}
        lines = [line for line in kept.splitlines() if line.split("\t")[1] not in names]
        tree = self.git("mktree", given="\n".join([*lines, added]))
        commit = self.commit(tree, [old] if old else [], message, ("Somebody", "some@example"))
        assert self.move(branch, commit, tip or ZERO)
        return commit


def _run(
    folder: Path,
    *words: str,
    check: bool = True,
    given: str | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**environment(), **(env or {})},
        input=given or "",
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (check and done.returncode), f"git {words}: {done.stderr}"
    return "" if done.returncode else done.stdout.strip()
