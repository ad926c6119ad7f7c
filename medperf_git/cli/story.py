"""The whole story on real patients' data: who does what, command by command.

Drives `mpgit` as its users would: each role has a home directory of its own, as on a separate
machine, and they meet only in a bare Git repository. ``demo`` shows it; the end-to-end tests
run it and look at what it leaves.

Example::

    Story(Path("examples/preterm"), Path("demo"), engine="sandbox").run()
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

import click
import yaml

from medperf_git.cli.main import invoke
from medperf_git.errors import ExecutionError
from medperf_git.git.objects import EMPTY_TREE
from medperf_git.records.namespace import namespace
from medperf_git.store.tree import GitTree, difference, read
from medperf_git.vcs import Repository

ADMINISTRATOR: Final = ("ana-silva", "Ana Silva, registry administrator")
COMMITTEE: Final = (
    ("anna-weber", "Anna Weber, obstetrics"),
    ("ben-okafor", "Ben Okafor, biostatistics"),
    ("chloe-martin", "Chloe Martin, ethics"),
)
MODEL_OWNERS: Final = (
    ("north-star", "North Star Modelling"),
    ("oak-lab", "Oak Lab"),
)
HOSPITALS: Final = (
    ("ky", "Hospital in Kentucky"),
    ("ms", "Hospital in Mississippi"),
    ("ny", "Hospital in New York"),
)
BENCHMARK: Final = "anna-weber/preterm"
RESEARCHER: Final = "researcher"
SHOWN_LINES: Final = 14
"""How much of a command's output is shown; all of it is in the log."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C inside a command of the story."""


@dataclass
class Story:
    """The story and where it happens.

    Attributes:
        example: the folder ``examples/preterm``.
        folder: where it leaves everything.
        engine: `sandbox` or `docker`.
        images: with Docker: image references by MLCube name.
    """

    example: Path
    folder: Path
    engine: str
    images: Mapping[str, str] = field(default_factory=dict)
    chapter: int = 0
    genesis: str = ""
    _known: str = EMPTY_TREE

    # --- telling ---------------------------------------------------------------------------

    def title(self, text: str) -> None:
        """Begins a chapter."""
        self.chapter += 1
        click.echo("\n" + click.style(f"{self.chapter}. {text}", bold=True))

    def say(self, text: str) -> None:
        """A line of narration."""
        click.echo(f"   {text}")

    @property
    def host(self) -> Path:
        """The bare repository that everybody shares."""
        return self.folder / "registry.git"

    def home(self, who: str) -> Path:
        """Somebody's home directory."""
        return self.folder / "homes" / who

    # --- doing -----------------------------------------------------------------------------

    def act(self, who: str, *words: str | Path, expect: int = 0) -> str:
        """Somebody types a command; returns what it printed.

        Raises:
            ExecutionError: it ended otherwise than the story expects.
        """
        arguments = [str(word) for word in words]
        click.echo(click.style(f"   {who:>13} $ ", fg="cyan") + _typed(arguments, self.folder))
        began = time.monotonic()
        code, output = self._run(who, arguments)
        if code == 130:  # noqa: PLR2004 (what a shell says of Ctrl-C)
            raise Interrupted
        if code != expect:
            raise ExecutionError(
                f"`mpgit {shlex.join(arguments)}` ended with {code}, not {expect}:\n{output}",
                code="story",
                place=str(self.folder / "log.txt"),
            )
        seconds = time.monotonic() - began
        if seconds > 1:
            click.echo(click.style(f"                   ({seconds:.1f} s)", dim=True))
        self._what_changed()
        return output

    def _run(self, who: str, arguments: list[str]) -> tuple[int, str]:
        """Runs a command with somebody's home; shows it as it prints, and keeps all of it."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{who} $ mpgit {shlex.join(arguments)}\n")
            output, notes = _Shown(log, str), _Shown(log, _note)
            with (
                _environment(MPGIT_HOME=str(self.home(who))),
                contextlib.redirect_stdout(output),
                contextlib.redirect_stderr(notes),
            ):
                code = invoke(arguments)
            log.write(f"exit {code}\n\n")
        return code, output.getvalue() + ("" if code == 0 else notes.getvalue())

    def _what_changed(self) -> None:
        """Says what main of the shared repository gained."""
        with Repository.open(self.host) as repository:
            main = repository.find("refs/heads/main")
            tree = EMPTY_TREE if main is None else repository.commit(main).tree
            if tree == self._known:
                return
            before, now = GitTree(repository, self._known), GitTree(repository, tree)
            added = [change.path for change in difference(before, now)]
        self._known = tree
        records = [path for path in added if path.endswith(".yaml")]
        signatures = sum(path.endswith(".sig") for path in added)
        for path in records[:4]:
            click.echo(click.style(f"                   + {path}", fg="green"))
        more = f"{len(records) - 4} more records, " if len(records) > 4 else ""  # noqa: PLR2004
        note = f"+ {more}{signatures} signatures" if signatures else f"+ {len(added)} files"
        click.echo(click.style(f"                   {note}", fg="green"))

    def draft(self, name: str) -> Path:
        """A draft of the example, with its container image where Docker runs it."""
        source = self.example / (f"{name}.yaml" if name == "benchmark" else f"{name}/draft.yaml")
        target = self.folder / "drafts" / f"{name.replace('/', '-')}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.images or name == "benchmark":
            shutil.copyfile(source, target)
            return target
        data = yaml.safe_load(source.read_text("utf-8"))
        reference = self.images[name.rpartition("/")[2]]
        data["image"] = {"type": "reference", "reference": reference}
        target.write_text(yaml.safe_dump(data, sort_keys=False), "utf-8")
        return target

    # --- the chapters ----------------------------------------------------------------------

    def run(self) -> None:
        """The whole story.

        Raises:
            ExecutionError: a command ended otherwise than it should.
        """
        self.found_registry()
        self.register_participants()
        self.create_benchmark()
        self.associate_models()
        self.prepare_datasets()
        self.run_and_submit()
        self.verify()

    def found_registry(self) -> None:
        """An administrator creates a registry on a bare repository."""
        self.title("An administrator founds a registry on a bare Git repository")
        Repository.create(self.host).close()
        who, name = ADMINISTRATOR
        self.act(who, "key", "create", "--no-passphrase")
        output = self.act(
            who, "registry", "init", "preterm", self.host, "--title", "Preterm birth benchmarks",
            "--participant", who, "--participant-name", name, "--yes", "--json",
        )  # fmt: skip
        self.genesis = json.loads(output)["genesis"]
        self.say(f"The registry's identity, published by its administrator: {self.genesis[:16]}…")

    def register_participants(self) -> None:
        """Everybody proves possession of a key; the administrator approves."""
        self.title("Eight participants register; each proves that it holds its key")
        for who, name in (*COMMITTEE, *MODEL_OWNERS, *HOSPITALS):
            self._join(who)
            self.act(who, "key", "create", "--no-passphrase")
            self.act(who, "participant", "register", who, "--name", name, "--yes")
            self.act(ADMINISTRATOR[0], "request", "approve", f"{who}/register", "--yes", "--merge")

    def _join(self, who: str) -> None:
        # What a site's administrator would write: where pinned files lie on this machine.
        rules: dict[str, Any] = {"artefacts": [str(self.example.resolve())]}
        if who in dict(HOSPITALS):
            rules |= {"smallest_cell": 3, "limits": {"memory_mb": 2048, "seconds": 300}}
        site = self.home(who) / "config" / "site.yaml"
        site.parent.mkdir(parents=True, exist_ok=True)
        site.write_text(yaml.safe_dump(rules), "utf-8")
        self.act(who, "registry", "add", "preterm", self.host, "--genesis", self.genesis)

    def create_benchmark(self) -> None:
        """The committee registers MLCubes, a reference model, the benchmark and its policy."""
        self.title("The committee registers its MLCubes and the benchmark")
        chair, second, third = (who for who, _ in COMMITTEE)
        for kind, name in (("mlcube", "prep"), ("mlcube", "metrics"), ("model", "models/rule")):
            self.act(chair, kind, "submit", self.draft(name), "--yes", "--merge")
        self.say("Submitting a benchmark runs all of it on the demo data first:")
        self.act(chair, "benchmark", "submit", self.draft("benchmark"), "--yes", *self._engine())
        request = f"{chair}/benchmark-preterm-1"
        self.act(second, "request", "approve", request, "--yes")
        self.act(second, "request", "merge", request, expect=3)
        self.say("The administrator's approval is still missing, so it can't be merged yet.")
        self.act(ADMINISTRATOR[0], "request", "approve", request, "--yes", "--merge")
        image = "reference" if self.images else "source"
        self.act(chair, "benchmark", "policy", BENCHMARK, "--open", "--image", image, "--yes")
        self.act(third, "request", "approve", f"{chair}/policy-preterm-1", "--yes", "--merge")

    def _engine(self) -> tuple[str, str]:
        return "--engine", self.engine

    def associate_models(self) -> None:
        """Two models are associated; a third fails the compatibility test."""
        self.title("Two model owners submit models; a broken one is refused")
        committee = [who for who, _ in COMMITTEE]
        pairs = zip(MODEL_OWNERS, ("logistic", "forest"), strict=True)
        for (who, _), name in pairs:
            self.act(who, "model", "submit", self.draft(f"models/{name}"), "--yes", "--merge")
            self.act(who, "model", "associate", name, "-b", BENCHMARK, "--yes", *self._engine())
            request = f"{who}/model-association-preterm-{who}-{name}-1"
            self.act(committee[0], "request", "approve", request, "--yes")
            self.act(committee[2], "request", "approve", request, "--yes", "--merge")
        owner = MODEL_OWNERS[1][0]
        self.act(owner, "model", "submit", self.draft("models/broken"), "--yes", "--merge")
        self.act(
            owner, "model", "associate", "broken", "-b", BENCHMARK, "--yes", *self._engine(),
            expect=1,
        )  # fmt: skip
        self.say("It failed on the demo data: no request was sent.")

    def prepare_datasets(self) -> None:
        """Each hospital prepares its data and asks for association."""
        self.title("Three hospitals prepare their patients' data behind their own doors")
        committee = [who for who, _ in COMMITTEE]
        for who, name in HOSPITALS:
            raw = self.home(who) / "patients"
            shutil.copytree(self.example / "hospitals" / who, raw)
            self.act(who, "registry", "sync")
            self.act(
                who, "dataset", "prepare", "opt", "-b", BENCHMARK, "--data", raw,
                "--title", f"OPT trial, {name}", *self._engine(),
            )  # fmt: skip
            self.act(who, "dataset", "submit", "opt", "--yes", "--merge")
            self.act(who, "dataset", "associate", "opt", "-b", BENCHMARK, "--yes")
            request = f"{who}/dataset-association-preterm-{who}-opt-1"
            self.act(committee[1], "request", "approve", request, "--yes")
            self.act(committee[2], "request", "approve", request, "--yes", "--merge")

    def run_and_submit(self) -> None:
        """Each hospital runs all models, looks, signs, submits."""
        self.title("Each hospital runs all three models; only signed metrics leave")
        for who, _ in HOSPITALS:
            self.act(who, "registry", "sync")
            self.act(who, "run", "-b", BENCHMARK, "-d", "opt", *self._engine())
            self.act(who, "result", "submit", "-b", BENCHMARK, "-d", "opt", "--yes", "--merge")

    def verify(self) -> None:
        """A researcher who knows only the address and the genesis checks everything."""
        self.title("A researcher, who trusts nobody, checks all of it")
        self.act(RESEARCHER, "registry", "add", "preterm", self.host, "--genesis", self.genesis)
        self.act(RESEARCHER, "result", "ls")
        self.act(RESEARCHER, "leaderboard", BENCHMARK)
        signers = self.folder / "allowed_signers"
        self.act(RESEARCHER, "audit", "--allowed-signers", signers)
        self.say("And without us: one result, with OpenSSH alone.")
        self._verify_with_ssh(signers)

    def _verify_with_ssh(self, signers: Path) -> None:
        """Re-checks one result's signature with ``ssh-keygen -Y verify``."""
        hospital = HOSPITALS[0][0]
        stem = f"registry/results/{BENCHMARK}/{hospital}/opt/anna-weber/previous-preterm/1"
        with Repository.open(self.host) as repository:
            main = GitTree(repository, repository.commit(repository.resolve("main")).tree)
            record = read(main, f"{stem}.yaml") or b""
            signature = self.folder / f"1.{hospital}.sig"
            signature.write_bytes(read(main, f"{stem}.{hospital}.sig") or b"")
        words = ["ssh-keygen", "-Y", "verify", "-f", str(signers), "-I", hospital]
        words += ["-n", namespace("result", self.genesis), "-s", str(signature)]
        typed = _typed(words, self.folder).removeprefix("mpgit ")
        click.echo(click.style(f"   {RESEARCHER:>13} $ ", fg="cyan") + f"{typed} < 1.yaml")
        done = subprocess.run(words, input=record, capture_output=True, check=False)
        told = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
        if done.returncode != 0:
            raise ExecutionError(f"ssh-keygen refused a signature: {told}", code="story")
        click.echo(click.style(f"                   {told}", dim=True))


def _typed(arguments: list[str], folder: Path) -> str:
    """The command as somebody would type it, with paths from where the story was started."""
    shown = [word.replace(str(folder.absolute()), folder.name) for word in arguments]
    return "mpgit " + shlex.join(shown)


class _Shown(io.StringIO):
    """Collects what a command prints, writes it to the log, and shows the telling lines."""

    def __init__(self, log: IO[str], choose: Callable[[str], str]) -> None:
        super().__init__()
        self._log = log
        self._choose = choose
        self._rest = ""
        self._shown = 0
        # Where the story itself prints: standard output is redirected while a command runs.
        self._out = sys.stdout

    def write(self, text: str, /) -> int:
        """Takes a piece of output; shows each line when it is whole."""
        self._log.write(text)
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            chosen = self._choose(click.unstyle(line)).rstrip()
            if chosen and self._shown < SHOWN_LINES:
                self._shown += 1
                click.echo(click.style(f"                   {chosen}", dim=True), file=self._out)
        return super().write(text)


def _note(line: str) -> str:
    """Of what goes to standard error: steps and errors, not the previews of records."""
    return line if line.startswith(("  ·", "error:", "   needs")) else ""


@contextlib.contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
