"""``mpgit request``: open requests: look, approve, merge, reject, withdraw.

Example:
    $ mpgit request approve ky/dataset-opt-1
"""

from __future__ import annotations

import click

from medperf_git.cli import app
from medperf_git.cli.report_text import markdown, text
from medperf_git.errors import MpgitError
from medperf_git.workflows import requests as workflow
from medperf_git.workflows.merge_all import complete, merge_each
from medperf_git.workflows.propose import refusal
from medperf_git.workflows.requests import Judged, judge_request
from medperf_git.workflows.session import Session

_CODES = {"complete": 0, "awaiting": 3}


@click.group("request", no_args_is_help=True)
def command() -> None:
    """Open requests: look, approve, merge."""


@command.command("ls")
@click.option("--all", "everything", is_flag=True, help="Also merged and closed ones.")
@app.options(app.registry_option, app.json_option)
def ls(*, everything: bool, common: app.Common) -> None:
    """List requests, and what each waits for."""
    with common.session() as session:
        app.news(session)
        rows = []
        for request in session.forge.requests(ended=everything):
            judged = None
            if request.state == "open":
                try:
                    judged = judge_request(session, request)
                except MpgitError as error:
                    # Anybody with access can push a branch: one that is damaged hides no other.
                    app.tell(f"{request.id} can't be read: {error.message}")
            rows.append((request, judged))
        common.show(
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
        )


@command.command("view")
@click.argument("request")
@app.options(app.registry_option, app.json_option)
def view(*, request: str, common: app.Common) -> int:
    """Show what a request adds, and the verdict on it."""
    with common.session() as session:
        app.news(session)
        judged = judge_request(session, session.forge.request(request))
        data = judged.as_dict()
        added = workflow.added_records(session, judged)
        data["changes"] = workflow.changed_paths(session, judged)
        data["added"] = [
            {"path": place.path, "record": record.model_dump(mode="json", exclude_none=True)}
            for place, record in added
        ]

        def readable() -> str:
            parts = [f"{judged.request.id}: {app.printable(judged.request.title)}"]
            parts += [app.printable(judged.request.url), ""] if judged.request.url else [""]
            for entry in data["added"]:
                parts += [f"── {entry['path']}", app.block(entry["record"], "   "), ""]
            return "\n".join([*parts, _verdict(judged)])

        common.show(data, readable)
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
def check(*, request: str, as_markdown: bool, common: app.Common) -> int:
    """The verdict on merging a request now. Exit code 3: approvals are missing."""
    with common.session() as session:
        app.news(session)
        judged = judge_request(session, session.forge.request(request))
        shown = markdown(judged.report) if as_markdown else _verdict(judged)
        common.show(judged.as_dict(), shown)
        return _CODES.get(judged.state, 1)


@command.command("approve")
@click.argument("request")
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def approve(*, request: str, common: app.Common) -> None:
    """Sign what a request asks you to sign; you see all of it first."""
    with common.session() as session:
        session.refresh()
        judged = judge_request(session, workflow.open_request(session, request))
        if judged.conflict is not None:
            raise judged.conflict
        if judged.report.findings:
            raise refusal(judged.report)
        for place, record in workflow.added_records(session, judged):
            click.echo(click.style(f"── {place.path}", bold=True), err=True)
            data = record.model_dump(mode="json", exclude_none=True)
            click.echo(app.block(data, "   "), err=True)
        common.confirm(f"Approve {request} as {session.participant}?")
        judged = workflow.approve(session, request, session.signer(app.ask_passphrase), seen=judged)
        if common.then_merge and judged.report:
            # By the id that it has now: where the signature could not be added, it is another.
            commit = workflow.merge(session, judged.request.id, seen=judged)
            common.show(
                {"request": judged.request.id, "state": "merged", "commit": commit},
                f"approved and merged {request} as {commit[:12]}",
            )
            return
        common.show(judged.as_dict(), f"approved {request}")
        app.say_next(judged)


@command.command("merge")
@click.argument("request", required=False)
@click.option("--all", "everything", is_flag=True, help="Every request that is complete.")
@app.options(app.registry_option, app.yes_option, app.json_option)
def merge(*, request: str | None, everything: bool, common: app.Common) -> int:
    """Merge a complete request into main. Exit code 3: approvals are missing."""
    if everything is (request is not None):
        raise click.UsageError("Name one request, or say --all.")
    with common.session() as session:
        if request is None:
            return _merge_all(session, common)
        commit = workflow.merge(session, request)
        common.show(
            {"request": request, "state": "merged", "commit": commit},
            f"merged {request} as {commit[:12]}",
        )
        return 0


def _merge_all(session: Session, common: app.Common) -> int:
    ready = complete(session)
    if not ready:
        common.show([], "no request is complete: `mpgit request ls` says what each waits for")
        return 0
    for judged in ready:
        app.tell(f"{judged.request.id}: {app.printable(judged.request.title)}")
    common.confirm(f"Merge these {len(ready)}?")
    done = []
    for outcome in merge_each(session, ready):
        done.append(outcome)
        app.tell(f"{len(done)}/{len(ready)} {outcome.request}: {outcome.state}")
    rows = [
        (each.request, each.state, each.error.message if each.error else each.commit[:12])
        for each in done
    ]
    common.show(
        [each.as_dict() for each in done],
        lambda: app.table(("request", "state", "commit, or why not"), rows),
    )
    return 0 if all(each.state == "merged" for each in done) else 1


def _closing(name: str, verb: str, help_text: str) -> None:
    @command.command(name, help=help_text)
    @click.argument("request")
    @click.option("--reason", required=True, help="Why; this stays readable.")
    @app.options(app.registry_option, app.yes_option, app.json_option)
    def close(*, request: str, reason: str, common: app.Common) -> None:
        with common.session() as session:
            common.confirm(f"{verb} {request}?")
            closed = workflow.close(session, request, verb, reason)
            common.show(closed.as_dict(), f"{closed.state}: {closed.id}")


_closing("reject", "Reject", "Close somebody's request without merging it.")
_closing("withdraw", "Withdraw", "Take back a request of your own.")
