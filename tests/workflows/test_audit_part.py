"""The audit of a part: finds in its scope what the whole audit finds, and says what it left out."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from medperf_git.checks.report import Finding
from medperf_git.errors import GitError, MpgitError
from medperf_git.store.paths import REGISTRY, Place, locate
from medperf_git.store.scope import Scope
from medperf_git.vcs import Repository
from medperf_git.workflows.audit import audit
from medperf_git.workflows.audit_part import audit_part
from medperf_git.workflows.audit_part_report import Known, PartialReport
from medperf_git.workflows.audit_report import AuditReport
from tests.attacks.corpus import Attack, attacks
from tests.attacks.world import World
from tests.support.in_git import export, write_files
from tests.support.simulator import (
    BENCHMARK,
    BENCHMARK_SIGNERS,
    COMMITTEE,
    DATASET,
    MODEL,
    Files,
    Simulator,
    full_registry,
)

OTHER = "chair/stroke"
Found = dict[str, frozenset[Finding]]


def bring(repository: Repository) -> Any:
    """Everything is here already, but for what nobody has."""

    def check(oids: list[str]) -> None:
        if lacking := repository.lacking(oids):
            raise GitError(f"{lacking[0]} is withheld", code="withheld")

    return check


def part(
    repository: Repository, head: str, known: Known, genesis: str | None = None
) -> tuple[PartialReport, Known]:
    return audit_part(repository, head, genesis=genesis, known=known, bring=bring(repository))


def failures(report: AuditReport) -> Found:
    return {failure.commit: frozenset(failure.findings()) for failure in report.failures}


def everything(world: World) -> Scope:
    """A scope that names the folder of every record, in place of the registry as a whole."""
    folders = set()
    for path in {*world.request, *world.tree.files}:
        place = locate(path)
        record = place if isinstance(place, Place) or place is None else place.record
        folders.add(record.folder if record else path.rpartition("/")[0])
    there = f"{REGISTRY}/benchmarks/{BENCHMARK}" in folders
    scope = Scope((BENCHMARK,) if there else ())
    inside = {folder for folder in folders if folder.startswith(f"{REGISTRY}/")}
    return scope.plus({folder for folder in inside if not scope.covers(folder)})


def build(attack: Attack, path: Path) -> tuple[World, str | None]:
    """The repository with the attack in it, and the identity that a client has pinned."""
    script: Any = import_module(f"tests.attacks.{attack.kind}.{attack.name}.build")
    world = World(path, history=True)
    if hasattr(script, "base"):
        script.base(world)
    pinned = world.snapshot.identity if world.snapshot.exists else None
    script.attack(world)
    world.finish()
    return world, pinned


def outcome(verdict: Any) -> Found | str:
    """What was found, or the code of the error where nothing could be judged."""
    try:
        return failures(verdict())
    except MpgitError as error:
        return "withheld" if error.code == "no-object" else error.code


REFUSED_OTHERWISE = {
    # Nobody has the object: there is nothing to judge.
    **dict.fromkeys(("tree/missing_object", "signatures/missing_object"), "withheld"),
    # Trees that git's own check of what is received refuses before.
    **dict.fromkeys(("tree/dot_dot", "tree/dot_git", "tree/slash_in_a_name"), "known-paths"),
    "tree/name_twice": "withheld",
    "tree/endless_folders": "git",
}
"""Attacks that the audit of a part refuses too, in other words."""


@pytest.mark.parametrize("attack", attacks(), ids=str)
def test_a_defect_in_scope_is_found_as_the_whole_audit_finds_it(
    attack: Attack, tmp_path: Path
) -> None:
    world, pinned = build(attack, tmp_path / "attack.git")
    with Repository.open(tmp_path / "attack.git") as repository:
        repository.patience = 2
        head = repository.resolve("request" if attack.door == "check" else "main")
        after = repository.resolve(attack.since) if attack.since else None
        whole = outcome(lambda: audit(repository, head, genesis=pinned, after=after))
        known = Known(everything(world), after or "")
        found = outcome(lambda: part(repository, head, known, pinned)[0])
    assert whole
    if (otherwise := REFUSED_OTHERWISE.get(str(attack))) is None:
        assert found == whole
    elif isinstance(found, str):
        assert found == otherwise
    else:
        assert {finding.code for findings in found.values() for finding in findings} == {otherwise}


# --- what is out of scope ---------------------------------------------------------------------


def two_benchmarks() -> Simulator:
    """The full registry, and a second benchmark with a model and a result of its own."""
    registry = full_registry()
    registry.merge(registry.sign(registry.benchmark(OTHER), by=BENCHMARK_SIGNERS))
    registry.merge(registry.sign(registry.policy(OTHER), by=COMMITTEE[:2]))
    return registry


def exported(path: Path, registry: Simulator, *defects: Files) -> tuple[Repository, str]:
    """The registry in Git, then a commit for each set of files that nobody judged."""
    repository = Repository.create(path)
    head = export(registry, repository)[-1]
    files = dict(registry.tree.files)
    for defect in defects:
        files |= {path: (0o100644, payload) for path, payload in defect.items()}
        oid = write_files(repository, files)
        head = repository.write_commit(oid, [head], "By force", ("a", "a@b"))
    return repository, head


def test_what_is_bad_out_of_scope_is_said_to_be_unseen(tmp_path: Path) -> None:
    registry = two_benchmarks()
    bad = registry.sign(registry.model("maker/bad"), by=["ky"])  # not its owner
    repository, head = exported(tmp_path / "r.git", registry, bad)
    with repository:
        assert not audit(repository, head, genesis=None).accepted
        report, known = part(repository, head, Known(Scope((BENCHMARK,))))
    assert report.accepted
    coverage = known.coverage
    # The second benchmark, its policy, and the bad model.
    assert (coverage.other_records, coverage.records) == (3, len(list_records(registry)) - 2)
    assert coverage.judged == coverage.commits - 3
    said = report.as_dict()["partial"]
    assert said["benchmarks"] == [BENCHMARK]
    assert "signatures and approvals" in said["others_not_checked"]
    assert "NOT VERIFIED: 3 other records" in report.checked
    with repository:
        assert failures(part(repository, head, Known(Scope((OTHER,))))[0]) == {}


def list_records(registry: Simulator) -> list[str]:
    return [
        path
        for path in registry.tree.files
        if path.startswith("registry/") and path.endswith(".yaml")
    ]


ODD_PATHS = {
    "only-additions": {"registry/models/maker/bad/1.yaml": b"edited"},
    "known-paths": {"registry/models/maker/bad/notes.txt": b"x"},
    "separate-control-plane": {"registry/models/maker/new/1.yaml": b"x", "tool.py": b"x"},
}


@pytest.mark.parametrize("code", ODD_PATHS)
def test_paths_are_held_against_the_rules_everywhere(tmp_path: Path, code: str) -> None:
    registry = two_benchmarks()
    bad = registry.sign(registry.model("maker/bad"), by=["maker"])
    repository, head = exported(tmp_path / "r.git", registry, bad, ODD_PATHS[code])
    with repository:
        whole = failures(audit(repository, head, genesis=None))[head]
        found = failures(part(repository, head, Known(Scope((BENCHMARK,))))[0])[head]
    assert {finding.code for finding in found} == {code}
    assert found <= whole


# --- a scope that grows -----------------------------------------------------------------------


def test_what_joins_later_is_audited_from_its_first_commit(tmp_path: Path) -> None:
    """A model that was out of scope when it came, and in scope since it is associated."""
    registry = two_benchmarks()
    good = registry.copy()
    good.merge(good.sign(good.model("maker/late"), by=["maker"]))
    for signer, accepted in (("maker", True), ("ky", False)):
        late = registry.sign(registry.model("maker/late"), by=[signer])
        repository, before = exported(tmp_path / f"{signer}.git", registry, late)
        with repository:
            report, known = part(repository, before, Known(Scope((BENCHMARK,))))
            assert report.accepted
            assert known.coverage.other_records == 3
            more = good.sign(good.model_association("maker/late"), by=["maker", *COMMITTEE[:2]])
            files = {**good.tree.files, **{p: (0o100644, d) for p, d in {**late, **more}.items()}}
            oid = write_files(repository, files)
            head = repository.write_commit(oid, [before], "Associate", ("a", "a@b"))
            report, known = part(repository, head, known)
            assert report.accepted == accepted
            if accepted:
                assert "registry/models/maker/late" in known.scope.folders
                assert (report.commits, known.coverage.other_records) == (1, 2)
            else:
                # The commit that brought it, which an earlier audit had no reason to judge.
                assert before in failures(report)


def test_what_the_first_audit_says_a_second_one_repeats(tmp_path: Path) -> None:
    registry = two_benchmarks()
    repository, head = exported(tmp_path / "r.git", registry)
    with repository:
        middle = list(repository.first_parents(head))[-6]
        once = part(repository, head, Known(Scope((BENCHMARK,))))[1]
        _, known = part(repository, middle, Known(Scope((BENCHMARK,))))
        twice = part(repository, head, known)[1]
    assert (once.scope, once.coverage.records) == (twice.scope, twice.coverage.records)
    assert once.coverage.other_records == twice.coverage.other_records


# --- a list of changes that is not believed ---------------------------------------------------


class Forgetful(Repository):
    """A repository whose git does not tell of some commits' changes."""

    silent: frozenset[str] = frozenset()

    def landed(self, *arguments: Any, **more: Any) -> Any:
        for landing in super().landed(*arguments, **more):
            quiet = landing.commit in self.silent
            odd = [c for c in landing.changes if not c.path.startswith("registry/results")]
            # Something is left, so that it does not look like a commit without changes.
            yield landing._replace(changes=odd or landing.changes[:0]) if quiet else landing


def test_a_change_that_git_does_not_list_is_judged(tmp_path: Path) -> None:
    registry = full_registry()
    result = registry.sign(registry.result(), by=["ms"])  # not the data's owner
    place = {path: data for path, data in result.items() if "/results/" in path}
    repository, head = exported(
        tmp_path / "r.git", registry, {**place, "registry/models/maker/x/1.yaml": b"x"}
    )
    repository.close()
    with Forgetful.open(tmp_path / "r.git") as repository:
        assert isinstance(repository, Forgetful)
        repository.silent = frozenset({head})
        report, _ = part(repository, head, Known(Scope((BENCHMARK,))))
    assert head in failures(report)


def test_a_history_that_breaks_off_or_goes_elsewhere(tmp_path: Path) -> None:
    registry = two_benchmarks()
    repository, head = exported(tmp_path / "r.git", registry)
    with repository:
        tree = repository.commit(head).tree
        beside = repository.write_commit(tree, [], "Another beginning", ("a", "a@b"))
        known = Known(Scope((BENCHMARK,)), head)
        for parents in ([beside], [beside, head]):
            other = repository.write_commit(tree, parents, "Over there", ("a", "a@b"))
            with pytest.raises(MpgitError) as caught:
                part(repository, other, known)
            assert caught.value.code == "rewritten"
        (tmp_path / "r.git" / "shallow").write_text(f"{head}\n")
        with pytest.raises(MpgitError) as caught:
            part(repository, head, known)
        assert caught.value.code == "shallow"


@pytest.mark.parametrize("name", ["chair/nothing", "nobody/preterm"])
def test_a_benchmark_that_is_not_there(tmp_path: Path, name: str) -> None:
    repository, head = exported(tmp_path / "r.git", full_registry())
    with repository, pytest.raises(MpgitError) as caught:
        part(repository, head, Known(Scope((name,))))
    assert caught.value.code == "no-benchmark"


def test_references_are_followed(tmp_path: Path) -> None:
    repository, head = exported(tmp_path / "r.git", two_benchmarks())
    with repository:
        _, known = part(repository, head, Known(Scope((BENCHMARK,))))
    assert known.scope.folders == {
        f"registry/models/{MODEL}",
        "registry/models/chair/baseline",
        f"registry/datasets/{DATASET}",
        "registry/mlcubes/chair/prep",
        "registry/mlcubes/chair/metrics",
    }
