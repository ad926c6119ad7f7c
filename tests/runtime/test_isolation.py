from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.records.container import Volume
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
    assert (limits.seconds.value, limits.seconds.enforced_by) == (30, "watchdog")
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
