r"""What a reviewer reads first about a request: what it asks for, and what it still needs.

Markdown for hosts that show it. Everything that comes from a record stands in code spans, so that
it is no markup, link or mention. Nobody reads it back: it decides nothing.

Example:
    >>> print(_span("a`b|c @everybody"))
    `a'b\|c @everybody`
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from medperf_git.checks.report import Report
from medperf_git.records.base import Record
from medperf_git.store.paths import Place
from medperf_git.version import __version__

_ROWS: Final = 9
_LONGEST: Final = 160
_CHECKED: Final = (
    "**Checked** with mpgit {version} before it was sent: form, schema, references, digests and "
    "signatures of {count} records; no rule refuses it."
)
_HOW: Final = (
    "Look: `mpgit request view {id}`. Approve: `mpgit request approve {id}`.\n"
    "Approvals are signatures: the button alone approves nothing, and the check `validate` stays "
    "red until all are there."
)
_SKIPPED: Final = frozenset({"kind", "id", "revision", "execution", "keys", "tasks"})
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+")


def request_body(request_id: str, records: Sequence[tuple[Place, Record]], report: Report) -> str:
    """The text of a request.

    Args:
        request_id: its id.
        records: what it adds.
        report: the verdict on it before it was sent.
    """
    lines: list[str] = []
    for place, record in records:
        verb = "withdraw" if place.withdrawn else "add"
        kind = place.kind if place.withdrawn else place.record_kind
        what = f"{kind} {_span(place.id)}, revision {place.revision}"
        lines += [f"Asks to {verb} the {what}.", ""]
        if rows := list(_rows(record))[:_ROWS]:
            lines += ["| field | value |", "| --- | --- |", *rows, ""]
    checked = _CHECKED.format(version=__version__, count=len(records))
    lines += [checked, "", *_needs(report), "", _HOW.format(id=request_id)]
    return "\n".join(lines) + "\n"


def _needs(report: Report) -> Iterator[str]:
    needed = [
        (approval, status)
        for status in report.records
        for approval in status.approvals
        if approval.missing
    ]
    if not needed:
        yield "**Approvals:** none is missing."
        return
    yield "**Approvals still needed:**"
    yield ""
    seen = set()
    for approval, _ in needed:
        who = ", ".join(map(_span, approval.waiting_for))
        line = f"- {approval.role}: {approval.missing} of {who}"
        if line not in seen:
            seen.add(line)
            yield line


def _rows(record: Record) -> Iterator[str]:
    """The main fields, a line each: references as id and revision, metrics with intervals."""
    data = record.model_dump(mode="json", exclude_none=True)
    for name, value in sorted(data.items(), key=lambda item: isinstance(item[1], list | dict)):
        if name in _SKIPPED:
            continue
        if name == "metrics" and isinstance(value, list):
            yield from (f"| {_span(m['id'])} | {_span(_metric(m))} |" for m in value)
        elif text := _text(value):
            yield f"| {name.replace('_', ' ')} | {_span(text)} |"


def _metric(metric: Mapping[str, Any]) -> str:
    if "value" not in metric:
        return str(metric.get("name", ""))
    text = f"{metric['value']:.4g}"
    return text + (f" ({metric['low']:.4g} to {metric['high']:.4g})" if "low" in metric else "")


def _text(value: Any) -> str:
    """A value in a line, or nothing where it is no matter of a line."""
    if isinstance(value, dict):
        if {"id", "revision", "sha256"} <= value.keys():
            return f"{value['id']}, revision {value['revision']}, sha256 {value['sha256'][:16]}…"
        plain = {k: v for k, v in value.items() if isinstance(v, str | int | float)}
        return ", ".join(f"{k} {v}" for k, v in plain.items())
    if isinstance(value, list):
        parts = [_text(each) for each in value]
        return "; ".join(part for part in parts if part)
    return str(value)


def _span(text: str) -> str:
    """Text as code: no markup, mention or link comes of it."""
    safe = " ".join(_UNSEEN.sub(" ", text).split()).replace("`", "'").replace("|", "\\|")
    return f"`{safe[: _LONGEST - 1] + '…' if len(safe) > _LONGEST else safe}`"
