"""``mpgit request``: open requests: look, approve, merge, reject, withdraw.

Example:
    $ mpgit request approve ky/dataset-opt-1
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.cli.report_text import markdown, text
from medperf_git.errors import GitError
from medperf_git.workflows import requests as workflow
from medperf_git.workflows.requests import Judged, judge_request
from medperf_git.workflows.session import Session

_CODES = {"complete": 0, "awaiting": 3}


@click.group("request", no_args_is_help=True)
def command() -> None:
    """Open requests: look, approve, merge."""


def _news(session: Session) -> None:
    """Fetches what is new; without network what is known is shown, and that is said."""
    try:
        session.refresh()
    except GitError as error:
        if error.code != "unreachable":
            raise
        app.tell(f"{error.message}; this is what was known last")


@command.command("ls")
@click.option("--all", "everything", is_flag=True, help="Also merged and closed ones.")
@app.options(app.registry_option, app.json_option)
def ls(*, everything: bool, registry: str | None, as_json: bool, verbose: bool) -> None:
    """List requests, and what each waits for."""
    del verbose
    with app.session_of(registry) as session:
        _news(session)
        rows = []
        for request in session.forge.requests(ended=everything):
            judged = judge_request(session, request) if request.state == "open" else None
            rows.append((request, judged))
        app.show(
            [
                request.as_dict()
                if judged is None
                else {
                    **request.as_dict(),
                    "verdict": judged.state,
                    "waiting_for": list(judged.report.waiting_for()),
                }
                for request, judged in rows
            ],
            lambda: (
                app.table(
                    ("request", "state", "waiting for", "title"),
                    [
                        (
                            request.id,
                            judged.state if judged else request.state,
                            ", ".join(judged.report.waiting_for()) if judged else request.reason,
                            request.title,
                        )
                        for request, judged in rows
                    ],
                )
                if rows
                else "no open request"
            ),
            as_json=as_json,
        )


@command.command("view")
@click.argument("request")
@app.options(app.registry_option, app.json_option)
def view(*, request: str, registry: str | None, as_json: bool, verbose: bool) -> int:
    """Show what a request adds, and the verdict on it."""
    del verbose
    with app.session_of(registry) as session:
        _news(session)
        judged = judge_request(session, session.forge.request(request))
        data = judged.as_dict()
        added = workflow.added_records(session, judged)
        data["changes"] = workflow.changed_paths(session, judged)
        data["added"] = [
            {"path": place.path, "record": record.model_dump(mode="json", exclude_none=True)}
            for place, record in added
        ]

        def readable() -> str:
            parts = [f"{judged.request.id}: {app.printable(judged.request.title)}", ""]
            for entry in data["added"]:
                parts += [f"── {entry['path']}", app.block(entry["record"], "   "), ""]
            return "\n".join([*parts, _verdict(judged)])

        app.show(data, readable, as_json=as_json)
        if judged.request.state == "open":
            app.say_next(judged)
        return _CODES.get(judged.state, 1) if judged.request.state == "open" else 0


def _verdict(judged: Judged) -> str:
    if judged.request.state != "open":
        return f"{judged.request.state} {judged.request.reason}".rstrip()
    if judged.conflict is not None:
        return f"conflict: {judged.conflict.message}\n  {judged.conflict.advice}"
    return text(judged.report)


@command.command("check")
@click.argument("request")
@click.option("--markdown", "as_markdown", is_flag=True, help="For a pull request's summary.")
@app.options(app.registry_option, app.json_option)
def check(
    *, request: str, as_markdown: bool, registry: str | None, as_json: bool, verbose: bool
) -> int:
    """The verdict on merging a request now. Exit code 3: approvals are missing."""
    del verbose
    with app.session_of(registry) as session:
        _news(session)
        judged = judge_request(session, session.forge.request(request))
        shown = markdown(judged.report) if as_markdown else _verdict(judged)
        app.show(judged.as_dict(), shown, as_json=as_json)
        return _CODES.get(judged.state, 1)


@command.command("approve")
@click.argument("request")
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def approve(
    *, request: str, registry: str | None, yes: bool, then_merge: bool, as_json: bool, verbose: bool
) -> None:
    """Sign what a request asks you to sign; you see all of it first."""
    del verbose
    with app.session_of(registry) as session:
        session.refresh()
        judged = judge_request(session, session.forge.request(request))
        for place, record in workflow.added_records(session, judged):
            click.echo(click.style(f"── {place.path}", bold=True), err=True)
            data = record.model_dump(mode="json", exclude_none=True)
            click.echo(app.block(data, "   "), err=True)
        app.confirm(f"Approve {request} as {session.participant}?", yes=yes)
        judged = workflow.approve(session, request, session.signer(app.ask_passphrase))
        if then_merge and judged.report:
            commit = workflow.merge(session, request)
            app.show(
                {"request": request, "state": "merged", "commit": commit},
                f"approved and merged {request} as {commit[:12]}",
                as_json=as_json,
            )
            return
        app.show(judged.as_dict(), f"approved {request}", as_json=as_json)
        app.say_next(judged)


@command.command("merge")
@click.argument("request")
@app.options(app.registry_option, app.json_option)
def merge(*, request: str, registry: str | None, as_json: bool, verbose: bool) -> None:
    """Merge a complete request into main. Exit code 3: approvals are missing."""
    del verbose
    with app.session_of(registry) as session:
        commit = workflow.merge(session, request)
        app.show(
            {"request": request, "state": "merged", "commit": commit},
            f"merged {request} as {commit[:12]}",
            as_json=as_json,
        )


def _closing(name: str, verb: str, help_text: str) -> None:
    @command.command(name, help=help_text)
    @click.argument("request")
    @click.option("--reason", required=True, help="Why; this stays readable.")
    @app.options(app.registry_option, app.yes_option, app.json_option)
    def close(
        *, request: str, reason: str, registry: str | None, yes: bool, as_json: bool, verbose: bool
    ) -> None:
        del verbose
        with app.session_of(registry) as session:
            app.confirm(f"{verb} {request}?", yes=yes)
            closed = workflow.close(session, request, verb, reason)
            app.show(closed.as_dict(), f"{closed.state}: {closed.id}", as_json=as_json)


_closing("reject", "Reject", "Close somebody's request without merging it.")
_closing("withdraw", "Withdraw", "Take back a request of your own.")
