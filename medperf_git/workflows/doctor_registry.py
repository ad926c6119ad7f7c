"""The doctor's look at keys and registries: what signs where, what is reached, what is news.

Example::

    list(keys(home))
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from medperf_git.errors import GitError, MpgitError
from medperf_git.forge.base import MAIN
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.trust import keyring
from medperf_git.workflows.observation import (
    Observation,
    of_error,
    ok,
    problem,
    warning,
)
from medperf_git.workflows.propose import waiting
from medperf_git.workflows.session import Session

_OTHERS: Final = 0o077
_CLOCK_SECONDS: Final = 300
_LONG_AGO: Final = 400 * 24 * 3600


def keys(home: Home) -> Iterator[Observation]:
    """Each key: readable, its owner's alone, and where it may sign."""
    names = keyring.names(home.keys)
    active = _active(home)
    if not names:
        yield warning("keys", "none yet: nothing can be signed", "mpgit key create")
    for name in names:
        path = home.key(name)
        topic = f"key {name}"
        try:
            public = keyring.public_key(path)
            where = "in an agent or on a token" if keyring.is_elsewhere(path) else "here"
        except MpgitError as error:
            yield of_error(topic, error)
            continue
        if path.exists() and path.stat().st_mode & _OTHERS:
            yield problem(topic, "others may read the private key", f"chmod 600 {path}", path)
            continue
        registries = [registry for registry, texts in active.items() if public.text in texts]
        signs = f"signs in {', '.join(registries)}" if registries else "active in no registry"
        yield ok(topic, f"{where}; {signs}")
    for entry in home.configuration().registries:
        if entry.name in active and not _here(home, active[entry.name]):
            yield problem(
                f"key for {entry.name}", f"no key here is an active one of {entry.participant}'s",
                "bring it here, or have an administrator put in a new one: docs, lost keys",
            )  # fmt: skip


def _active(home: Home) -> dict[str, set[str]]:
    """The public keys with which this client's participant may sign, by registry."""
    found: dict[str, set[str]] = {}
    for entry in home.configuration().registries:
        if entry.participant is None:
            continue
        try:
            with Session.open(home, entry.name) as session:
                record = session.snapshot().participant(entry.participant)
        except MpgitError:
            # Said of the registry itself.
            continue
        if record is not None:
            found[entry.name] = {key.public_key for key in record.active_keys}
    return found


def _here(home: Home, texts: set[str]) -> bool:
    for name in keyring.names(home.keys):
        try:
            if keyring.public_key(home.key(name)).text in texts:
                return True
        except MpgitError:
            continue
    return False


def registries(home: Home) -> Iterator[Observation]:
    """Each registry: known, reached, audited, and whether anything waits to be sent."""
    entries = home.configuration().registries
    if not entries:
        advice = "mpgit registry add NAME URL --genesis SHA256"
        yield warning("registries", "none was added yet", advice)
    for entry in entries:
        try:
            yield from registry(home, entry)
        except MpgitError as error:
            yield of_error(f"registry {entry.name}", error)


def registry(home: Home, entry: RegistryEntry) -> Iterator[Observation]:
    """One registry: reached, audited, and whether anything waits to be sent.

    Raises:
        MpgitError: its mirror is missing or damaged.
    """
    topic = f"registry {entry.name}"
    with Session.open(home, entry.name) as session:
        checked = session.main
        session.snapshot()
        who = f"you are {entry.participant}" if entry.participant else "you have no part in it yet"
        outbox = waiting(session)
        if outbox:
            text = f"requests that wait to be sent: {len(outbox)}"
            yield warning(f"{topic}, outbox", text, "mpgit registry sync")
        try:
            head = session.mirror.remote_ref(entry.url, MAIN)
        except GitError as error:
            advice = f"runs need no network; otherwise: {error.advice}"
            yield warning(topic, f"audited up to {checked[:12]}; {error.message}", advice)
            return
        if head is None:
            text = "there is no branch main at its address any more"
            yield problem(topic, text, "tell its administrators; nothing here is lost")
        elif head != checked:
            text = f"reached; audited up to {checked[:12]}, main is at {head[:12]}"
            yield warning(topic, text, "mpgit registry sync")
        else:
            yield ok(topic, f"reached; main is at {head[:12]}, audited; {who}")


def host(home: Home, entry: RegistryEntry) -> Iterator[Observation]:
    """How a registry's host is set up, where it has settings that we know.

    Raises:
        MpgitError: its mirror is missing or damaged.
    """
    if entry.host != "github":
        yield ok(f"host of {entry.name}", f"{entry.host}: no settings are looked at from here")
        return
    # Start-up cost: the client of a host's interface, which no other topic needs.
    from medperf_git.workflows.doctor_github import host_settings  # noqa: PLC0415

    with Session.open(home, entry.name) as session:
        yield from host_settings(session)


def clock(home: Home) -> Iterator[Observation]:
    """This machine's time against the newest commits': certificates are judged by it."""
    now = time.time()
    newest = 0
    for entry in home.configuration().registries:
        try:
            with Session.open(home, entry.name) as session:
                newest = max(newest, session.mirror.commit(session.main).time)
        except MpgitError:
            continue
    shown = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now))
    if newest > now + _CLOCK_SECONDS:
        text = f"{shown}, but a registry's newest commit is {(newest - now) / 3600:.1f} hours ahead"
        yield warning("clock", text, "set this machine's clock: timedatectl set-ntp true")
    elif newest and newest < now - _LONG_AGO:
        text = f"{shown}; the newest commit of every registry is more than a year old"
        yield warning("clock", text, "if the date is wrong: timedatectl set-ntp true")
    else:
        yield ok("clock", shown)
