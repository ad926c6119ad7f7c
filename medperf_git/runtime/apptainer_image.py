"""Images as Apptainer runs them: converted to one SIF file, once, and kept by their digest.

An archive is verified by our artefact store and handed over as a Docker archive with nobody's
tags; an image by reference is pulled by its digest, which whoever pulls verifies
(https://apptainer.org/docs/user/main/docker_and_oci.html). The image's configuration lies in the
SIF file as the object `oci-config.json`: entrypoint and working folder are read from there, for
`exec` takes no heed of them. Does not run images.

Example::

    sif = converted(program, model.image, artefacts)
    sif.path, sif.entrypoint
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from medperf_git.errors import ArtefactError, EngineError
from medperf_git.records.container import ArchiveImage, Image, ReferenceImage
from medperf_git.runtime import tasklog
from medperf_git.runtime.apptainer_options import Program, build_command
from medperf_git.runtime.artefacts import ArtefactStore, keep
from medperf_git.runtime.image_archive import ImageArchive
from medperf_git.runtime.rootfs import start_of

FOLDER: Final = "sif"
"""Where in the artefact cache converted images lie."""
_BUILD_SECONDS: Final = 2 * 3600
_LOOK_SECONDS: Final = 60
_CONFIG: Final = "oci-config.json"
_OBJECT: Final = re.compile(r"^(\d+)\s*\|.*\|\s*JSON\.Generic\b", re.MULTILINE)
_NAME: Final = re.compile(r"^\s*Name:\s*(\S+)\s*$", re.MULTILINE)
_ABSENT: Final = ("manifest unknown", "manifest verification", "not found", "does not match")
_LOCAL: Final = re.compile(r"^(?:localhost|127\.[0-9.]+)(?::\d+)?/")


@dataclass(frozen=True, slots=True)
class Sif:
    """A converted image and how it wants to be started."""

    path: Path
    entrypoint: tuple[str, ...] = ()
    working_folder: str = "/"
    environment: Mapping[str, str] = field(default_factory=dict)


def converted(program: Program, image: Image, artefacts: ArtefactStore) -> Sif:
    """The image as a SIF file, converted once and kept.

    Raises:
        ArtefactError: it is missing, has another digest or is no usable image.
        EngineError: `image-not-admitted`, or `engine-failed`: it can't be converted.
    """
    if not isinstance(image, ArchiveImage | ReferenceImage):
        raise EngineError(
            "Apptainer can't run sources",
            code="image-not-admitted",
            advice="use the sandbox for them: --engine sandbox",
        )
    name = f"{image.digest}-{program.product}-{program.version[0]}"
    kept = artefacts.cache / FOLDER / name
    if not (kept / "start.json").is_file():
        with artefacts.scratch() as scratch:
            made = scratch / "made"
            made.mkdir()
            _build(program, image, artefacts, made / "image.sif", scratch)
            settings = _settings(program, made / "image.sif")
            start = start_of({"config": settings}, made / "image.sif")
            (made / "start.json").write_text(json.dumps(start))
            keep(made, kept)
    start = json.loads((kept / "start.json").read_text())
    return Sif(
        kept / "image.sif",
        tuple(start["entrypoint"]),
        start["working_folder"],
        start["environment"],
    )


def _build(
    program: Program, image: Image, artefacts: ArtefactStore, target: Path, scratch: Path
) -> None:
    place, plain_http = "", False
    if isinstance(image, ArchiveImage):
        path = artefacts.file(image)
        with ImageArchive(path) as archive:
            archive.write_docker_archive(scratch / "image.tar")
        # A relative name: there may be colons in the folder's.
        source, place = "docker-archive:image.tar", str(path)
    elif isinstance(image, ReferenceImage):
        source, place = f"docker://{image.reference}", image.reference
        # As Docker does it: nobody listens on the way to this machine itself.
        plain_http = _LOCAL.match(image.reference) is not None
    command = build_command(program, target, source, plain_http=plain_http)
    # The user's own settings for registries and proxies count here.
    variables = {**os.environ, **private(scratch, "TMPDIR", "CACHEDIR")}
    done = _run(command, _BUILD_SECONDS, variables, scratch)
    if done.returncode != 0 or not target.is_file():
        raise _not_converted(image, place, done.stderr)
    target.chmod(0o400)


def private(folder: Path, *names: str) -> dict[str, str]:
    """Variables that move folders of both programs, such as `TMPDIR`, into one of ours."""
    found = {}
    for name in names:
        (folder / name.lower()).mkdir(exist_ok=True)
        for prefix in ("APPTAINER", "SINGULARITY"):
            found[f"{prefix}_{name}"] = str(folder / name.lower())
    return found


def _not_converted(image: Image, place: str, said: bytes) -> ArtefactError | EngineError:
    lines = [line for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    reason = tasklog.printable(lines[-1]) if lines else "no reason given"
    if isinstance(image, ReferenceImage):
        absent = any(word in reason for word in _ABSENT)
        return ArtefactError(
            "the registry has no image with this digest"
            if absent
            else f"the image can't be pulled: {reason}",
            code="image-digest" if absent else "image-missing",
            place=place,
            advice="ask the owner to push it again" if absent else "see: apptainer registry login",
        )
    return EngineError(
        f"Apptainer can't convert the image: {reason}", code="engine-failed", place=place
    )


def _settings(program: Program, image: Path) -> Mapping[str, Any]:
    """The image's configuration, as the SIF file holds it.

    Raises:
        EngineError: `engine-failed`: it holds none.
    """
    for number in _OBJECT.findall(_sif(program, "list", str(image))):
        name = _NAME.search(_sif(program, "info", number, str(image)))
        if name is not None and name[1] == _CONFIG:
            with suppress(ValueError):
                found = json.loads(_sif(program, "dump", number, str(image)))
                if isinstance(found, dict):
                    return found
    raise EngineError(
        f"the SIF file that {program} made holds no {_CONFIG}",
        code="engine-failed",
        advice="use a newer Apptainer, or another engine",
    )


def _sif(program: Program, *words: str) -> str:
    """What `apptainer sif` says: https://apptainer.org/docs/user/main/cli/apptainer_sif.html."""
    done = _run([program.path, "sif", *words], _LOOK_SECONDS)
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else ""


def _run(
    command: list[str],
    seconds: float,
    variables: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
            env=variables,
            cwd=folder,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise EngineError(f"Apptainer does not answer: {error}", code="engine-failed") from error
