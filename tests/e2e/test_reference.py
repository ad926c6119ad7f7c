"""The reference registry of this repository: real results, real signatures, whole history."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from medperf_git.canonical.digest import sha256_hex
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.records.schema import schema_file
from medperf_git.store.change import write_files
from medperf_git.store.paths import GENESIS
from medperf_git.store.snapshot import snapshot_at
from medperf_git.vcs import Repository
from medperf_git.workflows.allowed_signers import allowed_signers
from tests.e2e.stories import BENCHMARK, EXAMPLE, HOSPITALS, MODELS, TOP, mpgit, signed
from tests.e2e.test_signatures import STORY_KINDS, namespace, verifies

AUTHOR = ("mpgit", "mpgit@example")
FACTS = json.loads((EXAMPLE / "reference.json").read_text())


def shipped(folder: str) -> dict[str, bytes]:
    """A folder of this checkout, as its files stand."""
    return {
        str(path.relative_to(TOP)): path.read_bytes()
        for path in sorted((TOP / folder).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of the bundle, as anybody makes one."""
    target = tmp_path_factory.mktemp("reference") / "clone.git"
    bundle = EXAMPLE / "reference.bundle"
    subprocess.run(["git", "clone", "--quiet", "--bare", str(bundle), str(target)], check=True)
    return target


@pytest.fixture(scope="module")
def repository(clone: Path) -> Iterator[Repository]:
    with Repository.open(clone) as opened:
        yield opened


def in_bundle(repository: Repository, folder: str) -> dict[str, bytes]:
    names = subprocess.run(
        ["git", "--git-dir", str(repository.path), "ls-tree", "-r", FACTS["head"], f"{folder}/"],
        capture_output=True, check=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    files = {}
    for line in names:
        mode, kind, oid, path = line.replace("\t", " ").split(" ")
        assert (mode, kind) == ("100644", "blob")
        files[path] = repository.blob(oid)
    assert files
    return files


def test_the_bundle_is_joined_as_it_is(tmp_path: Path) -> None:
    """A researcher who found it in an archive needs no server, and no git of their own."""
    bundle = EXAMPLE / "reference.bundle"
    words = ("registry", "add", "ref", bundle, "--genesis", FACTS["genesis"], "--yes")
    done = mpgit(*words, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "audited: accepted" in done.stdout + done.stderr
    assert mpgit("registry", "sync", home=tmp_path).returncode == 0


def test_its_whole_history_is_accepted(repository: Repository, clone: Path, tmp_path: Path) -> None:
    assert repository.resolve("main") == FACTS["head"]
    done = mpgit(
        "audit", "--git-dir", clone, "--genesis", FACTS["genesis"], "--json", home=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert (report["verdict"], report["head"]) == ("accepted", FACTS["head"])
    assert report["checked"].startswith("history")
    assert report["commits"] == len(list(repository.first_parents("main")))


def test_another_genesis_is_refused(clone: Path, tmp_path: Path) -> None:
    done = mpgit("audit", "--git-dir", clone, "--genesis", sha256_hex(b"x"), home=tmp_path)
    assert done.returncode == 1
    assert "another registry" in done.stderr


def test_the_checkout_s_tree_is_accepted(tmp_path: Path) -> None:
    with Repository.create(tmp_path / "tree.git") as made:
        tree = write_files(made, EMPTY_TREE, shipped("registry") | shipped("schemas"))
        made.set_ref("refs/heads/main", made.write_commit(tree, [], "The tree", AUTHOR))
    done = mpgit(
        "audit", "--tree", "--git-dir", tmp_path / "tree.git", "--genesis", FACTS["genesis"],
        "--json", home=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    records = [path for path in shipped("registry") if path.endswith(".yaml")]
    assert (report["verdict"], report["records"]) == ("accepted", len(records))


@pytest.mark.parametrize("folder", ["registry", "schemas"])
def test_the_bundle_holds_what_the_checkout_holds(repository: Repository, folder: str) -> None:
    assert in_bundle(repository, folder) == shipped(folder)


def test_the_schemas_are_the_package_s() -> None:
    for path, payload in shipped("schemas").items():
        assert (TOP / "medperf_git" / path).read_bytes() == payload
    assert {f"schemas/{schema_file(kind)}" for kind in STORY_KINDS} <= set(shipped("schemas"))


def test_openssh_accepts_every_signature(repository: Repository, tmp_path: Path) -> None:
    file = tmp_path / "allowed_signers"
    file.write_text(allowed_signers(snapshot_at(repository, FACTS["head"])))
    files = shipped("registry")
    identity = sha256_hex(files[GENESIS])
    assert identity == FACTS["genesis"]
    kinds = set()
    for place, signature, payload in signed(files):
        kinds.add(place.record.record_kind)
        space = namespace(place, identity)
        assert verifies(file, tmp_path, place.signer, space, signature, payload), place.path
    assert kinds == STORY_KINDS


def test_it_holds_a_result_of_every_model_at_every_hospital() -> None:
    expected = {
        f"registry/results/{BENCHMARK}/{hospital}/opt/{model}/1.yaml"
        for hospital in HOSPITALS
        for model in MODELS
    }
    assert expected <= set(shipped("registry"))


def test_no_private_key_is_kept(repository: Repository) -> None:
    command = ["git", "--git-dir", str(repository.path), "cat-file", "--batch-all-objects"]
    everything = subprocess.run([*command, "--batch"], capture_output=True, check=True).stdout
    assert b"PRIVATE KEY" not in everything
    for folder in ("registry", "examples"):
        assert not [p for p, data in shipped(folder).items() if b"PRIVATE KEY-----" in data]
