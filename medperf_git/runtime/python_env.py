"""The Python environment that `source` images run with: where it stands and what it holds.

Our own interpreter is looked at from within, another one is asked. Does not install or choose
packages.

Example:
    >>> environment = inspect_python()
    >>> environment.software["python"] == ".".join(map(str, sys.version_info[:3]))
    True
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from medperf_git.errors import EngineError

_SECONDS: Final = 30
_PACKAGES: Final = (
    "numpy", "scipy", "scikit-learn", "pandas", "statsmodels", "xgboost", "lightgbm", "torch",
    "monai", "tensorflow", "onnxruntime", "nibabel", "SimpleITK", "pydicom", "pyyaml",
)  # fmt: skip
"""What sources for medical benchmarks import: recorded where it is there."""
_QUESTION: Final = """
import importlib.metadata as metadata, json, os, platform, sys
found = {"python": platform.python_version()}
for name in sys.argv[1:]:
    try:
        found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
        pass
prefixes = {sys.prefix, sys.base_prefix, sys.base_exec_prefix}
prefixes |= {os.path.realpath(prefix) for prefix in prefixes}
print(json.dumps({"prefixes": sorted(prefixes - {"/"}),
                  "executable": sys.executable, "software": found}))
"""


@dataclass(frozen=True, slots=True)
class PythonEnvironment:
    """An interpreter, the folders that it needs, and versions."""

    executable: Path
    prefixes: tuple[Path, ...]
    software: dict[str, str]

    @property
    def folder(self) -> Path:
        """The folder in which `python3` is this interpreter."""
        return self.executable.parent


@cache
def inspect_python(python: Path | None = None) -> PythonEnvironment:
    """The environment of an interpreter; of our own where none is named.

    Raises:
        EngineError: `python-missing`: it does not run.
    """
    if python is None:
        return _our_own()
    executable = str(python)
    # Isolated, and from `/`: nothing of the caller's folder or variables is imported.
    command = [executable, "-I", "-c", _QUESTION, *_PACKAGES]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True, cwd="/")
        answer = json.loads(done.stdout)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EngineError(
            f"the Python interpreter {executable} does not run",
            code="python-missing",
            place=executable,
            advice="name a working interpreter for the sandbox",
        ) from error
    return PythonEnvironment(
        executable=Path(answer["executable"]),
        prefixes=tuple(Path(prefix) for prefix in answer["prefixes"]),
        software={name: version[:120] for name, version in answer["software"].items()},
    )


def _our_own() -> PythonEnvironment:
    found = {sys.prefix, sys.base_prefix, sys.base_exec_prefix}
    prefixes = sorted((found | {os.path.realpath(prefix) for prefix in found}) - {"/"})
    # What else is on our path (PYTHONPATH, a checkout) no task sees.
    seen = [entry for entry in sys.path if any(Path(entry).is_relative_to(p) for p in prefixes)]
    software = {"python": platform.python_version()}
    for name in _PACKAGES:
        for package in metadata.distributions(name=name, path=seen):
            software.setdefault(name, package.version[:120])
    return PythonEnvironment(
        executable=Path(sys.executable),
        prefixes=tuple(Path(prefix) for prefix in prefixes),
        software=software,
    )
