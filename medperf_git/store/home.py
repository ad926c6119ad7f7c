"""The client's own files: where they are, and the small ones among them.

The one place where paths outside the registry are made. Everything lies in the XDG
directories, or below ``$MPGIT_HOME`` where that is set (one person, several roles; tests).

Example:
    >>> Home(Path("/h")).key("ky").name
    'ky'
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, ValidationError

from medperf_git.atomic import write_bytes
from medperf_git.errors import InputError
from medperf_git.records.base import MAX_SLUG, SLUG, OwnedId, Part, Sha256, Slug


class RegistryEntry(Part):
    """A registry that this client knows."""

    name: Slug
    """The client's own name for it."""
    url: Annotated[str, Field(min_length=1, max_length=2000)]
    """Where its Git repository is."""
    genesis: Sha256
    """Its identity, pinned when it was added."""
    participant: Slug | None = None
    """Who this client is there."""
    key: Slug | None = None
    """The key that it signs with."""
    host: Literal["plain", "github", "gitlab"] = "plain"
    """What its host speaks, as found when it was added."""
    benchmarks: tuple[OwnedId, ...] = ()
    """The benchmarks that this client reads; empty: everything."""


class Configuration(Part):
    """What ``registries.json`` holds."""

    registries: tuple[RegistryEntry, ...] = ()
    """Every registry, in the order they were added; the first is the default."""


@dataclass(frozen=True)
class Home:
    """The client's folders.

    Attributes:
        top: the folder that holds all of them, or None for the XDG directories.
    """

    top: Path | None = None

    @classmethod
    def from_environment(cls) -> Home:
        """The home that ``$MPGIT_HOME`` names, or the XDG directories."""
        named = os.environ.get("MPGIT_HOME")
        return cls(Path(named).absolute() if named else None)

    @property
    def config(self) -> Path:
        """Settings and keys."""
        return self.top / "config" if self.top else platformdirs.user_config_path("mpgit")

    @property
    def data(self) -> Path:
        """What must not be lost: datasets, executions, the outbox, mirrors."""
        return self.top / "data" if self.top else platformdirs.user_data_path("mpgit")

    @property
    def cache(self) -> Path:
        """What can be fetched again: artefacts."""
        return self.top / "cache" if self.top else platformdirs.user_cache_path("mpgit")

    @property
    def keys(self) -> Path:
        """The folder of signing keys."""
        return self.config / "keys"

    def key(self, name: str) -> Path:
        """A private key's file; its public half has `.pub` behind it.

        Raises:
            InputError: the name is none that a record can hold.
        """
        if not re.fullmatch(SLUG, name) or len(name) > MAX_SLUG:
            raise InputError(
                f"{name!r} is no name for a key",
                code="bad-name",
                advice="lowercase letters, digits and single hyphens, e.g. `laptop`",
            )
        return self.keys / name

    @property
    def tokens(self) -> Path:
        """The folder of tokens for hosts."""
        return self.config / "tokens"

    @property
    def site_file(self) -> Path:
        """The site's own rules."""
        return self.config / "site.yaml"

    @property
    def artefacts(self) -> Path:
        """The artefact cache."""
        return self.cache / "artefacts"

    def mirror(self, registry: str) -> Path:
        """The bare mirror of a registry."""
        return self.data / "registries" / registry / "mirror.git"

    def registry_lock(self, registry: str) -> Path:
        """Held while the mirror moves."""
        return self.data / "registries" / registry / "lock"

    def audited(self, registry: str) -> Path:
        """How far this client's audits of a registry got."""
        return self.data / "registries" / registry / "audited.json"

    def part(self, registry: str) -> Path:
        """What is in scope where this client reads a part of a registry, and what it verified."""
        return self.data / "registries" / registry / "part.json"

    @property
    def indexes(self) -> Path:
        """The indexes of all registries."""
        return self.cache / "index"

    def index(self, identity: str, version: int) -> Path:
        """What answers questions about a registry at speed; made again where it is missing."""
        return self.indexes / f"{identity}-v{version}"

    def synced(self, registry: str) -> Path:
        """How far this client's first sync of a registry got."""
        return self.data / "registries" / registry / "synced.json"

    @property
    def audit_key(self) -> Path:
        """The key by which this client knows its own notes on audits."""
        return self.config / "audit.key"

    def outbox(self, registry: str) -> Path:
        """Signed proposals that are not sent yet."""
        return self.data / "outbox" / registry

    def datasets(self, registry: str) -> Path:
        """Prepared datasets."""
        return self.data / "datasets" / registry

    def dataset(self, registry: str, dataset: str) -> Path:
        """One prepared dataset: `owner/name`."""
        return self.datasets(registry).joinpath(*dataset.split("/"))

    def execution(self, registry: str, benchmark: str, dataset: str, model: str) -> Path:
        """One execution; each argument is the pinned record's digest in hex."""
        folder = "-".join(digest[:16] for digest in (benchmark, dataset, model))
        return self.data / "executions" / registry / folder

    def executions(self, registry: str) -> Path:
        """Every execution under a registry."""
        return self.data / "executions" / registry

    @property
    def scratch(self) -> Path:
        """Folders of compatibility tests and of work in progress."""
        return self.cache / "scratch"

    # --- the registries that are known -----------------------------------------------------

    @property
    def _registries(self) -> Path:
        return self.config / "registries.json"

    def configuration(self) -> Configuration:
        """Every registry that was added.

        Raises:
            InputError: the file was damaged.
        """
        try:
            text = self._registries.read_text("utf-8")
        except FileNotFoundError:
            return Configuration()
        try:
            return Configuration.model_validate_json(text)
        except ValidationError as error:
            raise InputError(
                f"can't be read: {error.errors()[0]['msg']}",
                code="bad-configuration",
                place=str(self._registries),
                advice="mend the file, or move it away and `mpgit registry add` again",
            ) from error

    def registry(self, name: str | None = None) -> RegistryEntry:
        """A registry by name, or the first that was added.

        Raises:
            InputError: there is none.
        """
        known = self.configuration().registries
        for entry in known:
            if name in (None, entry.name):
                return entry
        names = ", ".join(entry.name for entry in known)
        raise InputError(
            f"no registry named {name!r}" if name else "no registry was added yet",
            code="unknown-registry",
            advice=f"known: {names}" if names else "mpgit registry add NAME URL --genesis SHA256",
        )

    def save_registry(self, entry: RegistryEntry) -> None:
        """Adds a registry, or replaces the one of the same name in its place."""
        entries = list(self.configuration().registries)
        names = [known.name for known in entries]
        if entry.name in names:
            entries[names.index(entry.name)] = entry
        else:
            entries.append(entry)
        text = Configuration(registries=tuple(entries)).model_dump_json(indent=2) + "\n"
        write_bytes(self._registries, text.encode())


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """Writes a small file of the client's own, atomically."""
    write_bytes(path, (json.dumps(data, indent=2, sort_keys=True) + "\n").encode())


def read_json(path: Path) -> dict[str, Any] | None:
    """A small file of the client's own, or None where it is missing.

    Raises:
        InputError: it was damaged.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise damaged(path, str(error)) from error
    if not isinstance(data, dict):
        raise damaged(path, "not a mapping")
    return data


def damaged(path: Path, why: str) -> InputError:
    """The error for a file of the client's own that does not hold what it should."""
    return InputError(
        f"damaged: {why}",
        code="damaged-file",
        place=str(path),
        advice=f"nothing was changed; to do without it: mv {path} {path}.damaged",
    )
