"""What Podman's engine needs besides, where it speaks Docker's API.

Its answers in Docker's words leave out what capabilities a container really has; its own API
(https://docs.podman.io/en/latest/_static/api.html, `ContainerInspectLibpod`) tells them. And as
root it gives a container a million open files and processes, which fails where root itself may
not have as many: it gets as many as we have. Does not talk to an engine (``docker_engine``
does).

Example:
    >>> effective({"HostConfig": {}}, {"EffectiveCaps": None})["EffectiveCaps"]
    []
"""

from __future__ import annotations

import resource
from collections.abc import Mapping
from typing import Any, Final

INSPECT: Final = "/v4.0.0/libpod/containers/{}/json"
"""Where its own API describes a container: every version since 4.0 answers there."""
_KINDS: Final = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
_MOST: Final = 32_768
"""Podman's service gives itself no more processes than the kernel has numbers by default."""


def limits_of_ours() -> list[dict[str, Any]]:
    """The limits that it would raise, as they are for us; none where there is no limit."""
    found = []
    for name, kind in _KINDS.items():
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            most = min(hard, _MOST)
            found.append({"Name": name, "Soft": most, "Hard": most})
    return found


def effective(attributes: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    """A container's description with its capabilities, from both APIs' answers."""
    return {**attributes, "EffectiveCaps": described.get("EffectiveCaps") or []}
