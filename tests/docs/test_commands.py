"""The documentation names every command, and every command that it names exists."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
import yaml

from medperf_git.cli.main import command as mpgit
from medperf_git.store.site_rules import SiteRules, load_site_rules

TOP = Path(__file__).resolve().parent.parent.parent
REFERENCE = TOP / "docs" / "commands.md"
PAGES = sorted([TOP / "README.md", *(TOP / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if page != REFERENCE]
"""Pages that people write: the generated one names every command anyhow."""

FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(mpgit(?: [^`]*)?)`")
SHELLS = {"sh", "bash", "console", "shell"}


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it: on a line of its own, or within a sentence."""

    page: str
    text: str
    whole: bool

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def shown() -> Iterator[Shown]:
    for page in PAGES:
        name = str(page.relative_to(TOP))
        text = page.read_text("utf-8")
        for language, body in FENCE.findall(text):
            if language in SHELLS:
                lines = (line.removeprefix("$ ") for line in body.replace("\\\n", "").splitlines())
                found = (re.sub(r"^(?:\w+=\S+ +)+", "", line).strip() for line in lines)
                yield from (
                    Shown(name, line, whole=True) for line in found if line.startswith("mpgit")
                )
        for line in INLINE.findall(FENCE.sub("", text)):
            yield Shown(name, " ".join(line.split()), whole=False)


def leaves(
    group: click.Command = mpgit, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(group, click.Group):
        yield path, group
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield from leaves(found, (*path, name))


LEAVES = dict(leaves())
SHOWN = list(dict.fromkeys(shown()))


def words_of(text: str) -> list[str]:
    """The words after `mpgit`, up to what the shell takes for itself."""
    words = shlex.split(text, comments=True)[1:]
    ends = [at for at, word in enumerate(words) if word in (">>", ">", "|", "&&", "<")]
    return words[: ends[0]] if ends else words


def named(words: list[str]) -> tuple[str, ...] | None:
    """The command that the words begin with."""
    for length in (2, 1):
        if tuple(words[:length]) in LEAVES:
            return tuple(words[:length])
    return None


@pytest.mark.parametrize("example", [x for x in SHOWN if x.whole], ids=str)
def test_a_command_on_its_own_line_could_be_typed(example: Shown) -> None:
    words = words_of(example.text)
    if words in (["--help"], ["--version"]):
        return
    path = named(words)
    assert path is not None, "no such command"
    command = LEAVES[path]
    context = click.Context(command)
    parser = command.make_parser(context)
    # Raises for options that do not exist and for missing values.
    options, rest, _ = parser.parse_args(words[len(path) :])
    if "help" in options:
        return
    assert not rest, "arguments too many"
    for parameter in command.params:
        given = options.get(str(parameter.name))
        # What was not given is None, or click's own mark for it.
        missing = not isinstance(given, str | list | tuple | bool | int)
        assert not (missing and parameter.required), f"{parameter.name} is missing"
        if isinstance(parameter.type, click.Choice) and isinstance(given, str | list):
            for value in [given] if isinstance(given, str) else given:
                assert value in parameter.type.choices


@pytest.mark.parametrize("example", [x for x in SHOWN if not x.whole], ids=str)
def test_a_command_in_a_sentence_exists(example: Shown) -> None:
    words = words_of(example.text)
    if "…" in words:
        return
    path = named(words)
    if path is None:
        groups = {name[0] for name in LEAVES if len(name) > 1} | {"--help", "--version"}
        assert not words or (words[0] in groups and len(words) == 1), "no such command"
        return
    known = {"-h", "--help"}
    for parameter in LEAVES[path].params:
        known |= {*parameter.opts, *parameter.secondary_opts}
    unknown = [word for word in words if word.startswith("-") and word not in known]
    assert not unknown


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_told_of(path: tuple[str, ...]) -> None:
    pages = {page: page.read_text("utf-8") for page in WRITTEN}
    pattern = re.compile(r"\bmpgit " + " ".join(path) + r"\b")
    assert [page for page, text in pages.items() if pattern.search(text)]


def test_the_commands_of_the_pages_are_found() -> None:
    assert len([example for example in SHOWN if example.whole]) > 50


def test_the_site_rules_of_the_page_are_rules(tmp_path: Path) -> None:
    text = (TOP / "docs" / "roles" / "data-owner.md").read_text("utf-8")
    (body,) = [body for language, body in FENCE.findall(text) if language == "yaml"]
    (tmp_path / "site.yaml").write_text(body)
    rules = load_site_rules(tmp_path / "site.yaml")
    assert rules.admits_benchmark("anna-weber/preterm")
    # Every field is explained.
    assert set(yaml.safe_load(body)) == set(SiteRules.model_fields)
    assert set(yaml.safe_load(body)["limits"]) == set(type(rules.limits).model_fields)
