"""The engine of computing centres: Apptainer, or SingularityCE, without a daemon and without root.

Before it is used, a trial shows that a container here has no network, no capabilities and
namespaces of its own: a site's apptainer.conf can switch each of them off, and Apptainer then only
warns. Where the trial fails, nothing is run. Limits are control groups' where we may make them,
else the watchdog; the `Step` says which. Does not run `source` images: they have no image.

Example::

    engine = ApptainerEngine(artefacts)
    step = engine.run(job)
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from medperf_git.records.container import ArchiveImage, Image, ReferenceImage
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.runtime import apptainer_options, tasklog
from medperf_git.runtime.apptainer_image import FOLDER, Sif, converted
from medperf_git.runtime.apptainer_options import exec_command
from medperf_git.runtime.apptainer_process import (
    THREADS,
    WORK,
    ApptainerProcess,
    ContainerWatchdog,
    remove_stale,
)
from medperf_git.runtime.apptainer_trial import find_program, refuse_shared
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.cgroup import Cgroup
from medperf_git.runtime.engine import Job, environment, parts_of_step, refuse_job
from medperf_git.runtime.finish import finish
from medperf_git.runtime.held_process import isolation
from medperf_git.runtime.interrupt import interruptible
from medperf_git.runtime.mounts import Mounts, mounted, refuse_submounts
from medperf_git.runtime.outputs import empty
from medperf_git.runtime.seccomp import write_profile
from medperf_git.runtime.watchdog import out_of_memory


class ApptainerEngine:
    """Runs tasks under Apptainer or SingularityCE.

    Attributes:
        name: `apptainer`, for both.
    """

    name = "apptainer"

    def __init__(self, artefacts: ArtefactStore, *, use_cgroups: bool = True) -> None:
        """Make sure that it isolates here, and end what a killed client left behind.

        Args:
            artefacts: where archives come from and converted images are kept.
            use_cgroups: False leaves limits to the watchdog.

        Raises:
            EngineError: `engine-missing`, or `isolation` where the site's settings forbid it.
        """
        self._artefacts = artefacts
        self._use_cgroups = use_cgroups
        self._images = artefacts.cache / FOLDER
        self._program = find_program()
        with artefacts.scratch() as scratch:
            refuse_shared(self._program, scratch)
        remove_stale(self._images)

    def describe(self) -> EngineRecord:
        """Which of the two, and its version."""
        return EngineRecord(name="apptainer", version=str(self._program))

    def admits(self, image: Image) -> bool:
        """References and archives."""
        return isinstance(image, ReferenceImage | ArchiveImage)

    def provide(self, image: Image) -> None:
        """Pull or verify an image and convert it; see `Engine.provide`."""
        converted(self._program, image, self._artefacts)

    def run(self, job: Job) -> Step:
        """Run a task; see `Engine.run`."""
        refuse_job(job)
        image = converted(self._program, job.container.image, self._artefacts)
        with (
            interruptible(job.stop) as interrupted,
            mounted(job) as mounts,
            self._folder() as scratch,
            tasklog.logged(job) as log,
        ):
            refuse_submounts(mounts.all, "Apptainer", "use the sandbox or a new Docker")
            words = [*image.entrypoint, *job.definition.command]
            variables = environment(job.limits) | apptainer_options.gpu_variables(job.gpus)
            log.begin(job, self.describe(), words, {**image.environment, **variables})
            command = self._command(job, mounts, image, words, variables, scratch)
            with (
                self._cgroup(job) as group,
                ApptainerProcess(command, job, group, scratch, self._images) as process,
            ):
                watchdog = ContainerWatchdog(job, mounts.writable, interrupted, process)
                watchdog.start()
                process.release()
                breach = watchdog.watch(process.ended)
                seconds = watchdog.seconds
                exit_code = process.stop()
                log.ended(exit_code, seconds)
                if breach is None and exit_code != 0 and group.out_of_memory():
                    breach = out_of_memory(job.limits)
                in_force = isolation(job, group, processes="watchdog")
            kept = finish(job, mounts, watchdog, breach, exit_code)
        return Step.model_validate(
            {
                **parts_of_step(job),
                "isolation": in_force,
                "seconds": round(seconds, 3),
                "exit_code": kept,
            }
        )

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A private folder, with the task's own below; gone afterwards, whatever it left there."""
        with self._artefacts.scratch() as folder:
            work = folder / WORK
            work.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                empty(work)

    def _cgroup(self, job: Job) -> Cgroup:
        room = replace(job.limits, processes=job.limits.processes + THREADS)
        return Cgroup.create(room, None if self._use_cgroups else {})

    def _command(
        self,
        job: Job,
        mounts: Mounts,
        image: Sif,
        words: list[str],
        variables: Mapping[str, str],
        scratch: Path,
    ) -> list[str]:
        options = apptainer_options.task_options(
            self._program,
            mounts.all,
            variables,
            scratch=scratch / WORK,
            working_folder=image.working_folder,
            gpus=job.gpus,
            kernel=apptainer_options.kernel_mounts() if os.getuid() == 0 else (),
        )
        profile = write_profile(scratch)
        return exec_command(self._program, image.path, words, profile=profile, options=options)
