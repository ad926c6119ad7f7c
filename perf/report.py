"""Draws what ``growth`` measured into ``docs/performance.md``: a table, and one picture.

The picture is SVG with both axes logarithmic, so that a line that is level is a cost that does not
grow, and one at 45° a cost that follows the registry. Measures nothing.

Example:
    $ MPGIT_PERF_JSON=build/growth.json python -m perf growth
    $ python -m perf.report build/growth.json
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from medperf_git.version import __version__

TOP: Final = Path(__file__).resolve().parent.parent
LINES: Final = {
    "check": ("check of one result's request", "#1b6ca8"),
    "open": ("opening a request of one record", "#7b52ab"),
    "judge": ("its verdict, by number", "#4a90a4"),
    "merge": ("merging it", "#b0507c"),
    "push": ("git push of one commit, without mpgit", "#2f2f2f"),
    "sync": ("sync of one new result", "#2a9d5c"),
    "leaderboard": ("leaderboard of one benchmark", "#c9731e"),
    "updated": ("leaderboard after one more record", "#8a8a2b"),
    "index": ("making the index", "#6b6b6b"),
    "join": ("first sync: audit of everything", "#a83232"),
}
SIZES: Final = {
    "check_mb": "memory: check",
    "sync_mb": "memory: sync",
    "merge_mb": "memory: merge",
    "push_mb": "memory: git push, without mpgit",
    "leaderboard_mb": "memory: leaderboard",
    "index_made_mb": "memory: making the index",
    "join_mb": "memory: first sync",
    "clone_mb": "repository on disk",
    "index_mb": "index on disk",
}
RIGHT: Final = 250
LEADING: Final = 15
SVG: Final = "http://www.w3.org/2000/svg"
FONT: Final = 13
WIDTH, HEIGHT, LEFT, BOTTOM, EDGE = 800, 460, 70, 50, 20
Figures = Mapping[str, float]


def main(path: Path) -> None:
    """Writes the page and its picture."""
    figures: list[Figures] = json.loads(path.read_text())
    (TOP / "docs" / "performance.svg").write_text(picture(figures))
    (TOP / "docs" / "performance.md").write_text("\n".join(page(figures)) + "\n")


def page(figures: Sequence[Figures]) -> Iterator[str]:
    """The page, line by line."""
    day, cpus = time.strftime("%Y-%m-%d"), os.cpu_count()
    sizes = ",".join(str(int(each["results"])) for each in figures)
    yield "# Performance"
    yield ""
    yield ("<!-- Written by `make perf-report`: change perf/report.py instead. -->")
    yield ""
    yield (
        f"How costs grow with a registry. Measured on {day} with mpgit {__version__}, "
        f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}, "
        f"{cpus} processors, `MPGIT_PERF_SIZES={sizes} make perf-report`. "
        f"Each figure is a whole process, its start "
        f"included; registries are valid and really signed (`perf/make_registry.py`)."
    )
    yield ""
    yield "![Seconds by number of results](performance.svg)"
    yield ""
    names = [f"{int(each['results']):,} results" for each in figures]
    yield f"| | {' | '.join(names)} |"
    yield f"| --- |{' --- |' * len(names)}"
    for key, (name, _) in LINES.items():
        yield f"| {name} | {' | '.join(f'{each[key]:.2f} s' for each in figures)} |"
    for key, name in SIZES.items():
        yield f"| {name} | {' | '.join(f'{each[key]:.1f} MB' for each in figures)} |"
    yield ""
    yield (
        "Memory is the peak of the largest process at the client, mpgit or a git that it started, "
        "with what that maps of a pack. The server (`git daemon`) works on the same machine: its "
        "time counts, its memory does not. Opening and merging end with a push: what git alone "
        "needs for one to the same server, without mpgit, has a row of its own, and grows because "
        "a plain server walks through main's whole tree. The first sync's memory is that of git's "
        "`index-pack` where there are many results, which come in slices. What the figures mean, "
        "and what comes after a million: [scale.md](scale.md)."
    )


def picture(figures: Sequence[Figures]) -> str:
    """The picture, as SVG."""
    values = [each[key] for each in figures for key in LINES]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = (math.log10(figures[at]["results"]) for at in (0, -1))

    def across(results: float) -> float:
        share = (math.log10(results) - first) / (last - first) if last > first else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def up(seconds: float) -> float:
        share = (math.log10(seconds) - low) / (high - low)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - EDGE)

    parts = [
        f'<svg xmlns="{SVG}" viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<style>text {{ font: {FONT}px sans-serif }}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
    ]
    for power in range(low, high + 1):
        y = up(10.0**power)
        parts.append(f'<path d="M{LEFT} {y:.0f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(
            f'<text x="{LEFT - 8}" y="{y + 4:.0f}" text-anchor="end">{10.0**power:g} s</text>'
        )
    for each in figures:
        x, label = across(each["results"]), f"{int(each['results']):,}"
        parts.append(f'<text x="{x:.0f}" y="{HEIGHT - 22}" text-anchor="middle">{label}</text>')
    parts.append(f'<text x="{LEFT}" y="{HEIGHT - 4}">results in the registry</text>')
    ends: list[tuple[float, float, str, str]] = []
    for key, (name, colour) in LINES.items():
        points = [(across(each["results"]), up(each[key])) for each in figures]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.0f}" cy="{y:.0f}" r="4" fill="{colour}"/>' for x, y in points]
        x, y = points[-1]
        ends.append((y, x, name, colour))
    below = float(HEIGHT)
    for y, x, name, colour in sorted(ends, reverse=True):
        below = min(y + 4, below - LEADING)
        parts.append(f'<text x="{x + 12:.0f}" y="{below:.0f}" fill="{colour}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
