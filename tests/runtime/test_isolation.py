from __future__ import annotations

import ctypes
import json
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from medperf_git.atomic import lock
from medperf_git.errors import ExecutionError
from medperf_git.records.container import Volume
from medperf_git.runtime.confirm import fingerprint_tree
from medperf_git.runtime.seccomp import NUMBERS, SECCOMP
from tests.runtime.lab import SMALL, VOLUMES, Lab, container

OF_ITS_OWN = (
    "APPTAINER_", "SINGULARITY_", "PS1", "PROMPT_COMMAND", "LD_LIBRARY_PATH",
    "container", "TERM",
)  # fmt: skip
"""What Apptainer and Podman tell every container, and no option takes away."""


def test_a_well_behaved_task_delivers_its_output(lab: Lab) -> None:
    step = lab.run("well_behaved")
    assert (lab.output / "predictions.csv").read_text() == "AGE\n27\n"
    assert lab.log.stdout.read_text() == "all is well\n"
    assert (step.task, step.image_type) == ("infer", lab.image.type)
    assert step.image == lab.image.digest
    assert step.isolation.user == f"{os.getuid()}:{os.getgid()}"
    limits = step.isolation
    assert (limits.memory_mb.value, limits.memory_mb.enforced_by) == (256, "cgroup")
    assert (limits.processes.value, limits.processes.enforced_by) == (24, "cgroup")
    assert (limits.cpus.value, limits.cpus.enforced_by) == (1, "cgroup")
    assert (limits.seconds.value, limits.seconds.enforced_by) == (SMALL.seconds, "watchdog")
    assert (limits.output_mb.value, limits.output_mb.enforced_by) == (32, "watchdog")
    assert bool(step.software) == (lab.image.type == "source")


def test_nothing_is_reached_over_any_network(lab: Lab) -> None:
    abstract = f"mpgit-test-{os.getpid()}"
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0" + abstract)
        unix.listen()
        lab.data |= {"port": str(server.getsockname()[1]), "abstract": abstract}
        report = lab.report("network")
    assert report == {"reached": [], "devices": ["lo"]}


def test_inputs_root_and_kernel_are_read_only(lab: Lab) -> None:
    before = Path("/proc/sys/kernel/core_pattern").read_text()
    # A container's own memory file systems are no root: they end with it.
    assert lab.report("write_everywhere") == []
    assert (lab.folder / "data" / "data.csv").read_text() == "age\n27\n"
    assert Path("/proc/sys/kernel/core_pattern").read_text() == before


def test_the_host_is_not_there(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = lab.folder / "labels"
    labels.mkdir()
    marker = f"marker-{os.urandom(8).hex()}"
    (labels / "labels.csv").write_text(marker)
    (lab.folder / "data").mkdir()
    beside = lab.folder / "secret"
    beside.write_text(marker)
    monkeypatch.setenv("MPGIT_SECRET", marker)
    hidden = [
        str(labels), str(beside), "/root/.ssh", "/root/.gitconfig", str(Path.home() / ".ssh"),
        str(Path(__file__).parent), "/var/run/docker.sock", "/run/docker.sock",
        "/var/lib/docker", "/dev/vda", "/dev/kmsg", "/dev/mem",
    ]  # fmt: skip
    lab.data |= {"secrets": str(hidden).replace("'", '"'), "marker": marker}
    report = lab.report("read_host")
    assert report["readable"] == []
    assert report["marked"] == []
    assert set(report["volumes"]) == {"data", "predictions"}
    assert report["passwd"] != Path("/etc/passwd").read_text()
    assert len(report["processes"]) <= 3
    assert "MPGIT_SECRET" not in report["environment"]


OTHERS_PLACES = ("/tmp", "/var/tmp", "/dev/shm", "/home", "/root", "/run", "/srv", "/mnt")  # noqa: S108


def test_files_of_other_users_are_not_there(lab: Lab) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    made = []
    try:
        for place in OTHERS_PLACES:
            if not os.access(place, os.W_OK):
                continue
            path = Path(place) / f"mpgit-test-{os.getpid()}"
            path.write_text(marker)
            path.chmod(0o644)
            if os.getuid() == 0:
                os.chown(path, 65534, 65534)
            made.append(path)
        assert made
        lab.data |= {"secrets": json.dumps([str(path) for path in made]), "marker": marker}
        report = lab.report("read_host")
    finally:
        for path in made:
            path.unlink()
    assert (report["readable"], report["marked"]) == ([], [])


def test_the_kernel_tells_nothing_of_the_host(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = f"marker-{os.urandom(8).hex()}"
    monkeypatch.setenv("MPGIT_TEST_SECRET", marker)
    lab.data["marker"] = marker
    with session_key():
        report = lab.report("look_around")
    assert report == {"told": [], "keys": []}


@contextmanager
def session_key() -> Iterator[None]:
    """The caller has a key, as one who is logged in to Kerberos or an encrypted disk."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    machine = ["x86_64", "aarch64"].index(platform.machine())
    add_key, keyctl = (248, 217)[machine], (250, 219)[machine]
    session, unlink = -3, 9
    key = libc.syscall(add_key, b"user", b"mpgit-test", b"secret", 6, session)
    assert key > 0
    try:
        yield
    finally:
        assert libc.syscall(keyctl, unlink, key, session, 0, 0) == 0


def test_system_calls_that_no_task_needs_are_refused(lab: Lab) -> None:
    denied = set(SECCOMP["syscalls"][0]["names"]) - {"umount"}
    machine = ["x86_64", "aarch64"].index(platform.machine())
    numbers = {name: both[machine] for name, both in NUMBERS.items()}
    lab.data["calls"] = json.dumps({name: numbers[name] for name in (*denied, "clone3")})
    answers = lab.report("calls")
    assert answers.pop("clone3") == "ENOSYS"
    # Docker's own profile lets a task look into its own processes, and older ones io_uring too.
    own = {"ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "io_uring_setup"}
    docker = lab.engine.name == "docker"
    refused = {name for name, answer in answers.items() if answer in {"EPERM", "ENOSYS"}}
    assert denied - refused <= (own if docker else set()), answers


def test_no_memory_of_a_crash_is_kept(lab: Lab) -> None:
    with who_collects_crashes(lab.folder / "collected") as collected:
        assert lab.report("crash") == {"dumped": False, "crashed": True}
        time.sleep(0.3)
    assert not collected.exists()
    assert sorted(path.name for path in lab.output.iterdir()) == ["report.json"]


@contextmanager
def who_collects_crashes(target: Path) -> Iterator[Path]:
    """A program of the host's that is handed what crashes, as systemd-coredump and apport are."""
    pattern = Path("/proc/sys/kernel/core_pattern")
    if os.getuid() != 0:
        yield target
        return
    with lock(Path("/tmp/mpgit-test-core-pattern/lock"), wait_seconds=120):  # noqa: S108
        before = pattern.read_text()
        program = target.with_suffix(".sh")
        program.write_text(f"#!/bin/sh\n/bin/cat >> {target}\n")
        program.chmod(0o755)
        pattern.write_text(f"|{program}\n")
        try:
            crash_here()
            assert target.read_bytes(), "the program collects nothing: the test could not fail"
            target.unlink()
            yield target
        finally:
            pattern.write_text(before)


def crash_here() -> None:
    """With a limit of zero, which does not help."""
    code = "import os, resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()"
    done = subprocess.run([sys.executable, "-c", code], check=False)
    assert done.returncode == -signal.SIGABRT
    time.sleep(0.3)


def test_the_clock_is_the_hosts_and_stays_so(lab: Lab) -> None:
    assert lab.report("set_clock") == []


def test_one_task_leaves_nothing_for_the_next(lab: Lab) -> None:
    assert lab.report("leave_behind") == []
    (lab.output / "report.json").unlink()
    assert lab.report("leave_behind") == []


def test_what_is_packed_stays_packed(lab: Lab) -> None:
    assert lab.report("zip_bomb_output") == "left"
    size = (lab.output / "predictions.nii.gz").stat().st_size
    assert size < 2 * 1024 * 1024
    assert fingerprint_tree(lab.output).size < size + 1000


def test_it_runs_as_the_caller_without_capabilities(lab: Lab) -> None:
    report = lab.report("identity")
    assert (report["uid"], report["euid"], report["gid"]) == (os.getuid(), os.getuid(), os.getgid())
    assert [int(value, 16) for value in report["capabilities"]] == [0, 0, 0, 0]
    assert report["no_new_privileges"] == "1"
    assert (lab.output / "report.json").stat().st_uid == os.getuid()


def test_no_privilege_is_gained(lab: Lab) -> None:
    assert lab.report("become_root") == []


def test_the_environment_is_small_and_our_own(lab: Lab) -> None:
    report = lab.report("environment")
    variables = report["variables"]
    assert variables["HOME"] == "/tmp"  # noqa: S108 (the container's)
    assert report["folder"] == "/project"
    known = {
        "HOME", "USER", "PATH", "LANG", "LC_CTYPE", "PWD", "HOSTNAME", "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS", "PYTHONDONTWRITEBYTECODE",
    }  # fmt: skip
    assert {name for name in variables if not name.startswith(OF_ITS_OWN)} <= known


def test_infer_can_never_be_given_labels(lab: Lab) -> None:
    labels = lab.folder / "labels"
    labels.mkdir()
    job = lab.job("well_behaved")
    with pytest.raises(ExecutionError, match="labels_path") as caught:
        lab.engine.run(lab.job("well_behaved", inputs={**job.inputs, "labels_path": labels}))
    assert caught.value.code == "bad-job"
    # Not even where the record itself asks for them.
    original = container(lab.image, "well_behaved")
    task = original.tasks["infer"]
    volumes = {**task.input_volumes, "labels_path": Volume(mount_path=f"{VOLUMES}/labels")}
    forged = original.model_copy(
        update={"tasks": {"infer": task.model_copy(update={"input_volumes": volumes})}}
    )
    with pytest.raises(ExecutionError, match="not in the contract"):
        lab.run("well_behaved", container=forged, inputs={**job.inputs, "labels_path": labels})


def test_what_a_task_leaves_running_ends_with_it(lab: Lab) -> None:
    lab.run("outlive")
    time.sleep(2)
    assert sorted(path.name for path in lab.output.iterdir()) == ["report.json"]


def test_a_command_that_does_not_exist_is_the_tasks_failure(lab: Lab) -> None:
    original = container(lab.image, "well_behaved")
    task = original.tasks["infer"].model_copy(update={"command": ("no-such-program",)})
    broken = original.model_copy(update={"tasks": {"infer": task}})
    with pytest.raises(ExecutionError) as caught:
        lab.run("well_behaved", SMALL, container=broken)
    assert caught.value.code == "task-failed"
    error = caught.value
    # Podman's init knows only that there is none.
    name = "failed to exec" if lab.engine.name == "podman" else "no-such-program"
    assert name in error.message + (error.detail or "")
    assert "the command" in str(error.advice)
