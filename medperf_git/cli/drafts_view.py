"""Commands that `mpgit mlcube` and `mpgit model` share: `create` and `submit`.

Example:
    $ mpgit model create my-model --folder my-model/
"""

from __future__ import annotations

from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.workflows.drafts import read_draft
from medperf_git.workflows.skeletons import ROLES, write_skeleton
from medperf_git.workflows.submit import container_record, sign_record


def add_submit(group: click.Group, kind: str) -> None:
    """Adds `submit` for a kind of container."""

    @group.command("submit")
    @click.argument("draft", type=click.Path(dir_okay=False, path_type=Path))
    @app.options(
        app.artefacts_option,
        app.registry_option,
        app.yes_option,
        app.merge_option,
        app.json_option,
    )
    def submit(*, draft: Path, common: app.Common) -> None:
        """Turn DRAFT into the canonical, signed record and open a request with it."""
        with common.session() as session:
            app.news(session)
            folders = common.folders(session)
            record = container_record(session, kind, read_draft(draft, folders))
            signer = session.signer(app.ask_passphrase)
            title = f"Add {kind} {record.record_id} revision {getattr(record, 'revision', 1)}"
            proposal = sign_record(session, kind, record, signer, title)
            common.submit(session, proposal)


def add_create(group: click.Group, roles: tuple[str, ...]) -> None:
    """Adds `create`, which writes a working skeleton."""

    @group.command("create")
    @click.argument("name")
    @click.option(
        "--role",
        type=click.Choice(roles),
        default=roles[0],
        show_default=True,
        help="What the container does.",
    )
    @click.option(
        "--folder",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where to write it (default: NAME).",
    )
    @app.options(app.json_option)
    def create(*, name: str, role: str, folder: Path | None, common: app.Common) -> None:
        """Write a working skeleton with an annotated draft into a new folder."""
        written = write_skeleton(folder or Path(name), name, role)
        common.show(
            {"role": role, "files": [str(path) for path in written]},
            "\n".join(f"wrote {path}" for path in written),
        )
        app.next_step(f"mpgit {ROLES[role]} submit {written[0]}")
