"""Run all benchmarks whose figures are in `docs/performance.md`, and make it anew.

They take about an hour on two quiet cores. Each is a process of its own; `--only`
names some of them, `--list` shows them.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

NAME = "all"
TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "performance.md"
FILES = TOP / "docs" / "performance"

#: The name of a file in `docs/performance`, and the command that writes it.
SUITE: dict[str, tuple[str, ...]] = {
    "stream-postgresql": ("stream",),
    "stream-gzip": ("stream", "--gzip-share", "1"),
    "stream-mariadb": ("stream", "--database", "mariadb"),
    "stream-mysql": ("stream", "--database", "mysql"),
    "stream-sqlite": ("stream", "--database", "sqlite"),
    "latency": ("latency",),
    "import": ("import",),
    "driver-postgresql": ("driver",),
    "driver-mariadb": ("driver", "--database", "mariadb"),
    "driver-mysql": ("driver", "--database", "mysql"),
    "driver-sqlite": ("driver", "--database", "sqlite"),
    "companies": ("companies",),
    "costs": ("costs",),
    "tuning": ("tuning",),
    "start": ("start",),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=3, help="rounds of each")
    parser.add_argument("--only", default=",".join(SUITE), metavar="NAME[,NAME...]")
    parser.add_argument("--list", action="store_true", help="show them, run none")


async def run(options: argparse.Namespace) -> None:
    FILES.mkdir(exist_ok=True)
    for name in options.only.split(","):
        file = FILES / f"{name}.json"
        runs = ("--runs", str(options.runs), "--json", str(file))
        await _run(*SUITE[name], *runs, only_show=options.list)
    await _run("page", only_show=options.list)


async def _run(*command: str, only_show: bool) -> None:
    print("python -m bench", *command, flush=True)
    if only_show:
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *command, cwd=TOP
    )
    if code := await process.wait():
        raise SystemExit(code)
