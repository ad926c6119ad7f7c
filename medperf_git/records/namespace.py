"""Signature namespaces: fixed by the kind of record and the registry's identity.

Never read from a file, so that a signature can't be moved to another kind or registry.

Example:
    >>> namespace("result", "ab" * 32)
    'mpgit-result-v1@abababababababababababababababab'
    >>> namespace("root", "ab" * 32, revision=1)
    'mpgit-root-v1'
"""

from __future__ import annotations

from typing import Final

_DIGITS: Final = 32


def namespace(kind: str, identity: str, *, revision: int = 0) -> str:
    """The namespace that a record's signatures must carry.

    Args:
        kind: the record's kind (`withdrawal` for a withdrawal).
        identity: SHA-256 of ``registry/root/1.yaml`` in hex.
        revision: the record's revision: root 1 can't name its own digest.
    """
    if kind == "root" and revision == 1:
        return "mpgit-root-v1"
    return f"mpgit-{kind}-v1@{identity[:_DIGITS]}"
