"""``mpgit audit``: main's whole history, from the pinned genesis.

Example:
    $ mpgit audit
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import click

from medperf_git.cli import app
from medperf_git.store.home import Home
from medperf_git.vcs import Repository
from medperf_git.workflows.allowed_signers import allowed_signers
from medperf_git.workflows.audit import AuditReport, audit, snapshot_at
from medperf_git.workflows.tree_audit import audit_tree


@click.command("audit")
@click.option("--from", "after", metavar="REV", help="Trust everything up to this commit.")
@click.option("--head", metavar="REV", help="Default: main, or HEAD with --git-dir.")
@click.option(
    "--git-dir",
    type=click.Path(exists=True, path_type=Path),
    help="Any clone, instead of the registry that this client knows.",
)
@click.option("--genesis", metavar="SHA256", help="With --git-dir: the pinned fingerprint.")
@click.option(
    "--tree", "tree_only", is_flag=True, help="Only the finished tree: every signature, no history."
)
@click.option(
    "--allowed-signers",
    "signers_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write a file for `ssh-keygen -Y verify`.",
)
@app.options(app.registry_option, app.json_option)
def command(
    *,
    after: str | None,
    head: str | None,
    git_dir: Path | None,
    genesis: str | None,
    tree_only: bool,
    signers_file: Path | None,
    common: app.Common,
) -> int:
    """Replay every transition of main and judge it; exit code 1 if any is refused."""
    session = None
    with ExitStack() as stack:
        if git_dir is None:
            entry = Home.from_environment().registry(common.registry)
            session = stack.enter_context(common.session())
            repository, genesis = session.mirror, entry.genesis
            newest = session.resolve(head) if head else session.forge.main() or session.main
            if head is None:
                # An older main is a good history too; this client knows better.
                audit(repository, newest, genesis=genesis, after=session.main)
        else:
            repository = stack.enter_context(Repository.open(git_dir))
            newest = repository.resolve(head or "HEAD")
        if signers_file is not None:
            text = allowed_signers(snapshot_at(repository, newest))
            signers_file.write_text(text, "utf-8")
            app.tell(f"wrote {signers_file}")
        with app.progress("auditing") as step:
            if tree_only:
                report = audit_tree(repository, newest, genesis=genesis, progress=step)
            else:
                since = None
                if after is not None:
                    since = session.resolve(after) if session else repository.resolve(after)
                report = audit(repository, newest, genesis=genesis, after=since, progress=step)
        common.show(report.as_dict(), lambda: _text(report, pinned=genesis is not None))
        return 0 if report.accepted else 1


def _text(report: AuditReport, *, pinned: bool) -> str:
    lines = []
    for failure in report.failures[:50]:
        lines.append(f"✗ commit {failure.commit[:12]}")
        for finding in failure.findings()[:20]:
            field = f" ({finding.field})" if finding.field else ""
            lines.append(f"    {finding.path}{field}: {finding.message} [{finding.code}]")
    verdict = "ACCEPTED" if report.accepted else "REFUSED"
    lines.append(f"{verdict}: {report.commits} commits, {report.records} records")
    lines.append(f"checked: {report.checked}")
    lines.append(f"genesis {report.identity}" + ("" if pinned else " (not pinned: --genesis)"))
    return "\n".join(app.printable(line) for line in lines)
