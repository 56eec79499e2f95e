"""``eds demo``: see the whole system work, on this machine."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eds_core.console import set_up_logging
from eds_core.urls import redact

if TYPE_CHECKING:
    from eds_core.demo import DemoOptions, Pulse, Summary


@click.command("demo", short_help="See it work: a sandbox shop, into a database.")
@click.option("--events", type=click.IntRange(min=1), help="Stop after so many events.")
@click.option(
    "--rate",
    type=click.FloatRange(min=0.1, max=20_000),
    default=50.0,
    show_default=True,
    help="Events per second that the shop publishes.",
)
@click.option("--url", help="Database to fill; a new SQLite file when left out.")
@click.option(
    "--seed", default=1, show_default=True, help="Another seed, another shop."
)
@click.option("--verbose", is_flag=True, help="Show the server's log as well.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    events: int | None,
    rate: float,
    url: str | None,
    seed: int,
    verbose: bool,
) -> None:
    """Run a sandbox shop and stream it into a database, until Ctrl-C or --events.

    Starts a real nats-server with real credentials, a pretended shop at work in 71
    tables, and the very server that `eds server` is.
    """
    from eds_core.demo import DemoOptions, Pulse

    ctx.meta["eds.verbose"] = verbose
    directory = Path(tempfile.mkdtemp(prefix="eds-demo-"))
    url = url or f"sqlite:///{directory / 'shop.db'}"
    options = DemoOptions(directory / "sandbox", url, events, rate, seed)
    summary = asyncio.run(_run(options, Pulse(), verbose=verbose))
    _print_summary(summary, url)
    ctx.exit(0 if summary.equal else 1)


async def _run(options: DemoOptions, pulse: Pulse, *, verbose: bool) -> Summary:
    from eds_core.demo import run_demo

    live = sys.stdout.isatty() and not verbose
    set_up_logging(verbose=verbose, silent=live, timestamp=False)
    show = _live_view if live else _plain_lines
    showing: list[asyncio.Task[None]] = []

    def ready() -> None:
        where = redact(options.url)
        showing.append(asyncio.create_task(show(pulse, where)))

    try:
        return await run_demo(options, pulse, ready)
    finally:
        for task in showing:
            task.cancel()
        await asyncio.gather(*showing, return_exceptions=True)


async def _live_view(pulse: Pulse, where: str) -> None:
    from rich.live import Live

    from eds_core.live import view

    with Live(view(pulse, where), refresh_per_second=8) as live:
        while True:
            await asyncio.sleep(0.25)
            live.update(view(pulse, where))


async def _plain_lines(pulse: Pulse, where: str) -> None:
    click.echo(f"streaming to {where}")
    while True:
        await asyncio.sleep(2)
        click.echo(_line(pulse))


def _line(pulse: Pulse) -> str:
    from eds_core.live import milliseconds

    return (
        f"{pulse.events} events, {pulse.rate:.0f} events/s, latency p50 "
        f"{milliseconds(pulse.latency(0.5))}, p99 {milliseconds(pulse.latency(0.99))}, "
        f"{len(pulse.rows)} tables, {pulse.quarantined} quarantined"
    )


def _print_summary(summary: Summary, url: str) -> None:
    from eds_core.live import milliseconds

    pulse, rows = summary.pulse, sum(summary.found.values())
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
    if summary.equal:
        click.echo(
            f"{rows} rows in {len(summary.found)} tables, as many as the shop has"
        )
    else:
        wrong = {
            t: (summary.found.get(t, 0), n)
            for t, n in summary.expected.items()
            if summary.found.get(t, 0) != n
        }
        click.echo(f"the database differs from the shop (found, expected): {wrong}")
    click.echo(f"database: {redact(url)}")
    if url.startswith("sqlite:///"):
        click.echo(f"look into it: sqlite3 {url.removeprefix('sqlite:///')} .tables")
