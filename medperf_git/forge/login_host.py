"""A host that people log in to: as they type it, and where its interface is.

Asks no host anything.

Example:
    >>> LoginHost.read("Git.Example.org:8443").api
    'https://git.example.org:8443/api/v3'
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias
from urllib.parse import urlsplit

from medperf_git.errors import InputError

Kind: TypeAlias = Literal["github", "gitlab"]

GITHUB: Final = "github.com"
GITLAB: Final = "gitlab.com"
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
ADDRESS: Final = re.compile(
    rf"(?:(?P<scheme>https?)://)?"
    rf"(?P<name>{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:]{{2,45}}\])(?::(?P<port>[0-9]{{1,5}}))?/?"
)
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]+")
_MOST_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class LoginHost:
    """A host that people log in to.

    Attributes:
        name: in lower case, with the port where it is not the standard one.
        kind: what runs there.
        web: the address of its pages, without a slash at the end.
    """

    name: str
    kind: Kind
    web: str

    @classmethod
    def read(cls, text: str, kind: Kind | None = None) -> LoginHost:
        """A host as somebody typed it: `github.com`, `git.example.org:8443`, `https://…`.

        Plain HTTP is for this very machine, by its number: labs and tests.

        Raises:
            InputError: no host's name, or plain HTTP to elsewhere.
        """
        parts = ADDRESS.fullmatch(text.strip().lower())
        port = int(parts["port"]) if parts and parts["port"] else None
        if parts is None or (port is not None and not 0 < port <= _MOST_PORT):
            # The text is not repeated: it may be a token, or hold a password.
            raise InputError(
                "that is no host's name",
                code="bad-host",
                advice="such as github.com or git.example.org:8443; a token goes to standard "
                "input, with --with-token",
            )
        scheme = parts["scheme"] or "https"
        if scheme == "http" and not _is_loopback(parts["name"]):
            raise InputError(
                f"{parts['name']} over plain HTTP would show the token to the network",
                code="plain-http",
                advice=f"give {parts['name']}, which is spoken to over HTTPS",
            )
        standard = port in (None, 443 if scheme == "https" else 80)
        name = parts["name"] if standard else f"{parts['name']}:{port}"
        return cls(name, kind or kind_of(name), f"{scheme}://{name}")

    @property
    def api(self) -> str:
        """The address of its interface for programs."""
        if self.kind == "gitlab":
            return f"{self.web}/api/v4"
        if self.name == GITHUB or self.name.endswith(".ghe.com"):
            return f"https://api.{self.name}"
        return f"{self.web}/api/v3"


def kind_of(name: str) -> Kind:
    """What probably runs on a host: GitLab where its name or `$GITLAB_HOST` says so.

    Example:
        >>> kind_of("gitlab.example.org"), kind_of("git.example.org")
        ('gitlab', 'github')
    """
    return "gitlab" if name.startswith("gitlab.") or name == named_host("GITLAB_HOST") else "github"


def named_host(variable: str) -> str | None:
    """The host that a variable names; what is none is as good as another host's name."""
    text = os.environ.get(variable, "").strip().lower()
    parts = ADDRESS.fullmatch(text)
    if parts is None or parts["port"] in (None, "443"):
        return parts["name"] if parts else text or None
    return f"{parts['name']}:{int(parts['port'])}"


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_line(address: str) -> None:
    """Raises where a token would be shown to the network: plain HTTP to another machine.

    Raises:
        InputError: `not-encrypted`.

    Example:
        >>> refuse_open_line("https://gitlab.com")
        >>> refuse_open_line("http://127.0.0.1:8080")
    """
    parts = urlsplit(address)
    if parts.scheme != "https" and not _is_loopback(parts.hostname or ""):
        raise InputError(
            f"{address} is not encrypted: no token is sent there",
            code="not-encrypted",
            place=address,
            advice="use its https:// address",
        )


def one_line(text: str) -> str:
    """What a host says, as one short line of plain text."""
    return " ".join(_CONTROL.sub(" ", text).split())[:300]
