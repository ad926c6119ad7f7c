from __future__ import annotations

import os
import subprocess
import sys

from medperf_git.runtime.processes import family, first_processes, kill, resident, threads
from tests.support.patience import PATIENCE, until

CHILDREN = """
import os, time
kept = bytearray(b"x") * (64 << 20)
for _ in range(3):
    if os.fork() == 0:
        break
print("ready", flush=True)
time.sleep(60)
"""


def test_what_several_processes_share_is_counted_once() -> None:
    """Data loaders are copies of their parent: each by itself seems to hold all of it."""
    with subprocess.Popen([sys.executable, "-c", CHILDREN], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        members = list(family(process.pid))
        held = sum(resident(pid) for pid in members)
        assert len(members) == 4
        assert members[0] == process.pid
        assert 64 << 20 <= held < 96 << 20
        assert sum(threads(pid) for pid in members) == 4
        assert not list(first_processes(process.pid))
        for pid in members:
            kill(pid)
        process.wait()
    assert (resident(process.pid), threads(process.pid)) == (0, 0)
    kill(process.pid)


def test_the_first_process_of_a_namespace_is_found() -> None:
    command = ["bwrap", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "sleep", "60"]
    with subprocess.Popen(command) as process:
        until(lambda: list(first_processes(process.pid)))
        found = list(first_processes(process.pid))
        kill(found[0])
        assert process.wait(PATIENCE) != 0
    assert os.getpid() not in found


def test_a_process_may_end_while_it_is_looked_at() -> None:
    for _ in range(200):
        with subprocess.Popen(["true"]) as process:
            while process.poll() is None:
                assert list(family(process.pid))
                assert not list(first_processes(process.pid))
