from __future__ import annotations

import bz2
import gzip
import hashlib
import json
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import ArtefactError, EngineError
from medperf_git.records.container import ArchiveImage
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.mounts import Mount
from medperf_git.runtime.rootfs import Rootfs, unpacked
from medperf_git.runtime.sandbox_root import archive_root
from tests.runtime.test_extract import entry, tar

Entries = list[tuple[tarfile.TarInfo, bytes]]
CONFIG = {"config": {"Entrypoint": ["/run"], "Env": ["A=b=c", "PATH=/opt"], "WorkingDir": "/work"}}


def docker_archive(*layers: bytes, config: object = CONFIG) -> bytes:
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    manifest = [{"Config": "c.json", "RepoTags": ["debian:12"], "Layers": names}]
    files = dict(zip(names, layers, strict=True))
    files |= {"c.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    return tar(*(entry(name, payload) for name, payload in files.items()))


def oci_archive(*layers: bytes, config: object = CONFIG) -> bytes:
    blobs: dict[str, bytes] = {}

    def blob(payload: bytes) -> dict[str, str]:
        digest = hashlib.sha256(payload).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = payload
        return {"digest": f"sha256:{digest}"}

    document = {"config": blob(json.dumps(config).encode()), "layers": [blob(x) for x in layers]}
    blobs["index.json"] = json.dumps({"manifests": [blob(json.dumps(document).encode())]}).encode()
    return tar(*(entry(name, payload) for name, payload in blobs.items()))


def open_image(tmp_path: Path, payload: bytes) -> Rootfs:
    (tmp_path / "image.tar").write_bytes(payload)
    image = ArchiveImage(
        type="archive",
        sha256=hashlib.sha256(payload).hexdigest(),
        size=len(payload),
        path="image.tar",
    )
    return unpacked(image, ArtefactStore(tmp_path / "cache", [tmp_path]))


LOWER = tar(
    entry("etc", kind=tarfile.DIRTYPE),
    entry("etc/keep", b"1"),
    entry("etc/gone", b"1"),
    entry("old", kind=tarfile.DIRTYPE),
    entry("old/a", b"1"),
    entry("bin", kind=tarfile.SYMTYPE, linkname="usr/bin"),
    entry("abs", kind=tarfile.SYMTYPE, linkname="/usr/lib"),
    entry("usr/bin/sh", b"sh", mode=0o4755),
    entry("dev/null", kind=tarfile.CHRTYPE),
)
UPPER = tar(
    entry("etc/.wh.gone"),
    entry("old/.wh..wh..opq"),
    entry("old/b", b"2"),
    entry("bin/tool", b"2"),
    entry("abs/lib.so", b"2"),
    entry("usr/bin/hard", kind=tarfile.LNKTYPE, linkname="usr/bin/sh"),
    entry("etc/keep", b"2"),
)


@pytest.mark.parametrize("pack", [docker_archive, oci_archive])
def test_layers_are_laid_over_each_other(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    rootfs = open_image(tmp_path, pack(LOWER, gzip.compress(UPPER)))
    root = rootfs.folder
    assert (root / "etc" / "keep").read_text() == "2"
    assert not (root / "etc" / "gone").exists()
    assert [path.name for path in (root / "old").iterdir()] == ["b"]
    assert (root / "usr/bin/tool").read_text() == "2"
    assert (root / "usr/lib/lib.so").read_text() == "2"
    assert (root / "bin").readlink() == Path("usr/bin")
    assert (root / "usr/bin/hard").stat().st_ino == (root / "usr/bin/sh").stat().st_ino
    assert (root / "usr/bin/sh").stat().st_mode & 0o7777 == 0o755
    assert not (root / "dev/null").exists()
    assert (rootfs.entrypoint, rootfs.working_folder) == (("/run",), "/work")
    assert rootfs.environment == {"A": "b=c", "PATH": "/opt"}


def test_an_upper_layer_takes_what_is_below_away_and_nothing_of_its_own(tmp_path: Path) -> None:
    lower = tar(
        entry("a/b/c", b"1"),
        entry("one", b"1"),
        entry("two", kind=tarfile.LNKTYPE, linkname="one"),
        entry("file", b"1"),
        entry("folder/inside", b"1"),
    )
    upper = tar(
        entry("a/b/new", b"2"),
        # After its own entries, and above a folder of theirs.
        entry("a/.wh..wh..opq"),
        entry("a/b/.wh.gone-already"),
        entry("one", b"2"),
        entry("file", kind=tarfile.DIRTYPE),
        entry("folder", b"2"),
        entry(".wh.folder-gone"),
    )
    root = open_image(tmp_path, docker_archive(lower, upper)).folder
    assert [path.name for path in (root / "a" / "b").iterdir()] == ["new"]
    assert ((root / "one").read_text(), (root / "two").read_text()) == ("2", "1")
    assert (root / "file").is_dir()
    assert (root / "folder").read_text() == "2"


def test_every_file_is_ours_and_of_no_special_kind(tmp_path: Path) -> None:
    layer = tar(
        entry("locked", kind=tarfile.DIRTYPE, mode=0),
        entry("locked/secret", b"1", mode=0, uid=12345, gid=12345),
        entry("tool", b"1", mode=0o6111),
        entry("sticky", kind=tarfile.DIRTYPE, mode=0o7777),
        entry("pipe", kind=tarfile.FIFOTYPE),
        entry("disk", kind=tarfile.BLKTYPE, mode=0o666),
        entry("terminal", kind=tarfile.CHRTYPE, mode=0o666),
    )
    root = open_image(tmp_path, docker_archive(layer)).folder
    found = {
        str(path.relative_to(root)): (oct(path.stat().st_mode & 0o7777), path.stat().st_uid)
        for path in sorted(root.rglob("*"))
    }
    me = os.getuid()
    assert found == {
        "locked": ("0o755", me),
        "locked/secret": ("0o644", me),
        "sticky": ("0o755", me),
        "tool": ("0o755", me),
    }


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("pack", [docker_archive, oci_archive])
def test_layers_and_archives_may_be_compressed(
    tmp_path: Path, pack: Callable[..., bytes], compress: Callable[[bytes], bytes]
) -> None:
    root = open_image(tmp_path, compress(pack(compress(LOWER)))).folder
    assert (root / "etc" / "gone").read_text() == "1"


@pytest.mark.parametrize(
    "entries",
    [
        [entry("../escaped", b"1")],
        [entry("a", kind=tarfile.LNKTYPE, linkname="../../../../etc/passwd")],
        [entry("a", kind=tarfile.LNKTYPE, linkname="nothing")],
        [entry(".wh...")],
        [entry(".wh.")],
        [entry("a", kind=tarfile.SYMTYPE, linkname="b"),
         entry("b", kind=tarfile.SYMTYPE, linkname="a"), entry("a/x", b"1")],
    ],
)  # fmt: skip
def test_hostile_layers_are_refused(tmp_path: Path, entries: Entries) -> None:
    with pytest.raises(ArtefactError) as caught:
        open_image(tmp_path, docker_archive(tar(*entries)))
    assert caught.value.code == "unsafe-archive"
    assert {path.name for path in tmp_path.iterdir()} == {"image.tar", "cache"}
    assert not list((tmp_path / "cache" / "tmp").iterdir())


@pytest.mark.parametrize("link", ["/", "/..", "../../../..", "{outside}"])
@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE])
def test_links_never_lead_out_of_the_root(tmp_path: Path, link: str, kind: bytes) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "x").write_text("mine")
    target = link.format(outside=outside)
    layer = tar(
        entry("way", kind=tarfile.SYMTYPE, linkname=target),
        entry("way/x", b"" if kind != tarfile.REGTYPE else b"theirs", kind=kind, linkname="/"),
        entry("way/.wh.x"),
        entry(f"way{outside}/x", b"theirs"),
    )
    rootfs = open_image(tmp_path, docker_archive(layer))
    assert (outside / "x").read_text() == "mine"
    assert [path.name for path in outside.iterdir()] == ["x"]
    assert not (tmp_path / "x").exists()
    assert rootfs.folder.is_relative_to(tmp_path / "cache")


@pytest.mark.parametrize(
    "payload",
    [
        b"no tar",
        tar(entry("other", b"")),
        tar(entry("manifest.json", b"[]")),
        tar(entry("manifest.json", b"{")),
        tar(entry("manifest.json", b'[{"Config": "c", "Layers": ["gone"]}]')),
        tar(entry("index.json", b'{"manifests": []}')),
        docker_archive(b"no tar"),
        docker_archive(LOWER, config=[]),
        docker_archive(LOWER, config={"config": {"Env": 3}}),
        docker_archive(LOWER, config={"config": {"Env": ["A=\0"]}}),
        docker_archive(LOWER, config={"config": "text"}),
        tar(entry("manifest.json", kind=tarfile.SYMTYPE, linkname="manifest.json")),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(ArtefactError) as caught:
        open_image(tmp_path, payload)
    assert caught.value.code == "bad-archive"


def test_a_mount_through_the_images_links_is_refused(tmp_path: Path) -> None:
    rootfs = open_image(tmp_path, docker_archive(LOWER))
    with pytest.raises(EngineError) as caught:
        archive_root(rootfs.folder, [Mount(tmp_path, "/abs/data", writable=False)])
    assert caught.value.code == "bad-mount"
    arguments = archive_root(rootfs.folder, [Mount(tmp_path, "/usr/data/x", writable=False)])
    at = arguments.index("--dir")
    assert arguments[at : at + 2] == ["--dir", "/usr"]
