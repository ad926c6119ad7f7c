"""What really ran: images, parameters, isolation in force, engine and client versions.

Filled in by ``runtime`` from what it did, never from what was asked for. Does not measure
anything itself.

Example:
    >>> Limit(value=512, enforced_by="cgroup").enforced_by
    'cgroup'
"""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from medperf_git.records.base import Commit, Name, Part, Sha256
from medperf_git.records.container import ImageType, TaskName
from medperf_git.records.metric import Denominator, MetricValue

_VERSION: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,63}", re.ASCII)
"""Names of packages and their versions: words, since text could say anything about anybody."""


class Limit(Part):
    """One resource limit, and who enforced it."""

    value: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    """The limit, in the field's unit."""
    enforced_by: Literal["cgroup", "rlimit", "watchdog", "none"]
    """`cgroup` and `rlimit`: the kernel; `watchdog`: mpgit, by looking; `none`: nobody."""


class Isolation(Part):
    """The isolation that was in force while a task ran."""

    network: Literal["none"]
    """No network device but loopback."""
    capabilities: Literal["none"]
    """All Linux capabilities were dropped."""
    new_privileges: Literal[False]
    """Set-uid programs could not gain privileges."""
    root: Literal["read-only"]
    """The root file system."""
    inputs: Literal["read-only"]
    """The input volumes."""
    user: Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]
    """`uid:gid` that the task ran as."""
    memory_mb: Limit
    """Memory in MiB; the swap limit is the same."""
    processes: Limit
    """Processes and threads."""
    cpus: Limit
    """Processors."""
    seconds: Limit
    """Wall-clock time."""
    output_mb: Limit
    """MiB of output."""
    gpus: Annotated[int, Field(ge=1, le=64)] | None = None
    """Graphics processors that it was given; absent for none."""


class Engine(Part):
    """The container engine."""

    name: Literal["docker", "podman", "apptainer", "sandbox"]
    """Which engine."""
    version: Name
    """Its version, as it says it."""


class Step(Part):
    """One task that ran."""

    task: TaskName
    """Which task."""
    image_type: ImageType
    """What kind of image ran."""
    image: Sha256
    """The image's digest."""
    parameters: Sha256 | None = None
    """SHA-256 of the parameters file, where there was one."""
    additional_files: tuple[Sha256, ...] = ()
    """Digests of the additional files."""
    software: dict[Name, Name] = {}  # noqa: RUF012 (pydantic copies it)
    """Versions that the image's digest does not cover, for `source` images: Python, packages."""
    isolation: Isolation
    """What was in force."""
    seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """How long it took."""
    exit_code: Annotated[int, Field(ge=1, le=255)] | None = None
    """How `infer` ended, where it failed on some cases and the owner went on with the others."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.software and self.image_type != "source":
            raise ValueError("software: stands only beside a `source` image")
        for word in (*self.software, *self.software.values()):
            if not _VERSION.fullmatch(word):
                raise ValueError(f"software: {word[:40]!r} is no package's name or version")
        if self.exit_code is not None and self.task != "infer":
            raise ValueError("exit_code: only `infer` may fail on some of the cases")
        return self


class Client(Part):
    """The client that ran the execution."""

    name: Name
    """`mpgit`, or another implementation."""
    version: Name
    """Its version."""


class Execution(Part):
    """How an execution was done."""

    client: Client
    """Who drove it."""
    engine: Engine
    """What ran the containers."""
    registry_commit: Commit | None = None
    """The registry's commit that it ran against; absent for parts not yet registered."""
    finished: Annotated[
        str, Field(pattern=r"^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])$")
    ]
    """The day it ended (UTC), for people: no rule reads it."""
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=20)]
    """The tasks, in the order they ran."""

    @property
    def partial(self) -> bool:
        """Whether the model failed on some of the cases, and the others were evaluated."""
        return any(step.exit_code is not None for step in self.steps)


class CompatibilityTest(Part):
    """A passing run of a whole benchmark on its demo data."""

    demo_data: Sha256
    """Fingerprint of the demo data that was used."""
    model: Sha256
    """Image digest of the model that was tested."""
    metrics: Annotated[tuple[MetricValue, ...], Field(max_length=200)]
    """What was measured on the demo data."""
    denominator: Denominator
    """What became of the demo data's cases."""
    execution: Execution
    """How it ran."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.execution.partial:
            raise ValueError("execution: a compatibility test needs a model that ends well")
        return self
