"""Tables for people, and one JSON format for all benchmarks.

``{"benchmark": ..., "at": ..., "machine": {...}, "options": {...}, "figures": {...}}``;
most figures have ``runs`` (way to medians) and ``ratios`` (name to median), as
`bench.rounds` makes them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.rounds import Runs, summary

RESULTS = Path(__file__).parent / "results"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least *share* of *values* do not exceed."""
    ordered = sorted(values)
    place = -(-len(ordered) * int(share * 1000) // 1000)
    return ordered[max(0, place - 1)]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns side by side; the first is text, the others are figures."""
    lines = [[str(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True)]
        )
        for line in lines
    )


def report(
    name: str,
    options: argparse.Namespace,
    runs: Runs,
    ratios: Mapping[str, Mapping[str, object]],
    more: Mapping[str, object] | None = None,
) -> None:
    """Print and write what a benchmark of rounds has found."""
    told = {way: summary(some) for way, some in runs.items()}
    print(table(RUN_HEAD, (_line(way, figures) for way, figures in told.items())))
    print(table(("ratio", "median"), ((n, r["median"]) for n, r in ratios.items())))
    for what, value in (more or {}).items():
        print(f"{what}: {value}")
    figures = {"runs": told, "ratios": ratios, **(more or {})}
    print(write(name, figures, options))


RUN_HEAD = ("median of runs", "per second", "peak RSS MiB", "CPU s/100k")


def _line(way: str, figures: Mapping[str, object]) -> tuple[object, ...]:
    cpu = figures["CPU s/100k"]
    told = ", ".join(f"{name} {value}" for name, value in cpu.items())
    return way, f"{figures['per second']:,}", figures.get("peak RSS MiB", "-"), told


def write(
    name: str,
    figures: Mapping[str, object],
    options: argparse.Namespace | None = None,
) -> Path:
    """Write the file of a benchmark; return where, which `--json` may say."""
    given = dict(vars(options)) if options else {}
    given.pop("run", None)
    now = datetime.now(UTC)
    path = given.pop("json", None)
    if path is None:
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}-{now:%Y%m%d-%H%M%S}.json"
    found = {
        "benchmark": name,
        "at": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "machine": machine(),
        "options": given,
        "figures": figures,
    }
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    return path


def machine() -> dict[str, object]:
    """What the figures were measured on, and how busy it is (load of a minute)."""
    return {
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=int, default=3, help="rounds; default: %(default)s"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write figures there")
