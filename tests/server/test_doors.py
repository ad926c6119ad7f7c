"""Sixteen clients at once, over a real sshd and a real web server.

What is valid gets in, all of it, and nothing else does.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medperf_git.errors import GitError, RaceError
from medperf_git.forge.base import TRAILER, Draft
from medperf_git.forge.plain import PlainForge
from medperf_git.store.change import write_files
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from medperf_git.workflows.server import Limits, init_server
from tests.support.in_git import export
from tests.support.servers import over_http, over_ssh
from tests.support.simulator import Files, Simulator, participant_record

HONEST = 12
HOSTILE = 4
ROUNDS = 2
SECONDS = 300
"""When to give up; alone on a machine it takes a tenth of that."""
WHO = ("client", "client@example")


class Client:
    """One client: a mirror of its own, and the plain protocol."""

    def __init__(self, folder: Path, url: str) -> None:
        self.mirror = Repository.create(folder)
        self.forge = PlainForge(self.mirror, url)
        self.url = url

    def commit(self, base: str, files: Files, *parents: str, message: str = "Change") -> str:
        tree = write_files(self.mirror, self.mirror.commit(base).tree, files)
        return self.mirror.write_commit(tree, parents or [base], message, WHO)

    def main(self) -> str:
        self.forge.fetch()
        main = self.forge.main()
        assert main is not None
        return main


def until_it_lands(step: Callable[[], None]) -> None:
    """As a client does: whoever was second tries again."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            step()
        except RaceError:
            assert time.monotonic() < end
            time.sleep(random.uniform(0, 6))  # noqa: S311 (to meet at different moments)
        else:
            return


def register(client: Client, person: str, registry: Simulator) -> None:
    """Opens a registration, lets an administrator approve it, and merges it."""
    record = participant_record(person)
    first = registry.sign(record, by=[person])
    both = registry.sign(record, by=[person, "ada"])
    main = client.main()
    request = client.forge.open(Draft(f"{person}/register", client.commit(main, first), ""))
    approved = client.commit(request.head, both)
    request = client.forge.update(request, approved)

    def merge() -> None:
        main = client.main()
        message = f"Register\n\n{TRAILER}{request.id}\n"
        commit = client.commit(main, both, main, request.head, message=message)
        client.forge.merge(request, main, commit)

    until_it_lands(merge)


def attack(client: Client, number: int, registry: Simulator) -> int:
    """Pushes what may not enter; returns how often it was refused."""
    refused = 0
    forged = registry.sign(participant_record(f"eve-{number}"), by=[f"eve-{number}"])
    path = "registry/participants/ada/1.yaml"
    for _ in range(ROUNDS):
        main = client.main()
        requests = client.forge.requests()
        # Without an administrator; an edited record; a tag; another's request gone.
        pushes: list[tuple[str, str, str | None]] = [
            (client.commit(main, forged), "refs/heads/main", main),
            (client.commit(main, {path: b"forged\n"}), "refs/heads/main", main),
            (main, "refs/tags/v1", None),
        ]
        pushes += [("", f"refs/heads/requests/{r.id}", r.head) for r in requests[:1]]
        for push in random.sample(pushes, len(pushes)):
            with pytest.raises(GitError):
                client.mirror.push(client.url, [push])
            refused += 1
        time.sleep(1)
    return refused


@pytest.mark.parametrize("door", [over_ssh, over_http])
def test_sixteen_clients_at_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
    door: Callable[..., object],
) -> None:
    program = tmp_path / "mpgit"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m medperf_git "$@"\n')
    program.chmod(0o755)
    place = init_server(tmp_path / "registry.git", program, Limits(open_requests=2)).path
    registry = Simulator()
    registry.merge(registry.genesis())
    begun = time.monotonic()
    serve = over_ssh if door is over_ssh else over_http
    with serve(tmp_path / "door", place) as (url, settings):
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        with Repository.create(tmp_path / "first.git") as first:
            (genesis,) = export(registry, first)
            first.push(url, [(genesis, "refs/heads/main", None)])
        people = [f"person-{number}" for number in range(HONEST)]
        clients = [Client(tmp_path / f"{n}.git", url) for n in range(HONEST + HOSTILE)]
        with ThreadPoolExecutor(HONEST + HOSTILE) as pool:
            attacks = [
                pool.submit(attack, clients[HONEST + number], number, registry)
                for number in range(HOSTILE)
            ]
            done = [
                pool.submit(register, client, person, registry)
                for client, person in zip(clients, people, strict=False)
            ]
            for each in done:
                each.result(SECONDS)
            assert min(each.result(SECONDS) for each in attacks) >= 3 * ROUNDS
    seconds = time.monotonic() - begun
    with Repository.open(place) as host:
        head = host.resolve("refs/heads/main")
        report = audit(host, head, genesis=registry.snapshot.identity)
        assert report.accepted, report.failures
        assert report.commits == 1 + HONEST
        found = {p.id for p in snapshot_at(host, head).standing_places("participant")}
        assert found == {"ada", "alan", "amy", *people}
        assert set(host.refs("refs/")) == {"refs/heads/main"}
    subprocess.run(["git", "-C", place, "fsck", "--strict"], check=True, capture_output=True)
    record_property("seconds for sixteen clients", round(seconds, 1))
