"""Files read by many helpers: the same digests, errors and tidiness as if one had read them."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medperf_git.errors import ArtefactError
from medperf_git.runtime.file_rows import identities_of
from medperf_git.runtime.files import digest_tree, list_tree, read_files
from medperf_git.runtime.helpers import forks_safely
from medperf_git.runtime.many_files import opened_folder, same_files
from tests.support.patience import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
MANY, FEW = 400, 3


def make(folder: Path, count: int, size: int | None = None) -> Path:
    """Files of all sizes around what is read at once, or sparse ones of one size."""
    for number in range(count):
        path = folder / f"{number % 7}" / f"{number:05}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if size is None:
            path.write_bytes(bytes([number % 251]) * (0, 1, 50_000, (1 << 18) + number)[number % 4])
        else:
            with path.open("wb") as file:
                file.truncate(size)
    return folder


@contextmanager
def python(code: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """A process with one thread, so that its helpers are forked; killed at the end."""
    code = "import os, sys\nfrom pathlib import Path\n" + textwrap.dedent(code)
    with subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(code: str, *arguments: Path) -> str:
    with python(code, *arguments) as process:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
    return out.strip()


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(word) for word in text.split()]


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("count", [1, FEW, MANY])
def test_helpers_find_what_one_reader_finds(tmp_path: Path, count: int) -> None:
    folder = make(tmp_path / "data", count)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    wanted = [
        (str(p.relative_to(folder)), p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in paths
    ]
    told: list[tuple[int, threading.Thread]] = []
    found = digest_tree(folder, lambda size: told.append((size, threading.current_thread())))
    assert [(file.path, file.size, file.sha256) for file in found] == wanted
    assert sorted(size for size, _ in told) == sorted(size for _, size, _ in wanted)
    assert {thread for _, thread in told} == {threading.current_thread()}
    alone = """
        from medperf_git.runtime.files import digest_tree
        from medperf_git.runtime.helpers import forks_safely
        assert forks_safely()
        told = []
        for file in digest_tree(Path(sys.argv[1]), told.append):
            print(file.path, file.size, file.sha256)
        assert len(told) == int(sys.argv[2])
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            print("no helper left")
    """
    lines = said(alone, folder, Path(str(count))).splitlines()
    assert lines[:-1] == [f"{path} {size} {digest}" for path, size, digest in wanted]
    assert lines[-1] == "no helper left"


def test_nothing_is_forked_beside_a_thread() -> None:
    over = threading.Event()
    thread = threading.Thread(target=over.wait)
    thread.start()
    try:
        assert not forks_safely()
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("count", [FEW, MANY])
def test_the_first_that_cannot_be_read_is_named(tmp_path: Path, count: int) -> None:
    folder = make(tmp_path / "data", count)
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to("0/00000")
    good = list(list_tree_of(folder))
    cases = {
        (b"gone-1", b"gone-2", b"pipe"): ("artefact-missing", "gone-1"),
        (b"pipe", b"link", b"gone-1"): ("not-plain", "pipe"),
        (b"link", b"gone-1", b"gone-2"): ("not-plain", "link"),
        (b"0", b"gone-1", b"gone-2"): ("not-plain", "0"),
    }
    for bad, (code, name) in cases.items():
        third = len(good) // 3
        paths = [*good[:third], bad[0], *good[third:], *bad[1:]]
        for _ in range(3):
            with pytest.raises(ArtefactError) as caught:
                read_files(folder, paths)
            assert caught.value.code == code
            assert caught.value.place == str(folder / name)
    with pytest.raises(ArtefactError, match="character device"):
        read_files(Path("/dev"), [b"null"])


def list_tree_of(folder: Path) -> Iterator[bytes]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield os.fsencode(path.relative_to(folder))


def test_of_many_odd_names_the_first_by_path_is_named(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", MANY)
    for name in ("6/odd", "3/odd", "4/odd", "z"):
        (folder / name).symlink_to("nowhere")
        with pytest.raises(ArtefactError, match="symbolic link") as caught:
            list_tree(folder)
        first = min(path for path in ("6/odd", "3/odd") if (folder / path).is_symlink())
        assert caught.value.place == str(folder / first)


def test_a_callers_error_leaves_no_helper(tmp_path: Path) -> None:
    code = """
        import threading
        from medperf_git.runtime.files import digest_tree
        def stop(size):
            raise ZeroDivisionError
        try:
            digest_tree(Path(sys.argv[1]), stop)
        except ZeroDivisionError:
            print("stopped")
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            print(threading.active_count(), len(os.listdir("/proc/self/fd")))
    """
    for count in (FEW, MANY):
        # Standard input, output and error, and the one for /proc/self/fd.
        assert said(code, make(tmp_path / str(count), count)).split() == ["stopped", "1", "4"]


@pytest.mark.parametrize("count", [1, FEW, MANY])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_it_at_once(tmp_path: Path, count: int, number: signal.Signals) -> None:
    folder = make(tmp_path / "data", count, size=1 << 36)  # a minute each
    code = """
        import threading
        from medperf_git.runtime.files import digest_tree
        print("begins", flush=True)
        try:
            digest_tree(Path(sys.argv[1]))
        except KeyboardInterrupt:
            print("stopped", threading.active_count())
    """
    with python(code, folder) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begins\n"
        if count == MANY and len(os.sched_getaffinity(0)) > 1:
            until(lambda: len(children(process.pid)) == len(os.sched_getaffinity(0)))
        time.sleep(0.3)
        helpers = children(process.pid)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
        assert out == ("stopped 1\n" if number == signal.SIGINT else "")
        assert not err
        until(lambda: not any(map(runs, helpers)))


def test_a_dead_helper_costs_time_alone(tmp_path: Path) -> None:
    folder = make(tmp_path / "data", MANY)
    code = """
        import signal
        from medperf_git.runtime import many_files
        from medperf_git.runtime.files import digest_tree
        wanted = digest_tree(Path(sys.argv[1]))
        plain, me = many_files._digest, os.getpid()
        def deadly(*arguments):
            if os.getpid() != me and arguments[1].endswith(b"7"):
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments)
        many_files._digest = deadly
        told = []
        assert digest_tree(Path(sys.argv[1]), told.append) == wanted
        assert len(told) == len(wanted)
        os.fork = lambda: (_ for _ in ()).throw(BlockingIOError)
        assert digest_tree(Path(sys.argv[1])) == wanted
    """
    said(code, folder)


def test_one_changed_file_among_thousands_is_seen() -> None:
    code = """
        import tempfile
        from medperf_git.runtime.file_rows import identities_of
        from medperf_git.runtime.many_files import opened_folder, same_files
        with tempfile.TemporaryDirectory() as folder, opened_folder(folder) as top:
            names = [b"%05d" % number for number in range(9000)]
            for name in names:
                os.close(os.open(name, os.O_CREAT, dir_fd=top))
            before = identities_of(top, names)
            assert same_files(top, names, before)
            for name in (names[0], names[4600], names[-1]):
                os.utime(name, dir_fd=top)
                assert not same_files(top, names, before), name
                before = identities_of(top, names)
            os.unlink(names[-1], dir_fd=top)
            assert not same_files(top, names, before)
            os.fork = lambda: (_ for _ in ()).throw(BlockingIOError)
            assert not same_files(top, names[:-1], before)
    """
    said(code)


def test_a_link_is_never_followed_to_an_identity(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    (tmp_path / "link").symlink_to("file")
    with opened_folder(tmp_path) as top:
        assert identities_of(top, [b"file"]) != identities_of(top, [b"link"])
        assert not same_files(top, [b"link"], identities_of(top, [b"file"]))
        assert not same_files(top, [b"gone"], identities_of(top, [b"file"]))
