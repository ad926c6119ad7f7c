"""Why GitLab does not merge a merge request yet, and whether waiting helps.

GitLab answers 405, 406, 409 or 422 and says little; its `detailed_merge_status` says why
(https://docs.gitlab.com/api/merge_requests#merge-status). Asks nothing and waits for nothing.

Example::

    wait_or_raise(request, merge, refusal, late=False)    # returns: try again
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NoReturn

from medperf_git.errors import AwaitingError, HostError, InputError, RaceError
from medperf_git.forge.base import Request

_MOVED: Final = frozenset({"conflict", "need_rebase", "broken_status", "cannot_be_merged"})
"""Our head held main and merged cleanly when it was judged."""
_PIPELINE: Final = frozenset({"ci_must_pass", "ci_still_running"})
_FAILED: Final = frozenset({"failed", "canceled", "canceling", "skipped", "manual"})
_SOON: Final = frozenset({
    "", "approvals_syncing", "checking", "mergeable", "preparing", "unchecked",
    "cannot_be_merged_recheck", "cannot_be_merged_rechecking", "can_be_merged",
})  # fmt: skip
_TRY_AGAIN: Final = frozenset({405, 406, 409, 422})
_CONFLICT: Final = 409


def wait_or_raise(
    request: Request, merge: Mapping[str, Any], refusal: HostError | None, *, late: bool
) -> None:
    """Returns where trying again may help.

    Args:
        request: what is to be merged.
        merge: how it stands at the host now; not merged.
        refusal: what the host said to merging; None where it took it and is at it.
        late: no more waiting.

    Raises:
        InputError: it was closed.
        RaceError: main or the request moved.
        AwaitingError: the pipeline is red or did not come, or people must act at the host.
        HostError: refused for good.
    """
    if merge["state"] == "closed":
        raise InputError(
            f"the request {request.id} was closed", code="request-closed", place=request.url
        ) from refusal
    if merge["state"] == "locked" and not late:
        return  # it is at it
    if refusal is not None and refusal.status not in _TRY_AGAIN:
        raise refusal
    status = str(merge.get("detailed_merge_status") or merge.get("merge_status") or "")
    moved = str(merge.get("sha") or "") != request.head or status in _MOVED
    if moved or (refusal is not None and refusal.status == _CONFLICT):
        raise RaceError(f"main or {request.id} moved", place=request.url) from refusal
    pipeline = merge.get("head_pipeline") or {}
    if status in _PIPELINE:
        # One of an older head says nothing of this one.
        mine = pipeline.get("sha", request.head) == request.head
        if mine and pipeline.get("status") in _FAILED:
            _awaiting(request, f"is red: {pipeline['status']}", "pipeline-failed", refusal)
        if late:
            _awaiting(request, "did not come", "pipeline-missing", refusal)
    elif status not in _SOON:
        _awaiting(request, f"waits for people: {status}", "host-waits", refusal)
    elif late:
        raise refusal or HostError(f"{request.id} is still being merged", place=request.url)


def _awaiting(request: Request, what: str, code: str, refusal: HostError | None) -> NoReturn:
    subject = "the host" if code == "host-waits" else "the host's pipeline"
    raise AwaitingError(
        f"{subject} {what}",
        code=code,
        place=request.url,
        advice="see there; `mpgit request check` judges it here",
    ) from refusal
