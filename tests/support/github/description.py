"""GitHub's published description of its REST API, cut down to the operations in use.

The npm package ``@octokit/openapi`` holds it; `npm/package-lock.json` pins version and digest,
`npm pack` gets it, and one file of it is read, never the 400 MB unpacked. The cut is JSON Schema
2020-12 instead of OpenAPI 3.0 and stays in `build/`, so that only a checkout's first test session
reads the whole. This module judges nothing: `contract` does.

Example::

    description()["operations"]["GET /user"]["responses"]["200"]
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import tarfile
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, Final

from medperf_git.atomic import lock, write_bytes
from tests.support.github.operations import OPERATIONS
from tests.support.github.schemas import Converter

HERE: Final = Path(__file__).resolve().parent
CACHE: Final = HERE.parents[2] / "build"
PACKAGE: Final = "@octokit/openapi"
MEMBER: Final = "package/generated/api.github.com.json"
WAIT_SECONDS: Final = 300
"""For another test process that gets the description now."""


@cache
def description() -> dict[str, Any]:
    """The cut: `version`, `names` of all operations, `operations`, `schemas` and `strict`."""
    path = CACHE / f"github-{_fingerprint()}.json"
    with lock(CACHE / "github.lock", wait_seconds=WAIT_SECONDS):
        if not path.exists():
            for older in CACHE.glob("github-*.json"):
                older.unlink()
            write_bytes(path, json.dumps(cut(whole())).encode())
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def whole() -> dict[str, Any]:
    """GitHub's description as published."""
    pinned = json.loads((HERE / "npm" / "package-lock.json").read_bytes())
    entry = pinned["packages"][f"node_modules/{PACKAGE}"]
    with tempfile.TemporaryDirectory() as folder:
        words = ["npm", "pack", "--prefer-offline", "--ignore-scripts", "--silent"]
        command = [*words, f"{PACKAGE}@{entry['version']}"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        (archive,) = Path(folder).iterdir()
        digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
        assert entry["integrity"] == f"sha512-{digest}", f"{PACKAGE} is not what is pinned"
        with tarfile.open(archive, "r|gz") as members:
            for member in members:
                if member.name == MEMBER and (file := members.extractfile(member)):
                    found: dict[str, Any] = json.load(file)
                    return found
    raise AssertionError(f"{PACKAGE} holds no {MEMBER}")


def cut(source: dict[str, Any]) -> dict[str, Any]:
    """What the operations in use need, as JSON Schema; of the others the names alone."""
    converter = Converter(source)
    operations = {}
    for name in OPERATIONS:
        method, template = name.split()
        operations[name] = converter.operation(source["paths"][template][method.lower()])
    methods = ("get", "post", "put", "patch", "delete")
    return {
        "version": source["info"]["version"],
        "names": [
            f"{method.upper()} {template}"
            for template, methods_here in source["paths"].items()
            for method in methods
            if method in methods_here
        ],
        "operations": operations,
        **converter.components(),
    }


def _fingerprint() -> str:
    """What the cut depends on: the pin, and how we cut."""
    files = ("description.py", "schemas.py", "operations.py", "npm/package-lock.json")
    joined = b"".join((HERE / name).read_bytes() for name in files)
    return hashlib.sha256(joined).hexdigest()[:16]
