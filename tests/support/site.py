"""A registry that is ready to run, with everybody's home: real keys, real Git, real sandbox.

Built once by the commands that people type, then copied for each test: a copy is a folder with
the bare repository of the host and one ``MPGIT_HOME`` a participant. Nothing is mocked. The
people: ana administers; anna, ben and chloe are the committee (two of three); oak owns models,
ky a hospital's dataset; eve takes part, but has no say in anything.

Example::

    site = copy_site(build_site(folder / "first"), folder / "second")
    site.do("ky", "run", "-b", BENCHMARK, "-d", "opt").code     # 0
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from medperf_git.cli.main import invoke
from medperf_git.records.base import Pin
from medperf_git.records.benchmark import Benchmark
from medperf_git.records.codec import build
from medperf_git.records.execution import CompatibilityTest
from medperf_git.store.home import Home
from medperf_git.store.snapshot import Snapshot
from medperf_git.trust.keyring import Signer, signer
from medperf_git.vcs import Repository
from medperf_git.workflows.drafts import complete, read_draft, record_from
from medperf_git.workflows.propose import Proposal, pin_of, place_of, propose, send
from medperf_git.workflows.requests import merge
from medperf_git.workflows.session import Session

ROOT: Final = Path(__file__).resolve().parents[2]
REGISTRY: Final = "clinic"
BENCHMARK: Final = "anna/fever"
ADMINISTRATOR: Final = "ana"
COMMITTEE: Final = ("anna", "ben", "chloe")
PEOPLE: Final = (*COMMITTEE, "oak", "ky", "eve")
MPGIT: Final = (sys.executable, "-m", "medperf_git")

CASES: Final = 40
DEMO_CASES: Final = 8
MINIMUM: Final = 20
GOOD: Final = {"value": 0.75, "low": 0.5, "high": 0.9, "n": CASES}
COUNTS: Final = {"total": CASES, "evaluated": CASES, "failed": 0, "excluded": 0}

BAD_RESULTS: Final[dict[str, str]] = {
    "nan": json.dumps({"accuracy": {**GOOD, "value": "VALUE"}, "cases": COUNTS}).replace(
        '"VALUE"', ".nan"
    ),
    "infinity": json.dumps({"accuracy": {**GOOD, "high": "VALUE"}, "cases": COUNTS}).replace(
        '"VALUE"', ".inf"
    ),
    "text": json.dumps({"accuracy": {**GOOD, "value": "0.75"}, "cases": COUNTS}),
    "list": json.dumps({"accuracy": [0.75, 0.5, 0.9], "cases": COUNTS}),
    "list-on-top": json.dumps([{"accuracy": GOOD, "cases": COUNTS}]),
    "no-value": json.dumps({"cases": COUNTS}),
    "out-of-range": json.dumps({"accuracy": {**GOOD, "value": 1.5}, "cases": COUNTS}),
    "few-cases": json.dumps(
        {
            "accuracy": {**GOOD, "n": MINIMUM - 1},
            "cases": {**COUNTS, "evaluated": MINIMUM - 1, "excluded": CASES - MINIMUM + 1},
        }
    ),
    "lost-cases": json.dumps(
        {
            "accuracy": {**GOOD, "n": CASES - 5},
            "cases": {**COUNTS, "total": CASES - 5, "evaluated": CASES - 5},
        }
    ),
    "not-yaml": "accuracy: {value: 0.75",
}
"""What a misbehaving model makes the metrics MLCube write, by the model's name."""

MISBEHAVIOURS: Final = (*BAD_RESULTS, "fails", "hangs", "silent", "no-result", "huge", "slow")
"""The names of oak's misbehaving models; `slow` ends well, after three seconds."""
OTHERS: Final = ("slow-2", "slow-3", "flaky", "halfway", "graphics")
"""More of oak's models: `flaky` mostly fails, `halfway` fails behind half of the cases, and
`graphics` needs a graphics processor."""

_PREP = """
    import csv, json, pathlib, sys
    V = pathlib.Path("/mlcommons/volumes")
    def rows(path):
        return list(csv.DictReader(path.open(newline="")))
    if sys.argv[1] == "prepare":
        raw = rows(V / "raw" / "cases.csv")
        for name, column in (("data", "age"), ("labels", "fever")):
            with (V / name / f"{name}.csv").open("w", newline="") as out:
                writer = csv.writer(out, lineterminator="\\n")
                writer.writerows([["case", column], *([r["case"], r[column]] for r in raw)])
    labels = rows(V / "labels" / "labels.csv")
    if sys.argv[1] == "sanity_check":
        wrong = [r["case"] for r in labels if r["fever"] not in ("0", "1")]
        sys.exit(f"labels.csv: {len(wrong)} labels are neither 0 nor 1" if wrong else 0)
    if sys.argv[1] == "statistics":
        positive = sum(r["fever"] == "1" for r in labels)
        report = {"cases": len(labels), "positive": positive}
        (V / "statistics" / "statistics.yaml").write_text(json.dumps(report))
"""
_METRICS = """
    import csv, json, pathlib, shutil, sys
    V = pathlib.Path("/mlcommons/volumes")
    results = V / "results" / "results.yaml"
    if (V / "predictions" / "no-result").exists():
        sys.exit(0)
    if (V / "predictions" / "results.yaml").exists():
        shutil.copyfile(V / "predictions" / "results.yaml", results)
        sys.exit(0)
    def column(path, name):
        return {r["case"]: r[name] for r in csv.DictReader(path.open(newline=""))}
    labels = column(V / "labels" / "labels.csv", "fever")
    guesses = column(V / "predictions" / "predictions.csv", "fever")
    total, n = len(labels), len(guesses)
    share = sum(guesses[case] == labels[case] for case in guesses) / n
    results.write_text(json.dumps({
        "accuracy": {"value": share, "low": share / 2, "high": (1 + share) / 2, "n": n},
        "cases": {"total": total, "evaluated": n, "failed": total - n, "excluded": 0},
    }))
"""
_MODEL = """
    import csv, json, os, pathlib, sys, time
    V = pathlib.Path("/mlcommons/volumes")
    predictions = V / "predictions"
    lines = (V / "parameters" / "parameters_file.yaml").read_text().splitlines()
    settings = {k: v.strip("'\\"") for k, _, v in (line.partition(": ") for line in lines)}
    way = settings["way"]
    if way == "fails":
        sys.exit("CUDA is not what it was")
    if way == "hangs":
        time.sleep(600)
    if way == "silent":
        sys.exit(0)
    if way.startswith("slow"):
        time.sleep(3)
    while way.startswith("busy") and time.process_time() < 6:
        sum(range(1000))
    if way == "flaky" and os.urandom(1)[0] < 150:
        sys.exit("not this time")
    if way == "no-result":
        (predictions / "no-result").write_text("")
    if way == "huge":
        (predictions / "results.yaml").write_bytes(b"a" * 50_000_000)
    if "results" in settings:
        (predictions / "results.yaml").write_bytes(bytes.fromhex(settings["results"]))
    with (predictions / "predictions.csv").open("w", newline="") as out:
        writer = csv.writer(out, lineterminator="\\n")
        writer.writerow(["case", "fever"])
        for number, row in enumerate(csv.DictReader((V / "data" / "data.csv").open(newline=""))):
            if way == "halfway" and number == 20:
                out.flush()
                sys.exit("case 20 is not what it was")
            writer.writerow([row["case"], int(float(row["age"]) >= int(settings["from"]))])
"""


def volumes(*names: str, single: Mapping[str, str] | None = None) -> dict[str, dict[str, str]]:
    """Volumes of a task: `volume=folder`, each a folder below the usual place."""
    found = {}
    for name in names:
        volume, _, folder = name.partition("=")
        found[volume] = {"mount_path": f"/mlcommons/volumes/{folder}", "type": "directory"}
    for volume, file in (single or {}).items():
        found[volume] = {"mount_path": f"/mlcommons/volumes/{file}", "type": "file"}
    return found


_PARAMETERS: Final = {"parameters_file": "parameters/parameters_file.yaml"}
_RESOURCES: Final = {
    "memory_mb": 128, "cpus": 1, "processes": 16, "seconds": 30, "output_mb": 64,
}  # fmt: skip
_MORE_RESOURCES: Final = {"hangs": {"seconds": 1}, "graphics": {"gpus": 1}}


def preparation_draft() -> dict[str, Any]:
    """The data-preparation MLCube, as a person writes it."""
    prepared = volumes("data_path=data", "labels_path=labels")
    return {
        "id": "fever-prep",
        "name": "Fever tables",
        "role": "data-preparation",
        "image": {"type": "source", "path": "prep"},
        "tasks": {
            "prepare": {
                "command": "python3 /project/main.py prepare",
                "input_volumes": volumes("data_path=raw", "labels_path=raw-labels"),
                "output_volumes": volumes("output_path=data", "output_labels_path=labels"),
            },
            "sanity_check": {
                "command": "python3 /project/main.py sanity_check",
                "input_volumes": prepared,
            },
            "statistics": {
                "command": "python3 /project/main.py statistics",
                "input_volumes": prepared,
                "output_volumes": volumes(single={"output_path": "statistics/statistics.yaml"}),
            },
        },
        "resources": dict(_RESOURCES),
    }


def metrics_draft() -> dict[str, Any]:
    """The metrics MLCube."""
    return {
        "id": "fever-metrics",
        "name": "Accuracy",
        "role": "metrics",
        "image": {"type": "source", "path": "metrics"},
        "tasks": {
            "evaluate": {
                "command": "python3 /project/main.py",
                "input_volumes": volumes("predictions=predictions", "labels=labels"),
                "output_volumes": volumes(single={"output_path": "results/results.yaml"}),
            }
        },
        "resources": dict(_RESOURCES),
    }


def model_draft(name: str, way: str = "well", **more: Any) -> dict[str, Any]:
    """A model that says fever from some age on, or that misbehaves in some `way`."""
    return {
        "id": name,
        "name": f"Fever by age ({name})",
        "image": {"type": "source", "path": "model"},
        "parameters": {"way": way, "from": 30, **more},
        "tasks": {
            "infer": {
                "command": "python3 /project/main.py",
                "input_volumes": volumes("data_path=data", single=_PARAMETERS),
                "output_volumes": volumes("output_path=predictions"),
            }
        },
        "resources": _RESOURCES | _MORE_RESOURCES.get(way, {}),
    }


def benchmark_draft() -> dict[str, Any]:
    """The benchmark."""
    return {
        "id": "fever",
        "name": "Fever from age",
        "clinical": {
            "setting": "Emergency departments.",
            "task": "Whether somebody has a fever.",
            "inclusion_criteria": ["Adults."],
            "exclusion_criteria": [],
            "labelling": "A thermometer.",
        },
        "metrics": [
            {
                "id": "accuracy", "name": "Accuracy", "path": "accuracy", "unit": "1",
                "minimum": 0.0, "maximum": 1.0, "direction": "higher", "interval": "required",
            }
        ],
        "primary_metric": "accuracy",
        "minimum_cases": MINIMUM,
        "data_preparation": "anna/fever-prep",
        "evaluation_metrics": "anna/fever-metrics",
        "reference_model": "anna/rule",
        "demo_data": {"path": "demo"},
        "committee": {"members": list(COMMITTEE), "threshold": 2},
    }  # fmt: skip


def write_table(folder: Path, cases: int, *, older: int = 0) -> Path:
    """Raw data: invented people, about half of them with a fever."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"c{n},{20 + older + n % 25},{int(n % 3 == 0)}" for n in range(cases)]
    (folder / "cases.csv").write_text("\n".join(["case,age,fever", *rows]) + "\n")
    return folder


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, which must be JSON and nothing else."""
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """All that it printed."""
        return self.out + self.err


@dataclass
class Site:
    """A host and everybody's homes in one folder."""

    folder: Path
    genesis: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> Path:
        """The bare repository that everybody shares."""
        return self.folder / "registry.git"

    @property
    def parts(self) -> Path:
        """The artefact folder, which every site names in its rules."""
        return self.folder / "parts"

    @property
    def raw(self) -> Path:
        """The hospital's raw data."""
        return self.folder / "patients"

    def home(self, who: str) -> Home:
        """Somebody's home."""
        return Home(self.folder / "homes" / who)

    def settings(self, who: str) -> dict[str, str]:
        """The environment of somebody's commands."""
        return {**self.environment, "MPGIT_HOME": str(self.folder / "homes" / who)}

    # --- commands ------------------------------------------------------------------------

    def do(self, who: str, *words: str | Path, expect: int | None = 0) -> Done:
        """Somebody types a command; in this process, for speed."""
        out, err = io.StringIO(), io.StringIO()
        with (
            environment(self.settings(who)),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            _no_terminal(),
        ):
            code = invoke([str(word) for word in words])
        done = Done(code, out.getvalue(), err.getvalue())
        assert expect in (None, code), f"mpgit {words} ended with {code}:\n{done.text}"
        return done

    def start(self, who: str, *words: str | Path) -> subprocess.Popen[str]:
        """As `do`, in a process of its own that the test waits for, or stops."""
        return subprocess.Popen(
            [*MPGIT, *map(str, words)],
            cwd=self.folder,
            env={**os.environ, **self.settings(who), "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: subprocess.Popen[str], seconds: float = 60) -> Done:
        """What a started command came to."""
        out, err = process.communicate(timeout=seconds)
        return Done(process.returncode, out, err)

    def submit(self, who: str, name: str, **changes: Any) -> Done:
        """Somebody submits and merges a good model."""
        path = self.draft(name, {**model_draft(name), **changes})
        return self.do(who, "model", "submit", path, "--yes", "--merge")

    def draft(self, name: str, data: Mapping[str, Any]) -> Path:
        """A draft on disk, beside its sources."""
        path = self.parts / f"{name}.yaml"
        path.write_text(json.dumps(data, indent=1))  # JSON is YAML
        return path

    def rules(self, who: str, **rules: Any) -> Path:
        """Somebody writes a ``site.yaml``."""
        path = self.home(who).site_file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"artefacts": [str(self.parts)], **rules}))
        return path

    def approve(self, request: str, *people: str) -> None:
        """People approve a request, the last of whom merges it."""
        for who in people:
            last = ("--merge",) if who == people[-1] else ()
            self.do(who, "request", "approve", request, "--yes", *last)

    # --- looking -------------------------------------------------------------------------

    @contextlib.contextmanager
    def session(self, who: str) -> Iterator[Session]:
        """Somebody's session."""
        with Session.open(self.home(who), None) as session:
            yield session

    def main(self) -> str:
        """The host's main."""
        with Repository.open(self.host) as repository:
            return repository.resolve("refs/heads/main")

    def refs(self) -> dict[str, str]:
        """The host's branches."""
        with Repository.open(self.host) as repository:
            return repository.refs("refs/heads")

    def outbox(self, who: str) -> list[str]:
        """What waits to be sent."""
        return sorted(path.stem for path in self.home(who).outbox(REGISTRY).glob("*.json"))

    def unfinished(self, who: str) -> list[Path]:
        """Files that were begun and not finished."""
        return list((self.folder / "homes" / who).rglob("*.part"))


@contextlib.contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for as long as the block runs."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _no_terminal() -> Iterator[None]:
    before = sys.stdin
    sys.stdin = io.StringIO()
    try:
        yield
    finally:
        sys.stdin = before


def git(folder: Path, *words: str) -> str:
    """Plain git, on a repository."""
    command = ["git", "--git-dir", str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


# --- building ------------------------------------------------------------------------------


def build_site(folder: Path, others: Iterable[str] = (*MISBEHAVIOURS, *OTHERS)) -> Site:
    """The whole way from an empty folder to a dataset and models that are ready to run.

    Args:
        folder: where to.
        others: names of oak's further models; `busy-…` ones only work, for six seconds.
    """
    site = Site(folder)
    write_parts(site)
    _found(site)
    _register(site)
    _make_benchmark(site)
    site.submit("oak", "good")
    site.do("oak", "model", "associate", "good", "-b", BENCHMARK, "--yes", "--merge")
    site.do("ky", "registry", "sync")
    site.do("ky", "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", site.raw)
    site.do("ky", "dataset", "submit", "opt", "--yes", "--merge")
    site.do("ky", "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
    site.approve("ky/dataset-association-fever-ky-opt-1", "ben", "chloe")
    _add_misbehaving(site, others)
    for who in (ADMINISTRATOR, *PEOPLE):
        site.do(who, "registry", "sync")
        git(site.home(who).mirror(REGISTRY), "repack", "-adq")
    git(site.host, "repack", "-adq")
    (folder / "genesis").write_text(site.genesis)
    return site


def write_parts(site: Site) -> None:
    """Sources, demo data and raw data, in a folder that is not there yet."""
    site.folder.mkdir(parents=True)
    for name, text in (("prep", _PREP), ("metrics", _METRICS), ("model", _MODEL)):
        source = site.parts / name / "main.py"
        source.parent.mkdir(parents=True)
        source.write_text(textwrap.dedent(text).lstrip())
    write_table(site.parts / "demo", DEMO_CASES)
    write_table(site.raw, CASES)


def _found(site: Site) -> None:
    Repository.create(site.host).close()
    site.rules(ADMINISTRATOR)
    site.do(ADMINISTRATOR, "key", "create", "--no-passphrase")
    done = site.do(
        ADMINISTRATOR, "registry", "init", REGISTRY, site.host, "--title", "Clinics",
        "--participant", ADMINISTRATOR, "--participant-name", "Ana", "--yes", "--json",
    )  # fmt: skip
    site.genesis = done.json["genesis"]


def _register(site: Site) -> None:
    for who in PEOPLE:
        site.rules(who)
        site.do(who, "registry", "add", REGISTRY, site.host, "--genesis", site.genesis)
        site.do(who, "key", "create", "--no-passphrase")
        site.do(who, "participant", "register", who, "--name", who.title(), "--yes")
        site.approve(f"{who}/register", ADMINISTRATOR)


def _make_benchmark(site: Site) -> None:
    drafts = (
        ("mlcube", "prep", preparation_draft()),
        ("mlcube", "metrics", metrics_draft()),
        ("model", "rule", model_draft("rule")),
    )
    for kind, name, data in drafts:
        site.do("anna", kind, "submit", site.draft(name, data), "--yes", "--merge")
    site.do("anna", "benchmark", "submit", site.draft("fever", benchmark_draft()), "--yes")
    site.approve("anna/benchmark-fever-1", "ben", ADMINISTRATOR)
    policy = {"open": True, "images": ["source"], "models": {"mode": "listed"}}
    policy["models"] |= {"participants": ["oak"]}  # type: ignore[operator]  # a plain mapping
    path = site.draft("policy", policy)
    site.do("anna", "benchmark", "policy", BENCHMARK, "--file", path, "--yes")
    site.approve("anna/policy-fever-1", "chloe")


def _add_misbehaving(site: Site, names: Iterable[str]) -> None:
    """Models that pass the demo and fail later, all in one request.

    Their compatibility tests are written down, not run: they would rightly fail.
    """
    with site.session("oak") as session:
        session.refresh()
        snapshot = session.snapshot()
        key = signer(site.home("oak").key("default"), lambda _name: None)
        requests = Proposal("misbehaving", "Add models that misbehave")
        for name in names:
            text = BAD_RESULTS.get(name)
            more = {} if text is None else {"results": text.encode().hex()}
            draft = read_draft(site.draft(name, model_draft(name, name, **more)))
            model = record_from(draft, "model", complete(draft, "model", snapshot, "oak"))
            association = tested_association(snapshot, pin_of(place_of("model", model), model))
            for kind, record in (("model", model), ("model-association", association)):
                place = place_of(kind, record)
                signatures: dict[tuple[str, str | None], Signer] = {("oak", None): key}
                requests = requests.joined(
                    propose(place, record, identity=site.genesis, signatures=signatures, title="")
                )
        merge(session, send(session, requests).id)


def tested_association(snapshot: Snapshot, model: Pin) -> Any:
    """An association with the outcome of the reference model's test as its own."""
    place = snapshot.standing("benchmark", BENCHMARK)
    assert place is not None
    loaded = snapshot.load(place)
    assert isinstance(loaded.record, Benchmark)
    outcome: CompatibilityTest = loaded.record.compatibility_test
    return build(
        "model-association",
        {
            "kind": "model-association",
            "id": f"{BENCHMARK}/{model.id}",
            "revision": 1,
            "benchmark": loaded.pin.model_dump(),
            "model": model.model_dump(),
            "compatibility_test": outcome.model_dump(mode="json", exclude_none=True),
        },
    )


def copy_site(original: Site, folder: Path, people: Iterable[str] = ()) -> Site:
    """A copy that no other test sees; every path in it is its own.

    Args:
        original: what is copied.
        folder: where to.
        people: whose homes; everybody's where nobody is named.
    """
    left_out = {ADMINISTRATOR, *PEOPLE} - set(people) if people else set()
    shutil.copytree(
        original.folder,
        folder,
        symlinks=True,
        ignore=lambda path, _names: left_out if Path(path).name == "homes" else set(),
    )
    for path in (folder / "homes").glob("*/config/*"):
        if path.suffix in (".json", ".yaml"):
            text = path.read_text().replace(str(original.folder), str(folder))
            path.write_text(text)
    return Site(folder, original.genesis)
