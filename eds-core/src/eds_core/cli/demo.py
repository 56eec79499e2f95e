"""``eds demo``: see the whole system work, on this machine."""

from __future__ import annotations

from pathlib import Path

import click


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
    import tempfile

    from eds_core.demo import DemoOptions

    from .showing import show_demo

    ctx.meta["eds.verbose"] = verbose
    directory = Path(tempfile.mkdtemp(prefix="eds-demo-"))
    url = url or f"sqlite:///{directory / 'shop.db'}"
    options = DemoOptions(directory / "sandbox", url, events, rate, seed)
    ctx.exit(0 if show_demo(options, verbose=verbose) else 1)
