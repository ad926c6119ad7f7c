"""The support bundle: secrets are planted everywhere, and none of them is in it."""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from medperf_git.store.home import Home
from medperf_git.workflows.bundle_secrets import Secrets
from tests.support.site import BENCHMARK, REGISTRY, Site, environment

SECRETS = {
    name: f"{name}-SECRET-4711"
    for name in (
        "data", "labels", "predictions", "results", "statistics", "description", "parameters",
        "metadata", "report", "local-outputs", "file-name", "folder-name", "raw", "image-variable",
        "token", "query", "environment", "passphrase", "outbox", "cache", "scratch", "stdout",
        "stderr", "journal", "facts", "execution", "site", "linked", "stranger",
    )
}  # fmt: skip
LOGGED = ("stdout", "stderr")


@pytest.fixture
def planted(site: Site) -> Site:
    """A site whose every corner holds a secret."""
    site.do(
        "ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "oak/fails", expect=1
    )
    home = site.home("ky")
    dataset = home.dataset(REGISTRY, "ky/opt")
    for folder, name in ((dataset / "data", "data"), (dataset / "labels", "labels"),
                         (dataset / "metadata", "metadata")):  # fmt: skip
        plant(folder / f"{SECRETS['file-name']}.csv", name)
        plant(folder / SECRETS["folder-name"] / "x.csv", name)
    plant(dataset / "statistics.yaml", "statistics")
    plant(dataset / "report.yaml", "report")
    facts = json.loads((dataset / "dataset.json").read_text())
    facts |= {"description": SECRETS["description"], "raw": [f"/srv/{SECRETS['raw']}"]}
    facts["statistics"] = {SECRETS["statistics"]: 4711}
    (dataset / "dataset.json").write_text(json.dumps(facts))
    for execution in home.executions(REGISTRY).iterdir():
        plant(execution / "predictions" / "predictions.csv", "predictions")
        plant(execution / "results.yaml", "results")
        plant(execution / "local_outputs" / "per-case.csv", "local-outputs")
        plant(execution / "infer-materials" / "parameters_file.yaml", "parameters")
        plant(execution / "logs" / "infer.stdout", "stdout")
        plant(execution / "logs" / "infer.stderr", "stderr")
        plant(execution / "logs" / f"{SECRETS['stranger']}\n\x1b[2J.txt", "stranger")
        tamper(execution / "logs" / "infer.json", "facts")
        tamper(execution / "journal.json", "journal")
        if (execution / "execution.json").exists():
            tamper(execution / "execution.json", "execution")
        linked = execution / "logs" / "evaluate.json"
        linked.unlink(missing_ok=True)
        linked.symlink_to(plant(site.folder / "linked.json", "linked", as_json=True))
    plant(home.outbox(REGISTRY) / "x.txt", "outbox")
    plant(home.artefacts / "files" / ("ab" * 32), "cache")
    plant(home.scratch / "test-0123456789abcdef" / "dataset" / "data" / "x.csv", "scratch")
    plant(home.scratch / SECRETS["scratch"] / "dataset" / "logs" / "infer.stdout", "scratch")
    rules = yaml.safe_load(home.site_file.read_text())
    rules["artefacts"] += [f"/srv/{SECRETS['site']}"]
    home.site_file.write_text(yaml.safe_dump(rules))
    registries = home.config / "registries.json"
    address = f"https://ky:{SECRETS['token']}@127.0.0.1:9/r.git?access={SECRETS['query']}"
    registries.write_text(registries.read_text().replace(str(site.host), address))
    return site


def plant(path: Path, name: str, *, as_json: bool = False) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"task": SECRETS[name]}) if as_json else f"{SECRETS[name]}\n")
    return path


def tamper(path: Path, name: str) -> None:
    """A file of ours with fields that are not ours, and wrong things in those that are."""
    data = json.loads(path.read_text()) if path.exists() else {}
    data |= {"extra": SECRETS[name], "note": [SECRETS[name]]}
    if name == "facts":
        data["environment"] |= {"API": SECRETS["image-variable"], f"{SECRETS[name]} x\n": "1"}
        data |= dict.fromkeys(("outcome", "container", "began", "user"), SECRETS[name])
        data["limits"]["memory_mb"] = SECRETS[name]
        data["image"]["type"] = data["engine"]["text"] = SECRETS[name]
    if name == "journal":
        stages: dict[str, Any] = {SECRETS[name]: {"outcome": SECRETS[name]}}
        stages["infer"] = {"outcome": {"step": {"task": SECRETS[name]}}}
        data["stages"] = stages
    if name == "execution":
        data["metrics"][0]["id"] = SECRETS[name]
        data["dataset"] = {**data["dataset"], "id": f"x\n{SECRETS[name]}"}
    path.write_text(json.dumps(data))


def opened(path: Path) -> dict[str, str]:
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        assert all(member.isfile() and member.mode == 0o600 for member in members)
        assert {(member.uid, member.uname) for member in members} == {(0, "")}
        found = {}
        for member in members:
            stream = tar.extractfile(member)
            assert stream is not None
            found[member.name] = stream.read().decode()
        return found


def leaked(bundle: dict[str, str]) -> set[str]:
    everything = "\n".join([*bundle, *bundle.values()])
    assert "PRIVATE KEY" not in everything
    return {name for name, secret in SECRETS.items() if secret in everything}


SETTINGS = {
    "MPGIT_PASSPHRASE": SECRETS["passphrase"],
    "GITHUB_TOKEN": SECRETS["environment"],
    "REGISTRY_PASSWORD": 'quo"ted\nand-new-line',
}


def test_no_secret_is_in_it(planted: Site) -> None:
    target = planted.folder / "support.tar.gz"
    with environment(SETTINGS):
        done = planted.do("ky", "support-bundle", target, "--json")
    bundle = opened(target)
    assert leaked(bundle) == set()
    assert leaked({"screen": done.text}) <= {"stranger"}  # told by its name that it stays out
    assert "\x1b" not in done.text
    assert not [name for name in bundle if name.endswith((".stdout", ".stderr"))]
    key = planted.home("ky").key("default").read_text().splitlines()
    assert not [line for line in key[1:-1] if line in "".join(bundle.values())]
    # No row of the real data either.
    assert not re.search(r"c\d+,2\d", "".join(bundle.values()))
    assert str(planted.folder) not in "".join(bundle.values())
    assert target.stat().st_mode & 0o777 == 0o600


def test_what_helps_is_in_it(site: Site) -> None:
    site.do(
        "ky", "run", "-b", BENCHMARK, "-d", "opt", "-m", "oak/good", "-m", "oak/fails", expect=1
    )
    target = site.folder / "support.tar.gz"
    done = site.do("ky", "support-bundle", target, "--json")
    bundle = {name.removeprefix("mpgit-support/"): text for name, text in opened(target).items()}
    assert done.json["entries"] == list(bundle)
    assert json.loads(bundle["versions.json"])["packages"]["click"]
    assert {"sandbox, network", f"registry {REGISTRY}"} <= {
        each["topic"] for each in json.loads(bundle["doctor.json"])
    }
    assert json.loads(bundle["registries.json"])[0]["checked"] == site.main()
    assert {"dataset", "execution"} <= {item["kind"] for item in json.loads(bundle["storage.json"])}
    runs = {name: json.loads(text) for name, text in bundle.items() if name.endswith("run.json")}
    (good,) = [run for run in runs.values() if "model" in run]
    assert good["model"]["id"] == "oak/good"
    assert [stage["step"]["task"] for stage in good["finished"]] == ["infer", "evaluate"]
    assert good["finished"][0]["step"]["isolation"]["network"] == "none"
    tasks = [json.loads(text) for name, text in bundle.items() if name.endswith("infer.json")]
    (failed,) = [task for task in tasks if task["outcome"] == "task-failed"]
    assert failed["exit_code"] == 1
    assert failed["command"] == ["python3", "/project/main.py"]
    assert failed["environment"]["HOME"] == "/tmp"  # noqa: S108 (the task's)
    assert failed["environment"]["PATH"] == "…"
    assert failed["limits"]["memory_mb"] == 128
    prepared = [name for name in runs if name.startswith(f"datasets/{REGISTRY}/ky/opt")]
    assert len(runs[prepared[0]]["finished"]) == 3


def test_logs_enter_after_a_yes_alone(planted: Site) -> None:
    target = planted.folder / "support.tar.gz"
    with environment(SETTINGS):
        refused = planted.do("ky", "support-bundle", target, "--with-logs", expect=2)
        assert "nobody can be asked" in refused.err
        # What would enter was shown before the question.
        assert SECRETS["stdout"] in refused.err
        assert "infer.stderr, its last lines" in refused.err
        assert not target.exists()
        planted.do("ky", "support-bundle", target, "--with-logs", "--yes")
    assert leaked(opened(target)) == set(LOGGED)


def test_a_log_s_own_secrets_are_blotted_out(planted: Site) -> None:
    execution = next(planted.home("ky").executions(REGISTRY).iterdir())
    log = execution / "logs" / "infer.stdout"
    key = planted.home("ky").key("default").read_text()
    log.write_text(f"{SECRETS['passphrase']}\n{key}\nhttps://a:{SECRETS['token']}@host/\n\x1b[2J")
    target = planted.folder / "support.tar.gz"
    with environment(SETTINGS):
        done = planted.do("ky", "support-bundle", target, "--with-logs", "--yes")
    assert leaked(opened(target)) <= {"stdout", "stderr"}
    assert "\x1b" not in done.text


def test_odd_names_stay_out_and_are_shown_harmlessly(planted: Site) -> None:
    done = planted.do("ky", "support-bundle", planted.folder / "s.tar.gz")
    assert "stays out:" in done.err
    assert SECRETS["stranger"] in done.err
    assert "\x1b" not in done.err
    for line in done.err.splitlines():
        assert not line.startswith(".txt")


def test_an_existing_file_is_never_overwritten(site: Site) -> None:
    target = site.folder / "support.tar.gz"
    target.write_text("mine")
    done = site.do("ky", "support-bundle", target, expect=2)
    assert "there is such a file already" in done.err
    assert target.read_text() == "mine"
    target.unlink()
    target.symlink_to(site.folder / "elsewhere")
    site.do("ky", "support-bundle", target, expect=2)
    assert not (site.folder / "elsewhere").exists()


def test_a_pipe_or_device_in_place_of_a_log_is_not_read(planted: Site) -> None:
    for execution in planted.home("ky").executions(REGISTRY).iterdir():
        for name in ("infer.stdout", "infer.json"):
            (execution / "logs" / name).unlink(missing_ok=True)
            os.mkfifo(execution / "logs" / name)
    planted.do("ky", "support-bundle", planted.folder / "s.tar.gz", "--with-logs", "--yes")


def test_it_needs_no_registry(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.do("ky", "support-bundle", tmp_path / "support.tar.gz")
    assert "mpgit-support/doctor.json" in opened(tmp_path / "support.tar.gz")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://ky:hunter2@host/r.git", "https://…@host/r.git"),
        ("https://token@host/r.git?a=b&c=d#x", "https://…@host/r.git?…&…#x"),
        ("ssh://git@host/r.git", "ssh://…@host/r.git"),
        ("git@host:r.git", "git@host:r.git"),
        ("https://host/r.git", "https://host/r.git"),
    ],
)
def test_addresses_are_blotted_out(text: str, shown: str) -> None:
    assert Secrets.of(Home(Path("/nowhere"))).hide(text) == shown
