"""Versions of everything that mpgit rests on here.

Example:
    >>> versions()["mpgit"] == __version__
    True
"""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any, Final

from medperf_git.version import __version__

_PACKAGES: Final = (
    "bcrypt", "click", "cryptography", "docker", "duckdb", "gitpython", "jsonschema",
    "jsonschema-rs", "platformdirs", "pydantic", "pyyaml", "rich",
)  # fmt: skip


def versions() -> dict[str, Any]:
    """This client, Python, its packages, and the system."""
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "mpgit": __version__,
        "python": platform.python_version(),
        "packages": packages,
        "system": _system(),
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()
