"""Whether a real Apptainer is here: `tools/apptainer.sh` installs one where it can."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from medperf_git.errors import EngineError
from medperf_git.runtime.apptainer_options import Program
from medperf_git.runtime.apptainer_trial import find_program

GROUP = pytest.mark.xdist_group("apptainer")
"""One worker converts an image once."""


@cache
def program() -> Program | None:
    """The one that tests run; None where there is none."""
    try:
        return find_program()
    except EngineError:
        return None


def only_here(*values: Any) -> list[Any]:
    """Test parameters that need it: none without it, rather than tests that do not run."""
    return [pytest.param(value, marks=GROUP) for value in values] if program() else []


def header() -> str:
    """What a test session says of it."""
    return f"apptainer: {program() or 'none here: only the command lines of its engine are tested'}"
