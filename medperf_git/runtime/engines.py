"""Choosing the engine that runs what an execution needs, from those that are here.

One engine runs all containers of an execution, so that its record names one. Does not run
anything.

Example::

    engine = find_engine(None, [preparation.image, model.image, metrics.image], artefacts)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError, InputError
from medperf_git.records.container import Image
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.sandbox_engine import SandboxEngine

NAMES: Final = ("docker", "podman", "sandbox")
"""What `--engine` accepts; `docker` and `podman` are one API."""


def find_engine(
    preference: str | None,
    images: Sequence[Image],
    artefacts: ArtefactStore,
    *,
    python: Path | None = None,
) -> Engine:
    """An engine that admits all images.

    Without a preference: the sandbox where no image is given by reference, for it needs no
    daemon; Docker or Podman otherwise, and where the sandbox does not work.

    Args:
        preference: one of `NAMES`, or None.
        images: all that will run.
        artefacts: where archives and sources come from.
        python: the interpreter for sources; ours where not named.

    Raises:
        InputError: `unknown-engine`.
        EngineError: `engine-missing`, or `image-not-admitted` where no one engine runs all.
    """
    if preference is not None and preference not in NAMES:
        raise InputError(
            f"no engine is called {preference}",
            code="unknown-engine",
            advice=f"one of {', '.join(NAMES)}",
        )
    makers = _makers(artefacts, python)
    types: set[str] = {image.type for image in images}
    names = _order(preference, types)
    problems: list[str] = []
    for name in names:
        try:
            return _refuse(makers[name](), images)
        except EngineError as problem:
            if len(names) == 1:
                raise
            problems.append(f"{name}: {problem.message}")
    raise EngineError(
        f"no engine is here; {'; '.join(problems)}",
        code="engine-missing",
        advice="install bubblewrap (apt-get install bubblewrap), or install and start Docker",
    )


def _order(preference: str | None, types: set[str]) -> tuple[str, ...]:
    if preference is not None:
        return ("sandbox",) if preference == "sandbox" else ("docker",)
    if {"reference", "source"} <= types:
        raise EngineError(
            "no one engine runs both images by reference and sources",
            code="image-not-admitted",
            advice="have the sources built into an image, or run all of them as sources",
        )
    if "reference" in types:
        return ("docker",)
    return ("sandbox",) if "source" in types else ("sandbox", "docker")


def _makers(artefacts: ArtefactStore, python: Path | None) -> dict[str, Callable[[], Engine]]:
    def make_docker() -> Engine:
        # Imported where it is used: `docker` brings requests and urllib3, a fifth of a second
        # that no other command should pay.
        from medperf_git.runtime.docker_engine import DockerEngine  # noqa: PLC0415

        return DockerEngine(artefacts)

    return {"docker": make_docker, "sandbox": lambda: SandboxEngine(artefacts, python)}


def _refuse(engine: Engine, images: Sequence[Image]) -> Engine:
    for image in images:
        if not engine.admits(image):
            raise EngineError(
                f"{engine.name} does not run images of type {image.type}",
                code="image-not-admitted",
                advice="leave the choice of the engine to mpgit: no --engine",
            )
    return engine
