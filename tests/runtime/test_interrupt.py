from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime.docker_engine import DockerEngine
from medperf_git.runtime.docker_options import LABEL
from medperf_git.runtime.interrupt import Interrupted
from medperf_git.runtime.owner import owner
from tests.runtime.lab import Lab
from tests.support.patience import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]


def drive(lab: Lab, attack: str) -> subprocess.Popen[str]:
    """A process that drives the lab's engine."""
    job = {
        "image": lab.image.model_dump(),
        "store": str(lab.artefacts.cache),
        "shelf": str(lab.artefacts.folders[0]),
        "folder": str(lab.folder),
        "attack": attack,
    }
    path = lab.folder / "job.json"
    path.write_text(json.dumps(job))
    return subprocess.Popen(
        [sys.executable, "-m", "tests.runtime.drive", lab.engine.name, str(path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def traces(lab: Lab, pid: int) -> list[str]:
    """What still runs: containers of the process, or processes that name its folder."""
    if lab.engine.name in ("docker", "podman"):
        label = f"label={LABEL}={owner(pid)}"
        listed = ["docker", "ps", "--all", "--quiet", "--filter", label]
        return subprocess.run(listed, capture_output=True, check=True, text=True).stdout.split()
    found = []
    if lab.engine.name == "apptainer":
        # Its processes do not name their folders, but all are born in one control group.
        for path in Path("/proc").glob("[0-9]*/cgroup"):
            with suppress(OSError):
                if f"/mpgit-{pid}-" in path.read_text():
                    found.append(path.parent.name)
        return found
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"bwrap" and str(lab.output).encode() in words:
            found.append(path.parent.name)
    return found


def wait_until_hanging(lab: Lab, process: subprocess.Popen[str]) -> None:
    until(lambda: traces(lab, process.pid), process)
    time.sleep(0.7)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_task_and_leaves_nothing(lab: Lab, number: signal.Signals) -> None:
    with drive(lab, "hang") as process:
        wait_until_hanging(lab, process)
        process.send_signal(number)
        # Somebody who presses Ctrl-C twice must not break the cleaning up.
        process.send_signal(number)
        printed, _ = process.communicate(timeout=PATIENCE)
        left = traces(lab, process.pid)
    error = json.loads(printed)["error"]
    assert error["code"] == "interrupted"
    assert number.name in error["message"]
    assert not left
    assert not list(lab.output.iterdir())


def test_a_mark_that_another_thread_sets_stops_the_task(lab: Lab) -> None:
    stop = Interrupted()

    def set_it() -> None:
        time.sleep(1)
        stop.by = "another thread"

    thread = threading.Thread(target=set_it)
    thread.start()
    with pytest.raises(ExecutionError, match="another thread") as caught:
        lab.run("hang", stop=stop)
    thread.join()
    assert caught.value.code == "interrupted"


def test_a_killed_client_leaves_nothing_for_long(lab: Lab) -> None:
    with drive(lab, "hang") as process:
        wait_until_hanging(lab, process)
        process.kill()
        process.wait(PATIENCE)
    if lab.engine.name in ("docker", "podman"):
        # A daemon's container survives its client; the next client ends it.
        DockerEngine(lab.artefacts)
    until(lambda: not traces(lab, process.pid))
