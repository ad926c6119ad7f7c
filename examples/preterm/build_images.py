"""Build the example's MLCubes as Docker images, push them, and print their digests.

Each image is a given base image (see ``make_base.py``) with one folder of Python sources at
``/project``. Weights and parameters are not inside: they are mounted when a task runs. Uses the
docker command with the classic builder, which every engine has.

What it does not do: start a registry, or sign anything. Whoever uses an image pins its digest.

    $ python3 build_images.py preterm-base:1 127.0.0.1:5000/preterm
    {
      "prep": "127.0.0.1:5000/preterm/prep@sha256:…",
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
MLCUBES = {
    "prep": HERE / "prep",
    "metrics": HERE / "metrics",
    "rule": HERE / "models" / "rule",
    "logistic": HERE / "models" / "logistic",
    "forest": HERE / "models" / "forest",
    "broken": HERE / "models" / "broken",
}
DOCKERFILE = "FROM {base}\nWORKDIR /\nCOPY project /project\n"


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add a file with fixed owner, mode and time, so that equal sources make equal layers."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o644
    archive.addfile(entry, io.BytesIO(content))


def build_context(folder: Path, base: str) -> bytes:
    """Return the build context as a tar archive: a Dockerfile and the Python sources."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        add(archive, "Dockerfile", DOCKERFILE.format(base=base).encode())
        for path in sorted((folder / "project").glob("*.py")):
            add(archive, f"project/{path.name}", path.read_bytes())
    return stream.getvalue()


def docker(*arguments: str, stdin: bytes = b"") -> str:
    """Run docker and return what it prints; its messages go to stderr if it fails."""
    settings = {**os.environ, "DOCKER_BUILDKIT": "0"}
    done = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, env=settings, check=False
    )
    if done.returncode != 0:
        sys.stderr.write(done.stderr.decode(errors="replace"))
        raise RuntimeError(f"docker {arguments[0]} failed with exit code {done.returncode}")
    return done.stdout.decode()


def push(tag: str) -> str:
    """Push a tag and return the digest under which the registry keeps it."""
    printed = docker("push", tag)
    found = re.search(r"digest: (sha256:[0-9a-f]{64})", printed)
    if found is None:
        raise RuntimeError(f"docker push printed no digest for {tag}")
    return found.group(1)


def build_images(base: str, prefix: str) -> dict[str, str]:
    """Build and push all MLCubes on ``base``; return each one's repository digest by name."""
    references = {}
    for name, folder in MLCUBES.items():
        repository = f"{prefix}/{name}"
        tag = f"{repository}:latest"
        docker("build", "--quiet", "--tag", tag, "-", stdin=build_context(folder, base))
        references[name] = f"{repository}@{push(tag)}"
    return references


if __name__ == "__main__":
    match sys.argv[1:]:
        case [given_base, given_prefix]:
            print(json.dumps(build_images(given_base, given_prefix), indent=2))
        case _:
            sys.exit("usage: build_images.py BASE PREFIX")
