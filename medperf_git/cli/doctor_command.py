"""``mpgit doctor``: is this site ready, and what is to be mended.

Example:
    $ mpgit doctor
"""

from __future__ import annotations

from collections.abc import Sequence

import click

from medperf_git.cli import app
from medperf_git.store.home import Home
from medperf_git.workflows.doctor import examine, examine_registry
from medperf_git.workflows.observation import Observation


@click.command("doctor")
@app.options(app.registry_option, app.json_option)
def command(*, common: app.Common) -> int:
    """Look at engines, isolation, disk, keys and registries; say how to mend what is wrong.

    Runs a tiny task on each engine, to see that tasks are really without network. With --registry
    only that registry is looked at, and its host's settings too: what its guard lacks there. The
    exit code is 1 if there is a problem; warnings alone are 0.
    """
    home = Home.from_environment()
    if common.registry is not None:
        seen = list(examine_registry(home, common.registry))
    else:
        app.tell("each engine and each registry is tried: this takes some seconds")
        seen = list(examine(home))
    common.show([each.as_dict() for each in seen], lambda: text(seen))
    return 1 if any(each.state == "problem" for each in seen) else 0


def text(seen: Sequence[Observation]) -> str:
    """A row an observation, the advice below it."""
    rows: list[tuple[str, str, str]] = []
    for each in seen:
        rows.append((each.state, each.topic, each.text))
        if each.place:
            rows.append(("", "", f"  where: {each.place}"))
        if each.advice:
            rows.append(("", "", f"  next:  {each.advice}"))
    bad = [each.state for each in seen if each.state != "ok"]
    end = f"problems: {bad.count('problem')}, warnings: {bad.count('warning')}"
    table = app.table(("state", "topic", "what was found"), rows)
    return f"{table}\n\n{end if bad else 'all is well'}"
