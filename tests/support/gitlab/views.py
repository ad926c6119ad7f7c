"""The stand-in's data as GitLab's REST API writes it: the fields that matter to a registry.

Example::

    views.merge(project, merge, "http://127.0.0.1:8080", alone=True)["detailed_merge_status"]
"""

from __future__ import annotations

from typing import Any

from tests.support.gitlab.state import Merge, Note, Project, User


def user(each: User, url: str) -> dict[str, Any]:
    """Somebody."""
    web = f"{url}/{each.username}"
    named = {"username": each.username, "name": each.username.title(), "web_url": web}
    return {"id": each.id, "state": "active", **named}


def project(each: Project, url: str) -> dict[str, Any]:
    """A project."""
    namespace, _, name = each.path.rpartition("/")
    parent = each.parent
    return {
        "id": each.id,
        "path": name,
        "path_with_namespace": each.path,
        "namespace": {"full_path": namespace, "kind": "user" if "/" not in namespace else "group"},
        "default_branch": "main",
        "visibility": "private" if each.private else "public",
        "web_url": f"{url}/{each.path}",
        "http_url_to_repo": f"{url}/{each.path}.git",
        "import_status": "none" if parent is None else "finished" if each.ready else "scheduled",
        "merge_method": each.merge_method,
        "squash_option": each.squash_option,
        "only_allow_merge_if_pipeline_succeeds": each.needs_pipeline,
        **({"forked_from_project": {"id": parent.id}} if parent else {}),
    }


def merge(target: Project, each: Merge, url: str, *, alone: bool = False) -> dict[str, Any]:
    """A merge request; what a list leaves out is there where it stands `alone`."""
    pipeline = target.pipeline(each.sha)
    shown = pipeline and {"id": pipeline.id, "sha": pipeline.sha, "status": pipeline.status}
    return {
        "id": each.id,
        "iid": each.iid,
        "project_id": target.id,
        "target_project_id": target.id,
        "source_project_id": each.source.id if each.source else None,
        "title": each.title,
        "description": each.description,
        "state": each.state,
        "draft": each.title.startswith("Draft:"),
        "author": user(each.author, url),
        "source_branch": each.source_branch,
        "target_branch": each.target_branch,
        "labels": list(each.labels),
        "sha": each.sha,
        "merge_commit_sha": each.merge_commit_sha,
        "squash": each.squash,
        "force_remove_source_branch": each.force_remove,
        "allow_collaboration": each.allow_collaboration,
        "detailed_merge_status": target.merge_status(each),
        "created_at": each.created_at,
        "updated_at": each.updated_at,
        "web_url": f"{url}/{target.path}/-/merge_requests/{each.iid}",
        **({"head_pipeline": shown} if alone else {}),
    }


def note(each: Note, url: str) -> dict[str, Any]:
    """A comment."""
    return {"id": each.id, "body": each.body, "author": user(each.author, url), "system": False}
