"""The engine for Docker, and for Podman behind the same API: the only importer of `docker`.

The task's command takes the place of the image's `CMD`; its `ENTRYPOINT` stays, as in
MedPerf. Images run by the id that their pinned digest resolved to, never by tag. What the
record says of the isolation is read back from the created container, not from what was asked.
Does not run `source` images: they have no image.

Example::

    engine = DockerEngine(artefacts)      # honours DOCKER_HOST
    step = engine.run(job)
"""

from __future__ import annotations

import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container as DockerContainer
from docker.models.images import Image as DockerImage

from medperf_git.errors import ArtefactError, EngineError, ExecutionError
from medperf_git.records.container import ArchiveImage, Image, ReferenceImage
from medperf_git.records.execution import Engine as EngineRecord
from medperf_git.records.execution import Step
from medperf_git.runtime import docker_options, podman_options, tasklog
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.causes import likely_cause
from medperf_git.runtime.engine import Job, parts_of_step, refuse_job
from medperf_git.runtime.finish import finish
from medperf_git.runtime.image_archive import ImageArchive
from medperf_git.runtime.interrupt import interruptible
from medperf_git.runtime.mounts import Mounts, mounted
from medperf_git.runtime.seccomp import write_profile
from medperf_git.runtime.watchdog import Breach, Watchdog, out_of_memory

_TIMEOUT_SECONDS: Final = 60
_LOOK_SECONDS: Final = 10
_IMAGE_TIMEOUT_SECONDS: Final = 3600
_UNIX: Final = "unix://"
_DEFAULT_HOST: Final = "unix:///var/run/docker.sock"
_ENDED: Final = frozenset({"exited", "stopped", "dead"})
_ABSENT: Final = ("manifest unknown", "manifest verification failed", "not found")


class DockerEngine:
    """Runs tasks through a Docker daemon's API.

    Attributes:
        name: `docker`, or `podman` where that answers.
    """

    def __init__(self, artefacts: ArtefactStore) -> None:
        """Connect, and remove containers that a killed client left behind.

        Raises:
            EngineError: `engine-missing`: nothing answers.
        """
        self._artefacts = artefacts
        try:
            _probe()
            self._client = docker.from_env(timeout=_TIMEOUT_SECONDS)
            weakref.finalize(self, self._client.close)
            version: dict[str, Any] = self._client.version()
            self._info: dict[str, Any] = self._client.info()
        except (DockerException, OSError) as error:
            raise EngineError(
                f"no Docker or Podman engine answers: {error}",
                code="engine-missing",
                advice="start it (systemctl start docker), or say where it is with DOCKER_HOST",
            ) from error
        self._version = str(version.get("Version", "unknown"))
        parts = [str(part.get("Name", "")) for part in version.get("Components") or ()]
        self.name = "podman" if any("podman" in part.lower() for part in parts) else "docker"
        with suppress(DockerException, OSError):
            _stale(self._client, remove=True)

    def describe(self) -> EngineRecord:
        """The daemon's version."""
        return EngineRecord.model_validate({"name": self.name, "version": self._version})

    def admits(self, image: Image) -> bool:
        """References and archives."""
        return isinstance(image, ReferenceImage | ArchiveImage)

    def provide(self, image: Image) -> None:
        """Pull or load an image and verify it; see `Engine.provide`."""
        self._image(image)

    def discard(self, image: ArchiveImage) -> None:
        """Remove the image that was loaded from an archive, if nothing uses it."""
        with (
            ImageArchive(self._artefacts.file(image)) as archive,
            suppress(DockerException, OSError),
        ):
            self._client.images.remove(archive.image_id)

    def run(self, job: Job) -> Step:
        """Run a task; see `Engine.run`."""
        refuse_job(job)
        image = self._image(job.container.image)
        with (
            interruptible(job.stop) as interrupted,
            mounted(job) as mounts,
            self._artefacts.scratch() as scratch,
            tasklog.logged(job) as log,
        ):
            api_version = str(self._client.api.api_version)
            docker_options.refuse_submounts(mounts.all, api_version)
            watchdog = Watchdog(job.limits, mounts.writable, interrupted)
            profile = write_profile(scratch) if self.name == "podman" else None
            with self._container(job, mounts, image, profile) as container:
                log.begin(job, self.describe(), *docker_options.started(container.attrs))
                watchdog.start()
                _start(container, job)
                breach = watchdog.watch(_Ending(container, self.name).within)
                seconds = watchdog.seconds
                exit_code, breach = _stop(container, breach, job, log)
                log.ended(exit_code, seconds)
                isolation = self._isolation(container, job)
            kept = finish(job, mounts, watchdog, breach, exit_code)
        return Step.model_validate(
            {
                **parts_of_step(job),
                "isolation": isolation,
                "seconds": round(seconds, 3),
                "exit_code": kept,
            }
        )

    @contextmanager
    def _container(
        self, job: Job, mounts: Mounts, image: DockerImage, profile: Path | None
    ) -> Iterator[DockerContainer]:
        """A container that is not started yet; gone when the block ends, whatever happens."""
        declared = (image.attrs.get("Config") or {}).get("Volumes") or {}
        options = docker_options.container_options(job, mounts, list(declared))
        if self.name == "podman" and _is_rootless(self._info):
            # Without it, the caller's uid inside would be another one outside.
            options["userns_mode"] = "keep-id"
        elif self.name == "podman":
            options["ulimits"] += podman_options.limits_of_ours()
        if profile is not None:
            options["security_opt"].append(f"seccomp={profile}")
        with _talking("the container can't be created"):
            container = self._client.containers.create(str(image.id), **options)
        try:
            with _talking("the engine lost the container"):
                container.reload()
                self._isolation(container, job)
                yield container
        finally:
            with _talking(f"container {container.short_id} can't be removed"), suppress(NotFound):
                container.remove(force=True, v=True)

    def _isolation(self, container: DockerContainer, job: Job) -> dict[str, Any]:
        """What the engine says that the container has; raises where that is too little."""
        attributes: Mapping[str, Any] = container.attrs
        if self.name == "podman":
            api = self._client.api
            with _talking("the engine does not describe the container"):
                answer = api.get(api.base_url + podman_options.INSPECT.format(container.id))
                answer.raise_for_status()
                attributes = podman_options.effective(attributes, answer.json())
        return docker_options.isolation_in_force(attributes, self._info, job.limits)

    def _image(self, image: Image) -> DockerImage:
        if isinstance(image, ReferenceImage):
            return self._referenced(image)
        if isinstance(image, ArchiveImage):
            return self._loaded(image)
        raise EngineError(
            "Docker can't run sources",
            code="image-not-admitted",
            advice="use the sandbox for them: --engine sandbox",
        )

    def _referenced(self, image: ReferenceImage) -> DockerImage:
        with _talking("the image can't be looked up"):
            try:
                found = self._client.images.get(image.reference)
            except ImageNotFound:
                found = self._pulled(image)
        digests = found.attrs.get("RepoDigests") or ()
        if not any(str(name).endswith(f"@sha256:{image.digest}") for name in digests):
            raise ArtefactError(
                f"the engine's image has {', '.join(digests) or 'no digest'}",
                code="image-digest",
                place=image.reference,
                advice=f"remove it: docker image rm {found.short_id}",
            )
        return found

    def _pulled(self, image: ReferenceImage) -> DockerImage:
        repository, _, digest = image.reference.partition("@")
        try:
            with _patient() as client:
                client.images.pull(repository, tag=digest)
            return self._client.images.get(image.reference)
        except (DockerException, OSError) as error:
            text = tasklog.printable(str(error))
            absent = any(word in text for word in _ABSENT)
            raise ArtefactError(
                f"{repository} has no image with this digest"
                if absent
                else f"the image can't be pulled: {text}",
                code="image-digest" if absent else "image-missing",
                place=image.reference,
                advice="ask the owner to push it again" if absent else "see: docker login",
            ) from error

    def _loaded(self, image: ArchiveImage) -> DockerImage:
        path = self._artefacts.file(image)
        with ImageArchive(path) as archive:
            with _talking("the image can't be looked up"), suppress(ImageNotFound):
                return self._client.images.get(archive.image_id)
            with self._artefacts.scratch() as folder:
                rewritten = folder / "image.tar"
                archive.write_docker_archive(rewritten)
                with (
                    _talking("the image can't be loaded"),
                    _patient() as client,
                    rewritten.open("rb") as stream,
                ):
                    loaded = next(iter(client.images.load(stream)), None)
            layers = archive.config.get("rootfs", {}).get("diff_ids")
        # By its layers: not every image store names an image by its configuration.
        if loaded is None or loaded.attrs.get("RootFS", {}).get("Layers") != layers:
            raise ArtefactError(
                "the engine loaded another image than the archive holds",
                code="image-digest",
                place=str(path),
            )
        return loaded


def stale_containers(*, remove: bool = False) -> list[str]:
    """Containers of clients that were killed, by name; none where no engine answers."""
    with suppress(DockerException, OSError):
        _probe()
        client = docker.from_env(timeout=_LOOK_SECONDS)
        try:
            return _stale(client, remove=remove)
        finally:
            client.close()
    return []


def _stale(client: docker.DockerClient, *, remove: bool) -> list[str]:
    """Those whose client was killed: nobody else limits their time."""
    found = []
    for container in client.containers.list(all=True, filters={"label": docker_options.LABEL}):
        if docker_options.is_stale(container.labels):
            found.append(str(container.name))
            if remove:
                with suppress(NotFound):
                    container.remove(force=True, v=True)
    return found


def _probe() -> None:
    """Connect and hang up: `docker` leaves its socket open where nobody answers."""
    host = os.environ.get("DOCKER_HOST") or _DEFAULT_HOST
    if host.startswith(_UNIX):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_TIMEOUT_SECONDS)
            connection.connect("/" + host.removeprefix(_UNIX).lstrip("/"))


@contextmanager
def _talking(trouble: str) -> Iterator[None]:
    """Turn the engine's errors into ours; `requests` raises kinds of OSError."""
    try:
        yield
    except (DockerException, OSError) as error:
        raise EngineError(
            f"{trouble}: {tasklog.printable(str(error))}", code="engine-failed"
        ) from error


@contextmanager
def _patient() -> Iterator[docker.DockerClient]:
    """A client that waits long enough for large images."""
    client = docker.from_env(timeout=_IMAGE_TIMEOUT_SECONDS)
    try:
        yield client
    finally:
        client.close()


def _is_rootless(info: dict[str, Any]) -> bool:
    return any("rootless" in str(option) for option in info.get("SecurityOptions") or ())


def _start(container: DockerContainer, job: Job) -> None:
    try:
        container.start()
    except APIError as error:
        # The image's fault, mostly: no such program, or not executable.
        said = tasklog.printable(error.explanation or str(error))
        cause = likely_cause(None, said)
        raise ExecutionError(
            f"{job.task} does not start: {said}",
            code="task-failed",
            place=job.task,
            advice=cause.advice if cause else "see the task's command in the container's record",
        ) from error


class _Ending:
    """Tells at once when a container ends: a thread waits for the engine's answer.

    Podman is asked again and again instead: its service waits no other way itself, and once was
    seen to say `running` of a container that had ended while somebody waited for it.
    """

    def __init__(self, container: DockerContainer, engine: str) -> None:
        self._container = container
        self._answered = threading.Event()
        if engine != "podman":
            threading.Thread(target=self._wait, daemon=True).start()

    def _wait(self) -> None:
        # An answer or none (a daemon that restarts): either way it is worth a look.
        with suppress(DockerException, OSError):
            self._container.wait(timeout=None)
        self._answered.set()

    def within(self, seconds: float) -> bool:
        """Whether it has ended, after waiting up to so many seconds."""
        told = self._answered.wait(seconds)
        self._container.reload()
        if self._container.status in _ENDED:
            return True
        if told:
            time.sleep(seconds)
        return False


def _stop(
    container: DockerContainer, breach: Breach | None, job: Job, log: tasklog.TaskLog
) -> tuple[int, Breach | None]:
    """Kill it if it still runs, keep its log, and say how it ended."""
    if breach is not None:
        # It may have ended by itself in between.
        with suppress(APIError):
            container.kill()
        container.wait()
    container.reload()
    for stdout, path in ((True, log.stdout), (False, log.stderr)):
        said = container.logs(stream=True, follow=False, stdout=stdout, stderr=not stdout)
        tasklog.copy(tasklog.Chunks(said), path)
    state = container.attrs["State"]
    exit_code = int(state.get("ExitCode", -1))
    if breach is None and state.get("OOMKilled") and exit_code != 0:
        breach = out_of_memory(job.limits)
    return exit_code, breach
