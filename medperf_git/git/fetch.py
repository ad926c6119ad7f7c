"""Fetches refs of another repository, and all that they need, at the cost of what is new.

It lists the refs, brings what lacks by ``slices``, sees that every history that came joins ours
or has a beginning, and only then points our refs to it. Refs there may move meanwhile: it lists
again then. Knows nothing of records.

Example:
    >>> wanted_by(["+refs/heads/*:refs/remotes/origin/*"], {"refs/heads/main": "a", "refs/x": "b"})
    {'refs/remotes/origin/main': ('refs/heads/main', 'a')}
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from medperf_git.errors import GitError
from medperf_git.git.failure import OFFLINE, failed, gives_no_ids, no_partial, reason
from medperf_git.git.slices import MOST, STEP, Slices, begun
from medperf_git.git.transport import FilesOnlyError, Transport, TransportError

NARROW: Final = "blob:none"
"""The filter of whoever reads a part: every file is left out."""
_KEPT: Final = "what came so far is kept: the same command goes on from there"
_MOST_PACKS: Final = 50
_TRIES: Final = 50
_OBJECT_ID = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"refs/[^\s\x00-\x20\x7f:?*\[\\^~]+")


@dataclass(frozen=True)
class Fetch:
    """What is brought from one other repository.

    Attributes:
        transport: the way to it, and the Git folder that it comes to.
        url: its address as people know it, for messages.
        most: objects in a slice.
        step: first parents in a slice.
    """

    transport: Transport
    url: str
    most: int = MOST
    step: int = STEP

    def refs(self, refspecs: Sequence[str], *, narrow: bool = False, again: bool = False) -> None:
        """Fetches refs; those that vanished there, or are not there yet, are not here either.

        Args:
            refspecs: which refs, and where they go.
            narrow: without files' contents.
            again: also what is reachable from objects that are here already.

        Raises:
            GitError: out of reach, or it sent damaged objects.
        """
        for _ in range(_TRIES):
            there = self._there(refspecs)
            found = wanted_by(refspecs, there)
            wanted = self._believed(dict(found.values()))
            try:
                self._bring_new(wanted, NARROW if narrow else "", again=again)
            except TransportError as error:
                if self._there(refspecs) == there:
                    raise self._refused(error, narrow=narrow) from error
            if not self._lacking(wanted):
                break
        else:
            raise GitError(
                "what is fetched moves on and on",
                code="unreachable",
                place=self.url,
                advice="try again when fewer people push",
            )
        if not self._is_joined(wanted):
            raise GitError(
                "the history there is cut off (a shallow clone)",
                code="shallow",
                place=self.url,
                advice="whoever keeps it has to fetch all of it: git fetch --unshallow",
            )
        self._point(refspecs, {name: oid for name, (_, oid) in found.items()})
        self._slices().forget()
        self._tidy()

    def objects(self, oids: Sequence[str]) -> None:
        """Fetches objects by their ids, all in one request.

        Raises:
            GitError: out of reach, or it does not give them: `no-partial` where it never does.
        """
        try:
            self.transport.bring({oid: oid for oid in oids}, chosen=NARROW)
        except TransportError as error:
            raise self._refused(error, narrow=True) from error

    def _there(self, refspecs: Sequence[str]) -> dict[str, str]:
        """The refs of the other repository that refspecs speak of: full name → id."""
        sources = [refspec.removeprefix("+").partition(":")[0] for refspec in refspecs]
        try:
            return self.transport.listed(sources)
        except TransportError as error:
            raise self._failed(error) from error

    def _believed(self, wanted: dict[str, str]) -> dict[str, str]:
        """The refs, if they are some: what a host says goes on to git, as a line or a word."""
        for name, oid in wanted.items():
            if not (_OBJECT_ID.fullmatch(oid) and _REF.fullmatch(name)):
                raise GitError(
                    f"the host lists what is no ref: {name!r} {oid!r}",
                    code="bad-refs",
                    place=self.url,
                    advice="tell whoever keeps the host; nothing was fetched",
                )
        return wanted

    def _bring_new(self, wanted: Mapping[str, str], chosen: str, *, again: bool) -> None:
        lacking = self._lacking(wanted)
        if again or not (lacking or self._is_joined(wanted)):
            self.transport.bring(wanted, chosen=chosen, again=True)
        elif lacking:
            self._slices(chosen).bring(lacking)

    def _slices(self, chosen: str = "") -> Slices:
        return Slices(self.transport, chosen, self.most, self.step)

    def _lacking(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Those of the refs whose commits are not here."""
        done = self._git("cat-file", "--batch-check", given=wanted.values())
        lines = zip(wanted.items(), _text(done.stdout).splitlines(), strict=True)
        return {name: oid for (name, oid), line in lines if line.endswith(" missing")}

    def _is_joined(self, wanted: Mapping[str, str]) -> bool:
        """Whether the commits lead back to what our refs have, or to a beginning; commits alone."""
        walk = ("rev-list", "--count", "--stdin", "--not", "--all")
        return self._git(*walk, given=wanted.values()).returncode == 0

    def _point(self, refspecs: Sequence[str], found: Mapping[str, str]) -> None:
        """Points our refs to what was found, and removes those that are gone there."""
        prefixes = [refspec.partition(":")[2].partition("*")[0] for refspec in refspecs]
        form = "--format=%(refname) %(objectname)"
        done = self._git("for-each-ref", form, *(prefix.rstrip("/") for prefix in prefixes))
        lines = (line.split(" ") for line in _text(done.stdout).splitlines())
        here = {name: oid for name, oid in lines if name.startswith(tuple(prefixes))}
        gone = [f"delete {name}" for name in here.keys() - found.keys()]
        moved = [f"update {name} {oid}" for name, oid in found.items() if here.get(name) != oid]
        for orders in (gone, moved):  # one's name may be a folder of the other's
            if orders and (done := self._git("update-ref", "--stdin", given=orders)).returncode:
                said = reason(_text(done.stderr))
                raise GitError(f"can't move refs: {said}", place=str(self.transport.folder))

    def _tidy(self) -> None:
        """Puts small packs together, where there are many; if not now, then another time."""
        names = [path.stem for path in self.transport.packs.glob("*.pack")]
        parts = {path.stem for path in self.transport.packs.glob("*.keep")}  # of a long history
        if len(set(names) - parts) > _MOST_PACKS:
            self._git("repack", "--geometric=2", "-d", "--quiet")

    def _refused(self, error: TransportError, *, narrow: bool) -> GitError:
        files_only = isinstance(error, FilesOnlyError)
        if files_only or (narrow and gives_no_ids(error.stderr)):
            return no_partial(self.url, reason(error.stderr))
        return self._failed(error)

    def _failed(self, error: TransportError) -> GitError:
        kept = any(begun(self.transport.folder, chosen) for chosen in ("", NARROW))
        return failed("can't fetch from", self.url, error.stderr, _KEPT if kept else OFFLINE)

    def _git(self, *words: str, given: Iterable[str] = ()) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            ["git", *words],
            input="".join(f"{line}\n" for line in given).encode(),
            capture_output=True,
            cwd=self.transport.folder,
            env=dict(self.transport.environment),
            check=False,
        )


def wanted_by(refspecs: Sequence[str], there: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Where refs of another repository go here: our name, its name and its id.

    Raises:
        GitError: a refspec that is none of ours.
    """
    found: dict[str, tuple[str, str]] = {}
    for refspec in refspecs:
        source, colon, target = refspec.removeprefix("+").partition(":")
        if not colon or source.count("*") != target.count("*") or source.count("*") > 1:
            raise GitError(f"not a refspec: {refspec!r}")
        before, star, after = source.partition("*")
        for name, oid in there.items():
            if not star and name == source:
                found[target] = name, oid
            elif star and name.startswith(before) and name.endswith(after):
                part = name[len(before) : len(name) - len(after) if after else None]
                found[target.replace("*", part)] = name, oid
    return found


def _text(said: bytes) -> str:
    return said.decode("utf-8", "replace")
