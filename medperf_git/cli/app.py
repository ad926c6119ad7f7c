"""What commands share: options, the session, questions, tables and progress.

Example:
    >>> table(("model", "AUROC"), [("anna/rule", "0.61")]).splitlines()[0]
    'model      AUROC'
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from pydantic import ValidationError

from medperf_git.errors import GitError, InputError, RecordError
from medperf_git.forge.base import Request
from medperf_git.progress import Progress
from medperf_git.store.home import Home
from medperf_git.workflows.propose import Proposal, judge, send
from medperf_git.workflows.requests import Judged, judge_request, merge
from medperf_git.workflows.session import Session

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


# --- options -------------------------------------------------------------------------------

registry_option = click.option(
    "--registry", "-r", metavar="NAME", help="Which registry (default: the first added)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
yes_option = click.option("--yes", "-y", is_flag=True, help="Answer every question with yes.")
verbose_option = click.option(
    "--verbose", "-v", is_flag=True, help="Also show what caused an error."
)
merge_option = click.option(
    "--merge", "then_merge", is_flag=True, help="Merge at once if nothing is missing."
)
artefacts_option = click.option(
    "--artefacts",
    "artefact_folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with pinned files and source trees; may be given again.",
)
benchmark_option = click.option(
    "--benchmark", "-b", required=True, metavar="ID", help="The benchmark: owner/name."
)
dataset_option = click.option(
    "--dataset", "-d", required=True, metavar="ID", help="Your dataset: its name, or owner/name."
)
thorough_option = click.option(
    "--thorough", is_flag=True, help="Read every byte again, also of files that did not change."
)
engine_option = click.option(
    "--engine",
    type=click.Choice(["auto", "docker", "podman", "sandbox", "apptainer"]),
    help="Which engine runs it (default: the best one that is here).",
)


@dataclass(frozen=True)
class Common:
    """What the shared options said, and what they are for; one parameter of every command."""

    registry: str | None = None
    as_json: bool = False
    yes: bool = False
    then_merge: bool = False
    engine: str | None = None
    artefact_folders: tuple[Path, ...] = ()
    verbose: bool = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """The session of the registry that was named."""
        with Session.open(Home.from_environment(), self.registry, tell) as session:
            yield session

    def folders(self, session: Session) -> tuple[Path, ...]:
        """Where artefacts are looked for: as named here, then as the site's rules say."""
        return (*self.artefact_folders, *map(Path, session.site_rules().artefacts))

    def show(self, data: Any, text: Callable[[], str] | str) -> None:
        """Prints data as JSON, or its text."""
        if self.as_json:
            click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        else:
            click.echo(text if isinstance(text, str) else text())

    def confirm(self, question: str) -> None:
        """Goes on after a yes; otherwise nothing happens.

        Raises:
            InputError: nobody can be asked.
            click.Abort: the answer was no.
        """
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise InputError(
                "this asks before it goes on, and nobody can be asked",
                code="no-terminal",
                advice="look at the preview above, then add --yes",
            )
        click.confirm(question, abort=True, err=True)

    def submit(
        self,
        session: Session,
        proposal: Proposal,
        before_sending: Callable[[], None] = lambda: None,
    ) -> Request:
        """Preview, a yes, send, and say what comes next."""
        preview(session, proposal)
        self.confirm("Send this to the registry?")
        before_sending()
        request = send(session, proposal)
        judged = judge_request(session, request)
        if self.then_merge and judged.report:
            commit = merge(session, request.id, seen=judged)
            self.show(
                {"request": request.id, "state": "merged", "commit": commit},
                f"merged {request.id} as {commit[:12]}",
            )
            return request
        self.show(
            {"request": request.id, "state": "open", "verdict": judged.state}
            | ({"url": request.url} if request.url else {}),
            "\n".join(filter(None, (f"opened the request {request.id}", request.url))),
        )
        say_next(judged)
        return request


_COMMON: Final = tuple(field.name for field in fields(Common))


def options(*chosen: Callable[[Any], Any]) -> Callable[[FunctionT], FunctionT]:
    """Shared options, and `-v`, which every command has; they arrive as `common`."""

    def decorate(function: FunctionT) -> FunctionT:
        @wraps(function)
        def gathered(**values: Any) -> Any:
            said = {name: values.pop(name) for name in _COMMON if name in values}
            return function(common=Common(**said), **values)

        decorated: Any = gathered
        for option in (verbose_option, *reversed(chosen)):
            decorated = option(decorated)
        result: FunctionT = decorated
        return result

    return decorate


def ask_passphrase(key: str) -> str | None:
    """Asks for a key's passphrase; in scripts `$MPGIT_PASSPHRASE` answers."""
    given = os.environ.get("MPGIT_PASSPHRASE")
    if given is not None:
        return given
    if not sys.stdin.isatty():
        return None
    answer: str = click.prompt(f"Passphrase of the key {key}", hide_input=True, err=True)
    return answer


def news(session: Session) -> None:
    """Fetches what is new; without network, what was known last stands, and that is said."""
    try:
        session.refresh()
    except GitError as error:
        if error.code != "unreachable":
            raise
        tell(f"{error.message}; this is what was known last")


@contextmanager
def typed(what: str) -> Iterator[None]:
    """Turns what a record's model says of an option's value into a usage error.

    Raises:
        InputError: naming the field.
    """
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise InputError(message, place=f"{what}, {field}" if field else what) from error
    except RecordError as error:
        raise InputError(error.message, place=what, advice=error.advice) from error


# --- asking and telling --------------------------------------------------------------------


def say(text: str = "") -> None:
    """Prints a line of the command's output."""
    click.echo(text)


def tell(text: str) -> None:
    """Prints a line about what goes on, apart from the output."""
    click.echo(click.style(f"  · {text}", dim=True), err=True)


def next_step(text: str) -> None:
    """Prints the next command to type, apart from the output."""
    click.echo(f"next: {text}", err=True)


def table(headers: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Aligned columns under their headers."""
    cells = [[printable(str(cell)) for cell in row] for row in (headers, *rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headers))]
    lines = []
    for number, row in enumerate(cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        lines.append(line.rstrip())
        if number == 0:
            lines.append("  ".join("─" * width for width in widths))
    return "\n".join(lines)


def printable(text: str) -> str:
    """Text from a record, harmless to a terminal: no control characters."""
    return "".join(c if c.isprintable() else " " for c in text)


def block(data: Any, indent: str = "") -> str:
    """Plain data as indented lines, for people to read."""
    lines: list[str] = []
    for key, value in data.items() if isinstance(data, Mapping) else enumerate(data, start=1):
        if isinstance(value, Mapping | list | tuple) and value:
            lines.append(f"{indent}{key}:")
            lines.append(block(value, indent + "  "))
        else:
            lines.append(f"{indent}{key}: {printable(str(value))}")
    return "\n".join(lines)


@contextmanager
def progress(label: str) -> Iterator[Progress]:
    """A progress bar on standard error, fed with (done, all); silent for short work."""
    with stages(label) as (step,):
        yield step


@contextmanager
def stages(*labels: str) -> Iterator[tuple[Progress, ...]]:
    """Progress bars for what comes one after the other; each ends where the next one begins."""
    bar: Any = None
    shown = ""

    def end() -> None:
        if bar is not None:
            bar.render_finish()

    def step(label: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if shown != label and done < total and sys.stderr.isatty():
            end()
            bar, shown = click.progressbar(length=total, label=label, file=sys.stderr), label
            bar.__enter__()
        if shown == label:
            bar.update(done - bar.pos)

    try:
        yield tuple(partial(step, label) for label in labels)
    finally:
        end()


# --- sending -------------------------------------------------------------------------------


def preview(session: Session, proposal: Proposal) -> None:
    """Shows what would leave this machine, and what it will need; on standard error.

    Raises:
        JudgedInvalidError: a rule refuses it.
    """
    report = judge(session, proposal)
    click.echo(f"\n{proposal.title}", err=True)
    for path, payload in proposal.files.items():
        if path.endswith(".yaml"):
            click.echo(click.style(f"── {path}", bold=True), err=True)
            click.echo(
                "\n".join("   " + printable(x) for x in payload.decode().splitlines()), err=True
            )
    for status in report.records:
        for approval in status.approvals:
            if approval.missing:
                who = ", ".join(approval.waiting_for)
                click.echo(
                    f"   needs {approval.missing} more of: {who} ({approval.role})", err=True
                )


def say_next(judged: Judged) -> None:
    """Says what a request waits for."""
    if judged.state == "complete":
        next_step(f"nothing is missing: mpgit request merge {judged.request.id}")
    elif judged.state == "awaiting":
        who = ", ".join(judged.report.waiting_for())
        next_step(f"{who or 'the proof of a key'}: mpgit request approve {judged.request.id}")
