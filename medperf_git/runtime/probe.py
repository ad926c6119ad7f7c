"""Whether a task on an engine is really without network: a tiny task that looks and tries.

It lists its network interfaces, connects to listeners that we open on this machine for as long
as it runs, and asks for a route out: a UDP socket is connected to an address that is kept for
documentation, so nothing is ever sent. Where the engine runs sources, the task is a few lines of
Python; elsewhere an image is made of this machine's own bash, without pulling anything. Does not
judge other isolation: engines read that back themselves.

Example::

    store = ArtefactStore(folder / "cache", [folder / "shelf"])
    seen = probe(find_engine("sandbox", [], store), folder)
    seen.interfaces, seen.reached          # ("lo",), ()
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import re
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from medperf_git.canonical.digest import fingerprint
from medperf_git.errors import EngineError
from medperf_git.records.container import ArchiveImage, Container, Image, SourceImage, Task, Volume
from medperf_git.runtime.engine import Engine, Job
from medperf_git.runtime.files import digest_tree
from medperf_git.runtime.limits import Limits

_VOLUMES: Final = "/mlcommons/volumes"
_LIMITS: Final = Limits(memory_mb=256, cpus=1, processes=32, seconds=20, output_mb=1)
_NOWHERE: Final = "192.0.2.1"
"""RFC 5737: an address for documentation, which nobody has."""
_FALLBACK: Final = frozenset(
    {"tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"}
)
"""What some kernels put into every new namespace: tunnels that are down and lead nowhere."""
_PYTHON: Final = f"""
import pathlib, socket
volumes = pathlib.Path("{_VOLUMES}")
report = (volumes / "predictions" / "report").open("w")
for line in pathlib.Path("/proc/net/dev").read_text().splitlines()[2:]:
    print("interface", line.partition(":")[0].strip(), file=report, flush=True)
def reach(kind, host, port):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.settimeout(3)
        try:
            probe.connect((host, int(port)))
        except OSError:
            return
    print("reached", host, file=report, flush=True)
reach(socket.SOCK_DGRAM, "{_NOWHERE}", 9)
for line in (volumes / "data" / "listeners").read_text().splitlines():
    reach(socket.SOCK_STREAM, *line.split())
"""
_BASH: Final = f"""
report={_VOLUMES}/predictions/report
while read -r name _; do
  case $name in *:*) echo "interface ${{name%%:*}}" >> "$report" ;; esac
done < /proc/net/dev
reach() {{ (exec 3<> "/dev/$1/$2/$3") 2> /dev/null && echo "reached $2" >> "$report"; }}
reach udp {_NOWHERE} 9
while read -r host port; do reach tcp "$host" "$port"; done < {_VOLUMES}/data/listeners
exit 0
"""
_MACHINES: Final = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Seen:
    """What a task saw of the network.

    Attributes:
        interfaces: network devices, but for the kernel's own that lead nowhere.
        reached: addresses that it reached.
    """

    interfaces: tuple[str, ...]
    reached: tuple[str, ...]

    @property
    def isolated(self) -> bool:
        """Whether it saw none."""
        return set(self.interfaces) <= {"lo"} and not self.reached


@runtime_checkable
class _Loads(Protocol):
    """An engine that keeps an image of its own for each archive."""

    def discard(self, image: ArchiveImage) -> None: ...


def probe(engine: Engine, folder: Path) -> Seen:
    """Run the probe on an engine.

    Args:
        engine: made with an artefact store whose folder is `folder / "shelf"`.
        folder: empty and private; whoever made it removes it.

    Raises:
        EngineError: `no-probe`: this machine has nothing to make the probe of.
        ExecutionError: the task failed.
    """
    image, command = _image(engine, folder / "shelf")
    data = folder / "data"
    data.mkdir()
    with _listening() as listeners:
        (data / "listeners").write_text("".join(f"{host} {port}\n" for host, port in listeners))
        try:
            engine.run(_job(image, command, data, folder / "output", folder / "logs" / "probe"))
        finally:
            if isinstance(image, ArchiveImage) and isinstance(engine, _Loads):
                engine.discard(image)
    lines = [line.split() for line in (folder / "output" / "report").read_text().splitlines()]
    found = {kind: [word for key, word in lines if key == kind] for kind in _KINDS}
    return Seen(
        tuple(name for name in found["interface"] if name not in _FALLBACK),
        tuple(found["reached"]),
    )


_KINDS: Final = ("interface", "reached")


def _job(image: Image, command: tuple[str, ...], data: Path, output: Path, log: Path) -> Job:
    task = Task(
        command=command,
        input_volumes={"data_path": Volume(mount_path=f"{_VOLUMES}/data")},
        output_volumes={"output_path": Volume(mount_path=f"{_VOLUMES}/predictions")},
    )
    return Job(
        container=Container(image=image, tasks={"infer": task}),
        task="infer",
        inputs={"data_path": data},
        outputs={"output_path": output},
        limits=_LIMITS,
        log=log,
    )


@contextmanager
def _listening() -> Iterator[list[tuple[str, int]]]:
    """Listeners on this machine's own addresses, which a task without network can't reach."""
    with ExitStack() as stack:
        found = []
        for address in dict.fromkeys(("127.0.0.1", *_outward())):
            with suppress(OSError):
                server = stack.enter_context(socket.create_server((address, 0)))
                found.append((address, int(server.getsockname()[1])))
        yield found


def _outward() -> Iterator[str]:
    """The address that this machine would send from, if it has a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as route, suppress(OSError):
        route.connect((_NOWHERE, 9))
        yield str(route.getsockname()[0])


# --- what is run ---------------------------------------------------------------------------


def _image(engine: Engine, shelf: Path) -> tuple[Image, tuple[str, ...]]:
    sources = _sources(shelf / "probe")
    if engine.admits(sources):
        return sources, ("python3", "/project/probe.py")
    return _archive(shelf / "probe.tar"), ("/bin/bash", "/probe.sh")


def _sources(folder: Path) -> SourceImage:
    folder.mkdir(parents=True)
    (folder / "probe.py").write_text(_PYTHON)
    files = digest_tree(folder)
    size = sum(file.size for file in files)
    digest = fingerprint(files)
    return SourceImage(type="source", sha256=digest, size=size, files=len(files), path=folder.name)


def _archive(path: Path) -> ArchiveImage:
    """An image of this machine's bash and the libraries that it loads."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        for name, source in _programs().items():
            _add(tar, name, source.read_bytes(), mode=0o755)
        _add(tar, "probe.sh", _BASH.encode())
    contents = layer.getvalue()
    config = {
        "architecture": _MACHINES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{_sha256(contents)}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    with tarfile.open(path, "w") as tar:
        _add(tar, "layer.tar", contents)
        _add(tar, "config.json", json.dumps(config).encode())
        _add(tar, "manifest.json", json.dumps(manifest).encode())
    payload = path.read_bytes()
    return ArchiveImage(type="archive", sha256=_sha256(payload), size=len(payload), path=path.name)


def _programs() -> dict[str, Path]:
    """Paths in the image and the files that go there.

    Raises:
        EngineError: `no-probe`.
    """
    bash = shutil.which("bash")
    try:
        done = subprocess.run(["ldd", str(bash)], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise EngineError(
            "there is no bash here to make a probe of",
            code="no-probe",
            advice="install bash and ldd (libc-bin) to have it tested",
        ) from error
    libraries = re.findall(r"(/\S+) \(0x", done.stdout)
    found = {name.lstrip("/"): Path(name) for name in libraries}
    return {"bin/bash": Path(str(bash)), **found}


def _add(tar: tarfile.TarFile, name: str, payload: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(payload), mode
    tar.addfile(entry, io.BytesIO(payload))


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()
