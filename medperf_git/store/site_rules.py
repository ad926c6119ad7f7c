"""``site.yaml``: what a site allows, whatever a registry asks for.

A registry can ask for less, never for more. Read before anything runs or leaves; a file that
can't be understood stops everything, since guessing would be unsafe.

Example:
    >>> SiteRules(benchmarks=("anna/*",)).admits_benchmark("anna/preterm")
    True
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from medperf_git.canonical.draft import read_mapping
from medperf_git.errors import InputError
from medperf_git.records.base import Part

Patterns = tuple[Annotated[str, Field(min_length=1, max_length=200)], ...]


class SiteLimits(Part):
    """The most that any task gets here."""

    memory_mb: Annotated[int, Field(ge=16)] | None = None
    """MiB of memory."""
    cpus: Annotated[int, Field(ge=1)] | None = None
    """Processors."""
    processes: Annotated[int, Field(ge=1)] | None = None
    """Processes and threads."""
    seconds: Annotated[int, Field(ge=1)] | None = None
    """Wall-clock seconds for each task."""
    output_mb: Annotated[int, Field(ge=1)] | None = None
    """MiB of output."""


class SiteRules(Part):
    """A site's own rules."""

    engines: Annotated[
        tuple[Literal["docker", "podman", "sandbox", "apptainer"], ...], Field(min_length=1)
    ] = ("docker", "podman", "sandbox", "apptainer")
    """Engines that may run containers."""
    benchmarks: Patterns = ("*",)
    """Benchmarks that may run, as `owner/name` with `*` for anything."""
    models: Patterns = ("*",)
    """Models that may run."""
    limits: SiteLimits = SiteLimits()
    """The most that any task gets."""
    gpus: tuple[Annotated[str, Field(pattern=r"^[0-9]{1,3}$")], ...] | None = None
    """Graphics processors that tasks may use, by their numbers; absent: all that are there."""
    minimum_cases: Annotated[int, Field(ge=0)] = 0
    """Results on fewer evaluated cases do not leave, whatever the benchmark allows."""
    smallest_cell: Annotated[int, Field(ge=0)] = 0
    """Whole numbers from 1 up to below this do not leave: they could tell of single patients."""
    artefacts: tuple[str, ...] = ()
    """Folders in which pinned files and source trees are looked for."""

    def admits_benchmark(self, benchmark: str) -> bool:
        """Whether the benchmark may run here."""
        return any(fnmatchcase(benchmark, pattern) for pattern in self.benchmarks)

    def admits_model(self, model: str) -> bool:
        """Whether the model may run here."""
        return any(fnmatchcase(model, pattern) for pattern in self.models)

    def small_cells(self, data: Mapping[str, Any], place: str = "") -> Iterator[str]:
        """The dotted names of whole numbers too small to leave the site."""
        for key, value in data.items():
            path = f"{place}.{key}" if place else key
            if isinstance(value, dict):
                yield from self.small_cells(value, path)
            elif type(value) is int and 0 < value < self.smallest_cell:
                yield path


def load_site_rules(path: Path) -> SiteRules:
    """The site's rules; the defaults where there is no file.

    Raises:
        InputError: the file can't be understood; the message names the field.
    """
    try:
        payload = path.read_bytes()
    except FileNotFoundError:
        return SiteRules()
    except OSError as error:
        raise InputError(
            f"can't be read: {error.strerror}",
            code="site-rules",
            place=str(path),
            advice=f"see who owns it: ls -l {path}",
        ) from error
    try:
        return SiteRules.model_validate_json(json.dumps(read_mapping(payload, str(path))))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"{field}: {first['msg']}",
            code="site-rules",
            place=str(path),
            advice="docs/roles/data-owner.md describes the file",
        ) from error
