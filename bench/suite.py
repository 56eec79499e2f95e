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
    """One that fails, as for want of a server, does not keep the others."""
    FILES.mkdir(exist_ok=True)
    commands = {
        name: (*SUITE[name], "--runs", str(options.runs), "--json", str(_file(name)))
        for name in options.only.split(",")
    }
    failed: list[str] = []
    for name, command in commands.items():
        print("python -m bench", *command, flush=True)
        if not options.list and await _run(*command):
            failed.append(name)
    if not options.list:
        await _run("page")
    if failed:
        raise SystemExit(f"failed, see above: {', '.join(failed)}")


def _file(name: str) -> Path:
    return FILES / f"{name}.json"


async def _run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *command, cwd=TOP
    )
    return await process.wait()
