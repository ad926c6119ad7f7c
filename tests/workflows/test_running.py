"""Running, interrupting and resuming; what does not stand is not run."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from medperf_git.atomic import lock
from tests.support.patience import until
from tests.support.site import BENCHMARK, MPGIT, REGISTRY, ROOT, Site, model_draft, write_table

RUN = ("run", "-b", BENCHMARK, "-d", "opt")


def journals(site: Site) -> dict[str, Path]:
    return {p.parent.name: p for p in site.home("ky").executions(REGISTRY).glob("*/journal.json")}


def stages(path: Path) -> set[str]:
    return set(json.loads(path.read_text())["stages"])


def sandboxes(site: Site) -> dict[str, list[bytes]]:
    """Bubblewrap processes that mount something of this site, and their words."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"bwrap") and any(str(site.folder).encode() in w for w in words):
            found[path.parent.name] = words
    return found


def mounted_outputs(site: Site) -> set[bytes]:
    """The folders that running tasks of this site write to: one for each task."""
    return {
        words[at - 1]
        for words in sandboxes(site).values()
        for at, word in enumerate(words)
        if word == b"/mlcommons/volumes/predictions"
    }


def hanging(site: Site) -> bool:
    """Whether the first model is done and the second one runs."""
    done = [path for path in journals(site).values() if stages(path) == {"infer", "evaluate"}]
    return bool(done) and bool(sandboxes(site))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_goes_on_where_it_was(site: Site, number: signal.Signals) -> None:
    models = ("-m", "anna/rule", "-m", "oak/slow")
    process = site.start("ky", *RUN, *models)
    try:
        until(lambda: hanging(site), process)
        process.send_signal(number)
        done = site.finish(process)
    finally:
        process.kill()
    if number != signal.SIGKILL:
        assert done.code == 130
        assert "Traceback" not in done.err
        assert f"stopped by {number.name}" in done.err
    until(lambda: not sandboxes(site))
    rule = next(path for path in journals(site).values() if stages(path) == {"infer", "evaluate"})
    before = rule.read_bytes()
    again = site.do("ky", *RUN, *models)
    states = {line.split()[0]: line.split()[1] for line in again.out.splitlines()[2:]}
    assert states == {"anna/rule": "known", "oak/slow": "measured"}
    assert rule.read_bytes() == before
    assert not site.unfinished("ky")
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    assert len(site.do("ky", "result", "ls", "--json").json) == 2


def test_a_stopped_preparation_goes_on(site: Site) -> None:
    prepare = ("dataset", "prepare", "late", "-b", BENCHMARK, "--data", site.raw)
    process = site.start("ky", *prepare)
    try:
        until(lambda: sandboxes(site), process)
        process.send_signal(signal.SIGINT)
        done = site.finish(process)
    finally:
        process.kill()
    assert done.code == 130
    refused = site.do("ky", "dataset", "submit", "late", "--yes", expect=2)
    assert "ky/late was not prepared here" in refused.err
    assert site.do("ky", *prepare, "--json").json["cases"] == 40


def test_a_second_process_on_one_dataset_is_told(site: Site) -> None:
    process = site.start("ky", *RUN, "-m", "oak/slow")
    try:
        until(lambda: sandboxes(site), process)
        words = (
            RUN,
            ("dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw),
        )
        for command in words:
            second = site.do("ky", *command, expect=1)
            assert f"process {process.pid} is working in" in second.err
            assert "next:  wait for it to finish" in second.err
        assert site.finish(process).code == 0
    finally:
        process.kill()


def test_another_dataset_is_not_locked(site: Site) -> None:
    folder = site.home("ky").dataset(REGISTRY, "ky/opt")
    with lock(folder / "in-use"):
        write_table(site.folder / "more", 30)
        site.do("ky", "dataset", "prepare", "more", "-b", BENCHMARK, "--data", site.folder / "more")


# --- what changed on this disk --------------------------------------------------------------


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda folder: (folder / "data.csv").write_text("case,age\nc0,99\n"),
    "renamed": lambda folder: (folder / "data.csv").rename(folder / "cases.csv"),
    "gone": lambda folder: (folder / "data.csv").unlink(),
    "one-more": lambda folder: (folder / "more.csv").write_text("case\n"),
    "folder-gone": shutil.rmtree,
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_dataset_that_changed_is_not_used(site: Site, name: str) -> None:
    CHANGES[name](site.home("ky").dataset(REGISTRY, "ky/opt") / "data")
    before = site.main()
    commands = (
        RUN,
        ("dataset", "check", "opt"),
        ("dataset", "submit", "opt", "--yes"),
        ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes"),
    )
    for words in commands:
        done = site.do("ky", *words, expect=1)
        assert "ky/opt" in done.err
        assert "/data" in done.err
        assert "next:" in done.err
    assert site.main() == before
    assert not site.outbox("ky")
    assert not journals(site)


def test_labels_are_watched_too(site: Site) -> None:
    folder = site.home("ky").dataset(REGISTRY, "ky/opt")
    (folder / "labels" / "labels.csv").write_text("case,fever\nc0,1\n")
    done = site.do("ky", "dataset", "check", "opt", "--json", expect=1)
    assert done.json["error"]["code"] == "dataset-changed"
    assert done.json["error"]["place"] == str(folder / "labels")


def test_a_link_in_a_dataset_is_refused(site: Site) -> None:
    folder = site.home("ky").dataset(REGISTRY, "ky/opt")
    (folder / "data" / "link").symlink_to("/etc/passwd")
    done = site.do("ky", *RUN, expect=1)
    assert "symbolic link" in done.err


def test_preparing_again_mends_what_was_changed(site: Site) -> None:
    data = site.home("ky").dataset(REGISTRY, "ky/opt") / "data" / "data.csv"
    wanted = data.read_bytes()
    data.write_text("case,age\nc0,99\n")
    site.do("ky", "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw)
    assert data.read_bytes() == wanted
    site.do("ky", "dataset", "check", "opt")


def test_preparing_again_does_not_run_what_is_finished(site: Site) -> None:
    journal = site.home("ky").dataset(REGISTRY, "ky/opt") / "journal.json"
    before = journal.read_bytes()
    done = site.do("ky", "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw)
    assert journal.read_bytes() == before
    assert "· sanity_check" not in done.err


def test_edited_results_are_measured_again(site: Site) -> None:
    site.do("ky", *RUN, "-m", "oak/good")
    results = next(site.home("ky").executions(REGISTRY).glob("*/results.yaml"))
    results.chmod(0o600)
    results.write_text(results.read_text().replace('"value": 0.5', '"value": 0.74'))
    done = site.do("ky", *RUN, "-m", "oak/good", "--json")
    assert done.json[0]["metrics"][0]["value"] == 0.5


def test_other_raw_data_is_prepared_anew_and_not_run_as_the_old(site: Site) -> None:
    write_table(site.raw, 40, older=3)
    site.do("ky", "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw)
    done = site.do("ky", *RUN, expect=1)
    assert "changed since it was registered" in done.err
    assert "submit the next revision" in done.err
    site.do("ky", "dataset", "submit", "opt", "--yes", "--merge")
    done = site.do("ky", *RUN, expect=2)
    assert "the dataset ky/opt changed since it was associated with anna/fever" in done.err
    assert "mpgit dataset associate ky/opt -b anna/fever" in done.err


# --- what does not stand --------------------------------------------------------------------


def test_a_model_that_is_not_associated(site: Site) -> None:
    site.submit("oak", "lonely")
    site.do("ky", "registry", "sync")
    done = site.do("ky", *RUN, "-m", "oak/lonely", expect=2)
    assert "the model oak/lonely is not associated with anna/fever" in done.err
    assert "next:  mpgit model associate oak/lonely -b anna/fever" in done.err


def test_a_model_whose_association_was_withdrawn(site: Site) -> None:
    record = f"model-association/{BENCHMARK}/oak/good"
    site.do("oak", "withdraw", record, "--reason", "A bug.", "--yes", "--merge")
    site.do("ky", "registry", "sync")
    done = site.do("ky", *RUN, "-m", "oak/good", expect=2)
    assert "no longer associated (withdrawn)" in done.err


def test_a_withdrawn_model_is_left_out(site: Site) -> None:
    site.do("oak", "withdraw", "model/oak/good", "--reason", "A bug.", "--yes", "--merge")
    site.do("ky", "registry", "sync")
    done = site.do("ky", *RUN, "-m", "oak/good", expect=2)
    assert "the model oak/good" in done.err
    rest = site.do("ky", *RUN, "-m", "anna/rule")
    assert "anna/rule" in rest.out
    refused = site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes", expect=2)
    assert "the model oak/good was withdrawn" in refused.err


def test_a_superseded_model_needs_a_new_association(site: Site) -> None:
    draft = site.draft("good", {**model_draft("good"), "name": "Better"})
    site.do("oak", "model", "submit", draft, "--yes", "--merge")
    site.do("ky", "registry", "sync")
    done = site.do("ky", *RUN, "-m", "oak/good", expect=2)
    assert "the model oak/good changed since it was associated with anna/fever" in done.err
    site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes", "--merge")
    site.do("ky", "registry", "sync")
    assert site.do("ky", *RUN, "-m", "oak/good", "--json").json[0]["state"] == "finished"


def test_a_withdrawn_dataset(site: Site) -> None:
    site.do("ky", "withdraw", "dataset/ky/opt", "--reason", "Consent.", "--yes", "--merge")
    done = site.do("ky", *RUN, expect=2)
    assert "the dataset ky/opt was withdrawn" in done.err
    done = site.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes", expect=2)
    assert "the dataset ky/opt was withdrawn" in done.err


def test_a_withdrawn_benchmark(site: Site) -> None:
    site.do("anna", "withdraw", f"benchmark/{BENCHMARK}", "--reason", "Wrong.", "--yes", "--merge")
    site.do("ky", "registry", "sync")
    commands = (
        RUN,
        ("dataset", "prepare", "new", "-b", BENCHMARK, "--data", site.raw),
        ("dataset", "associate", "opt", "-b", BENCHMARK, "--yes"),
        ("leaderboard", BENCHMARK),
    )
    for words in commands:
        done = site.do("ky", *words, expect=2)
        assert BENCHMARK in done.err
        assert "next:" in done.err


def test_results_measured_before_a_withdrawal_are_refused_with_the_reason(site: Site) -> None:
    site.do("ky", *RUN, "-m", "oak/good")
    record = f"model-association/{BENCHMARK}/oak/good"
    site.do("oak", "withdraw", record, "--reason", "A bug.", "--yes", "--merge")
    before = site.main()
    words = ("result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    done = site.do("ky", *words, expect=1)
    assert "model_association" in done.err
    assert "withdrawn" in done.err
    assert site.main() == before
    # The measurement itself is kept; nothing that can never be sent waits.
    assert [x["state"] for x in site.do("ky", "result", "ls", "--local", "--json").json] == ["new"]
    assert not site.outbox("ky")


def test_results_follow_an_association_that_was_granted_anew(site: Site) -> None:
    site.do("ky", *RUN, "-m", "oak/good")
    record = f"model-association/{BENCHMARK}/oak/good"
    site.do("oak", "withdraw", record, "--reason", "A bug.", "--yes", "--merge")
    site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes", "--merge")
    site.do("ky", "registry", "sync")
    again = site.do("ky", *RUN, "-m", "oak/good")
    assert "known" in again.out
    site.do("ky", "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")
    rows = site.do("ky", "result", "ls", "--json").json
    assert [row["record"]["model_association"]["revision"] for row in rows] == [2]


def test_a_closed_benchmark(site: Site) -> None:
    site.do("anna", "benchmark", "policy", BENCHMARK, "--closed", "--yes")
    site.approve("anna/policy-fever-2", "ben")
    site.do("ky", "registry", "sync")
    done = site.do("ky", *RUN, expect=2)
    assert "the benchmark anna/fever is closed" in done.err


def test_somebody_elses_dataset(site: Site) -> None:
    prepare = ("dataset", "prepare", "ky/theirs", "-b", BENCHMARK, "--data", site.raw)
    done = site.do("eve", *prepare, expect=2)
    assert "another participant; you are eve" in done.err
    shutil.copytree(
        site.home("ky").dataset(REGISTRY, "ky/opt"), site.home("eve").dataset(REGISTRY, "ky/opt")
    )
    done = site.do("eve", "dataset", "submit", "ky/opt", "--yes", expect=1)
    assert "eve" in done.err
    site.do("eve", *RUN[:-1], "ky/opt", "-m", "anna/rule")
    words = ("result", "submit", "-b", BENCHMARK, "-d", "ky/opt", "--yes")
    done = site.do("eve", *words, expect=2)
    assert "ky/opt belongs to ky, you are eve" in done.err
    assert not [name for name in site.refs() if "eve/" in name]


@pytest.mark.parametrize("name", ["Opt Data", "../opt", "ky/../opt", "a/b/c", "", "ky/policy"])
def test_a_bad_dataset_name_costs_no_preparation(site: Site, name: str) -> None:
    words = ("dataset", "prepare", name, "-b", BENCHMARK, "--data", site.raw)
    done = site.do("ky", *words, expect=2)
    assert "is no name for a dataset" in done.err
    assert "· prepare" not in done.err


# --- engines and images ---------------------------------------------------------------------


def test_no_engine(site: Site) -> None:
    empty = site.folder / "bin"
    empty.mkdir()
    for program in ("git", "ssh-keygen"):
        (empty / program).symlink_to(str(shutil.which(program)))
    site.environment = {"PATH": str(empty), "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    done = site.do("ky", "dataset", "prepare", "x", "-b", BENCHMARK, "--data", site.raw, expect=1)
    assert "bubblewrap (bwrap) is not installed" in done.err
    assert "apt-get install bubblewrap" in done.err
    done = site.do("ky", *RUN, "-m", "oak/good", expect=1)
    assert "engine-missing" in done.out
    assert "install it" in done.err
    done = site.do("ky", *RUN, "-m", "oak/good", "--engine", "docker", expect=1)
    assert "failed" in done.out


def test_an_image_that_is_not_what_was_registered(site: Site) -> None:
    shutil.rmtree(site.home("ky").cache)
    source = site.parts / "model" / "main.py"
    source.write_text(source.read_text().replace("import csv", "import sys"))
    done = site.do("ky", *RUN, "-m", "oak/good", "--json", expect=1)
    error = done.json[0]["error"]
    assert error["code"] == "artefact-digest"
    assert error["place"] == str(site.parts / "model")
    assert "ask its owner" in error["advice"]


def test_an_image_that_is_nowhere(site: Site) -> None:
    shutil.rmtree(site.home("ky").cache)
    shutil.rmtree(site.parts / "model")
    done = site.do("ky", *RUN, "-m", "oak/good", "--json", expect=1)
    assert done.json[0]["error"]["code"] == "artefact-missing"
    assert "--artefacts DIR" in done.json[0]["error"]["advice"]


def test_a_verified_image_needs_its_folder_no_more(site: Site) -> None:
    site.do("ky", *RUN, "-m", "anna/rule")
    shutil.rmtree(site.parts / "model")
    site.do("ky", *RUN, "-m", "oak/good")


def test_a_run_measures_in_the_committees_order(site: Site) -> None:
    words = ("--priority", "oak/slow", "--priority", "oak/good", "--yes")
    site.do("anna", "benchmark", "policy", BENCHMARK, *words)
    site.approve("anna/policy-fever-2", "ben")
    site.do("ky", "registry", "sync")
    chosen = ("-m", "anna/rule", "-m", "oak/good", "-m", "oak/slow")
    done = site.do("ky", *RUN, *chosen, "--json")
    assert [x["model"] for x in done.json] == ["oak/slow", "oak/good", "anna/rule"]


def test_a_full_disk_while_running(site: Site) -> None:
    """A small file system of its own, as root or in a user's namespace, holds the home."""
    small = site.folder / "small"
    small.mkdir()
    script = (
        f'mount -t tmpfs -o size=24m none "{small}" && cp -r "$MPGIT_HOME/." "{small}/" && '
        f'MPGIT_HOME="{small}" "$@"; code=$?; '
        f'find "{small}" -name "*.part" -size +0; exit $code'
    )
    words = ["unshare", "--mount", "--map-root-user", "bash", "-c", script, "x"]
    process = subprocess.Popen(
        [*words, *MPGIT, *RUN, *("-m", "oak/good", "-m", "oak/huge", "--json")],
        cwd=site.folder,
        env={**os.environ, **site.settings("ky"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    done = site.finish(process)
    assert done.code == 1, done.text
    assert "Traceback" not in done.err
    assert {x.get("error", {}).get("code") for x in done.json} == {"disk-full"}
    assert all("free space" in x["error"]["advice"] for x in done.json)
