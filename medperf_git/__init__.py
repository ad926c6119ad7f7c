"""medperf_git: federated benchmarking of medical AI, with a Git repository as its database.

As a library: ``open_registry``, ``results``, ``leaderboard`` and ``check`` (see ``api``).

Example::

    import medperf_git

    registry = medperf_git.open_registry("registry.git")
    print([row.result.model.id for row in medperf_git.results(registry)])
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from medperf_git.version import __version__

if TYPE_CHECKING:
    from medperf_git.api import check, leaderboard, open_registry, results

__all__ = ["__version__", "check", "leaderboard", "open_registry", "results"]


def __getattr__(name: str) -> Any:
    """The library's functions, imported when first used: `mpgit --help` does without them."""
    if name in __all__:
        from medperf_git import api  # noqa: PLC0415 (start-up cost, as said above)

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
