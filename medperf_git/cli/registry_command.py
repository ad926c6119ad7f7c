"""``mpgit registry``: found, join, follow.

Example:
    $ mpgit registry add preterm https://example.org/registry.git --genesis 3f2a…
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

import click

from medperf_git.cli import app
from medperf_git.cli.github_options import github_options
from medperf_git.errors import InputError, MpgitError, RegistryError
from medperf_git.forge.hosts import KINDS, Kind
from medperf_git.records.participant import Participant
from medperf_git.store.home import Home, RegistryEntry
from medperf_git.trust import keyring
from medperf_git.workflows import registry as workflow
from medperf_git.workflows.github import Guard, address, ruleset
from medperf_git.workflows.propose import waiting
from medperf_git.workflows.session import Session, refused


@click.group("registry", no_args_is_help=True)
def command() -> None:
    """Found, join and follow registries."""


_QUESTIONS: Final = {
    "registration": (("approve", "open"), "Does a newcomer need an administrator?"),
    "benchmarks": (("approve", "open"), "Does a benchmark need the administrators?"),
    "control-plane": (("host", "signed"), "Who guards what stands outside registry/?"),
}
"""The root's policy: each field's choices, the first of which is the default."""


def _policy_options(*, defaults: bool) -> Callable[[app.FunctionT], app.FunctionT]:
    """The root's policy as options: with defaults to found one, without to change one."""

    def decorate(function: app.FunctionT) -> app.FunctionT:
        for name, (choices, text) in reversed(_QUESTIONS.items()):
            function = click.option(
                f"--{name}",
                type=click.Choice(choices),
                default=choices[0] if defaults else None,
                show_default=defaults,
                help=text,
            )(function)
        return function

    return decorate


_host_option = click.option(
    "--host",
    "host_kind",
    type=click.Choice(KINDS),
    help="What the host speaks (default: found out by asking it).",
)


@command.command("init")
@click.argument("name")
@click.argument("url", required=False)
@click.option("--title", required=True, help="The registry's name, for people.")
@click.option("--description", help="What it is for.")
@click.option("--participant", required=True, help="Your id: the first administrator.")
@click.option("--participant-name", required=True, help="Your name, for people.")
@click.option("--key", "key_name", default="default", show_default=True, help="Your key.")
@click.option(
    "--github",
    metavar="OWNER/NAME",
    help="It lives there: URL may be left out, and GitHub's guard is set up with it.",
)
@github_options(required=False)
@_host_option
@_policy_options(defaults=True)
@app.options(app.yes_option, app.json_option)
def init(
    *,
    name: str,
    url: str | None,
    title: str,
    description: str | None,
    participant: str,
    participant_name: str,
    key_name: str,
    github: str | None,
    action: str | None,
    owners: tuple[str, ...],
    host_kind: Kind | None,
    common: app.Common,
    **policy: str,
) -> None:
    """Found a registry in the Git repository at URL; you become its first administrator.

    NAME is what this client calls it.
    """
    url, guard = _where(url, github, action, owners)
    home = Home.from_environment()
    signer = keyring.signer(home.key(key_name), app.ask_passphrase)
    with app.typed("participant"):
        person = Participant(
            kind="participant",
            id=participant,
            revision=1,
            name=participant_name,
            keys=(workflow.first_key(key_name, signer),),
        )
    root: dict[str, Any] = {"name": title, **policy}
    root |= {"description": description} if description else {}
    _refuse_entry(name, url)
    common.confirm(f"Found the registry «{title}» at {url}?")
    with app.typed("registry"):
        founded = workflow.found(
            home, name, url, root, person, signer, key_name, guard, host_kind, app.tell
        )
    common.show(
        {"genesis": founded.entry.genesis, "commit": founded.commit, "url": url},
        f"founded {title}\ngenesis {founded.entry.genesis}",
    )
    app.next_step(
        f"publish this: mpgit registry add {name} {url} --genesis {founded.entry.genesis}"
    )
    if guard is not None:
        _put_in_force(name)


def _put_in_force(name: str) -> None:
    """The ruleset, once main is there; whoever may not is told how to do it by hand."""
    # Start-up cost: the client of a host's interface, as below.
    from medperf_git.workflows.doctor_github import guard_of  # noqa: PLC0415

    try:
        with Session.open(Home.from_environment(), name, app.tell) as session:
            done = guard_of(session).apply(ruleset())
    except MpgitError as error:
        app.tell(f"main is not guarded yet: {error.message}")
        app.next_step("import main's .github/ruleset.json: Settings, Rules, Rulesets, Import")
    else:
        app.tell(f"the ruleset that guards main: {done}")


@command.command("guard")
@click.option("--merge-queue", is_flag=True, help="With a merge queue, where the plan has it.")
@app.options(app.registry_option, app.yes_option, app.json_option)
def guard_main(*, merge_queue: bool, common: app.Common) -> None:
    """Put the ruleset that guards main in force on GitHub; only its administrators may."""
    from medperf_git.workflows.doctor_github import guard_of  # noqa: PLC0415

    with common.session() as session:
        wanted = ruleset(queue=merge_queue)
        guard = guard_of(session)
        app.tell(json.dumps(wanted, indent=2))
        common.confirm(f"Put this in force at {session.entry.url}?")
        done = guard.apply(wanted)
        common.show({"ruleset": wanted["name"], "state": done}, f"{wanted['name']}: {done}")
        app.next_step(f"mpgit doctor --registry {session.entry.name}")


def _where(
    url: str | None, github: str | None, action: str | None, owners: tuple[str, ...]
) -> tuple[str, Guard | None]:
    """The address, and GitHub's guard where the registry lives there."""
    if github is None:
        if action or owners:
            raise click.UsageError("--action and --owner go with --github OWNER/NAME")
        if url is None:
            raise click.UsageError("Missing argument 'URL' (or --github OWNER/NAME).")
        return url, None
    there = address(github)
    if action is None:
        raise click.UsageError("--github needs --action OWNER/NAME@COMMIT and --owner @WHO")
    return url or there, Guard(action, owners)


def _refuse_entry(
    name: str, url: str, genesis: str | None = None, benchmarks: tuple[str, ...] = ()
) -> None:
    """Judged before anything is fetched or pushed: a typing error should cost nothing."""
    with app.typed("registry"):
        RegistryEntry(name=name, url=url, genesis=genesis or "0" * 64, benchmarks=benchmarks)


_benchmarks_option = click.option(
    "--benchmark",
    "-b",
    "benchmarks",
    multiple=True,
    metavar="OWNER/NAME",
    help="Fetch and verify only this benchmark; may be given again.",
)


@command.command("add")
@click.argument("name")
@click.argument("url")
@click.option("--genesis", help="The registry's published fingerprint: SHA-256, 64 hex digits.")
@_benchmarks_option
@_host_option
@app.options(app.yes_option, app.json_option)
def add(
    *,
    name: str,
    url: str,
    genesis: str | None,
    benchmarks: tuple[str, ...],
    host_kind: Kind | None,
    common: app.Common,
) -> None:
    """Join the registry at URL: fetch it, audit its whole history, remember it as NAME.

    With --benchmark only what these benchmarks rest on is fetched and verified.
    """
    _refuse_entry(name, url, genesis, benchmarks)
    if genesis is None:
        common.confirm("Without --genesis you trust whatever stands at this address today. Go on?")
    with app.stages("fetching", "auditing") as (fetched, step):
        home = Home.from_environment()
        report = workflow.join(home, name, url, genesis, step, host_kind, benchmarks, fetched)
    common.show(
        report.as_dict(),
        f"{report.commits} commits and {report.records} records audited: accepted\n"
        + (f"checked: {report.checked}\n" if benchmarks else "")
        + f"genesis {report.identity}",
    )
    app.next_step("mpgit benchmark ls, or mpgit participant register ID --name NAME")


@command.command("ls")
@app.options(app.json_option)
def ls(*, common: app.Common) -> None:
    """List the registries that this client knows."""
    entries = Home.from_environment().configuration().registries
    common.show(
        [entry.model_dump() for entry in entries],
        lambda: (
            app.table(
                ("name", "participant", "key", "genesis", "reads", "address"),
                [
                    (
                        *(e.name, e.participant or "–", e.key or "–", e.genesis[:16]),
                        *(", ".join(e.benchmarks) or "everything", e.url),
                    )
                    for e in entries
                ],
            )
            if entries
            else "no registry yet: mpgit registry add NAME URL --genesis SHA256"
        ),
    )


@command.command("sync")
@app.options(app.registry_option, app.json_option)
def sync(*, common: app.Common) -> int:
    """Fetch what is new, audit it, and send what waits in the outbox."""
    with common.session() as session:
        with app.stages("fetching", "auditing") as (fetched, step):
            session.mirror.watch(fetched)
            report = session.sync(step)
        if not report.accepted:
            raise refused(report)
        sent, failed = workflow.send_waiting(session)
        common.show(
            {
                **report.as_dict(),
                "sent": [request.as_dict() for request in sent],
                "not_sent": [{"slug": p.slug, **e.as_dict()} for p, e in failed],
            },
            "\n".join(
                [f"{report.commits} new commits, {report.records} new records: accepted"]
                + ([f"checked: {report.checked}"] if session.scope else [])
                + [f"sent {request.id}" for request in sent]
                + [f"not sent: {p.slug}: {e.message}\n  next: {e.advice}" for p, e in failed]
            ),
        )
        return 1 if failed else 0


@command.command("widen")
@_benchmarks_option
@click.option("--all", "everything", is_flag=True, help="From now on the whole registry.")
@app.options(app.registry_option, app.json_option)
def widen_part(*, benchmarks: tuple[str, ...], everything: bool, common: app.Common) -> None:
    """Read more of a registry than what it was added with: fetch it and audit it."""
    from medperf_git.workflows.widen import widen  # noqa: PLC0415 (start-up cost)

    if bool(benchmarks) == everything:
        raise click.UsageError("name one or more with --benchmark, or say --all")
    with common.session() as session, app.stages("fetching", "auditing") as (fetched, step):
        session.mirror.watch(fetched)
        report = widen(session, None if everything else benchmarks, step)
        common.show(
            report.as_dict(),
            f"{report.commits} commits and {report.records} records audited: accepted\n"
            f"checked: {report.checked}",
        )


@command.command("status")
@app.options(app.registry_option, app.json_option)
def status(*, common: app.Common) -> None:
    """Show who you are here, what was checked last, and what waits to be sent."""
    with common.session() as session:
        snapshot = session.snapshot()
        root = snapshot.root()
        if root is None:
            raise RegistryError("not a registry", code="no-registry")
        outbox = waiting(session)
        data = {
            **session.entry.model_dump(),
            "title": root.name,
            "administrators": list(root.administrator_ids),
            "threshold": root.threshold,
            "checked": session.main,
            "outbox": [proposal.slug for proposal in outbox],
        }
        common.show(data, lambda: app.block(data))
        if outbox:
            app.next_step("mpgit registry sync sends what waits")


@command.command("rotate")
@click.option("--add-administrator", "add_ids", multiple=True, metavar="ID", help="Who joins.")
@click.option("--remove-administrator", "remove_ids", multiple=True, metavar="ID", help="Who goes.")
@click.option("--threshold", type=click.IntRange(min=1), help="How many of them must sign.")
@_policy_options(defaults=False)
@app.options(app.registry_option, app.yes_option, app.merge_option, app.json_option)
def rotate(
    *, add_ids: tuple[str, ...], remove_ids: tuple[str, ...], common: app.Common, **changes: Any
) -> None:
    """Propose the next root: other administrators, threshold or policy."""
    chosen = {name: value for name, value in changes.items() if value is not None}
    if not chosen and not add_ids and not remove_ids:
        raise InputError("nothing would change", code="no-change", advice="see --help")
    with common.session() as session:
        app.news(session)
        signer = session.signer(app.ask_passphrase)
        with app.typed("root"):
            proposal = workflow.next_root(
                session, signer, add=add_ids, remove=remove_ids, changes=chosen
            )
        common.submit(session, proposal)
