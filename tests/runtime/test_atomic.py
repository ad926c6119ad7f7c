from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from medperf_git.atomic import is_locked, lock, write_bytes
from medperf_git.errors import InputError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "note"
    write_bytes(path, b"old")
    write_bytes(path, b"new", mode=0o640)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == ["note"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, "disk-full"), (errno.EDQUOT, "disk-full"), (errno.EIO, "not-writable")],
)
@pytest.mark.parametrize("call", ["fsync", "fchmod"])
def test_a_failed_write_leaves_the_old_file_and_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: str, call: str
) -> None:
    path = tmp_path / "note"
    write_bytes(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(InputError) as caught:
        write_bytes(path, b"new")
    assert (caught.value.code, caught.value.place) == (code, str(path))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["note"]


def test_a_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as caught:
        write_bytes(tmp_path / "file" / "note", b"")
    assert caught.value.code == "not-writable"


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path), pytest.raises(InputError) as caught, lock(path):
        pass
    assert caught.value.code == "locked"
    assert str(os.getpid()) in caught.value.message
    with lock(path):
        pass


def test_a_dead_process_holds_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    holder = (
        "import sys, time; from pathlib import Path; from medperf_git.atomic import lock\n"
        "with lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with (
            pytest.raises(InputError, match=f"process {process.pid}"),
            lock(path, wait_seconds=0.2),
        ):
            pass
        process.kill()
    with lock(path, wait_seconds=5):
        pass


def test_a_shared_lock_is_held_by_many_and_by_none_alone(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with lock(path, shared=True), lock(path, shared=True):
        with pytest.raises(InputError) as caught, lock(path):
            pass
        assert caught.value.code == "locked"
    with lock(path), pytest.raises(InputError), lock(path, shared=True):
        pass
    with lock(path):
        pass


def test_a_look_at_a_lock_makes_and_takes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    assert not path.exists()
    with lock(path):
        assert is_locked(path)
    with lock(path, shared=True):
        assert is_locked(path)
    assert not is_locked(path)
    path.unlink()
    path.symlink_to("nowhere")
    assert is_locked(path)  # not ours to judge


def test_who_looks_does_not_keep_anybody_from_working(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.touch()
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            is_locked(path)

    lookers = [threading.Thread(target=look, daemon=True) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(100):
            with lock(path):
                pass
    finally:
        done.set()
    for looker in lookers:
        looker.join()


def test_who_waits_for_a_lock_that_is_removed_gets_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    outcomes: list[str] = []

    def wait() -> None:
        with lock(path, wait_seconds=10):
            outcomes.append("held")
            with pytest.raises(InputError), lock(path):
                pass

    with lock(path):
        waiter = threading.Thread(target=wait)
        waiter.start()
        time.sleep(0.2)
        path.unlink()
    waiter.join(10)
    assert outcomes == ["held"]


def test_a_lock_never_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("keep")
    (tmp_path / "lock").symlink_to("target")
    with pytest.raises(InputError), lock(tmp_path / "lock"):
        pass
    assert (tmp_path / "target").read_text() == "keep"
