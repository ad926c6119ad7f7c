"""Artefacts: files and trees that a record pins by digest and that live outside the registry.

An artefact is found by its digest; `path` and `urls` are hints where to look. Nothing here
fetches or opens them (``runtime.artefacts`` does).

Example:
    >>> File(name="weights.json", sha256="0" * 64, size=12, path="models/a/weights.json").unpack
    False
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import Field

from medperf_git.canonical.scalars import MAX_INTEGER
from medperf_git.records.base import Part, Sha256

Url: TypeAlias = Annotated[str, Field(pattern=r"^(?:https|http|file)://[!-~]+$", max_length=2000)]
RelativePath: TypeAlias = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$", max_length=400
    ),
]
"""A POSIX path without `.`, `..`, hidden parts or odd characters."""
Size: TypeAlias = Annotated[int, Field(ge=0, le=MAX_INTEGER)]


class Artefact(Part):
    """Bytes outside the registry, pinned by digest."""

    sha256: Sha256
    """For a file: SHA-256 of its bytes. For a tree: the fingerprint over its files."""
    size: Size
    """Bytes in all; a fetch stops where more arrive."""
    path: RelativePath | None = None
    """Where it stands below an artefact folder (`--artefacts DIR`), as a hint."""
    urls: Annotated[tuple[Url, ...], Field(max_length=10)] = ()
    """Where it can be had; tried in order. For a tree: tar archives of it."""


class File(Artefact):
    """One file that a task reads."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=200)]
    """The file's name inside the mounted folder."""
    unpack: bool = False
    """Whether it is a tar archive whose contents are mounted instead of itself."""


class Tree(Artefact):
    """A folder of files."""

    files: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many files it has."""
