"""What a container is and how its tasks are mounted: the MLCube contract of design.md §7.

Task names, volume names and mount paths are MedPerf's, so that its containers run unchanged
(https://github.com/mlcommons/medperf, ``container_config.yaml``). Nothing here runs anything.

Example:
    >>> sorted(CONTRACT["infer"].required_inputs)
    ['data_path']
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, model_validator

from medperf_git.records.artefact import Artefact, File, Tree
from medperf_git.records.base import Part, Sha256

TaskName: TypeAlias = Literal["prepare", "sanity_check", "statistics", "infer", "evaluate"]
VolumeName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
MountPath: TypeAlias = Annotated[
    str, Field(pattern=r"^(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)+$", max_length=400)
]


class ReferenceImage(Part):
    """An image in a container registry, run by its digest and never by a tag."""

    type: Literal["reference"]
    """Always `reference`."""
    reference: Annotated[
        str,
        Field(
            pattern=r"^[a-z0-9][a-z0-9.:-]*(?:/[a-z0-9][a-z0-9._-]*)+@sha256:[0-9a-f]{64}$",
            max_length=500,
        ),
    ]
    """`registry/name@sha256:…`."""

    @property
    def digest(self) -> str:
        """The manifest's SHA-256 in hex."""
        return self.reference.rpartition(":")[2]


class ArchiveImage(Artefact):
    """A Docker or OCI archive (`docker save`, `skopeo copy … oci-archive:`)."""

    type: Literal["archive"]
    """Always `archive`."""

    @property
    def digest(self) -> str:
        """The archive file's SHA-256 in hex."""
        return self.sha256


class SourceImage(Tree):
    """A tree of Python sources, mounted read-only at `/project`; for development and demos."""

    type: Literal["source"]
    """Always `source`."""

    @property
    def digest(self) -> str:
        """The tree's fingerprint in hex."""
        return self.sha256


Image: TypeAlias = Annotated[
    ReferenceImage | ArchiveImage | SourceImage, Field(discriminator="type")
]
ImageType: TypeAlias = Literal["reference", "archive", "source"]


class Volume(Part):
    """Where one named volume is mounted inside the container."""

    mount_path: MountPath
    """Absolute path inside the container."""
    type: Literal["directory", "file"] = "directory"
    """Whether a folder or one file is mounted."""


class Task(Part):
    """How one task is started and what it reads and writes."""

    command: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...],
        Field(min_length=1, max_length=100),
    ]
    """The program and its arguments; no shell reads them."""
    input_volumes: dict[VolumeName, Volume]
    """Mounted read-only."""
    output_volumes: dict[VolumeName, Volume] = {}  # noqa: RUF012 (pydantic copies it)
    """Mounted writable, empty at the start."""

    @model_validator(mode="after")
    def _disjoint_mounts(self) -> Self:
        mounts = [
            v.mount_path for v in (*self.input_volumes.values(), *self.output_volumes.values())
        ]
        for mount in mounts:
            inside = [other for other in mounts if other.startswith(mount + "/")]
            if inside or mounts.count(mount) > 1:
                raise ValueError(f"mount_path: {mount} and {(inside or [mount])[0]} overlap")
        return self


@dataclass(frozen=True, slots=True)
class TaskContract:
    """Which volumes a task must and may have."""

    required_inputs: frozenset[str]
    optional_inputs: frozenset[str]
    required_outputs: frozenset[str]
    optional_outputs: frozenset[str] = frozenset()


_EXTRAS: Final = frozenset({"parameters_file", "additional_files"})
CONTRACT: Final[dict[str, TaskContract]] = {
    "prepare": TaskContract(
        frozenset({"data_path", "labels_path"}),
        _EXTRAS,
        frozenset({"output_path", "output_labels_path"}),
        frozenset({"metadata_path", "report_file"}),
    ),
    "sanity_check": TaskContract(
        frozenset({"data_path", "labels_path"}), _EXTRAS | {"metadata_path"}, frozenset()
    ),
    "statistics": TaskContract(
        frozenset({"data_path", "labels_path"}),
        _EXTRAS | {"metadata_path"},
        frozenset({"output_path"}),
    ),
    "infer": TaskContract(frozenset({"data_path"}), _EXTRAS, frozenset({"output_path"})),
    "evaluate": TaskContract(
        frozenset({"predictions", "labels"}),
        _EXTRAS,
        frozenset({"output_path"}),
        frozenset({"local_outputs_path"}),
    ),
}
ROLE_TASKS: Final[dict[str, tuple[str, ...]]] = {
    "data-preparation": ("prepare", "sanity_check", "statistics"),
    "metrics": ("evaluate",),
    "model": ("infer",),
}


class Resources(Part):
    """What the container asks for; a site may give less."""

    memory_mb: Annotated[int, Field(ge=16, le=4_194_304)] = 4096
    """Memory in MiB, which is also the swap limit."""
    cpus: Annotated[int, Field(ge=1, le=1024)] = 1
    """Processors."""
    processes: Annotated[int, Field(ge=1, le=65_536)] = 256
    """Processes and threads."""
    seconds: Annotated[int, Field(ge=1, le=2_592_000)] = 3600
    """Wall-clock limit of each task."""
    output_mb: Annotated[int, Field(ge=1, le=4_194_304)] = 1024
    """MiB that a task's outputs may take in all."""
    gpus: Annotated[int, Field(ge=1, le=64)] | None = None
    """Graphics processors, each for this task alone; absent for none."""


def _refuse_null(parameters: dict[str, Any]) -> dict[str, Any]:
    """Records have no null: dumping would drop the key, or the list's item would be lost."""
    stack: list[Any] = [parameters]
    while stack:
        node = stack.pop()
        if node is None:
            raise ValueError("a null; leave the parameter out")
        if isinstance(node, dict | list):
            stack.extend(node.values() if isinstance(node, dict) else node)
    return parameters


class Container(Part):
    """The runnable part that MLCubes and models share."""

    image: Image
    """What is run."""
    tasks: dict[TaskName, Task]
    """The tasks of the contract that it offers."""
    parameters: Annotated[dict[str, Any], AfterValidator(_refuse_null)] = {}  # noqa: RUF012
    """Handed to every task as the YAML file `parameters_file`."""
    additional_files: Annotated[tuple[File, ...], Field(max_length=100)] = ()
    """Files mounted in `additional_files`, such as weights, each pinned by digest."""
    resources: Resources = Resources()
    """What it needs."""
    network: Literal["none"] = "none"
    """Tasks run without network."""

    @model_validator(mode="after")
    def _distinct_files(self) -> Self:
        names = [file.name for file in self.additional_files]
        if len(set(names)) != len(names):
            raise ValueError("additional_files: one name stands twice")
        return self

    @property
    def image_digest(self) -> Sha256:
        """The digest that names the image, whatever its type."""
        return self.image.digest


def refuse_tasks(tasks: dict[TaskName, Task], role: str) -> None:
    """Raise unless the tasks are exactly those of the role, with the contract's volumes.

    Raises:
        ValueError: names the task and the volume.
    """
    wanted = ROLE_TASKS[role]
    if set(tasks) != set(wanted):
        raise ValueError(f"tasks: {role} has {', '.join(wanted)}; found {', '.join(sorted(tasks))}")
    for name, task in tasks.items():
        contract = CONTRACT[name]
        _refuse_volumes(
            f"tasks.{name}.input_volumes",
            set(task.input_volumes),
            contract.required_inputs,
            contract.optional_inputs,
        )
        _refuse_volumes(
            f"tasks.{name}.output_volumes",
            set(task.output_volumes),
            contract.required_outputs,
            contract.optional_outputs,
        )


def _refuse_volumes(
    field: str, found: set[str], required: frozenset[str], optional: frozenset[str]
) -> None:
    if missing := sorted(required - found):
        raise ValueError(f"{field}: {', '.join(missing)} missing")
    if unknown := sorted(found - required - optional):
        raise ValueError(f"{field}: {', '.join(unknown)} not in the contract")
