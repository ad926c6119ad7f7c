"""A lab: one engine, one image of attacks, and folders to run them between."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medperf_git.records.artefact import File
from medperf_git.records.container import Container, Image, Resources, Task, TaskName, Volume
from medperf_git.records.execution import Step
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine, Job
from medperf_git.runtime.limits import Limits
from medperf_git.runtime.tasklog import TaskLog

VOLUMES = "/mlcommons/volumes"
ATTACKS = Path(__file__).with_name("attacks.py")
SMALL = Limits(memory_mb=256, cpus=1, processes=24, seconds=120, output_mb=32, files=2000)


def container(
    image: Image,
    name: str,
    *,
    parameters: Mapping[str, Any] | None = None,
    files: Sequence[File] = (),
    materials: bool = False,
) -> Container:
    """A container whose tasks are one attack."""
    command = ("python3", "/project/attacks.py", name)
    inputs = {"data_path": Volume(mount_path=f"{VOLUMES}/data")}
    if materials:
        inputs["parameters_file"] = Volume(
            mount_path=f"{VOLUMES}/parameters/parameters_file.yaml", type="file"
        )
        inputs["additional_files"] = Volume(mount_path=f"{VOLUMES}/additional_files")
    tasks: dict[TaskName, Task] = {
        "infer": Task(
            command=command,
            input_volumes=inputs,
            output_volumes={"output_path": Volume(mount_path=f"{VOLUMES}/predictions")},
        ),
        "evaluate": Task(
            command=command,
            input_volumes={
                "predictions": Volume(mount_path=f"{VOLUMES}/predictions"),
                "labels": Volume(mount_path=f"{VOLUMES}/labels"),
            },
            output_volumes={
                "output_path": Volume(mount_path=f"{VOLUMES}/results/results.yaml", type="file")
            },
        ),
        "sanity_check": Task(
            command=command,
            input_volumes={
                "data_path": Volume(mount_path=f"{VOLUMES}/data"),
                "labels_path": Volume(mount_path=f"{VOLUMES}/labels"),
            },
        ),
    }
    return Container(
        image=image,
        tasks=tasks,
        parameters=dict(parameters or {}),
        additional_files=tuple(files),
        resources=Resources(memory_mb=256, seconds=30),
    )


@dataclass
class Lab:
    """An engine, the image that it runs, and a folder for one test."""

    engine: Engine
    image: Image
    artefacts: ArtefactStore
    folder: Path
    data: dict[str, str] = field(default_factory=lambda: {"data.csv": "age\n27\n"})

    @property
    def output(self) -> Path:
        """Where the attack's output is."""
        return self.folder / "output"

    @property
    def log(self) -> TaskLog:
        """Its log."""
        return TaskLog(self.folder / "logs" / "infer")

    def job(self, name: str, limits: Limits = SMALL, **more: Any) -> Job:
        """The attack as the task `infer`."""
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        for file, text in self.data.items():
            (data / file).write_text(text)
        fields: dict[str, Any] = {
            "container": container(self.image, name),
            "task": "infer",
            "inputs": {"data_path": data},
            "outputs": {"output_path": self.output},
            "limits": limits,
            "log": self.folder / "logs" / "infer",
        }
        return Job(**{**fields, **more})

    def run(self, name: str, limits: Limits = SMALL, **more: Any) -> Step:
        """Run the attack as `infer`."""
        return self.engine.run(self.job(name, limits, **more))

    def report(self, name: str, limits: Limits = SMALL, **more: Any) -> Any:
        """Run the attack and return what it achieved."""
        self.run(name, limits, **more)
        return json.loads((self.output / "report.json").read_text())

    def evaluate(self, name: str, limits: Limits = SMALL) -> Path:
        """Run the attack as `evaluate`, whose output is one file."""
        inputs = {}
        for volume in ("predictions", "labels"):
            inputs[volume] = self.folder / volume
            inputs[volume].mkdir()
        results = self.folder / "results" / "results.yaml"
        job = Job(
            container=container(self.image, name),
            task="evaluate",
            inputs=inputs,
            outputs={"output_path": results},
            limits=limits,
            log=self.folder / "logs" / "evaluate",
        )
        self.engine.run(job)
        return results
