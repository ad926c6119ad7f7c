"""Runs one attack through an engine, in a process of its own that tests interrupt or demote.

`python3 drive.py ENGINE JOB`, where JOB is a JSON file: image, store, shelf, folder, attack,
and optionally user, python, cgroups. Prints one line of JSON: the step or the error.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

# Everything is imported here, before the process may give up the right to read these files.
from pydantic import TypeAdapter

from medperf_git.errors import MpgitError
from medperf_git.records.container import Image
from medperf_git.runtime.apptainer_engine import ApptainerEngine
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.docker_engine import DockerEngine
from medperf_git.runtime.engine import Engine
from medperf_git.runtime.sandbox_engine import SandboxEngine
from tests.runtime.lab import SMALL, Lab


def main(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Run the attack and say how it ended."""
    image = TypeAdapter[Any](Image).validate_json(json.dumps(job["image"]))
    if "user" in job:
        os.setgroups([])
        os.setgid(job["user"])
        os.setuid(job["user"])
    store = ArtefactStore(Path(job["store"]), [Path(job["shelf"])])
    python = Path(job["python"]) if "python" in job else None
    cgroups = job.get("cgroups", True)
    engine: Engine
    if name in ("docker", "podman"):
        engine = DockerEngine(store)
    elif name == "apptainer":
        engine = ApptainerEngine(store, use_cgroups=cgroups)
    else:
        engine = SandboxEngine(store, python, use_cgroups=cgroups)
    lab = Lab(engine, image, store, Path(job["folder"]))
    limits = replace(SMALL, **job.get("limits", {}))
    try:
        step = lab.run(job["attack"], limits)
    except MpgitError as error:
        return {"error": error.as_dict()}
    report = json.loads((lab.output / "report.json").read_text())
    return {"step": step.model_dump(mode="json"), "report": report}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], json.loads(Path(sys.argv[2]).read_text()))))
