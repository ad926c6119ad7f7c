from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.errors import ArtefactError
from medperf_git.runtime.extract import Budget, extract_tar


def entry(
    name: str, payload: bytes = b"", kind: bytes = tarfile.REGTYPE, **more: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size, info.type = len(payload), kind
    for key, value in more.items():
        setattr(info, key, value)
    return info, payload


def tar(*entries: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, payload in entries:
            archive.addfile(info, io.BytesIO(payload))
    return stream.getvalue()


def unpack(tmp_path: Path, payload: bytes, size: int = 10_000, entries: int = 10) -> Path:
    archive, target = tmp_path / "archive", tmp_path / "target"
    archive.write_bytes(payload)
    target.mkdir()
    extract_tar(archive, target, Budget(size, entries))
    return target


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_plain_files_come_out(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    payload = tar(
        entry("a", kind=tarfile.DIRTYPE),
        entry("./a/b.csv", b"1,2", mode=0o6777, uid=12345),
        entry("deep/er/c", b"x", mode=0),
    )
    target = unpack(tmp_path, compress(payload))
    assert (target / "a" / "b.csv").read_bytes() == b"1,2"
    assert (target / "a" / "b.csv").stat().st_mode & 0o7777 == 0o700
    assert (target / "deep" / "er" / "c").stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize(
    ("code", "entries"),
    [
        ("unsafe-archive", [entry("/etc/x", b"1")]),
        ("unsafe-archive", [entry("../x", b"1")]),
        ("unsafe-archive", [entry("a/../../x", b"1")]),
        ("unsafe-archive", [entry("a", kind=tarfile.SYMTYPE, linkname="/etc")]),
        ("unsafe-archive", [entry("a", kind=tarfile.SYMTYPE, linkname="b")]),
        ("unsafe-archive", [entry("a", kind=tarfile.LNKTYPE, linkname="/etc/passwd")]),
        ("unsafe-archive", [entry("a", kind=tarfile.CHRTYPE)]),
        ("unsafe-archive", [entry("a", kind=tarfile.BLKTYPE)]),
        ("unsafe-archive", [entry("a", kind=tarfile.FIFOTYPE)]),
        ("unsafe-archive", [entry("a", b"1"), entry("a", b"2")]),
        ("unsafe-archive", [entry("a", b"1"), entry("a/b", b"2")]),
        ("unsafe-archive", [entry("a\nb", b"1")]),
        ("unsafe-archive", [entry("a/" * 100 + "b", b"1")]),
        ("unsafe-archive", [entry("x" * 2000, b"1")]),
        ("archive-too-large", [entry("a", b"1" * 10_001)]),
        ("archive-too-large", [entry("a", b"1" * 6000), entry("b", b"1" * 6000)]),
        ("archive-too-large", [entry(f"f{n}") for n in range(11)]),
    ],
)
def test_hostile_archives_are_refused(
    tmp_path: Path, code: str, entries: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    with pytest.raises(ArtefactError) as caught:
        unpack(tmp_path, tar(*entries))
    assert caught.value.code == code
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "target"}


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = gzip.compress(tar(entry("zeros", bytes(200_000_000))))
    assert len(bomb) < 1_000_000
    with pytest.raises(ArtefactError) as caught:
        unpack(tmp_path, bomb)
    assert caught.value.code == "archive-too-large"
    assert sum(path.stat().st_size for path in (tmp_path / "target").iterdir()) == 0


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    good = tar(entry("a", b"1" * 5000))
    payloads = [b"", b"text", good[:3000], gzip.compress(good)[:-30], lzma.compress(good)[:60],
                bz2.compress(good)[:50], b"\x1f\x8b" + bytes(50)]  # fmt: skip
    for number, payload in enumerate(payloads):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises(ArtefactError) as caught:
            unpack(folder, payload)
        assert caught.value.code == "bad-archive"
