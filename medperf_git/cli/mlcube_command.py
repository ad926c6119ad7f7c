"""``mpgit mlcube``: data-preparation and metrics MLCubes.

Example:
    $ mpgit mlcube create my-prep --role data-preparation
"""

from __future__ import annotations

import click

from medperf_git.cli.drafts_view import add_create, add_submit
from medperf_git.cli.records_view import add_reading
from medperf_git.records.mlcube import MLCube


@click.group("mlcube", no_args_is_help=True)
def command() -> None:
    """Data-preparation and metrics MLCubes."""


def _columns(record: MLCube) -> tuple[str, str, str, str]:
    return record.role, record.image.type, record.image_digest[:16], record.name


add_create(command, ("data-preparation", "metrics", "model"))
add_submit(command, "mlcube")
add_reading(command, "mlcube", _columns, ("role", "image", "digest", "name"))
