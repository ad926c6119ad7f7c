"""Drafts: each mistake is named with the file and the field, and nothing is signed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.site import (
    BENCHMARK,
    Site,
    benchmark_draft,
    metrics_draft,
    model_draft,
)

Change = Callable[[dict[str, Any]], object]


def put(path: str, value: Any) -> Change:
    def change(data: dict[str, Any]) -> None:
        *folders, last = path.split(".")
        node: Any = data
        for name in folders:
            node = node[int(name)] if isinstance(node, list) else node[name]
        node[last] = value

    return change


def drop(name: str) -> Change:
    return lambda data: data.pop(name)


MODELS: dict[str, tuple[Change, str, str]] = {
    "no id": (drop("id"), "id", "missing"),
    "a number as id": (put("id", 5), "id", "missing"),
    "an id with spaces": (put("id", "my model"), "id", "not the id"),
    "a reserved id": (put("id", "policy"), "id", "reserved"),
    "no name": (drop("name"), "name", "required"),
    "a list as name": (put("name", ["x"]), "name", "string"),
    "two lines": (put("name", "a\nb"), "name", "pattern"),
    "an unknown field": (put("licence", "MIT"), "licence", "not permitted"),
    "another kind": (put("kind", "dataset"), "kind", "a dataset, not a model"),
    "no image": (drop("image"), "image", "required"),
    "an unknown image": (put("image", {"type": "tarball"}), "image", "tarball"),
    "no such folder": (put("image.path", "nowhere"), "image.path", "no such file: nowhere"),
    "a path that is no text": (put("image.path", 5), "image.path", "must be text"),
    "a tag instead of a digest": (
        put("image", {"type": "reference", "reference": "hub.example.org/m:latest"}),
        "image.reference", "pattern",
    ),
    "no tasks": (drop("tasks"), "tasks", "required"),
    "a task too many": (
        put("tasks.evaluate", {"command": "x"}), "tasks", "evaluate",
    ),
    "a command that is no list": (put("tasks.infer.command", 5), "tasks.infer.command", "valid"),
    "labels for a model": (
        put("tasks.infer.input_volumes.labels_path",
            {"mount_path": "/mlcommons/volumes/labels", "type": "directory"}),
        "tasks", "labels_path",
    ),
    "a mount path that is relative": (
        put("tasks.infer.input_volumes.data_path.mount_path", "data"),
        "tasks.infer.input_volumes.data_path.mount_path", "pattern",
    ),
    "memory as text": (put("resources.memory_mb", "1 GB"), "resources.memory_mb", "integer"),
    "no such file": (put("additional_files", ["w.json"]), "additional_files.0", "no such file"),
    "a file that is a number": (put("additional_files", [5]), "additional_files.0", "a path"),
    "a config that is missing": (
        put("container_config", "c.yaml"), "container_config", "no such file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_a_mistake_in_a_model(site: Site, name: str) -> None:
    change, field, message = MODELS[name]
    data = copy.deepcopy(model_draft("m"))
    change(data)
    path = site.draft("m", data)
    before = site.refs()
    done = site.do("oak", "model", "submit", path, "--yes", "--json", expect=2)
    error = done.json["error"]
    assert error["place"].startswith(str(path))
    assert field in error["place"]
    assert message in error["message"]
    assert site.refs() == before
    assert not site.outbox("oak")


BENCHMARKS: dict[str, tuple[Change, str, str]] = {
    "no metrics": (put("metrics", []), "metrics", "at least 1"),
    "a primary metric that is none": (put("primary_metric", "auroc"), "primary_metric", "auroc"),
    "a range upside down": (put("metrics.0.minimum", 2.0), "metrics.0", "not below maximum"),
    "a direction": (put("metrics.0.direction", "up"), "metrics.0.direction", "'higher'"),
    "an mlcube that is not there": (
        put("data_preparation", "anna/none"), "", "the mlcube anna/none is not registered",
    ),
    "a committee of nobody": (
        put("committee", {"members": [], "threshold": 1}), "committee", "",
    ),
    "a threshold too high": (put("committee.threshold", 4), "committee", "threshold"),
    "a test that was filled in": (put("compatibility_test", {}), "compatibility_test", "remove it"),
    "no demo data": (put("demo_data", {"path": "none"}), "demo_data.path", "no such file"),
    "no minimum": (drop("minimum_cases"), "minimum_cases", "required"),
}  # fmt: skip


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_mistake_in_a_benchmark(site: Site, name: str) -> None:
    change, field, message = BENCHMARKS[name]
    data = {**benchmark_draft(), "id": "other"}
    change(data)
    path = site.draft("other", data)
    before = site.refs()
    done = site.do("anna", "benchmark", "submit", path, "--yes", "--json", expect=2)
    error = done.json["error"]
    assert field in error.get("place", "")
    assert message in error["message"] + error.get("advice", "")
    assert site.refs() == before
    # It is judged before a minute is spent on the compatibility test.
    assert "· prepare" not in done.err


TEXTS: dict[str, tuple[bytes, str]] = {
    "no YAML": (b"id: [", "not usable YAML"),
    "a list": (b"- id: m\n", "key: value"),
    "nothing": (b"", "key: value"),
    "not UTF-8": (b"id: \xff\n", "not UTF-8"),
    "a key twice": (b"id: m\nid: n\n", "stands twice"),
    "an alias": (b"id: &a m\nname: *a\n", "aliases are not allowed"),
    "a tag": (b"id: !!python/object:os.system x\n", "not allowed"),
    "too large": (b"id: " + b"x" * 1024 * 1024 + b"\n", "at most"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_draft(site: Site, name: str) -> None:
    payload, message = TEXTS[name]
    path = site.parts / "draft.yaml"
    path.write_bytes(payload)
    done = site.do("oak", "model", "submit", path, "--yes", expect=2)
    assert str(path) in done.err
    assert message in done.err


def test_a_draft_that_is_missing(site: Site) -> None:
    done = site.do("oak", "model", "submit", site.parts / "none.yaml", "--yes", expect=2)
    assert "can't be read" in done.err
    assert "create" in done.err


def test_sources_that_are_no_plain_files(site: Site) -> None:
    (site.parts / "model" / "link").symlink_to("/etc/passwd")
    done = site.do("oak", "model", "submit", site.draft("m", model_draft("m")), "--yes", expect=1)
    assert "symbolic link" in done.err
    assert "m.yaml, image" in done.err


def test_an_empty_folder_of_sources(site: Site) -> None:
    (site.parts / "empty").mkdir()
    data = {**model_draft("m"), "image": {"type": "source", "path": "empty"}}
    done = site.do("oak", "model", "submit", site.draft("m", data), "--yes", expect=2)
    assert "holds no files" in done.err


def test_nobody_submits_for_somebody_else(site: Site) -> None:
    data = {**model_draft("m"), "id": "anna/m"}
    before = site.refs()
    done = site.do("oak", "model", "submit", site.draft("m", data), "--yes", expect=1)
    assert "registry/models/anna/m/1" in done.err
    assert site.refs() == before


def test_nobody_is_asked_without_a_terminal(site: Site) -> None:
    before = site.refs()
    done = site.do("oak", "model", "submit", site.draft("m", model_draft("m")), expect=2)
    assert "registry/models/oak/m/1.yaml" in done.err
    assert "add --yes" in done.err
    assert site.refs() == before
    assert not site.outbox("oak")


def test_a_model_that_fails_on_the_demo_data_is_not_asked_for(site: Site) -> None:
    path = site.draft("bad", model_draft("bad", "fails"))
    site.do("oak", "model", "submit", path, "--yes", "--merge")
    before = site.refs()
    words = ("model", "associate", "bad", "-b", BENCHMARK, "--yes")
    done = site.do("oak", *words, expect=1)
    assert "CUDA is not what it was" in done.err
    assert "compatibility test" in done.err
    assert site.refs() == before
    assert not site.outbox("oak")


# --- trying drafts --------------------------------------------------------------------------


def test_drafts_and_records_are_tried_together(site: Site) -> None:
    model = site.draft("m", model_draft("m"))
    metrics = site.draft("metrics", metrics_draft())
    words = ("test", "-b", BENCHMARK, "-m", model, "--metrics", metrics, "--json")
    done = site.do("oak", *words)
    assert done.json["verdict"] == "passed"
    assert done.json["denominator"]["cases"] == 8
    benchmark = site.draft("fever", benchmark_draft())
    done = site.do("oak", "test", "-b", benchmark, "--demo", site.raw, "--json")
    assert done.json["denominator"]["cases"] == 40


TESTS: dict[str, tuple[tuple[str, ...], int, str]] = {
    "no benchmark": (("-b", "anna/none"), 2, "the benchmark anna/none is not registered"),
    "no model": (("-b", BENCHMARK, "-m", "oak/none"), 2, "the model oak/none is not registered"),
    "no draft": (("-b", BENCHMARK, "-m", "none.yaml"), 2, "can't be read"),
    "the wrong role": (("-b", BENCHMARK, "-p", "anna/fever-metrics"), 2, "is a metrics MLCube"),
    "a bad model": (("-b", BENCHMARK, "-m", "oak/nan"), 1, "nan is not a finite number"),
    "a hanging model": (("-b", BENCHMARK, "-m", "oak/hangs"), 1, "still running after 1 seconds"),
}


@pytest.mark.parametrize("name", TESTS)
def test_a_test_that_fails_says_why(site: Site, name: str) -> None:
    words, code, message = TESTS[name]
    done = site.do("oak", "test", *words, expect=code)
    assert message in done.err
    assert "next:" in done.err
