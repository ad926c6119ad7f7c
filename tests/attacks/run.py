"""Drives the attack corpus: each attack must be refused for its own reason, each twin accepted.

Example:
    $ python -m tests.attacks.run                          # this checkout, in this process
    $ python -m tests.attacks.run --command "mpgit"        # any implementation's executable
    $ python -m tests.attacks.run --kind bytes
    $ python -m tests.attacks.run --write corpus/          # only the repositories, and index.json
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from medperf_git.cli.main import invoke
from tests.attacks.corpus import KINDS, SIDES, Attack, Run, accepted, attacks, refused


def in_process(arguments: list[str]) -> tuple[int, str]:
    """Runs mpgit here, without a new process."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = invoke(arguments)
    return code, out.getvalue()


def by_command(command: str) -> Run:
    """Runs another executable."""
    words = shlex.split(command)

    def run(arguments: list[str]) -> tuple[int, str]:
        done = subprocess.run(
            [*words, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        return done.returncode, done.stdout

    return run


def outcome(attack: Attack, run: Run, folder: Path) -> tuple[str, str]:
    """What went wrong with the attack, and with its twin; "" where nothing did."""
    here = folder / attack.kind / attack.name
    here.mkdir(parents=True)
    wrong = refused(attack, *run(attack.build("attack", here / "attack.git")))
    return wrong, accepted(attack, *run(attack.build("twin", here / "twin.git")))


def write(chosen: Sequence[Attack], folder: Path) -> None:
    """Writes every repository, and `index.json` with the arguments that judge it."""
    index = []
    for attack in chosen:
        for side in SIDES:
            path = Path(attack.kind) / attack.name / f"{side}.git"
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            arguments = attack.build(side, folder / path)
            relative = [str(path) if word == str(folder / path) else word for word in arguments]
            expect = attack.expect if side == "attack" else {"exit": attack.twin}
            index.append({"repository": str(path), "arguments": relative, "expect": expect})
    (folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")


def _drive(chosen: Sequence[Attack], run: Run) -> int:
    began = time.monotonic()
    counts = {kind: [0, 0, 0] for kind in KINDS}
    faults = []
    with tempfile.TemporaryDirectory() as folder:
        for attack in chosen:
            wrong, twin = outcome(attack, run, Path(folder))
            counts[attack.kind][0] += 1
            counts[attack.kind][1] += not wrong
            counts[attack.kind][2] += not twin
            faults += [f"✗ {attack}: {wrong}"] * bool(wrong)
            faults += [f"✗ {attack}, twin: {twin}"] * bool(twin)
    print(*faults, sep="\n", end="\n" if faults else "")
    print(
        f"{'kind':<12} {'attacks':>8} {'refused for the right reason':>30} {'twins accepted':>16}"
    )
    total = [sum(column) for column in zip(*counts.values(), strict=True)]
    for kind, (there, refusals, twins) in {**counts, "all": total}.items():
        if there:
            print(f"{kind:<12}{there:>9}{refusals:>31}{twins:>17}")
    there, refusals, twins = total
    done = f"{100 * refusals / there:.0f} % refused, {100 * twins / there:.0f} % accepted"
    print(f"{done}, {time.monotonic() - began:.0f} s")
    return int(total != [there] * 3)


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads the command line; returns the exit code: 1 unless everything is as it should be."""
    parser = argparse.ArgumentParser(description="Drive the attack corpus.")
    parser.add_argument("--command", help="the executable; default: mpgit in this process")
    parser.add_argument("--kind", choices=KINDS, help="only this kind")
    parser.add_argument("--name", help="only the attack of this name")
    parser.add_argument("--write", type=Path, metavar="DIR", help="only write the repositories")
    chosen = parser.parse_args(arguments)
    wanted = [
        attack
        for attack in attacks()
        if chosen.kind in (None, attack.kind) and chosen.name in (None, attack.name)
    ]
    if not wanted:
        parser.error("no such attack")
    if chosen.write is not None:
        write(wanted, chosen.write)
        return 0
    return _drive(wanted, by_command(chosen.command) if chosen.command else in_process)


if __name__ == "__main__":
    sys.exit(main())
