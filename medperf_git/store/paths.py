"""The one place where a record's path is made, and read back.

A path is a pure function of kind, id and revision. ``locate`` knows every path that may
stand under ``registry/``; what it does not know is refused. Does no IO.

Example:
    >>> path = Place("dataset", "ky/opt", 1).path
    >>> path
    'registry/datasets/ky/opt/1.yaml'
    >>> locate(path)
    Place(kind='dataset', id='ky/opt', revision=1, withdrawn=False)
    >>> locate("registry/datasets/ky/opt/1.ky.sig").signer
    'ky'
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

from medperf_git.errors import InputError
from medperf_git.records.base import MAX_SLUG, RESERVED_IDS, SLUG

REGISTRY: Final = "registry"
GENESIS: Final = "registry/root/1.yaml"

_TEMPLATES: Final[dict[str, str]] = {
    "root": "root",
    "control": "control",
    "participant": "participants/{}",
    "mlcube": "mlcubes/{}/{}",
    "model": "models/{}/{}",
    "dataset": "datasets/{}/{}",
    "benchmark": "benchmarks/{}/{}",
    "policy": "benchmarks/{}/{}/policy",
    "model-association": "benchmarks/{}/{}/models/{}/{}",
    "dataset-association": "benchmarks/{}/{}/datasets/{}/{}",
    "result": "results/{}/{}/{}/{}/{}/{}",
}
_PATTERNS: Final = {
    kind: re.compile(f"{REGISTRY}/" + template.replace("{}", f"({SLUG})"), re.ASCII)
    for kind, template in _TEMPLATES.items()
}
_ID = re.compile(SLUG, re.ASCII)
_FILE = re.compile(
    rf"(?P<revision>[1-9][0-9]{{0,5}})(?P<withdrawn>\.withdrawn)?"
    rf"(?:\.yaml|\.(?P<signer>{SLUG})(?:\.(?P<key>{SLUG}))?\.sig)",
    re.ASCII,
)


@dataclass(frozen=True, order=True)
class Place:
    """Where a record stands: its kind, id and revision, and whether it is the withdrawal.

    For a withdrawal, kind, id and revision are those of the record that it withdraws.
    """

    kind: str
    id: str
    revision: int
    withdrawn: bool = False

    @cached_property
    def folder(self) -> str:
        """The folder of all revisions."""
        return folder_of(self.kind, self.id)

    @cached_property
    def stem(self) -> str:
        """The path without its ending: signatures begin with it."""
        return f"{self.folder}/{self.revision}" + (".withdrawn" if self.withdrawn else "")

    @cached_property
    def path(self) -> str:
        """The record's path in the tree."""
        return self.stem + ".yaml"

    @property
    def depth(self) -> int:
        """How many folders the file is below the top of the tree."""
        return self.path.count("/")

    @property
    def record_kind(self) -> str:
        """The kind of the record in the file: `withdrawal` for a withdrawal."""
        return "withdrawal" if self.withdrawn else self.kind

    @property
    def withdrawal(self) -> Place:
        """Where the withdrawal of this record stands."""
        return Place(self.kind, self.id, self.revision, withdrawn=True)

    def signature(self, signer: str, key: str | None = None) -> str:
        """The path of a signature; `key` names a further key's proof of possession."""
        return f"{self.stem}.{signer}" + (f".{key}" if key else "") + ".sig"


@dataclass(frozen=True, slots=True)
class SignaturePlace:
    """Where a signature stands."""

    record: Place
    signer: str
    key: str | None = None

    @property
    def path(self) -> str:
        """The signature's path in the tree."""
        return self.record.signature(self.signer, self.key)


@lru_cache(maxsize=16_384)
def folder_of(kind: str, record_id: str) -> str:
    """The folder that holds all revisions of a record.

    Raises:
        InputError: the id is none that a record of this kind can have.
    """
    template = _TEMPLATES[kind]
    wanted = template.count("{}")
    parts = record_id.split("/") if wanted else []
    if len(parts) != wanted or not all(_ID.fullmatch(part) for part in parts):
        shape = "/".join(["name"] * wanted)
        raise InputError(
            f"not the id of a {kind}: {record_id!r}",
            code="bad-id",
            advice=f"it has the form {shape}: lowercase letters, digits, single hyphens",
        )
    return f"{REGISTRY}/" + template.format(*parts)


def kind_folder(kind: str) -> str:
    """The folder below which every record of a kind stands."""
    return f"{REGISTRY}/" + _TEMPLATES[kind].split("/")[0]


@lru_cache(maxsize=16_384)
def locate(path: str) -> Place | SignaturePlace | None:
    """What a path under ``registry/`` is for, or None for a path that nothing may have."""
    folder, _, name = path.rpartition("/")
    file = _FILE.fullmatch(name)
    if file is None:
        return None
    for kind, pattern in _PATTERNS.items():
        match = pattern.fullmatch(folder)
        if match is None:
            continue
        ids = match.groups()
        extra = [part for part in (file["signer"], file["key"]) if part]
        if any(part in RESERVED_IDS or len(part) > MAX_SLUG for part in (*ids, *extra)):
            return None
        place = Place(kind, "/".join(ids) or kind, int(file["revision"]), bool(file["withdrawn"]))
        if place.withdrawn and kind in ("root", "control"):
            return None
        return SignaturePlace(place, file["signer"], file["key"]) if file["signer"] else place
    return None
