"""The way to a registry's host: a plain Git server, GitHub or GitLab.

Which it is was found when the registry was added. Talks to no host itself.

Example::

    forge = forge_of(home, entry, mirror, print)
"""

from __future__ import annotations

from collections.abc import Callable

from medperf_git.forge.base import Forge
from medperf_git.forge.hosts import recognise
from medperf_git.forge.plain import PlainForge
from medperf_git.forge.secret import Secret
from medperf_git.forge.tokens import TokenStore, find_token
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.vcs import Repository


def forge_of(
    home: Home, entry: RegistryEntry, mirror: Repository, tell: Callable[[str], None]
) -> Forge:
    """What opens, reads and merges requests of a registry.

    Args:
        home: where tokens are kept.
        entry: the registry.
        mirror: its mirror.
        tell: called where the host lets us wait.

    Raises:
        InputError: the address is none of such a host.
    """
    kind = entry.host
    if kind == "plain":
        return PlainForge(mirror, entry.url)
    host = recognise(entry.url, kind)

    def token() -> Secret | None:
        found = find_token(host.name, kind, TokenStore(home.tokens))
        return found.secret if found else None

    # Start-up cost: reading what is here already needs no client of a host's interface.
    if kind == "gitlab":
        from medperf_git.forge.gitlab import GitLabForge  # noqa: PLC0415

        return GitLabForge(mirror, entry.url, host, token, tell)
    from medperf_git.forge.github import GitHubForge  # noqa: PLC0415

    return GitHubForge(mirror, entry.url, host, token, tell)
