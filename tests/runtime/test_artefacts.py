from __future__ import annotations

import hashlib
import io
import os
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import ArtefactError
from medperf_git.records.artefact import File, Tree
from medperf_git.records.container import SourceImage
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.files import digest_tree
from medperf_git.runtime.materials import materialise
from tests.runtime.lab import SMALL, Lab, container


class Site(BaseHTTPRequestHandler):
    pages: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return
        payload = self.pages.get(self.path)
        self.send_response(404 if payload is None else 200)
        self.end_headers()
        self.wfile.write(payload or b"")

    def log_message(self, *_: object) -> None:
        """Nothing: tests are quiet."""


@pytest.fixture
def web() -> Iterator[str]:
    Site.pages, Site.asked = {}, []
    server = HTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def file(payload: bytes, **more: object) -> File:
    fields = {"name": "w.json", "sha256": hashlib.sha256(payload).hexdigest(), "size": len(payload)}
    return File.model_validate({**fields, **more})


def tree(folder: Path, **more: object) -> Tree:
    files = digest_tree(folder)
    size = sum(one.size for one in files)
    fields = {"sha256": fingerprint(files), "size": size, "files": len(files)}
    return Tree.model_validate({**fields, **more})


def packed(folder: Path, top: str = ".") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        archive.add(folder, top)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "tree"
    (path / "sub").mkdir(parents=True)
    (path / "a.csv").write_text("1")
    (path / "sub" / ".b").write_text("22")
    return path


def test_a_local_file_is_copied_and_kept(tmp_path: Path) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "w.json").write_bytes(b"{}")
    store = ArtefactStore(tmp_path / "cache", [tmp_path / "none", shelf])
    found = store.file(file(b"{}", path="w.json"))
    (shelf / "w.json").write_bytes(b"changed")
    assert found.read_bytes() == b"{}"
    assert found == tmp_path / "cache" / "files" / file(b"{}").sha256
    assert not list((tmp_path / "cache" / "tmp").iterdir())
    # Another process, without folders, finds it too.
    assert ArtefactStore(tmp_path / "cache").file(file(b"{}")) == found


def test_a_damaged_cache_is_noticed_and_mended(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(b"{}")
    wanted = file(b"{}", path="w.json")
    kept = ArtefactStore(tmp_path / "cache", [tmp_path]).file(wanted)
    kept.chmod(0o600)
    kept.write_bytes(b"[]")
    assert ArtefactStore(tmp_path / "cache", [tmp_path]).file(wanted).read_bytes() == b"{}"


def test_wrong_contents_are_refused_with_both_digests(tmp_path: Path) -> None:
    (tmp_path / "w.json").write_bytes(b"[]")
    wanted = file(b"{}", path="w.json")
    with pytest.raises(ArtefactError) as caught:
        ArtefactStore(tmp_path / "cache", [tmp_path]).file(wanted)
    assert caught.value.code == "artefact-digest"
    assert wanted.sha256 in caught.value.message
    assert hashlib.sha256(b"[]").hexdigest() in caught.value.message


def test_a_missing_file_says_where_it_looked(tmp_path: Path, web: str) -> None:
    wanted = file(
        b"{}", path="w.json", urls=(f"{web}/gone", "http://127.0.0.1:9/x", "file:///gone")
    )
    with pytest.raises(ArtefactError) as caught:
        ArtefactStore(tmp_path / "cache", [tmp_path / "shelf"]).file(wanted)
    assert caught.value.code == "artefact-missing"
    assert "--artefacts" in str(caught.value.advice)
    for place in (
        "shelf/w.json",
        "/gone: HTTP 404",
        "127.0.0.1:9",
        "/gone: can't read it: No such file",
    ):
        assert place in caught.value.message


def test_files_come_from_urls_until_one_fits(tmp_path: Path, web: str) -> None:
    Site.pages = {"/wrong": b"[]", "/right": b"{}"}
    urls = (f"{web}/wrong", f"{web}/gone", f"{web}/right")
    assert ArtefactStore(tmp_path).file(file(b"{}", urls=urls)).read_bytes() == b"{}"
    assert Site.asked == ["/wrong", "/gone", "/right"]


def test_an_endless_answer_is_cut_off(tmp_path: Path, web: str) -> None:
    Site.pages = {"/big": bytes(20_000_000)}
    with pytest.raises(ArtefactError) as caught:
        ArtefactStore(tmp_path).file(file(b"{}", urls=(f"{web}/big",)))
    assert caught.value.code == "artefact-digest"
    assert "more than 2" in caught.value.message


def test_a_redirect_never_reads_local_files(tmp_path: Path, web: str) -> None:
    passwd = Path("/etc/passwd").read_bytes()
    with pytest.raises(ArtefactError) as caught:
        ArtefactStore(tmp_path).file(file(passwd, urls=(f"{web}/redirect",)))
    assert caught.value.code == "artefact-missing"


@pytest.mark.parametrize("name", ["/dev/zero", "pipe"])
def test_a_path_that_never_ends_is_no_file(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    url = f"file://{tmp_path / name}"
    with pytest.raises(ArtefactError, match="where a plain file belongs"):
        ArtefactStore(tmp_path / "cache").file(file(b"{}", urls=(url,)))


@pytest.mark.parametrize("top", [".", "project-1.0"])
def test_trees_come_from_folders_and_archives(
    tmp_path: Path, folder: Path, web: str, top: str
) -> None:
    local = ArtefactStore(tmp_path / "1", [tmp_path]).tree(tree(folder, path="tree"))
    Site.pages = {"/t.tar.gz": packed(folder, top)}
    fetched = ArtefactStore(tmp_path / "2").tree(tree(folder, urls=(f"{web}/t.tar.gz",)))
    for found in (local, fetched):
        assert digest_tree(found) == digest_tree(folder)
        assert found.parent.name == "trees"


def test_a_changed_tree_is_refused(tmp_path: Path, folder: Path) -> None:
    wanted = tree(folder, path="tree")
    (folder / "a.csv").rename(folder / "c.csv")
    with pytest.raises(ArtefactError) as caught:
        ArtefactStore(tmp_path / "cache", [tmp_path]).tree(wanted)
    assert caught.value.code == "artefact-digest"


def test_a_tree_with_a_link_is_refused(tmp_path: Path, folder: Path) -> None:
    wanted = tree(folder, path="tree")
    (folder / "link").symlink_to("/etc/passwd")
    with pytest.raises(ArtefactError, match="symbolic link"):
        ArtefactStore(tmp_path / "cache", [tmp_path]).tree(wanted)


def test_only_sources_may_have_caches_beside_them(tmp_path: Path, folder: Path) -> None:
    data = tree(folder, path="tree")
    sources = SourceImage.model_validate({**data.model_dump(), "type": "source"})
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "a.pyc").write_text("x")
    store = ArtefactStore(tmp_path / "cache", [tmp_path])
    with pytest.raises(ArtefactError):
        store.tree(data)
    assert not (store.tree(sources) / "__pycache__").exists()


def test_parameters_and_files_reach_the_task(lab: Lab) -> None:
    shelf = lab.artefacts.folders[0]
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:xz") as archive:
        info = tarfile.TarInfo("deep/labels.txt")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
    (shelf / "w.json").write_bytes(b"{}")
    (shelf / "more.tar.xz").write_bytes(inner.getvalue())
    files = [
        file(b"{}", path="w.json"),
        file(inner.getvalue(), name="more.tar.xz", path="more.tar.xz", unpack=True),
    ]
    parameters = {"threshold": 0.5, "name": "no", "weeks": 37}
    record = container(lab.image, "materials", parameters=parameters, files=files, materials=True)
    found = materialise(record, lab.artefacts, lab.folder / "materials")
    assert materialise(record, lab.artefacts, lab.folder / "materials") == found
    more = {
        "container": record,
        "parameters_file": found.parameters_file,
        "additional_files": found.additional_files,
    }
    job = lab.job("materials", SMALL, **more)
    step = lab.engine.run(job)
    report = (lab.output / "report.json").read_text()
    assert r'"name: \"no\"", "threshold: 0.5", "weeks: 37"' in report
    assert '"w.json": "{}"' in report
    assert '"deep/labels.txt": "abc"' in report
    assert step.additional_files == tuple(one.sha256 for one in files)
    assert found.parameters_file is not None
    assert step.parameters == hashlib.sha256(found.parameters_file.read_bytes()).hexdigest()
