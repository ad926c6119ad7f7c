from __future__ import annotations

import os
from pathlib import Path

import pytest

from medperf_git.errors import ExecutionError
from medperf_git.runtime import outputs
from tests.runtime.lab import Lab


@pytest.mark.parametrize(
    ("attack", "message", "place"),
    [
        ("link_output", "symbolic link", "link"),
        ("link_folder_output", "symbolic link", "a/link"),
        ("hard_link_output", "hard link", "one"),
        ("pipe_output", "pipe", "pipe"),
        ("set_uid_output", "set-uid", "suid"),
        ("odd_name_output", "name that can't be shown", "a\\x07\\x1b[2J"),
    ],
)
def test_hostile_outputs_are_refused_and_removed(
    lab: Lab, attack: str, message: str, place: str
) -> None:
    with pytest.raises(ExecutionError, match=message) as caught:
        lab.run(attack)
    assert caught.value.code == "hostile-output"
    assert caught.value.place == place
    assert not list(lab.output.iterdir())


def test_outputs_become_the_callers_own_and_private(lab: Lab) -> None:
    lab.run("locked_output")
    inner = lab.output / "a" / "b"
    assert inner.read_text() == "x"
    assert inner.stat().st_mode & 0o7777 == 0o600
    assert inner.parent.stat().st_mode & 0o7777 == 0o700
    assert inner.stat().st_uid == os.getuid()


def test_a_result_file_is_moved_out_alone(lab: Lab) -> None:
    results = lab.evaluate("write_result")
    assert results.read_text() == "auroc: 0.5\n"
    assert [path.name for path in results.parent.iterdir()] == ["results.yaml"]


def test_a_link_in_place_of_the_result_is_refused(lab: Lab) -> None:
    with pytest.raises(ExecutionError, match="symbolic link") as caught:
        lab.evaluate("link_for_result")
    assert caught.value.code == "hostile-output"
    assert not list((lab.folder / "results").iterdir())


def test_a_missing_result_is_said(lab: Lab) -> None:
    with pytest.raises(ExecutionError, match=r"without writing results\.yaml") as caught:
        lab.evaluate("no_result")
    assert caught.value.code == "no-output"


def test_a_full_output_folder_is_left_alone(lab: Lab) -> None:
    lab.output.mkdir()
    (lab.output / "mine").write_text("keep")
    with pytest.raises(ExecutionError, match="not an empty folder") as caught:
        lab.run("well_behaved")
    assert caught.value.code == "bad-job"
    assert (lab.output / "mine").read_text() == "keep"


def test_outputs_may_not_overlap_inputs(lab: Lab) -> None:
    inside = lab.folder / "data" / "output"
    with pytest.raises(ExecutionError, match="overlap"):
        lab.run("well_behaved", outputs={"output_path": inside})


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"inputs": {}}, "inputs: data_path missing"),
        ({"outputs": {}}, "outputs: output_path missing"),
        ({"task": "prepare"}, "no task prepare"),
        ({"inputs": {"data_path": Path("/nowhere")}}, "no directory at /nowhere"),
    ],
)
def test_a_job_must_fit_its_task(lab: Lab, fields: dict[str, object], message: str) -> None:
    with pytest.raises(ExecutionError, match=message) as caught:
        lab.run("well_behaved", **fields)  # type: ignore[arg-type]
    assert caught.value.code == "bad-job"


def test_walking_never_leaves_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("x")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    assert [entry.path for entry in outputs.walk(folder)] == ["link"]
    outputs.empty(folder)
    assert (outside / "secret").exists()
    assert not list(folder.iterdir())
