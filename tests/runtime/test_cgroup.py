from __future__ import annotations

import os
from pathlib import Path

import pytest

from medperf_git.runtime import cgroup
from medperf_git.runtime.cgroup import Cgroup, find_parents
from tests.runtime.lab import SMALL


def test_version_1_is_found_as_mounted_here() -> None:
    parents = find_parents()
    assert {"memory", "pids"} <= set(parents)
    with Cgroup.create(SMALL) as group:
        assert {"memory", "pids"} <= group.enforces
        folder = group._folders["pids"]
        assert folder.is_dir()
        assert not group.out_of_memory()
    assert not folder.exists()


def delegated(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A systemd session of version 2, as files."""
    top = tmp_path / "cgroup"
    service = top / "user.slice" / "user-1000.slice" / "user@1000.service"
    (service / "app.slice" / "shell.scope").mkdir(parents=True)
    for folder in (service, *service.parents[:3], service / "app.slice"):
        (folder / "cgroup.subtree_control").write_text("cpu memory pids\n")
        (folder / "cgroup.procs").write_text("")
    mountinfo = tmp_path / "mountinfo"
    mountinfo.write_text(f"30 1 0:26 / {top} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n")
    membership = tmp_path / "membership"
    path = (service / "app.slice" / "shell.scope").relative_to(top)
    membership.write_text(f"0::/{path}\n")
    return mountinfo, membership, service / "app.slice"


def test_version_2_is_divided_where_it_was_delegated(tmp_path: Path) -> None:
    mountinfo, membership, parent = delegated(tmp_path)
    assert find_parents(mountinfo, membership) == dict.fromkeys(("memory", "pids", "cpu"), parent)


def test_nothing_is_found_where_nothing_was_delegated(tmp_path: Path) -> None:
    mountinfo, membership, parent = delegated(tmp_path)
    for folder in (parent, *parent.parents):
        if (folder / "cgroup.subtree_control").exists():
            (folder / "cgroup.subtree_control").write_text("cpu\n")
    assert find_parents(mountinfo, membership) == {}
    assert find_parents(tmp_path / "gone", tmp_path / "gone") == {}


def test_version_2_gets_its_own_words(tmp_path: Path) -> None:
    # What a kernel would make of itself with the folder, made by hand.
    folder = tmp_path / "mpgit-x"
    folder.mkdir()
    (folder / "cgroup.controllers").write_text("memory pids cpu")
    for controller in ("memory", "pids", "cpu"):
        cgroup._configure(folder, controller, SMALL)
    assert (folder / "memory.max").read_text() == str(256 * 1024 * 1024)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "27"
    assert (folder / "cpu.max").read_text() == "100000 100000"
    (folder / "memory.events").write_text("low 0\noom 1\noom_kill 1\n")
    assert Cgroup({"memory": folder}).out_of_memory()


def test_groups_of_dead_clients_are_removed(tmp_path: Path) -> None:
    stale = tmp_path / "mpgit-4194999-abcd"
    ours = tmp_path / f"mpgit-{os.getpid()}-abcd"
    stale.mkdir()
    ours.mkdir()
    Cgroup.create(SMALL, {"pids": tmp_path})
    assert not stale.exists()
    assert ours.exists()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"cgroup.controllers": "memory", "memory.current": "1000",
             "memory.stat": "anon 300\nactive_file 200\ninactive_file 50\ntotal_active_file 9\n"},
            750,
        ),
        (
            {"memory.usage_in_bytes": "1000",
             "memory.stat": "active_file 9\ntotal_active_file 400\ntotal_inactive_file 100\n"},
            500,
        ),
        ({"memory.usage_in_bytes": "broken"}, 0),
        ({}, 0),
    ],
)  # fmt: skip
def test_cached_files_are_no_memory_that_runs_out(
    tmp_path: Path, files: dict[str, str], expected: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert Cgroup({"memory": tmp_path}).unreclaimable() == expected
    assert Cgroup({}).unreclaimable() == 0
