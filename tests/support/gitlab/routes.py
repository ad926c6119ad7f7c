"""What each operation does: GitLab's words and numbers for what it refuses.

Example::

    Routes(world).answer(Call("GET", "/projects/101", {}, {}, user)).body["path_with_namespace"]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from tests.support.gitlab import views
from tests.support.gitlab.answers import Answer, Call, refusal
from tests.support.gitlab.merging import merge_now
from tests.support.gitlab.state import DEVELOPER, PROTECTED, REPORTER, Merge, Note, Project, now
from tests.support.gitlab.world import World

_PROJECT: Final = r"/projects/([^/]+)"
_MERGE: Final = rf"{_PROJECT}/merge_requests/(\d+)"


class Routes:
    """Answers the API."""

    def __init__(self, world: World) -> None:
        self._world = world
        table: dict[tuple[str, str], Callable[..., Answer]] = {
            ("GET", "/version"): self._version,
            ("GET", "/user"): self._user,
            ("GET", _PROJECT): self._project,
            ("POST", rf"{_PROJECT}/fork"): self._fork,
            ("GET", rf"{_PROJECT}/forks"): self._forks,
            ("GET", rf"{_PROJECT}/members/all/(\d+)"): self._member,
            ("GET", rf"{_PROJECT}/merge_requests"): self._list,
            ("POST", rf"{_PROJECT}/merge_requests"): self._create,
            ("GET", _MERGE): self._get,
            ("PUT", _MERGE): self._change,
            ("PUT", rf"{_MERGE}/merge"): self._merge,
            ("GET", rf"{_MERGE}/notes"): self._notes,
            ("POST", rf"{_MERGE}/notes"): self._note,
        }
        self._table = [(verb, re.compile(path), do) for (verb, path), do in table.items()]

    def answer(self, call: Call) -> Answer:
        """What a request gets.

        Raises:
            Refusal: a refusal.
        """
        for verb, pattern, do in self._table:
            match = pattern.fullmatch(call.path)
            if match and verb == call.method:
                words = [unquote(word) for word in match.groups()]
                if not pattern.pattern.startswith("/projects"):
                    return do(call)
                project = self._visible(call, words[0])
                if not words[0].isdigit() and project.path.lower() != words[0].lower():
                    return self._elsewhere(call, project)
                if len(words) > 1 and "merge_requests" in pattern.pattern:
                    return do(call, project, self._found(project, words[1]))
                return do(call, project, *words[1:])
        raise refusal(404, "404 Not Found")

    def _visible(self, call: Call, key: str) -> Project:
        project = self._world.find(key)
        if project is None or not project.sees(call.user):
            raise refusal(404, "404 Project Not Found")
        return project

    def _elsewhere(self, call: Call, project: Project) -> Answer:
        """A path that the project once had."""
        if call.method != "GET":
            raise refusal(405, "Non GET methods are not allowed for moved projects")
        rest = re.sub(r"^/projects/[^/]+", "", call.path)
        target = f"{self._world.url}/api/v4/projects/{project.id}{rest}"
        return Answer(301, b"", {"Location": target}, "text/plain")

    def _found(self, project: Project, iid: str) -> Merge:
        merge = project.merges.get(int(iid))
        if merge is None:
            raise refusal(404, "404 Not found")
        return merge

    def _one(self, project: Project, merge: Merge, status: int = 200) -> Answer:
        return Answer(status, views.merge(project, merge, self._world.url, alone=True))

    # --- people and projects -----------------------------------------------------------------

    def _version(self, call: Call) -> Answer:
        call.known()
        return Answer(200, {"version": "18.5.0", "revision": "0123456789a"})

    def _user(self, call: Call) -> Answer:
        return Answer(200, views.user(call.known(), self._world.url))

    def _project(self, _call: Call, project: Project) -> Answer:
        shown = views.project(project, self._world.url)
        if project.parent and self._world.fork_fails:
            shown["import_status"] = "failed"
        return Answer(200, shown)

    def _fork(self, call: Call, project: Project) -> Answer:
        me = call.known()
        if self._world.find(f"{me.username}/{project.path.rpartition('/')[2]}"):
            raise refusal(409, {"base": ["Project namespace name has already been taken"]})
        return Answer(201, views.project(self._world.fork(project, me), self._world.url))

    def _forks(self, call: Call, project: Project) -> Answer:
        owned = call.query.get("owned") == "true"
        forks = [each for each in self._world.projects if each.parent is project]
        shown = [each for each in forks if not owned or each.owner is call.known()]
        return self._paged(call, [views.project(each, self._world.url) for each in shown])

    def _member(self, call: Call, project: Project, number: str) -> Answer:
        call.known()
        user = next(u for u in self._world.users.values() if u.id == int(number))
        level = project.level(user)
        if not level:
            raise refusal(404, "404 Not found")
        return Answer(200, {**views.user(user, self._world.url), "access_level": level})

    # --- merge requests ----------------------------------------------------------------------

    def _list(self, call: Call, project: Project) -> Answer:
        wanted = call.query.get("state", "all")
        found = [
            each
            for each in project.merges.values()
            if wanted in ("all", each.state)
            and call.query.get("source_branch") in (None, each.source_branch)
            and call.query.get("target_branch") in (None, each.target_branch)
        ]
        if call.query.get("sort", "desc") == "desc":
            found.reverse()
        return self._paged(call, [views.merge(project, each, self._world.url) for each in found])

    def _paged(self, call: Call, entries: list[Any]) -> Answer:
        page, size = int(call.query.get("page", "1")), int(call.query.get("per_page", "20"))
        size = min(size, 100)
        pages = max(1, -(-len(entries) // size))
        following = str(page + 1) if page < pages else ""
        headers = {
            "X-Page": str(page),
            "X-Per-Page": str(size),
            "X-Next-Page": following,
            "X-Total": str(len(entries)),
            "X-Total-Pages": str(pages),
        }
        if following:
            query = {**call.query, "page": following, "per_page": str(size)}
            words = "&".join(f"{key}={value}" for key, value in query.items())
            url = f"{self._world.url}/api/v4{call.path}?{words}"
            headers["Link"] = f'<{url}>; rel="next"'
        return Answer(200, entries[(page - 1) * size : page * size], headers)

    def _create(self, call: Call, source: Project) -> Answer:
        me, body = call.known(), call.body
        target = self._world.find(str(body.get("target_project_id", source.id)))
        branch = str(body["source_branch"])
        if (
            target is None
            or source.level(me) < DEVELOPER
            or source not in (target, *self._of(target))
        ):
            raise refusal(403, "403 Forbidden")
        tip = source.disk.tip(branch)
        if tip is None or not target.disk.tip(str(body["target_branch"])):
            raise refusal(400, {"source_branch": ["does not exist"]})
        for other in target.merges.values():
            if (other.state, other.source, other.source_branch) == ("opened", source, branch):
                text = "Another open merge request already exists for this source branch"
                raise refusal(409, [f"{text}: !{other.iid}"])
        merge = Merge(
            len(target.merges) + 1,
            me,
            str(body["title"]),
            str(body.get("description", "")),
            source,
            branch,
            str(body["target_branch"]),
            "",
            allow_collaboration=bool(body.get("allow_collaboration")),
            force_remove=bool(body.get("remove_source_branch")),
            squash=bool(body.get("squash")),
        )
        if target.level(me) >= REPORTER:
            merge.labels = [word for word in str(body.get("labels", "")).split(",") if word]
        merge.following = tip
        target.merges[merge.iid] = merge
        self._world.take(target, merge)
        return self._one(target, merge, 201)

    def _of(self, target: Project) -> list[Project]:
        return [each for each in self._world.projects if each.parent is target]

    def _get(self, _call: Call, project: Project, merge: Merge) -> Answer:
        made = self._one(project, merge)
        self._world.look(project, merge)
        return made

    def _change(self, call: Call, project: Project, merge: Merge) -> Answer:
        me = call.known()
        if project.level(me) < DEVELOPER and merge.author is not me:
            raise refusal(403, "403 Forbidden")
        if project.level(me) >= REPORTER:
            added = [word for word in str(call.body.get("add_labels", "")).split(",") if word]
            merge.labels += [label for label in added if label not in merge.labels]
        merge.title = str(call.body.get("title", merge.title))
        if call.body.get("state_event") == "close" and merge.state == "opened":
            merge.state = "closed"
        merge.updated_at = now()
        return self._one(project, merge)

    def _merge(self, call: Call, project: Project, merge: Merge) -> Answer:
        merge_now(call, project, merge)
        both = bool(call.body.get("should_remove_source_branch")) or merge.force_remove
        if both and merge.source and merge.source_branch != PROTECTED:
            merge.source.disk.git("update-ref", "-d", f"refs/heads/{merge.source_branch}")
        self._world.follow(project)
        return self._one(project, merge)

    # --- comments ----------------------------------------------------------------------------

    def _notes(self, call: Call, _project: Project, merge: Merge) -> Answer:
        notes = merge.notes if call.query.get("sort") == "asc" else merge.notes[::-1]
        return self._paged(call, [views.note(each, self._world.url) for each in notes])

    def _note(self, call: Call, _project: Project, merge: Merge) -> Answer:
        note = Note(call.known(), str(call.body["body"]))
        merge.notes.append(note)
        return Answer(201, views.note(note, self._world.url))
