"""The doctor's look at this machine: programs, rules, disk, permissions, what killed runs left.

Example::

    list(programs(home))
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from medperf_git.store.home import Home
from medperf_git.store.site_rules import load_site_rules
from medperf_git.version import __version__
from medperf_git.workflows.observation import Observation, ok, problem, warning
from medperf_git.workflows.storage import dataset_folders, execution_folders
from medperf_git.workflows.storage_leftovers import leftovers

_SECONDS: Final = 20
_MIB: Final = 1024 * 1024
_TOO_LITTLE: Final = 512 * _MIB
"""Tasks refuse to start below 256 MiB."""
_LITTLE: Final = 5 * 1024 * _MIB
_OTHERS: Final = 0o007
_GROUP: Final = 0o070
_OTHERS_WRITE: Final = 0o022
_GIT: Final = (2, 29)
"""The first with all options that `vcs` uses."""
_SSH: Final = (8, 2)
"""The first that signs with tokens."""


def programs(_home: Home) -> Iterator[Observation]:
    """Git and OpenSSH."""
    yield ok("mpgit", f"{__version__} on Python {platform.python_version()}")
    yield _program("git", ("git", "--version"), _GIT, "install git: apt-get install git")
    advice = "install OpenSSH: apt-get install openssh-client"
    # ssh-keygen can't say its version; it comes with ssh.
    found = _said(("ssh-keygen", "-?"))
    if found is None:
        yield warning("ssh-keygen", "not here: keys in agents and on tokens can't sign", advice)
    else:
        yield _program("ssh-keygen", ("ssh", "-V"), _SSH, advice)


def _program(
    name: str, command: tuple[str, ...], oldest: tuple[int, int], advice: str
) -> Observation:
    said = _said(command)
    if said is None:
        return problem(name, "not installed", advice)
    numbers = re.search(r"(\d+)\.(\d+)[\w.]*", said)
    if numbers is None:
        return warning(name, "does not say its version", advice)
    version = (int(numbers[1]), int(numbers[2]))
    if version < oldest:
        wanted = ".".join(map(str, oldest))
        return problem(name, f"{numbers[0]} is too old; {wanted} or newer is needed", advice)
    return ok(name, numbers[0])


def _said(command: tuple[str, ...]) -> str | None:
    """What a program prints; None where there is none."""
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return (done.stdout + done.stderr).decode("utf-8", "replace")


def rules(home: Home) -> Iterator[Observation]:
    """`site.yaml`, and the folders that it names."""
    path = home.site_file
    found = load_site_rules(path)
    if not path.exists():
        yield ok("site.yaml", "not there: the defaults hold")
        return
    yield ok("site.yaml", f"understood; engines: {', '.join(found.engines)}")
    if path.stat().st_mode & _OTHERS_WRITE:
        yield problem("site.yaml", "others may change it", f"chmod go-w {path}", path)
    for folder in found.artefacts:
        if not Path(folder).is_dir():
            yield warning("site.yaml", "artefacts: no such folder", f"edit {path}", folder)


def disk(home: Home) -> Iterator[Observation]:
    """Space where data and cache are."""
    for name, folder in (("data", home.data), ("cache", home.cache)):
        there = next(path for path in (folder, *folder.parents) if path.exists())
        found = os.statvfs(there)
        free = found.f_bavail * found.f_frsize
        text = f"{free / 1e9:.1f} GB free"
        advice = "mpgit storage ls shows what is kept; MPGIT_HOME moves it to another disk"
        if free < _TOO_LITTLE:
            yield problem(f"disk, {name}", text, advice, folder)
        elif found.f_files and not found.f_favail:
            yield problem(f"disk, {name}", "no more files can be made", advice, folder)
        elif not os.access(there, os.W_OK):
            yield problem(f"disk, {name}", "can't be written", f"ls -ld {there}", there)
        elif free < _LITTLE:
            yield warning(f"disk, {name}", text, advice, folder)
        else:
            yield ok(f"disk, {name}", text)


def permissions(home: Home) -> Iterator[Observation]:
    """Whether anybody else can look into datasets and executions."""
    folders = [
        folder
        for entry in home.configuration().registries
        for kind in (dataset_folders, execution_folders)
        for folder in kind(home, entry.name)
    ]
    topic = "patients' data"
    for who, mask in (("everybody", _OTHERS), ("your group", _GROUP)):
        found = [folder for folder in folders if folder.stat().st_mode & mask]
        if found:
            text = f"{who} may look into {len(found)} folders of data or results"
            told = problem if mask == _OTHERS else warning
            yield told(topic, text, f"chmod -R go= {home.data}", found[0])
            return
    if folders:
        yield ok(topic, f"yours alone: {len(folders)} folders of data and results")


def killed_runs(home: Home) -> Iterator[Observation]:
    """What runs that were killed have left."""
    found = leftovers(home)
    if found:
        size = sum(item.size for item in found) / 1e6
        text = f"of killed runs: {len(found)}, {size:.1f} MB"
        yield warning("leftovers", text, "mpgit storage clean")
    else:
        yield ok("leftovers", "none of killed runs")
