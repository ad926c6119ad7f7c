"""How far a git is, when it is stopped, and what of its words is no progress."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from medperf_git.git.progress import NONE, Limit, StoppedError, watched, without_progress
from tests.support.patience import PATIENCE

SAID: dict[str, tuple[str, str]] = {
    "nothing": ("", ""),
    "an error": ("fatal: no such thing\n", "fatal: no such thing"),
    "progress, then an error": (
        (
            "remote: Enumerating objects: 12, done.\x20\x20\r\n"
            "remote: Counting objects:  50% (6/12)\rremote: Counting objects: 100% (12/12), done.\n"
            "remote: Compressing objects: 100% (3/3), done.\n"
            "remote: Total 12 (delta 0), reused 0 (delta 0), pack-reused 0\n"
            "Receiving objects:  25% (3/12), 1.00 MiB | 2.00 MiB/s\rfatal: early EOF\n"
        ),
        "fatal: early EOF",
    ),
    "what a host says": ("remote: Repository not found.\n", "remote: Repository not found."),
    "a host's own total": ("remote: Total chaos\n", "remote: Total chaos"),
}


@pytest.mark.parametrize("name", SAID)
def test_what_is_no_progress(name: str) -> None:
    said, left = SAID[name]
    assert without_progress(said) == left


@contextmanager
def git_that(says: str, *, ends: bool, limit: Limit = NONE) -> Iterator[list[tuple[int, int]]]:
    """A program that says something as git does, and ends at once or never."""
    told: list[tuple[int, int]] = []
    code = f"import sys, time; sys.stderr.write({says!r}); sys.stderr.flush()"
    code += "" if ends else "; time.sleep(3600)"
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-c", code]
        with subprocess.Popen(command, stderr=said) as process:
            try:
                with watched(process, said, limit, lambda *step: told.append(step)):
                    process.wait(PATIENCE)
                    yield told
            finally:
                process.kill()


STOPPED: dict[str, tuple[str, Limit]] = {
    "too many are found": ("remote: Enumerating objects: 101\r", Limit(100)),
    "too many come": ("Receiving objects:   0% (1/101)\r", Limit(100)),
    "nothing is left out": (
        "warning: filtering not recognized by server, ignoring\n",
        Limit(filtered=True),
    ),
}


@pytest.mark.parametrize("name", STOPPED)
def test_it_is_stopped(name: str) -> None:
    says, limit = STOPPED[name]
    with pytest.raises(StoppedError), git_that(says, ends=False, limit=limit):
        pass


@pytest.mark.parametrize("name", STOPPED)
def test_it_is_not_stopped_without_a_limit(name: str) -> None:
    with git_that(STOPPED[name][0], ends=True):
        pass


def test_as_many_as_are_meant_may_come() -> None:
    says = "remote: Enumerating objects: 100, done.\nReceiving objects:  99% (99/100)\r"
    with git_that(says, ends=True, limit=Limit(100, filtered=True)):
        pass


def test_how_far_it_is_is_told() -> None:
    says = "Receiving objects:  50% (1/2)\rReceiving objects: 100% (2/2), done.\nResolving"
    with git_that(says, ends=True) as told:
        pass
    assert told[-1] == (2, 2)


def test_an_error_in_the_block_is_the_one_that_is_raised() -> None:
    with pytest.raises(KeyboardInterrupt), git_that("", ends=True):
        raise KeyboardInterrupt
