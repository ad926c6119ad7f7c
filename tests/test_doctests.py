"""The examples in the docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import medperf_git

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(medperf_git.__path__, "medperf_git.")
    if not module.name.endswith("__main__")  # importing it runs the program
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0
