"""A report as text for a terminal, and as Markdown for a pull request.

Example:
    >>> from medperf_git.checks.report import Report
    >>> text(Report("", "", (), ()))
    'complete: no record changes'
"""

from __future__ import annotations

from medperf_git.checks.report import Approval, Report
from medperf_git.cli.app import printable

_WORDS = {
    "invalid": "invalid: the rules refuse this",
    "awaiting": "awaiting approvals",
    "complete": "complete: nothing is missing",
}


def text(report: Report) -> str:
    """The verdict for a terminal."""
    if report.verdict == "complete" and not report.records:
        return "complete: no record changes"
    lines = [_WORDS[report.verdict]]
    for finding in report.findings:
        field = f" ({finding.field})" if finding.field else ""
        where = printable(finding.path + field)
        lines.append(f"  ✗ {where}: {printable(finding.message)} [{finding.code}]")
        if finding.advice:
            lines.append(f"      {finding.advice}")
    for status in report.records:
        mark = "✓" if status.complete else "…"
        lines.append(f"  {mark} {status.place.record_kind} {status.place.path}")
        lines += [f"      {_approval(approval)}" for approval in status.approvals]
        lines += [f"      the key {key} is not proved yet" for key in status.unproved_keys]
    return "\n".join(lines)


def _approval(approval: Approval) -> str:
    given = ", ".join(approval.given) or "nobody yet"
    line = f"{approval.role}: {len(approval.given)} of {approval.threshold} ({given})"
    return line + (f"; waiting for {', '.join(approval.waiting_for)}" if approval.missing else "")


def markdown(report: Report) -> str:
    """The verdict for a pull request's summary; nothing in it is read as markup."""
    lines = [f"## {_WORDS[report.verdict]}", ""]
    if report.findings:
        lines += ["| file | field | what is wrong | code |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {_cell(f.path)} | {_cell(f.field)} | {_cell(f.message)} | {_cell(f.code)} |"
            for f in report.findings
        ]
        lines.append("")
    if report.records:
        lines += ["| record | approvals | state |", "| --- | --- | --- |"]
        for status in report.records:
            state = "complete" if status.complete else "awaiting"
            approvals = "; ".join(_approval(a) for a in status.approvals)
            lines.append(f"| {_cell(status.place.path)} | {_cell(approvals)} | {state} |")
    return "\n".join(lines).rstrip() + "\n"


def _cell(value: str) -> str:
    """Text in a table's cell: code, so that no markup, mention or link comes of it."""
    safe = printable(value).replace("`", "'").replace("|", "\\|").strip()
    return f"`{safe}`" if safe else ""
