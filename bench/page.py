"""Put the figures of the benchmarks' files into `docs/performance.md`.

Each `docs/performance/NAME.json` is what one benchmark of `python -m bench all` has
written. The page's text is written by hand; between its marks stands what comes from
these files.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.suite import FILES, PAGE, SUITE

Files = Mapping[str, Mapping[str, Any]]
MARKS = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- bench: end -->)", re.DOTALL)
NOT_MEASURED = "not measured"


@dataclass(frozen=True, slots=True)
class Goal:
    """A ratio that is to be reached."""

    what: str
    file: str
    ratio: str
    must: float
    aim: float

    def verdict(self, found: float) -> str:
        # Of costs and times less is better, and the aim is below what must be.
        sign = 1 if self.aim > self.must else -1
        if found * sign >= self.aim * sign:
            return "aim reached"
        return "yes" if found * sign >= self.must * sign else "**missed**"


POSTGRES = "stream-postgresql"
GOALS = (
    Goal("stream to PostgreSQL, events/s over one at a time",
         POSTGRES, "EDS / one at a time", 55, 100),
    Goal("the same over a bare socket that reads the stream",
         POSTGRES, "EDS / bare socket", 0.18, 0.3),
    Goal("CPU of EDS over that of `json.loads` of the same payloads",
         POSTGRES, "CPU of EDS / json.loads", 0.40, 0.25),
    Goal("the same, packed events, over gunzip and `json.loads`",
         "stream-gzip", "CPU of EDS / json.loads", 0.40, 0.25),
    Goal("wall over the CPU budget of the cores",
         POSTGRES, "wall / CPU budget", 1.6, 1.2),
    Goal("70 columns, distinct keys, batches of 1,000: upsert over COPY as text",
         "driver-postgresql", "insert, 1000 / COPY", 0.5, 0.8),
    Goal("latency at 50/s, p50, over a bare one-row commit",
         "latency", "50/s: p50 / bare upsert", 5, 2),
    Goal("latency at 50/s, p99", "latency", "50/s: p99 / bare upsert", 20, 8),
    Goal("latency at 500/s, p50", "latency", "500/s: p50 / bare upsert", 5, 2),
    Goal("latency at 500/s, p99", "latency", "500/s: p99 / bare upsert", 20, 8),
    Goal("import, 70 columns, all rows updated, over COPY as CSV",
         "import", "order: all updated / COPY", 0.5, 0.7),
    Goal("import, 70 columns, empty table",
         "import", "order: empty table / COPY", 0.65, 0.9),
    Goal("peak memory of an import of twice the rows",
         "import", "order: peak RSS, twice the rows", 1.1, 1.0),
    Goal("stream to MariaDB, events/s over one at a time",
         "stream-mariadb", "EDS / one at a time", 12, 25),
)  # fmt: skip


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only say if it is so")


async def run(options: argparse.Namespace) -> None:
    text = PAGE.read_text()
    new = filled(text, read_files(FILES))
    if options.check and new != text:
        raise SystemExit(f"{PAGE} is not what the files say: python -m bench page")
    PAGE.write_text(new)


def read_files(place: Path) -> Files:
    return {path.stem: json.loads(path.read_text()) for path in place.glob("*.json")}


def filled(text: str, files: Files) -> str:
    """*text* with what stands between its marks made anew."""
    blocks = {"goals": goals(files), "figures": figures(files)}
    return MARKS.sub(lambda m: f"{m[1]}\n{blocks[m[2]]}\n\n{m[3]}", text)


def goals(files: Files) -> str:
    rows = [(g.what, f"{g.must:g}", f"{g.aim:g}", *_reached(g, files)) for g in GOALS]
    return markdown(("ratio", "must reach", "aim", "measured", "reached"), rows)


def _reached(goal: Goal, files: Files) -> tuple[str, str]:
    file = files.get(goal.file)
    found = file and file["figures"]["ratios"].get(goal.ratio)
    if not found:
        return NOT_MEASURED, "-"
    return f"{found['median']:g}", goal.verdict(found["median"])


def figures(files: Files) -> str:
    """A chapter for each file that is there, in the order of the suite."""
    return "\n\n".join(
        "\n\n".join(_chapter(name, files[name])) for name in SUITE if name in files
    )


def _chapter(name: str, file: Mapping[str, Any]) -> Iterator[str]:
    found, machine = file["figures"], file["machine"]
    command = " ".join(("python -m bench", *SUITE[name]))
    yield f"### {name}"
    yield (
        f"`{command}`, {file['at'][:10]}; {file['options']['runs']} rounds; "
        f"{machine['cores']} cores with a load of {machine['load']} at the end; "
        f"Python {machine['python']}"
    )
    yield markdown(
        ("", "per second", "CPU, s per 100,000", "peak memory, MiB"),
        (_run(way, run) for way, run in found["runs"].items()),
    )
    for unit in ("ms", "seconds"):
        if unit in found:
            yield _by_way(unit, found[unit])
    ratios = found["ratios"].items()
    yield markdown(("ratio", "median"), ((n, f"{r['median']:g}") for n, r in ratios))


def _by_way(unit: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    head = next(iter(figures.values()))
    rows = ((way, *map(str, some.values())) for way, some in figures.items())
    return markdown((unit, *head), rows)


def _run(way: str, run: Mapping[str, Any]) -> tuple[str, ...]:
    cpu = ", ".join(f"{name} {value:g}" for name, value in run["CPU s/100k"].items())
    return way, f"{run['per second']:,}", cpu, f"{run.get('peak RSS MiB', '')}"


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
