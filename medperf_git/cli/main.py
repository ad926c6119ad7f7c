"""The entry point: finds the command, turns errors into text and an exit code.

Exit codes: 0 good, 1 the thing judged is invalid or an execution failed, 2 usage, 3 awaiting
approvals, 130 interrupted. Imports nothing heavy: a command's module comes with the command.

Example:
    $ mpgit --help
"""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

import click

from medperf_git.errors import AwaitingError, InputError, MpgitError, TrustError
from medperf_git.version import __version__

COMMANDS: Final[dict[str, str]] = {
    "registry": "Found, join and follow registries.",
    "participant": "Register, change keys, recover; who takes part.",
    "login": "Log in to a host.",
    "logout": "Forget a host's token.",
    "key": "Signing keys on this machine.",
    "mlcube": "Data-preparation and metrics MLCubes.",
    "model": "Models.",
    "benchmark": "Benchmarks, their policies and associations.",
    "dataset": "Datasets that stay on this machine.",
    "withdraw": "Take a record out of use.",
    "test": "Compatibility test: a whole benchmark on its demo data.",
    "run": "Run a benchmark's models on a dataset, here.",
    "result": "Results: look, submit.",
    "leaderboard": "A benchmark's models, ordered.",
    "query": "Any question to the registry, in SQL.",
    "export": "The registry in other forms: Parquet.",
    "request": "Open requests: look, approve, merge.",
    "check": "The verdict on a transition.",
    "audit": "Check main's whole history.",
    "doctor": "Is this site ready, and what is to be mended.",
    "storage": "What is kept on this machine: look, free.",
    "support-bundle": "What helps somebody else to help, without data and results.",
    "server": "A plain Git server's repository with its guard.",
    "demo": "The whole story on real patients' data, in ./demo.",
}
"""Every command with its line in `mpgit --help`; its module is called so, with `_` for `-`."""


_NOT_USAGE: Final = frozenset({"disk-full", "locked", "not-writable", "system"})
"""Codes of `InputError` that say nothing against what was typed."""


class LazyGroup(click.Group):
    """Imports a command's module when it is typed, not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, in the order of `COMMANDS`."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        # Start-up cost: `mpgit --help` and completion must not import git, docker or pydantic.
        module = import_module(f"medperf_git.cli.{cmd_name.replace('-', '_')}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mpgit")
def command() -> None:
    """Federated benchmarking of medical AI, with a Git repository as its only database.

    Exit codes: 0 good, 1 invalid or failed, 2 usage, 3 awaiting approvals.
    """


def exit_code(error: MpgitError) -> int:
    """The exit code for an error: the one place that decides it."""
    if error.code == "interrupted":
        return 130
    if error.code in _NOT_USAGE:
        return 1
    if isinstance(error, AwaitingError):
        return 3
    return 2 if isinstance(error, InputError | TrustError) else 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits."""
    sys.exit(invoke(sys.argv[1:] if arguments is None else list(arguments)))


def invoke(arguments: Sequence[str]) -> int:
    """Runs one command; returns the exit code."""
    try:
        outcome = command.main(list(arguments), prog_name="mpgit", standalone_mode=False)
    except MpgitError as error:
        return _report(error, arguments)
    except BrokenPipeError:
        # The reader (a pager, `head`) has gone: not an error.
        sys.stderr.close()
        return 0
    except OSError as error:
        return _report(_of_system(error), arguments)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("\ninterrupted; nothing is lost, the same command goes on from here", err=True)
        return 130
    return outcome if isinstance(outcome, int) else 0


def _of_system(error: OSError) -> MpgitError:
    """The error that a person can act on, for what the system refused."""
    place = None if error.filename is None else str(error.filename)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        found = InputError(
            "no space left on the disk",
            code="disk-full",
            place=place,
            advice="free space on that file system (or raise the quota) and run it again",
        )
    else:
        advice = f"see who owns it: ls -ld {place}" if place else None
        found = InputError(error.strerror or str(error), code="system", place=place, advice=advice)
    found.__cause__ = error
    return found


def _report(error: MpgitError, arguments: Sequence[str]) -> int:
    _show(error, as_json="--json" in arguments)
    if "-v" in arguments or "--verbose" in arguments:
        _show_cause(error)
    return exit_code(error)


def _show(error: MpgitError, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"error": error.as_dict()}, indent=2))
        return
    click.echo(click.style("error: ", fg="red") + error.message, err=True)
    for line in particulars(error):
        click.echo(f"  {line}", err=True)


def particulars(error: MpgitError) -> Iterator[str]:
    """The lines below an error's message: where it is, what a task said, what to do."""
    if error.place:
        yield f"where: {error.place}"
    for number, line in enumerate((error.detail or "").splitlines()):
        yield ("       " if number else "said:  ") + line
    if error.advice:
        yield f"next:  {error.advice}"


def _show_cause(error: BaseException) -> None:
    cause = error.__cause__
    while cause is not None:
        click.echo(f"  cause: {type(cause).__name__}: {cause}", err=True)
        cause = cause.__cause__


if __name__ == "__main__":
    main()
