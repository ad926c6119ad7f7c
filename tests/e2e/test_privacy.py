"""Nothing about a patient, and nobody's private key, leaves its home."""

from __future__ import annotations

import csv
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.e2e.stories import EXAMPLE, HOSPITALS, SIGNERS, Told

MEASURED = (
    *("gingival_index", "bleeding_on_probing_pct"),
    *("probing_depth_mm", "attachment_loss_mm"),
)
"""Measured to three decimals, in this order in raw and in prepared files: they name a woman."""
RAW_ONLY = ("patient,clinic", "gestational_age_days", "birthweight_g")
FILES = tuple(f"{hospital}.csv" for hospital in HOSPITALS)


def objects(repository: Path) -> bytes:
    """Every object of a repository, whoever refers to it, one after the other."""
    done = subprocess.run(
        ["git", "--git-dir", str(repository), "cat-file", "--batch-all-objects", "--batch"],
        capture_output=True, check=True,
    )  # fmt: skip
    assert done.stdout.count(b"\ntree ") > 20  # the commits are among them
    return done.stdout


@cache
def shared(repository: Path) -> bytes:
    """As `objects`, with the file names and messages of the repository itself behind it."""
    rest = [path for path in sorted(repository.rglob("*")) if "objects" not in path.parts]
    names = "\n".join(str(path.relative_to(repository)) for path in rest)
    texts = [path.read_bytes() for path in rest if path.is_file()]
    return b"\n".join([objects(repository), names.encode(), *texts])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def pieces(row: dict[str, str]) -> Iterator[str]:
    """What of a row would give a woman away: all of it, its front, its measurements."""
    cells = list(row.values())
    yield ",".join(cells)
    yield ",".join(cells[:12])
    measured = [row[name] for name in MEASURED]
    if sum("." in cell for cell in measured) >= 2:
        yield ",".join(measured)


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    yield
    shared.cache_clear()


def test_the_search_finds_what_it_looks_for() -> None:
    text = (EXAMPLE / "hospitals" / "ky" / "ky.csv").read_text()
    for row in rows(EXAMPLE / "hospitals" / "ky" / "ky.csv"):
        assert len([piece for piece in pieces(row) if piece in text]) == 3


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_no_row_and_no_patient_number_reaches_the_shared_repository(
    story: Told, hospital: str
) -> None:
    everything = shared(story.host).decode("utf-8", "replace")
    numbers = set(re.findall(r"(?<![0-9A-Za-z.])\d{6}(?![0-9A-Za-z.])", everything))
    for row in rows(EXAMPLE / "hospitals" / hospital / f"{hospital}.csv"):
        assert row["patient"] not in numbers
        assert not [piece for piece in pieces(row) if piece in everything]


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_no_prepared_row_reaches_the_shared_repository(story: Told, hospital: str) -> None:
    everything = shared(story.host).decode("utf-8", "replace")
    prepared = story.prepared(hospital)
    for row in rows(prepared / "data" / "patients.csv"):
        assert not [piece for piece in pieces(row) if piece in everything]
    assert not re.search(r"case-\d{5}", everything)
    for path in (prepared / "data" / "patients.csv", prepared / "labels" / "labels.csv"):
        assert path.read_text() not in everything


def test_no_file_name_or_path_of_a_site_reaches_the_shared_repository(story: Told) -> None:
    everything = shared(story.host).decode("utf-8", "replace")
    # The MLCube's own description may say what it writes; the sites' files are theirs.
    for word in (*FILES, *RAW_ONLY, str(story.top), str(EXAMPLE), "/homes/"):
        assert word not in everything


@pytest.mark.parametrize("hospital", HOSPITALS)
def test_nobody_else_s_home_holds_a_hospital_s_rows(story: Told, hospital: str) -> None:
    raw = rows(EXAMPLE / "hospitals" / hospital / f"{hospital}.csv")
    known = {piece for row in raw for piece in pieces(row)}
    prepared = rows(story.prepared(hospital) / "data" / "patients.csv")
    known |= {piece for row in prepared for piece in pieces(row)}
    for path in (story.top / "homes").rglob("*"):
        mine = path.is_relative_to(story.home(hospital))
        if not path.is_file() or mine or ".git" in "".join(path.parts):
            continue
        text = path.read_text("utf-8", "replace")
        assert not [piece for piece in known if piece in text], path


@pytest.mark.parametrize("who", [*SIGNERS, "researcher"])
def test_no_private_key_leaves_its_home(story: Told, who: str) -> None:
    keys = {name: story.home(name) / "config" / "keys" / "default" for name in SIGNERS}
    # The lines of base64 after the first: that one is the same in every OpenSSH key.
    secrets = {name: path.read_text().splitlines()[2:-1] for name, path in keys.items()}
    assert all(secrets.values())
    mirror = story.home(who) / "data" / "registries" / "preterm" / "mirror.git"
    texts = [objects(mirror), shared(story.host)]
    texts += [
        path.read_bytes()
        for path in story.home(who).rglob("*")
        if path.is_file() and path != keys.get(who) and "objects" not in path.parts
    ]
    everything = b"\n".join(texts)
    assert b"PRIVATE KEY-----" not in everything
    for lines in secrets.values():
        assert not [line for line in lines if line.encode() in everything]
