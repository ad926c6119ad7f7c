from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.github.client import Person
from tests.support.github.host import GitHubHost


@pytest.fixture
def host(tmp_path: Path) -> Iterator[GitHubHost]:
    """With anna's registry; every request of a test keeps GitHub's contract."""
    with GitHubHost(tmp_path / "github") as made:
        made.repository("anna", "registry")
        yield made
        assert made.violations == []


@pytest.fixture
def anna(host: GitHubHost, tmp_path: Path) -> Person:
    return Person(host, "anna", tmp_path)


@pytest.fixture
def ky(host: GitHubHost, tmp_path: Path) -> Person:
    return Person(host, "ky", tmp_path)
