"""Show a demo while it runs, and tell how it has ended."""

from __future__ import annotations

import asyncio
import sys

import click
from rich.live import Live

from eds_core.console import set_up_logging
from eds_core.demo import DemoOptions, Summary, run_demo
from eds_core.live import milliseconds, view
from eds_core.pulse import Pulse
from eds_core.urls import redact


def show_demo(options: DemoOptions, *, verbose: bool) -> bool:
    """Run a demo to its end; say whether the database is what it should be."""
    summary = asyncio.run(_run(options, Pulse(), verbose=verbose))
    _print_summary(summary, options.url)
    return summary.equal


async def _run(options: DemoOptions, pulse: Pulse, *, verbose: bool) -> Summary:
    live = sys.stdout.isatty() and not verbose
    set_up_logging(verbose=verbose, silent=live, timestamp=False)
    show = _live_view if live else _plain_lines
    showing: list[asyncio.Task[None]] = []

    def ready(page: str) -> None:
        where = redact(options.url)
        showing.append(asyncio.create_task(show(pulse, where, page)))

    try:
        return await run_demo(options, pulse, ready)
    finally:
        for task in showing:
            task.cancel()
        await asyncio.gather(*showing, return_exceptions=True)


async def _live_view(pulse: Pulse, where: str, page: str) -> None:
    with Live(view(pulse, where, page=page), refresh_per_second=8) as live:
        while True:
            await asyncio.sleep(0.25)
            live.update(view(pulse, where, page=page))


async def _plain_lines(pulse: Pulse, where: str, page: str) -> None:
    click.echo(f"streaming to {where}, status page {page}")
    while True:
        await asyncio.sleep(2)
        click.echo(_line(pulse))


def _line(pulse: Pulse) -> str:
    return (
        f"{pulse.events} events, {pulse.rate:.0f} events/s, latency p50 "
        f"{milliseconds(pulse.latency(0.5))}, p99 {milliseconds(pulse.latency(0.99))}, "
        f"{len(pulse.rows)} tables, {pulse.quarantined} quarantined"
    )


def _print_summary(summary: Summary, url: str) -> None:
    pulse, found = summary.pulse, summary.found
    click.echo(
        f"{pulse.events} of {summary.published} events written in "
        f"{summary.seconds:.1f} s and {pulse.batches} transactions, "
        f"{pulse.quarantined} quarantined"
    )
    click.echo(
        f"latency from publishing to commit: p50 "
        f"{milliseconds(pulse.latency(0.5, recent=False))}, p99 "
        f"{milliseconds(pulse.latency(0.99, recent=False))}"
    )
    if found is None:
        click.echo("rows cannot be counted there, and are not compared with the shop's")
    elif summary.equal:
        rows = sum(found.values())
        click.echo(f"{rows} rows in {len(found)} tables, as many as the shop has")
    else:
        wrong = {
            t: (found.get(t, 0), n)
            for t, n in summary.expected.items()
            if found.get(t, 0) != n
        }
        click.echo(f"the database differs from the shop (found, expected): {wrong}")
    click.echo(f"database: {redact(url)}")
    if url.startswith("sqlite:///"):
        path = url.removeprefix("sqlite:///").partition("?")[0]
        click.echo(f"look into it: sqlite3 {path} .tables")
