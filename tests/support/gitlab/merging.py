"""`PUT …/merge`: what GitLab refuses, in its order, and the commit that it makes.

Example::

    merge_now(call, project, merge)     # raises a Refusal, or main has moved
"""

from __future__ import annotations

from tests.support.gitlab.answers import Call, refusal
from tests.support.gitlab.state import MAINTAINER, Merge, Project, User, now


def merge_now(call: Call, project: Project, merge: Merge) -> None:
    """Merges.

    Raises:
        Refusal: GitLab's.
    """
    me = call.known()
    if project.level(me) < MAINTAINER:
        raise refusal(401, "401 Unauthorized")
    status = project.merge_status(merge)
    if status == "conflict":
        raise refusal(422, "Branch cannot be merged")
    if status != "mergeable":
        raise refusal(405, "405 Method Not Allowed")
    sha = call.body.get("sha")
    tip = merge.source.disk.tip(merge.source_branch) if merge.source else None
    if sha is not None and sha != (merge.following or tip or merge.sha):
        raise refusal(409, f"SHA does not match HEAD of source branch: {tip}")
    squash = project.squash_option == "always" or bool(call.body.get("squash", merge.squash))
    message = str(call.body.get("merge_commit_message", f"Merge branch {merge.source_branch!r}"))
    main = project.disk.tip(merge.target_branch)
    assert main
    commit = _commit(project, merge, main, message, me, squash=squash)
    assert project.disk.move(merge.target_branch, commit, main)
    merge.state, merge.merge_commit_sha, merge.updated_at = "merged", commit, now()


def _commit(
    project: Project, merge: Merge, main: str, message: str, me: User, *, squash: bool
) -> str:
    tree = project.disk.merged_tree(main, merge.sha)
    assert tree
    parents = [main] if squash else [main, merge.sha]
    if project.merge_method == "ff" and not squash:
        return merge.sha
    author = (me.username.title(), f"{me.username}@users.example")
    return project.disk.commit(tree, parents, message, author)
