"""What a container's record brings to its tasks besides the image: parameters and files.

Writes them into a folder from which ``engine`` mounts them read-only. Does not run anything.

Example::

    materials = materialise(container, artefacts, folder)
    materials.parameters      # the file that every task reads its parameters from, or None
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from medperf_git.atomic import explain, write_bytes
from medperf_git.canonical.document import emit_mapping
from medperf_git.records.artefact import File
from medperf_git.records.container import Container
from medperf_git.runtime.artefacts import ArtefactStore, remove
from medperf_git.runtime.extract import Budget, extract_tar

_MAX_RATIO: Final = 100
"""How many times its size an archive may unpack to."""
_MAX_ENTRIES: Final = 200_000


@dataclass(frozen=True, slots=True)
class Materials:
    """Where the parameters and the additional files stand; None where no task reads them."""

    parameters_file: Path | None
    additional_files: Path | None


def materialise(container: Container, artefacts: ArtefactStore, folder: Path) -> Materials:
    """Write what the container's tasks read besides data.

    Args:
        container: the record.
        artefacts: where its files come from.
        folder: where they go; what stood there under the same names is replaced.

    Raises:
        ArtefactError: a file is missing, has another digest, or does not unpack.
        InputError: the folder can't be written.
    """
    volumes = {name for task in container.tasks.values() for name in task.input_volumes}
    parameters = additional = None
    if "parameters_file" in volumes:
        parameters = folder / "parameters_file.yaml"
        write_bytes(parameters, emit_mapping(container.parameters))
    if "additional_files" in volumes:
        additional = folder / "additional_files"
        try:
            remove(additional)
            additional.mkdir(parents=True, mode=0o700)
            for file in container.additional_files:
                _place(file, artefacts.file(file), additional)
        except OSError as error:
            raise explain(error, additional) from error
    return Materials(parameters, additional)


def _place(file: File, cached: Path, folder: Path) -> None:
    if file.unpack:
        extract_tar(cached, folder, Budget(file.size * _MAX_RATIO, _MAX_ENTRIES))
        return
    target = folder / file.name
    try:
        # Mounted read-only, so that a second name of the cached file is safe.
        os.link(cached, target)
    except OSError:
        shutil.copyfile(cached, target)
