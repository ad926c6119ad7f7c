"""Which kind of host an address belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from medperf_git.errors import InputError
from medperf_git.forge.hosts import Host, Kind, place_of, recognise
from tests.support.github.host import GitHubHost

KNOWN = [
    ("https://github.com/clinics/preterm", "github", "https://api.github.com", "clinics/preterm"),
    ("https://github.com/clinics/preterm.git", "github", "https://api.github.com", None),
    ("https://GitHub.com/clinics/preterm/", "github", "https://api.github.com", None),
    ("git@github.com:clinics/preterm.git", "github", "https://api.github.com", None),
    ("ssh://git@github.com/clinics/preterm.git", "github", "https://api.github.com", None),
    ("https://gitlab.com/a/b/c.git", "gitlab", "https://gitlab.com/api/v4", "a/b/c"),
]


@pytest.mark.parametrize(("url", "kind", "api", "project"), KNOWN)
def test_well_known_hosts(url: str, kind: str, api: str, project: str | None) -> None:
    found = recognise(url)
    assert (found.kind, found.api) == (kind, api)
    assert found.project == (project or "clinics/preterm")


PLAIN = [
    "/srv/x.git",
    "file:///srv/x.git",
    "git://host/a/b",
    "relative/path",
    "https://github.com/a",
]


@pytest.mark.parametrize("url", PLAIN)
def test_all_else_is_plain(url: str) -> None:
    assert recognise(url) == Host("plain")


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_what_is_said_must_fit(kind: Kind) -> None:
    assert recognise("https://git.example.org/a/b", kind).api.startswith("https://git.example.org/")
    for url in ("/srv/x.git", "https://git.example.org/a"):
        with pytest.raises(InputError):
            recognise(url, kind)
    assert recognise("https://github.com/a/b", "plain") == Host("plain")


def test_no_password_stays_in_an_address() -> None:
    assert place_of("https://ky:hunter2@git.example.org/a/b") == ("https://git.example.org", "a/b")


def test_an_enterprise_server_is_asked(tmp_path: Path) -> None:
    with GitHubHost(tmp_path) as host:
        found = recognise(f"{host.url}/anna/registry.git")
        assert (found.kind, found.api) == ("github", f"{host.url}/api/v3")
        assert [entry[:2] for entry in host.log] == [("GET", "/meta")]
        assert recognise(f"{host.url}/registry.git").kind == "plain"
    # Nobody there: a plain server, which may be switched on later.
    assert recognise(f"{host.url}/anna/registry.git").kind == "plain"
