"""Keys and their passphrases, agents, rotation, recovery; who is who."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import token
from tests.support.site import BENCHMARK, REGISTRY, Site

WITHDRAW = ("withdraw", "dataset/ky/opt", "--reason", "Consent.", "--yes")


def lock_key(site: Site, passphrase: str) -> None:
    """Protects ky's key as people do: with ssh-keygen."""
    words = ["ssh-keygen", "-q", "-p", "-P", "", "-N", passphrase, "-f"]
    subprocess.run([*words, str(site.home("ky").key("default"))], check=True, capture_output=True)


@pytest.fixture
def agent(site: Site) -> Iterator[Site]:
    """A real agent, which the site's commands see."""
    started = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True)
    lines = [line.partition(";")[0] for line in started.stdout.splitlines()[:2]]
    settings = dict(line.split("=", 1) for line in lines)
    site.environment = settings
    yield site
    subprocess.run(
        ["ssh-agent", "-k"], env={**os.environ, **settings}, check=True, capture_output=True
    )


def add_to_agent(site: Site) -> None:
    words = ["ssh-add", "-q", str(site.home("ky").key("default"))]
    subprocess.run(words, env={**os.environ, **site.environment}, check=True, capture_output=True)


# --- one's own key --------------------------------------------------------------------------


def test_a_missing_key(site: Site) -> None:
    home = site.home("ky")
    home.key("default").unlink()
    home.key("default").with_suffix(".pub").unlink()
    done = site.do("ky", *WITHDRAW, expect=2)
    assert "no such key" in done.err
    assert str(home.keys) in done.err
    assert "mpgit key create" in done.err
    assert not site.outbox("ky")


def test_a_lone_public_key_without_an_agent(site: Site) -> None:
    site.home("ky").key("default").unlink()
    site.environment = {"SSH_AUTH_SOCK": "/nowhere"}
    done = site.do("ky", *WITHDRAW, expect=2)
    assert "ssh-keygen could not sign" in done.err
    assert "ssh-add -l" in done.err


@pytest.mark.parametrize("passphrase", ["correct horse", "päßwörd", "0"])
def test_the_right_passphrase(site: Site, passphrase: str) -> None:
    lock_key(site, passphrase)
    site.environment = {"MPGIT_PASSPHRASE": passphrase}
    site.do("ky", *WITHDRAW, "--merge")


@pytest.mark.parametrize("passphrase", ["wrong", "", "correct horse "])
def test_a_wrong_passphrase(site: Site, passphrase: str) -> None:
    lock_key(site, "correct horse")
    site.environment = {"MPGIT_PASSPHRASE": passphrase}
    before = site.refs()
    done = site.do("ky", *WITHDRAW, "--json", expect=2)
    assert done.json["error"]["code"] == "passphrase-wrong"
    assert "MPGIT_PASSPHRASE" in done.json["error"]["advice"]
    assert site.refs() == before
    assert not site.outbox("ky")


def test_nobody_to_ask_for_a_passphrase(site: Site) -> None:
    lock_key(site, "correct horse")
    done = site.do("ky", *WITHDRAW, expect=2)
    assert "the key default is protected by a passphrase" in done.err
    assert "ssh-add" in done.err
    assert "MPGIT_PASSPHRASE" in done.err


def test_an_agent_signs_for_a_key_that_is_not_here(agent: Site) -> None:
    add_to_agent(agent)
    agent.home("ky").key("default").unlink()
    assert "agent or token" in agent.do("ky", "key", "ls").out
    agent.do("ky", *WITHDRAW, "--merge")
    agent.do("ky", "audit")


def test_an_agent_signs_for_a_locked_key(agent: Site) -> None:
    add_to_agent(agent)
    lock_key(agent, "correct horse")
    agent.do("ky", *WITHDRAW, "--merge")


def test_an_agent_without_the_key(agent: Site) -> None:
    agent.home("ky").key("default").unlink()
    done = agent.do("ky", *WITHDRAW, expect=2)
    assert "ssh-keygen could not sign" in done.err


def test_a_token_takes_over(site: Site, tmp_path: Path) -> None:
    library = token.provider(tmp_path)
    handle = token.new_key(tmp_path / "id_ed25519_sk", library)
    site.environment = {"SSH_SK_PROVIDER": library}
    site.do("ky", "key", "create", "token", "--import", handle)
    assert "agent or token" in site.do("ky", "key", "ls").out
    words = ("--new-key", "token", "--revoke", "default", "--yes", "--merge")
    site.do("ky", "participant", "rotate", *words)
    site.do("ky", *WITHDRAW, "--merge")
    site.do("ana", "audit")


BAD_KEYS: dict[str, tuple[bytes, str]] = {
    "no bytes": (b"", "not an OpenSSH private key"),
    "text": (b"my secret key\n", "not an OpenSSH private key"),
    "cut off": (b"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn", "not an OpenSSH private key"),
}


@pytest.mark.parametrize("name", BAD_KEYS)
def test_a_damaged_key(site: Site, name: str) -> None:
    payload, message = BAD_KEYS[name]
    site.home("ky").key("default").write_bytes(payload)
    done = site.do("ky", *WITHDRAW, expect=2)
    assert message in done.err
    assert "next:" in done.err


def test_a_key_of_another_kind(site: Site) -> None:
    path = site.home("ky").key("default")
    path.unlink()
    words = ["ssh-keygen", "-q", "-t", "rsa", "-b", "2048", "-N", "", "-f", str(path)]
    path.with_suffix(".pub").unlink()
    subprocess.run(words, check=True)
    done = site.do("ky", *WITHDRAW, expect=2)
    assert "ssh-rsa" in done.err


def test_two_halves_of_different_pairs(site: Site) -> None:
    other = site.home("ben").key("default")
    site.home("ky").key("default").write_bytes(other.read_bytes())
    done = site.do("ky", *WITHDRAW, expect=2)
    assert "are not one pair" in done.err
    assert "ssh-keygen -y -f" in done.err


@pytest.mark.parametrize("name", ["Big", "../x", "a b", "-", "a--b", "x" * 65, "a.pub"])
def test_a_key_has_a_plain_name(site: Site, name: str) -> None:
    done = site.do("ky", "key", "create", "--no-passphrase", "--", name, expect=2)
    assert "is no name for a key" in done.err


def test_a_key_is_never_overwritten(site: Site) -> None:
    before = site.home("ky").key("default").read_bytes()
    done = site.do("ky", "key", "create", "--no-passphrase", expect=2)
    assert "a key named default is there already" in done.err
    assert site.home("ky").key("default").read_bytes() == before


def test_a_key_without_passphrase_is_made_only_on_purpose(site: Site) -> None:
    done = site.do("ky", "key", "create", "second", expect=2)
    assert "--no-passphrase" in done.err
    assert not site.home("ky").key("second").exists()
    site.environment = {"MPGIT_PASSPHRASE": "correct horse"}
    site.do("ky", "key", "create", "second")
    assert b"aes256-ctr" in site.home("ky").key("second").read_bytes() or _locked(site)


def _locked(site: Site) -> bool:
    words = ["ssh-keygen", "-y", "-P", "", "-f", str(site.home("ky").key("second"))]
    return subprocess.run(words, capture_output=True, check=False).returncode != 0


# --- who ------------------------------------------------------------------------------------


def test_somebody_without_a_part(site: Site) -> None:
    site.do("new", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    for words in (
        WITHDRAW,
        ("dataset", "prepare", "x", "-b", BENCHMARK, "--data", str(site.raw)),
        ("run", "-b", BENCHMARK, "-d", "opt"),
        ("registry", "rotate", "--threshold", "2", "--yes"),
    ):
        done = site.do("new", *words, expect=2)
        assert "mpgit participant register" in done.err


REGISTRATIONS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "taken": (("ky", "--name", "Me"), 2, "ky is registered already"),
    "capitals": (("KY", "--name", "Me"), 2, "participant, id"),
    "two parts": (("ky/opt", "--name", "Me"), 2, "participant, id"),
    "reserved": (("policy", "--name", "Me"), 2, "reserved"),
    "long": (("x" * 65, "--name", "Me"), 2, "participant, id"),
    "no name": (("new", "--name", ""), 2, "participant, name"),
    "two lines": (("new", "--name", "a\nb"), 2, "participant, name"),
    "no key": (("new", "--name", "Me", "--key", "none"), 2, "no such key"),
}


@pytest.mark.parametrize("name", REGISTRATIONS)
def test_a_registration_that_can_not_be(site: Site, name: str) -> None:
    words, code, message = REGISTRATIONS[name]
    site.do("new", "key", "create", "--no-passphrase")
    site.do("new", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    done = site.do("new", "participant", "register", *words, "--yes", expect=code)
    assert message in done.err
    assert site.do("new", "registry", "status", "--json").json["participant"] is None


def test_registering_offline_waits(site: Site) -> None:
    site.do("new", "key", "create", "--no-passphrase")
    site.do("new", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    site.host.rename(site.folder / "away.git")
    register = ("participant", "register", "new", "--name", "New", "--yes")
    site.do("new", *register, expect=1)
    (site.folder / "away.git").rename(site.host)
    site.do("new", "registry", "sync")
    site.approve("new/register", "ana")
    assert site.do("new", "registry", "status", "--json").json["participant"] == "new"


# --- rotation and recovery ------------------------------------------------------------------


def test_a_new_key_replaces_the_old_one(site: Site) -> None:
    site.do("ky", "key", "create", "laptop", "--no-passphrase")
    words = ("--new-key", "laptop", "--revoke", "default", "--yes")
    done = site.do("ky", "participant", "rotate", *words, "--json")
    assert done.json["verdict"] == "complete"
    # Until it is merged, the old key is the one that speaks for ky.
    site.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
    site.do("ky", "request", "merge", "ky/participant-ky-2")
    # From then on the new one.
    site.do("ky", *WITHDRAW, "--merge")
    site.do("ky", "audit")
    # What the old key signed and nobody merged is refused.
    request = "ky/dataset-association-fever-ky-opt-2"
    done = site.do("ky", "request", "merge", request, expect=1)
    assert "the rules refuse this" in done.err


def test_a_second_machine_needs_only_the_key(site: Site) -> None:
    keys = site.home("second").keys
    keys.mkdir(parents=True)
    for suffix in ("", ".pub"):
        source = site.home("ky").keys / f"default{suffix}"
        (keys / f"mine{suffix}").write_bytes(source.read_bytes())
        (keys / f"mine{suffix}").chmod(0o600)
    site.do("second", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    site.do("second", *WITHDRAW, "--merge")


ROTATIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "nothing": ((), "nothing would change"),
    "the last key": (("--revoke", "default"), "no active key would be left"),
    "an unknown key": (("--revoke", "other"), "no key named other"),
    "a missing key": (("--new-key", "other"), "no such key"),
    "a name that is taken": (("--new-key", "default"), "there is a key named default already"),
    "compromised since when": (
        ("--new-key", "laptop", "--revoke", "default", "--reason", "compromised"),
        "--doubted-from stands exactly with --reason compromised",
    ),
    "doubted but lost": (
        ("--new-key", "laptop", "--revoke", "default", "--doubted-from", "main"),
        "--doubted-from stands exactly with --reason compromised",
    ),
}


@pytest.mark.parametrize("name", ROTATIONS)
def test_a_rotation_that_can_not_be(site: Site, name: str) -> None:
    words, message = ROTATIONS[name]
    site.do("ky", "key", "create", "laptop", "--no-passphrase")
    before = site.refs()
    done = site.do("ky", "participant", "rotate", *words, "--yes", expect=2)
    assert message in done.err
    assert site.refs() == before


def test_a_compromised_key_is_doubted_from_a_commit(site: Site) -> None:
    site.do("ky", "key", "create", "laptop", "--no-passphrase")
    words = ("--new-key", "laptop", "--revoke", "default", "--reason", "compromised")
    doubted = ("--doubted-from", site.main())
    site.do("ky", "participant", "rotate", *words, *doubted, "--yes", "--merge")
    view = site.do("ky", "participant", "view", "ky", "--json").json
    assert view["record"]["keys"][0]["revoked"] == {
        "reason": "compromised",
        "doubted_from": doubted[1],
    }
    site.do("ky", *WITHDRAW, "--merge")


def test_who_lost_every_key_comes_back(site: Site) -> None:
    site.do("found", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    site.do("found", "key", "create", "fresh", "--no-passphrase")
    words = ("--new-key", "fresh", "--revoke", "default", "--reason", "lost", "--yes")
    done = site.do("found", "participant", "recover", "ky", *words)
    assert "the administrators: mpgit request approve ky/recover-ky-2" in done.err
    before = site.refs()
    done = site.do("found", "request", "approve", "ky/recover-ky-2", "--yes", expect=1)
    assert "ky" in done.err
    assert site.refs() == before
    site.do("found", "request", "merge", "ky/recover-ky-2", expect=3)
    done = site.do("eve", "request", "approve", "ky/recover-ky-2", "--yes", expect=2)
    assert "nothing in it asks for eve's signature" in done.err
    site.approve("ky/recover-ky-2", "ana")
    # The lost key speaks for nobody any more, the new one for ky.
    done = site.do("ky", *WITHDRAW, expect=1)
    assert "the rules refuse this" in done.err
    site.do("found", *WITHDRAW, "--merge")


def test_an_administrator_stays_who_she_is(site: Site) -> None:
    site.do("ana", "key", "create", "fresh", "--no-passphrase")
    words = ("--new-key", "fresh", "--revoke", "default", "--yes")
    done = site.do("ana", "participant", "recover", "ky", *words, expect=2)
    assert "you are ana here, not ky" in done.err
    assert site.do("ana", "registry", "status", "--json").json["participant"] == "ana"


def test_an_unknown_participant_can_not_be_recovered(site: Site) -> None:
    site.do("found", "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
    site.do("found", "key", "create", "fresh", "--no-passphrase")
    words = ("participant", "recover", "nobody", "--new-key", "fresh", "--yes")
    done = site.do("found", *words, expect=2)
    assert "nobody is not registered" in done.err
    assert site.do("found", "registry", "status", "--json").json["participant"] is None
