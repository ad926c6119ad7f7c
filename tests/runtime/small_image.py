"""Images of a few megabytes, made of this machine's own bash, in the formats that engines read."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from medperf_git.records.container import ArchiveImage, Container, Image, Task, Volume
from medperf_git.runtime.artefacts import ArtefactStore
from medperf_git.runtime.engine import Engine, Job
from tests.runtime.lab import SMALL, VOLUMES
from tests.runtime.test_extract import entry, tar

START = b"""#!/bin/bash
while [ "$1" = forever ]; do :; done
exec > /mlcommons/volumes/predictions/report 2>/dev/null
echo "folder $PWD"; echo "arguments $*"; echo "colour $COLOUR"; cat /greeting; ls -d /gone /kept
exit 0
"""
CONFIG: dict[str, Any] = {
    "Entrypoint": ["/bin/bash", "/start.sh"],
    "Cmd": ["never", "used"],
    "WorkingDir": "/work",
    "Env": ["COLOUR=blue=green", "PATH=/bin"],
}
REPORT = "folder /work\narguments a b  c\ncolour blue=green\nhello from above\n/kept\n"
"""What `START` writes for the arguments `a` and `b  c`, in an image of `layers`."""
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def layers() -> tuple[bytes, bytes]:
    """Two layers: a system, and one that replaces, removes and links."""
    bash = str(shutil.which("bash"))
    listed = subprocess.run(["ldd", bash], check=True, capture_output=True, text=True).stdout
    files = {"bin/bash": bash, "bin/cat": shutil.which("cat"), "bin/ls": shutil.which("ls")}
    for program in ("cat", "ls"):
        path = str(shutil.which(program))
        listed += subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    files |= {name.lstrip("/"): name for name in re.findall(r"(/\S+) \(0x", listed)}
    lower = [
        entry(name, Path(str(source)).resolve().read_bytes(), mode=0o755)
        for name, source in files.items()
    ]
    lower += [
        entry("work", kind=tarfile.DIRTYPE, mode=0o755),
        entry("greeting", b"hello\n", mode=0o644),
        entry("gone", b"x"),
        entry("start.sh", START, mode=0o755),
    ]
    upper = [
        entry("greeting", b"hello from above\n", mode=0o644),
        entry(".wh.gone"),
        entry("kept", kind=tarfile.LNKTYPE, linkname="greeting"),
    ]
    return tar(*lower), tar(*upper)


def _config(contents: Sequence[bytes]) -> bytes:
    machine = subprocess.run(["uname", "-m"], check=True, capture_output=True, text=True).stdout
    return json.dumps(
        {
            "architecture": _ARCHITECTURES.get(machine.strip(), machine.strip()),
            "os": "linux",
            "config": CONFIG,
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in contents],
            },
        }
    ).encode()


Compression = tuple[str, Callable[[bytes], bytes]]
PLAIN: Compression = ("", bytes)
GZIP: Compression = ("+gzip", gzip.compress)


def zstd(payload: bytes) -> bytes:
    """A frame of Zstandard whose blocks are kept as they are: RFC 8878, section 3.1.1."""
    most = 128 * 1024
    pieces = [payload[at : at + most] for at in range(0, len(payload), most)] or [b""]
    blocks = b"".join(
        (len(piece) << 3 | (number == len(pieces) - 1)).to_bytes(3, "little") + piece
        for number, piece in enumerate(pieces)
    )
    return b"\x28\xb5\x2f\xfd\xa0" + len(payload).to_bytes(4, "little") + blocks


ZSTD: Compression = ("+zstd", zstd)


def docker_archive(compression: Compression = PLAIN) -> bytes:
    """What `docker save` wrote until version 24."""
    contents = layers()
    names = [f"{number}/layer.tar" for number in range(len(contents))]
    manifest = [{"Config": "config.json", "RepoTags": ["busy:1"], "Layers": names}]
    packed = [entry(n, compression[1](c)) for n, c in zip(names, contents, strict=True)]
    described = json.dumps(manifest).encode()
    return tar(*packed, entry("config.json", _config(contents)), entry("manifest.json", described))


def oci_archive(compression: Compression = GZIP) -> bytes:
    """What `skopeo copy … oci-archive:` and `docker buildx build --output type=oci` write."""
    blobs: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def blob(kind: str, payload: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(payload).hexdigest()
        blobs[f"blobs/sha256/{digest}"] = payload
        media = f"application/vnd.oci.image.{kind}"
        return {"mediaType": media, "digest": f"sha256:{digest}", "size": len(payload)}

    contents = layers()
    suffix, compress = compression
    document = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob("config.v1+json", _config(contents)),
        "layers": [blob(f"layer.v1.tar{suffix}", compress(layer)) for layer in contents],
    }
    index = {
        "schemaVersion": 2,
        "manifests": [blob("manifest.v1+json", json.dumps(document).encode())],
    }
    blobs["index.json"] = json.dumps(index).encode()
    return tar(*(entry(name, payload) for name, payload in blobs.items()))


def on_shelf(folder: Path, payload: bytes) -> tuple[ArchiveImage, ArtefactStore]:
    """An image archive in an artefact folder, and a store that finds it."""
    digest = hashlib.sha256(payload).hexdigest()
    (folder / "shelf").mkdir(exist_ok=True)
    (folder / "shelf" / "image.tar").write_bytes(payload)
    image = ArchiveImage(type="archive", sha256=digest, size=len(payload), path="image.tar")
    return image, ArtefactStore(folder / "cache", [folder / "shelf"])


def report(engine: Engine, image: Image, folder: Path) -> str:
    """What the image writes when it is run with two arguments."""
    data = folder / "data"
    data.mkdir()
    task = Task(
        command=("a", "b  c"),
        input_volumes={"data_path": Volume(mount_path=f"{VOLUMES}/data")},
        output_volumes={"output_path": Volume(mount_path=f"{VOLUMES}/predictions")},
    )
    engine.run(
        Job(
            container=Container(image=image, tasks={"infer": task}),
            task="infer",
            inputs={"data_path": data},
            outputs={"output_path": folder / "output"},
            limits=SMALL,
            log=folder / "logs" / "infer",
        )
    )
    return (folder / "output" / "report").read_text()
