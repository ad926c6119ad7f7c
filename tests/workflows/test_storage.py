"""What is kept, and freeing it: nothing that is needed, in use, or reached through a link goes."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from medperf_git.atomic import is_locked, lock
from medperf_git.runtime import cgroup, docker_options
from medperf_git.runtime.artefacts import IN_USE
from medperf_git.runtime.cgroup import find_parents
from medperf_git.runtime.disk import erase, usage
from medperf_git.runtime.owner import owner
from medperf_git.store.home import Home
from medperf_git.workflows import storage_leftovers
from medperf_git.workflows.storage_clean import Wanted, choose
from medperf_git.workflows.storage_clean import clean as clean_items
from tests.support import docker_engine
from tests.support.patience import until
from tests.support.site import BENCHMARK, REGISTRY, Done, Site

RUN = ("run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "anna/rule")
SUBMIT = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes")


@pytest.fixture(autouse=True)
def _alone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups and containers that other tests' killed clients left are not this site's."""
    if "groups_and_containers" not in request.node.name:
        monkeypatch.setattr(storage_leftovers, "stale_groups", lambda **_: [])
        monkeypatch.setattr(storage_leftovers, "_stale_containers", lambda **_: [])


@pytest.fixture
def ran(site: Site) -> Site:
    """A site with two results, one of which is registered."""
    site.do("ky", *RUN)
    site.do("ky", *SUBMIT, "-m", "oak/good", "--merge")
    site.do("ky", "test", "-b", BENCHMARK, "-m", "oak/fails", expect=1)
    forget()
    return site


def forget() -> None:
    """Stores of commands that ran in this process let go of the cache when they are collected."""
    gc.collect()


def home(site: Site) -> Home:
    return site.home("ky")


def kept(site: Site) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for item in site.do("ky", "storage", "ls", "--json").json["items"]:
        found.setdefault(item["kind"], []).append(item)
    return found


def clean(site: Site, *words: str, expect: int = 0) -> Done:
    forget()
    return site.do("ky", "storage", "clean", *words, expect=expect)


def test_what_is_kept_is_listed(ran: Site) -> None:
    found = kept(ran)
    assert set(found) == {"tree", "scratch", "dataset", "execution", "logs", "mirror"}
    states = {item["name"]: item["state"] for item in found["execution"]}
    assert states == {
        f"{BENCHMARK} × ky/opt × oak/good": "registered",
        f"{BENCHMARK} × ky/opt × anna/rule": "new",
    }
    (dataset,) = found["dataset"]
    assert (dataset["name"], dataset["state"]) == ("ky/opt", "prepared")
    assert "raw data is where it was" in dataset["again"]
    assert {item["again"] for item in found["tree"]} == {"from an artefact folder"}
    belongs = {item["belongs"] for item in found["tree"]}
    assert "anna/fever" in belongs
    assert any("anna/rule" in names and "more" in names for names in belongs)
    everything = [item for items in found.values() for item in items]
    assert all(item["size"] > 0 for item in everything)
    assert len({item["path"] for item in everything}) == len(everything)
    plain = ran.do("ky", "storage", "ls")
    assert "in all" in plain.out
    assert "oak/good" in plain.out


def test_sizes_are_those_of_the_disk(ran: Site) -> None:
    listed = sum(item["size"] for items in kept(ran).values() for item in items)
    du = ["du", "-s", "-B1", str(home(ran).data), str(home(ran).cache)]
    lines = subprocess.run(du, capture_output=True, check=True, text=True).stdout.splitlines()
    total = sum(int(line.split()[0]) for line in lines)
    # Folders above, locks and notes are nobody's items.
    assert 0.6 * total < listed <= total


def test_without_a_registry_there_is_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert site.do("ky", "storage", "ls", "--json").json["items"] == []
    assert site.do("ky", "storage", "clean", "--yes").out == "nothing to free\n"


# --- what goes, and what never does ----------------------------------------------------------


def test_the_cache_goes_and_comes_again(ran: Site) -> None:
    done = clean(ran, "--cache", "--yes", "--json")
    assert {item["kind"] for item in done.json["removed"]} == {"tree", "scratch"}
    assert done.json["freed"] == sum(item["size"] for item in done.json["removed"]) > 0
    assert not {"tree", "scratch"} & set(kept(ran))
    again = ran.do("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/flaky", expect=None)
    assert "artefact" not in again.text


def test_what_could_not_be_had_again_stays(ran: Site) -> None:
    ran.rules("ky", artefacts=[])
    done = clean(ran, "--cache", "--yes", "--json")
    assert {item["kind"] for item in done.json["removed"]} == {"scratch"}
    assert {item["reason"] for item in done.json["kept"]} == {
        "nothing says where it could be had again"
    }
    assert kept(ran)["tree"]


def test_only_registered_executions_go(ran: Site) -> None:
    before = home(ran).executions(REGISTRY)
    done = clean(ran, "--executions", "--yes", "--json")
    (removed,) = done.json["removed"]
    assert removed["name"].endswith("oak/good")
    (stays,) = done.json["kept"]
    assert "its result is new, not registered" in stays["reason"]
    assert len(list(before.iterdir())) == 1
    # What was removed is measured again, and what was kept is known.
    again = ran.do("ky", *RUN)
    assert "measured" in again.out
    assert "known" in again.out


def test_a_result_that_waits_or_is_asked_for_stays(ran: Site) -> None:
    ran.do("ky", *SUBMIT)
    assert "requested" in {item["state"] for item in kept(ran)["execution"]}
    done = clean(ran, "--executions", "--yes", "--json")
    assert [item["name"].endswith("oak/good") for item in done.json["removed"]] == [True]


def test_a_registry_that_can_t_be_read_keeps_everything(ran: Site) -> None:
    shutil.rmtree(home(ran).mirror(REGISTRY))
    done = clean(ran, "--executions", "--yes", "--json")
    assert done.json["removed"] == []
    assert {item["state"] for item in done.json["kept"]} == {"unknown"}


def test_a_dataset_goes_by_its_name_alone(ran: Site) -> None:
    folder = home(ran).dataset(REGISTRY, "ky/opt")
    clean(ran, "--leftovers", "--cache", "--executions", "--yes")
    assert folder.exists()
    refused = clean(ran, "--dataset", "opt", "--yes", expect=2)
    assert "opt was not prepared here" in refused.err
    asked = clean(ran, "--dataset", "ky/opt", expect=2)
    assert "nobody can be asked" in asked.err
    assert "ky/opt" in asked.err
    assert folder.exists()
    clean(ran, "--dataset", "ky/opt", "--yes")
    assert not folder.exists()
    assert ran.raw.exists()
    # Nothing but the dataset: what was measured on it is there.
    assert kept(ran)["execution"]


def test_nothing_goes_without_a_yes(ran: Site) -> None:
    before = kept(ran)
    done = clean(ran, "--cache", "--executions", expect=2)
    assert "tree" in done.err
    assert "next:  look at the preview above, then add --yes" in done.err
    assert kept(ran) == before


# --- leftovers -------------------------------------------------------------------------------


def old(path: Path, hours: float) -> Path:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))
    return path


@pytest.fixture
def killed(ran: Site) -> tuple[Site, list[Path]]:
    """What killed runs leave, in every place."""
    top = home(ran)
    dataset = top.dataset(REGISTRY, "ky/opt")
    execution = next(top.executions(REGISTRY).iterdir())
    left = [
        dataset / ".mpgit-abcd1234",
        execution / ".mpgit-abcd1234",
        execution / ".journal.json.abcd1234.part",
        execution / "logs" / ".infer.json.abcd1234.part",
        top.artefacts / "tmp" / "tmpabcd",
        old_part(top.config / ".registries.json.abcd1234.part"),
        old_part(top.keys / ".default.abcd1234.part"),
    ]
    for path in left:
        if path.suffix == ".part":
            path.write_text("half")
        else:
            (path / "deep").mkdir(parents=True)
            (path / "deep" / "results.yaml").write_text("half")
    for path in left[-2:]:
        old(path, 1)
    return ran, left


def old_part(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_leftovers_are_the_default(killed: tuple[Site, list[Path]]) -> None:
    site, left = killed
    listed = kept(site)["leftover"]
    assert {item["path"] for item in listed} == set(map(str, left))
    before = {path for path in home(site).top.rglob("*") if path.is_file()}  # type: ignore[union-attr]
    done = clean(site, "--yes", "--json")
    assert {item["path"] for item in done.json["removed"]} == set(map(str, left))
    after = {path for path in home(site).top.rglob("*") if path.is_file()}  # type: ignore[union-attr]
    gone = {path for path in before - after if path.name not in ("lock", "in-use")}
    assert all(any(path == one or one in path.parents for one in left) for path in gone)
    assert "leftover" not in kept(site)


def test_data_that_is_called_like_a_leftover_is_data(ran: Site) -> None:
    dataset = home(ran).dataset(REGISTRY, "ky/opt")
    tree = next((home(ran).artefacts / "trees").iterdir())
    tree.chmod(0o700)
    mine = [
        dataset / "data" / ".a.b1234567.part",
        dataset / "labels" / ".mpgit-x",
        tree / ".x.part",
    ]
    for path in mine:
        path.write_text("1")
        old(path, 100)
    clean(ran, "--yes")
    assert all(path.exists() for path in mine)


def test_what_was_just_begun_is_no_leftover(ran: Site) -> None:
    part = home(ran).config / ".site.yaml.abcd1234.part"
    part.write_text("half")
    mirror = home(ran).data / "registries" / "being-added" / "mirror.git"
    mirror.mkdir(parents=True)
    clean(ran, "--yes")
    assert part.exists()
    assert mirror.exists()
    for path in (mirror, mirror.parent):
        old(path, 48)
    clean(ran, "--yes")
    assert not mirror.parent.exists()
    assert home(ran).mirror(REGISTRY).exists()


def test_groups_and_containers_of_killed_runs_go(
    ran: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    # Groups and a label of the test's own: other tests' engines remove what is stale, too.
    parents = {n: at / f"test-{os.getpid()}" for n, at in find_parents().items()}
    groups = {parent / f"mpgit-{gone.pid}-abcd1234" for parent in set(parents.values())}
    for group in groups:
        group.parent.mkdir(exist_ok=True)
        group.mkdir()
    monkeypatch.setattr(cgroup, "find_parents", lambda: parents)
    label = f"org.mpgit.test-{os.getpid()}"
    monkeypatch.setattr(docker_options, "LABEL", label)
    name = f"mpgit-test-{os.getpid()}"
    stale = ":".join([*owner().split(":")[:2], str(gone.pid), "1"])
    create = ["docker", "create", "--name", name, "--label", f"{label}={stale}"]
    image = docker_engine.ensure_base_image()
    subprocess.run([*create, image, "true"], check=True, capture_output=True)
    try:
        found = kept(ran)
        assert {item["path"] for item in found["group"]} == set(map(str, groups))
        assert [item["name"] for item in found["container"]] == [name]
        clean(ran, "--yes")
        assert not [group for group in groups if group.exists()]
        listed = ["docker", "ps", "--all", "--quiet", "--filter", f"name={name}"]
        assert not subprocess.run(listed, capture_output=True, check=True).stdout
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        for parent in parents.values():
            for folder in (*parent.glob("mpgit-*"), parent):
                if folder.exists():
                    folder.rmdir()


# --- beside a process that works -------------------------------------------------------------


@pytest.fixture
def holder() -> Iterator[Any]:
    """Another process that holds locks."""
    started: list[subprocess.Popen[str]] = []

    def hold(path: Path, *, shared: bool = False) -> None:
        code = (
            "import sys, time; from pathlib import Path; from medperf_git.atomic import lock\n"
            f"with lock(Path(sys.argv[1]), shared={shared}): print(1, flush=True); time.sleep(60)"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        started.append(process)

    yield hold
    for process in started:
        process.kill()
        process.communicate()


def test_a_cache_that_is_used_stays(ran: Site, holder: Any) -> None:
    forget()
    holder(home(ran).artefacts / IN_USE, shared=True)
    (home(ran).artefacts / "tmp" / "being-fetched").mkdir(parents=True, exist_ok=True)
    assert {item["state"] for item in kept(ran)["tree"]} == {"in use"}
    done = clean(ran, "--cache", "--leftovers", "--yes", "--json")
    assert done.json["removed"] == []
    assert {item["reason"] for item in done.json["kept"]} == {"somebody works with it"}
    assert (home(ran).artefacts / "tmp" / "being-fetched").exists()


def test_a_run_s_own_lock_keeps_its_folder(killed: tuple[Site, list[Path]], holder: Any) -> None:
    site, left = killed
    execution = left[1].parent
    holder(execution / "lock")
    clean(site, "--yes")
    assert [path for path in left if path.exists()] == left[1:4]


def test_executions_and_datasets_in_use_stay(ran: Site, holder: Any) -> None:
    folder = home(ran).dataset(REGISTRY, "ky/opt")
    holder(folder / "in-use")
    assert clean(ran, "--executions", "--yes", "--json").json["removed"] == []
    refused = clean(ran, "--dataset", "ky/opt", "--yes", expect=1)
    assert "somebody works with it" in refused.err
    assert folder.exists()


def test_a_real_run_is_not_disturbed(ran: Site) -> None:
    process = ran.start("ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/slow")
    try:
        until(lambda: is_locked(home(ran).artefacts / IN_USE), process)
        done = clean(ran, "--cache", "--executions", "--leftovers", "--yes", "--json")
        assert done.json["removed"] == []
        assert ran.finish(process).code == 0
    finally:
        process.kill()
        process.communicate()
    assert clean(ran, "--cache", "--yes", "--json").json["removed"]


def test_what_begins_to_be_used_after_the_preview_stays(ran: Site, holder: Any) -> None:
    forget()
    choice = choose(home(ran), Wanted(cache=True, executions=True, datasets=("ky/opt",)))
    assert {item.kind for item in choice.items} == {"tree", "scratch", "execution", "dataset"}
    holder(home(ran).artefacts / IN_USE, shared=True)
    holder(home(ran).dataset(REGISTRY, "ky/opt") / "in-use")
    done = clean_items(home(ran), choice.items)
    assert not done.removed
    assert {reason for _, reason in done.kept} == {"somebody works with it"}


# --- links -----------------------------------------------------------------------------------


def test_a_link_out_is_never_followed(ran: Site) -> None:
    outside = ran.folder / "outside"
    shutil.copytree(home(ran).artefacts / "trees", outside / "trees")
    shutil.copytree(home(ran).executions(REGISTRY), outside / "executions")
    shutil.copytree(home(ran).scratch, outside / "scratch")
    before = usage(outside)
    for real, copy in (
        (home(ran).artefacts / "trees", "trees"),
        (home(ran).executions(REGISTRY), "executions"),
        (home(ran).scratch, "scratch"),
    ):
        erase(real)
        real.symlink_to(outside / copy)
    tmp = home(ran).artefacts / "tmp"
    tmp.mkdir(exist_ok=True)
    (tmp / "link").symlink_to(outside)
    (home(ran).dataset(REGISTRY, "ky/opt") / ".mpgit-abcd").symlink_to(outside)
    clean(ran, "--cache", "--executions", "--leftovers", "--yes")
    assert usage(outside) == before
    assert not (tmp / "link").is_symlink()


def test_a_dataset_that_is_a_link_is_refused(ran: Site) -> None:
    folder = home(ran).dataset(REGISTRY, "ky/opt")
    elsewhere = ran.folder / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    refused = clean(ran, "--dataset", "ky/opt", "--yes", expect=1)
    assert "a link leads out" in refused.err
    assert (elsewhere / "dataset.json").exists()


def test_a_home_on_another_disk_is_ours(ran: Site) -> None:
    moved = ran.folder / "big-disk"
    home(ran).cache.rename(moved)
    home(ran).cache.symlink_to(moved)
    done = clean(ran, "--cache", "--yes", "--json")
    assert {item["kind"] for item in done.json["removed"]} == {"tree", "scratch"}


def test_a_folder_of_any_depth_and_mode_is_erased(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(2000):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    (top / "locked").mkdir(mode=0)
    assert usage(top) > 0
    erase(top)
    assert not top.exists()


def test_names_can_t_move_the_cursor(ran: Site) -> None:
    evil = home(ran).artefacts / "tmp" / "a\n\x1b[2Jb"
    evil.mkdir(parents=True)
    done = ran.do("ky", "storage", "ls")
    assert "\x1b" not in done.out
    assert "\x1b" not in clean(ran, "--yes").text
    assert not evil.exists()


def test_a_held_lock_keeps_what_was_listed_as_free(ran: Site) -> None:
    with lock(home(ran).dataset(REGISTRY, "ky/opt") / "in-use"):
        states = {item["state"] for item in kept(ran)["dataset"]}
    assert states == {"in use"}
