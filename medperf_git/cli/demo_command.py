"""``mpgit demo``: the whole story on real patients' data, in ./demo.

Example:
    $ mpgit demo --engine sandbox
"""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import click

from medperf_git.cli.app import Common, options
from medperf_git.cli.story import BENCHMARK, HOSPITALS, RESEARCHER, Story
from medperf_git.errors import InputError

MARK = ".mpgit-demo"
"""Says that a folder is ours to replace."""


@click.command("demo")
@click.option(
    "--engine", type=click.Choice(["sandbox", "docker"]), default="sandbox", show_default=True
)
@click.option(
    "--example",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("examples/preterm"),
    show_default=True,
    help="The example's folder.",
)
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("demo"),
    show_default=True,
    help="Where it leaves everything.",
)
@click.option(
    "--images",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With docker: JSON that names the image reference of each MLCube.",
)
@options()
def command(*, example: Path, folder: Path, images: Path | None, common: Common) -> None:
    """Play the whole story: four roles, three hospitals, three models, one Git repository."""
    engine = common.engine or "sandbox"
    if engine == "docker" and images is None:
        raise InputError(
            "Docker needs images of the MLCubes",
            code="no-images",
            advice="make demo ENGINE=docker builds them and passes --images",
        )
    references = json.loads(images.read_text("utf-8")) if images else {}
    _make_room(folder)
    story = Story(example, folder.absolute(), engine, references)
    began = time.monotonic()
    story.run()
    home = folder / "homes" / RESEARCHER
    hospital = HOSPITALS[0][0]
    click.echo(f"\nDone in {time.monotonic() - began:.0f} s. Everything is in {folder}; explore:")
    click.echo(f"  git --git-dir {folder}/registry.git log --graph --oneline main")
    click.echo(f"  MPGIT_HOME={home} .venv/bin/mpgit result ls --json")
    click.echo(
        f"  git --git-dir {folder}/registry.git show main:registry/results/{BENCHMARK}/"
        f"{hospital}/opt/anna-weber/previous-preterm/1.yaml"
    )


def _make_room(folder: Path) -> None:
    """Removes what an earlier demo left; never a folder that is somebody else's.

    Raises:
        InputError: the folder holds something else.
    """
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise InputError(
                "this folder holds something that no demo made",
                code="folder-exists",
                place=str(folder),
                advice="choose another: mpgit demo --folder NAME",
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).write_text("made by mpgit demo; safe to delete\n", "utf-8")
