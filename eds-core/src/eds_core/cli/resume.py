"""``eds resume``: continue a parked table."""

from __future__ import annotations

import click

from eds_core.errors import ConfigError

from .quarantine import opened, urls_argument
from .secrets import need_url, url_options


@click.command("resume", short_help="Continue a table that was parked.")
@click.argument("table")
@urls_argument
@url_options
@click.pass_context
def command(ctx: click.Context, *, table: str, urls: tuple[str, ...]) -> None:
    """Ask the server to continue TABLE from where it was parked, without loss."""
    url = need_url(ctx, urls)
    with opened(url, read_only=True) as ledger:  # a wrong path makes no file
        parked = sorted({entry.table for entry in ledger.parked()})
    if table not in parked:
        names = ", ".join(parked) or "none"
        raise ConfigError(f"table {table} is not parked; parked tables: {names}")
    with opened(url) as ledger:
        ledger.request_resume(table)
    click.echo(f"{table} will be continued by the server, at once or at its next start")
