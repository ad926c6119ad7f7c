"""Which kind of host an address belongs to, and where its interface is.

Well-known names say it; any other host is asked, once, when a registry is added. A host that says
nothing is a plain Git server, which is all that a registry needs.

Example:
    >>> recognise("https://github.com/clinics/preterm.git").project
    'clinics/preterm'
    >>> place_of("git@git.example.org:clinics/registry.git")
    ('https://git.example.org', 'clinics/registry')
    >>> recognise("/srv/preterm.git").kind
    'plain'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from medperf_git.errors import HostError, InputError
from medperf_git.forge.login_host import GITHUB, GITLAB, LoginHost

Kind: TypeAlias = Literal["plain", "github", "gitlab"]
KINDS: Final[tuple[Kind, ...]] = ("plain", "github", "gitlab")
_HTTP = re.compile(r"(https?://)(?:[^/@]*@)?([^/@]+)/(.+?)(?:\.git)?/?")
_SSH = re.compile(r"ssh://(?:[^/@]+@)?([^/:@]+)(?::\d+)?/(.+?)(?:\.git)?/?")
_SCP = re.compile(r"(?:[^/@:]+@)?([^/:@]+):(?!//)([^:]+?)(?:\.git)?/?")
_TWO_PARTS = re.compile(r"[^/\s]+/[^/\s]+")
_MANY_PARTS = re.compile(r"[^/\s]+(?:/[^/\s]+)+")
_KNOWN: Final[dict[str, Kind]] = {GITHUB: "github", GITLAB: "gitlab"}


@dataclass(frozen=True, slots=True)
class Host:
    """Where a registry lives.

    Attributes:
        kind: what it speaks.
        web: the host's own address; "" for a plain one.
        api: its interface's; "" for a plain one.
        project: the repository's name there.
    """

    kind: Kind
    web: str = ""
    api: str = ""
    project: str = ""

    @property
    def name(self) -> str:
        """The host's name, with its port where it has one."""
        return self.web.partition("://")[2]


def place_of(url: str) -> tuple[str, str] | None:
    """The host's web address and the project's name; None for an address that has none."""
    if found := _HTTP.fullmatch(url):
        return found[1] + found[2].lower(), found[3]
    if "://" in url and not url.startswith("ssh://"):
        return None
    if found := _SSH.fullmatch(url) or _SCP.fullmatch(url):
        return f"https://{found[1].lower()}", found[2]
    return None


def recognise(url: str, kind: Kind | None = None) -> Host:
    """What an address belongs to.

    Args:
        url: the registry's.
        kind: what it is, where somebody says so; else unknown hosts are asked.

    Raises:
        InputError: it is said to be what its address can't be.
    """
    place = place_of(url)
    if kind is not None and kind != "plain" and (place is None or not _fits(kind, place[1])):
        raise InputError(
            f"no address of a {kind} repository: {url!r}",
            code="bad-url",
            advice="such as https://HOST/OWNER/NAME",
        )
    if place is None or kind == "plain":
        return Host("plain")
    web, project = place
    name = web.partition("://")[2]
    found = kind or _KNOWN.get(name) or _asked(web, project)
    if found == "plain" or not _fits(found, project):
        return Host("plain")
    return Host(found, web, LoginHost(name, found, web).api, project)


def _fits(kind: Kind, project: str) -> bool:
    return bool((_MANY_PARTS if kind == "gitlab" else _TWO_PARTS).fullmatch(project))


def _asked(web: str, project: str) -> Kind:
    """What a host that nobody knows says that it is; nothing of ours is sent to it."""
    if _fits("github", project) and _answers(web, "/api/v3", "/meta", "github"):
        return "github"
    if _fits("gitlab", project) and _answers(web, "/api/v4", "/version", "gitlab"):
        return "gitlab"
    return "plain"


def _answers(web: str, base: str, path: str, kind: Kind) -> bool:
    # Start-up cost: only an unknown host is asked by HTTP.
    from medperf_git.forge.http_api import HttpApi  # noqa: PLC0415

    try:
        data: Any = HttpApi(web + base, None, most_wait=0, tries=1).get(path)
    except HostError as error:
        # A GitLab tells its version only to those whom it knows.
        return kind == "gitlab" and "401 Unauthorized" in error.message
    wanted = "version" if kind == "gitlab" else "verifiable_password_authentication"
    return isinstance(data, dict) and wanted in data
