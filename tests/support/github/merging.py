"""The API's handler that merges a pull request: a real merge, if every rule allows it.

The base moves by compare-and-swap. Merge and squash are real; a rebase is refused as switched
off. Reviews are not modelled: a rule that wants an approval refuses every merge.

Example::

    PUT /repos/anna/registry/pulls/1/merge {"sha": "…", "merge_method": "merge"}
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from tests.support.github.answers import Answer, Call, refusal
from tests.support.github.repositories import issue
from tests.support.github.routes import route
from tests.support.github.state import Pull

_METHODS: Final = {
    "merge": ("allow_merge_commit", "Merge commits"),
    "squash": ("allow_squash_merge", "Squash merges"),
    "rebase": ("allow_rebase_merge", "Rebase merges"),
}


@route("PUT", "/repos/{owner}/{repo}/pulls/{pull_number}/merge", "write")
def merge(call: Call) -> Answer:
    """Merges."""
    pull = issue(call)
    method = call.fields.get("merge_method", "merge")
    base = call.repo.disk.tip(pull.base)
    if call.fields.get("sha", pull.head_sha) != pull.head_sha and pull.state == "open":
        raise refusal(409, "Head branch was modified. Review and try the merge again.")
    if pull.draft:
        raise refusal(405, "Pull Request is still a draft")
    if pull.state == "closed" or base is None:
        raise refusal(405, "Pull Request is not mergeable")
    setting, words = _METHODS[method]
    if not call.repo.settings[setting]:
        raise refusal(405, f"{words} are not allowed on this repository.")
    tree = call.repo.disk.merged_tree(base, pull.head_sha)
    if tree is None:
        raise refusal(405, "Pull Request is not mergeable")
    if violations := list(_violations(call, pull, base, method)):
        text = "\n\n".join(violations)
        raise refusal(405, f"Repository rule violations found\n\n{text}\n\n")
    parents = [base, pull.head_sha] if method == "merge" else [base]
    commit = call.repo.disk.commit(tree, parents, _message(call, pull, method), call.me.author)
    for race in call.late:
        race()
    if not call.repo.disk.move(pull.base, commit, base):
        raise refusal(405, "Base branch was modified. Review and try the merge again.")
    pull.close(call.me, commit)
    call.opened += call.world.follow(call.repo, call.user)
    message = "Pull Request successfully merged"
    return Answer(200, {"sha": commit, "merged": True, "message": message})


def _violations(call: Call, pull: Pull, base: str, method: str) -> Iterator[str]:
    for _, rule in call.repo.rules(pull.base, call.me, merging=True):
        parameters: dict[str, Any] = rule.get("parameters") or {}
        match rule["type"]:
            case "update":
                yield "Cannot update this protected ref."
            case "required_linear_history" if method == "merge":
                yield "This branch must not contain merge commits."
            case "pull_request":
                count = parameters.get("required_approving_review_count", 0)
                if count:
                    noun = "review is" if count == 1 else "reviews are"
                    who = "reviewers with write access"
                    yield f"At least {count} approving {noun} required by {who}."
                if method not in parameters.get("allowed_merge_methods", _METHODS):
                    yield f"Merge method {method} is not allowed."
            case "required_status_checks":
                yield from call.repo.missing_checks(rule, pull.head_sha)
                strict = parameters.get("strict_required_status_checks_policy")
                if strict and not call.repo.disk.contains(pull.head_sha, base):
                    yield "Head branch is out of date."
            case _:
                pass


def _message(call: Call, pull: Pull, method: str) -> str:
    title = f"Merge pull request #{pull.number} from {pull.head.replace(':', '/')}"
    if method == "squash":
        title = f"{pull.title} (#{pull.number})"
    text = (pull.body or "") if method == "squash" else pull.title
    title = call.fields.get("commit_title") or title
    text = call.fields.get("commit_message", text)
    return f"{title}\n\n{text}\n" if text else f"{title}\n"
