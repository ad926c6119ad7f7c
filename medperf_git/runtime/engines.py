"""Choosing the engine that runs what an execution needs, from those that are here.

One engine runs all containers of an execution, so that its record names one. Does not run
anything.

Example::

    engine = find_engine("auto", [preparation.image, model.image, metrics.image], artefacts)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError, InputError
from medperf_git.records.container import Image
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.sandbox_engine import SandboxEngine

ENGINES: Final = ("docker", "podman", "sandbox", "apptainer")
"""All engines, as site rules and records name them; `docker` and `podman` are one API."""
AUTO: Final = "auto"
NAMES: Final = (*ENGINES, AUTO)
"""What `--engine` accepts."""


def find_engine(
    preference: str | None,
    images: Sequence[Image],
    artefacts: ArtefactStore,
    *,
    python: Path | None = None,
    allowed: Collection[str] = ENGINES,
    gpus: bool = False,
) -> Engine:
    """An engine that admits all images.

    `auto`, as without a preference: the sandbox where no image is given by reference, for it
    needs no daemon; then Docker or Podman; then Apptainer, which must convert an image first.

    Args:
        preference: one of `NAMES`, or None.
        images: all that will run.
        artefacts: where archives and sources come from.
        python: the interpreter for sources; ours where not named.
        allowed: the engines that the site allows; others are not chosen.
        gpus: whether any needs a graphics processor, which the sandbox gives to sources only.

    Raises:
        InputError: `unknown-engine`.
        EngineError: `engine-missing`, `engine-not-allowed`, or `image-not-admitted` where no one
            engine runs all.
    """
    if preference is not None and preference not in NAMES:
        raise InputError(
            f"no engine is called {preference}",
            code="unknown-engine",
            advice=f"one of {', '.join(NAMES)}",
        )
    makers = _makers(artefacts, python)
    types: set[str] = {image.type for image in images}
    names = _allowed(_order(preference, types, gpus=gpus), allowed)
    problems: list[str] = []
    for name in names:
        try:
            return _refuse(makers[name](), images, allowed)
        except EngineError as problem:
            if len(names) == 1:
                raise
            problems.append(f"{name}: {problem.message}")
    raise EngineError(
        f"no engine is here; {'; '.join(problems)}",
        code="engine-missing",
        advice=_advice(names),
    )


def _order(preference: str | None, types: set[str], *, gpus: bool) -> tuple[str, ...]:
    if preference not in (None, AUTO):
        return ("docker",) if preference == "podman" else (str(preference),)
    if {"reference", "source"} <= types:
        raise EngineError(
            "no one engine runs both images by reference and sources",
            code="image-not-admitted",
            advice="have the sources built into an image, or run all of them as sources",
        )
    if "reference" in types or (gpus and "archive" in types and "source" not in types):
        return ("docker", "apptainer")
    return ("sandbox",) if "source" in types else ("sandbox", "docker", "apptainer")


def _allowed(names: Sequence[str], allowed: Collection[str]) -> tuple[str, ...]:
    """Those that may turn out to be allowed: who answers as Docker may be Podman."""
    found = tuple(
        name for name in names if name in allowed or (name == "docker" and "podman" in allowed)
    )
    if not found:
        raise _forbidden(" or ".join(names), allowed)
    return found


def _forbidden(name: str, allowed: Collection[str]) -> EngineError:
    return EngineError(
        f"this site does not allow the engine {name}",
        code="engine-not-allowed",
        advice=f"site.yaml allows {', '.join(allowed)}",
    )


def _advice(names: Collection[str]) -> str:
    if "sandbox" in names:
        return "install bubblewrap (apt-get install bubblewrap), or install and start Docker"
    return "start Docker (systemctl start docker), say where it is (DOCKER_HOST), or use Apptainer"


def _makers(artefacts: ArtefactStore, python: Path | None) -> dict[str, Callable[[], Engine]]:
    def make_docker() -> Engine:
        # Imported where it is used: `docker` brings requests and urllib3, a fifth of a second
        # that no other command should pay.
        from medperf_git.runtime.docker_engine import DockerEngine  # noqa: PLC0415

        return DockerEngine(artefacts)

    def make_apptainer() -> Engine:
        # As above: few sites have it.
        from medperf_git.runtime.apptainer_engine import ApptainerEngine  # noqa: PLC0415

        return ApptainerEngine(artefacts)

    return {
        "docker": make_docker,
        "sandbox": lambda: SandboxEngine(artefacts, python),
        "apptainer": make_apptainer,
    }


def _refuse(engine: Engine, images: Sequence[Image], allowed: Collection[str]) -> Engine:
    if engine.name not in allowed:
        raise _forbidden(engine.name, allowed)
    for image in images:
        if not engine.admits(image):
            raise EngineError(
                f"{engine.name} does not run images of type {image.type}",
                code="image-not-admitted",
                advice="leave the choice of the engine to mpgit: no --engine",
            )
    return engine
