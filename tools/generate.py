"""Writes the generated files: JSON Schemas, the record reference, the CLI reference.

``python tools/generate.py`` writes them, ``--check`` fails where one has drifted. Does not
touch anything written by hand.

Example:
    $ python tools/generate.py --check
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from medperf_git.records.kinds import KINDS
from medperf_git.records.schema import schema_file

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

from tools import cli_reference, record_reference, record_schema  # noqa: E402 (the line above makes `tools` importable)


def schemas() -> dict[str, str]:
    """Every schema, once for the package and once for the registry at the top."""
    files = {}
    for kind in KINDS:
        text = json.dumps(record_schema.generate(kind), indent=2, ensure_ascii=False) + "\n"
        files[f"medperf_git/schemas/{schema_file(kind)}"] = text
        files[f"schemas/{schema_file(kind)}"] = text
    return files


def references() -> dict[str, str]:
    """The pages of ``docs/`` that are made from the code."""
    return {
        "docs/commands.md": cli_reference.render(),
        "docs/records.md": record_reference.render(),
    }


def main(arguments: list[str]) -> int:
    """Write or check every generated file; returns the exit code."""
    drifted = []
    for name, text in {**schemas(), **references()}.items():
        path = TOP / name
        if path.exists() and path.read_text("utf-8") == text:
            continue
        drifted.append(name)
        if "--check" not in arguments:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for name in drifted:
        print(("drifted: " if "--check" in arguments else "wrote ") + name)
    return 1 if drifted and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
