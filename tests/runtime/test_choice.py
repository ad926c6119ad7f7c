"""Which engine is taken: by the images, by what the site allows, and by what is here."""

from __future__ import annotations

import resource
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

from medperf_git.cli import app
from medperf_git.errors import EngineError
from medperf_git.records.container import ArchiveImage, Image, ReferenceImage, SourceImage
from medperf_git.runtime import engines, podman_options
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engines import find_engine
from medperf_git.store.site_rules import SiteRules


class Anything:
    """An engine that admits what its kind admits, and is never asked to run."""

    def __init__(self, name: str) -> None:
        self.name = name

    def admits(self, image: Image) -> bool:
        sources = isinstance(image, SourceImage)
        return not isinstance(image, ReferenceImage) if self.name == "sandbox" else not sources


ORDER: list[tuple[str | None, str, dict[str, object], str]] = [
    # preference, types of images, more, the engine or the error's code
    (None, "source", {}, "sandbox"),
    ("auto", "source", {}, "sandbox"),
    ("auto", "archive", {}, "sandbox"),
    ("auto", "reference", {}, "docker"),
    ("auto", "reference archive", {}, "docker"),
    ("auto", "source archive", {}, "sandbox"),
    ("auto", "reference source", {}, "image-not-admitted"),
    ("auto", "archive", {"gpus": True}, "docker"),
    ("auto", "source", {"gpus": True}, "sandbox"),
    ("auto", "archive", {"allowed": ("apptainer",)}, "apptainer"),
    ("auto", "archive", {"allowed": ("apptainer", "docker")}, "docker"),
    ("auto", "reference", {"allowed": ("apptainer", "sandbox")}, "apptainer"),
    ("auto", "reference", {"allowed": ("sandbox",)}, "engine-not-allowed"),
    ("auto", "reference", {"allowed": ("podman",)}, "engine-not-allowed"),
    ("auto", "source", {"allowed": ("docker",)}, "engine-not-allowed"),
    ("apptainer", "archive", {}, "apptainer"),
    ("apptainer", "source", {}, "image-not-admitted"),
    ("apptainer", "archive", {"allowed": ("docker",)}, "engine-not-allowed"),
    ("podman", "archive", {}, "docker"),
]


@pytest.mark.parametrize(("preference", "types", "more", "expected"), ORDER)
def test_who_is_taken(
    monkeypatch: pytest.MonkeyPatch,
    preference: str | None,
    types: str,
    more: Any,
    expected: str,
) -> None:
    digest = "0" * 64
    kinds: dict[str, Image] = {
        "source": SourceImage(type="source", sha256=digest, size=1, files=1),
        "archive": ArchiveImage(type="archive", sha256=digest, size=1),
        "reference": ReferenceImage(type="reference", reference=f"r.example/a@sha256:{digest}"),
    }
    makers: Any = {name: partial(Anything, name) for name in ("docker", "sandbox", "apptainer")}
    monkeypatch.setattr(engines, "_makers", lambda *_: makers)
    images = [kinds[name] for name in types.split()]
    try:
        found = find_engine(preference, images, ArtefactStore(Path("nowhere")), **more).name
    except EngineError as error:
        found = error.code
        assert error.advice  # noqa: PT017 (either end is right)
    assert found == expected


def test_who_is_not_here_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    image = ArchiveImage(type="archive", sha256="0" * 64, size=1)
    store = ArtefactStore(Path("nowhere"))

    def missing() -> Anything:
        raise EngineError("it is not here", code="engine-missing")

    makers: Any = {
        "docker": missing,
        "sandbox": missing,
        "apptainer": partial(Anything, "apptainer"),
    }
    monkeypatch.setattr(engines, "_makers", lambda *_: makers)
    assert find_engine("auto", [image], store).name == "apptainer"
    makers["apptainer"] = missing
    with pytest.raises(EngineError, match="sandbox: it is not here; docker: it is not here; appt"):
        find_engine("auto", [image], store)


def test_the_command_line_offers_these_engines() -> None:
    command = click.command()(app.engine_option(lambda engine: engine))
    offered = command.params[0].type
    assert isinstance(offered, click.Choice)
    assert set(offered.choices) == set(engines.NAMES)
    assert set(SiteRules().engines) == set(engines.ENGINES)


@pytest.mark.parametrize(
    ("hard", "given"), [(20_000, 20_000), (1_048_576, 32_768), (resource.RLIM_INFINITY, None)]
)
def test_podman_gets_no_higher_limits_than_ours(
    monkeypatch: pytest.MonkeyPatch, hard: int, given: int | None
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _kind: (hard, hard))
    expected = [
        {"Name": name, "Soft": given, "Hard": given} for name in ("nofile", "nproc") if given
    ]
    assert podman_options.limits_of_ours() == expected


def test_what_podman_tells_of_capabilities_counts() -> None:
    described = {"EffectiveCaps": ["CAP_CHOWN"]}
    assert podman_options.effective({"Id": "1"}, described) == {"Id": "1", **described}
    assert podman_options.effective({}, {})["EffectiveCaps"] == []
