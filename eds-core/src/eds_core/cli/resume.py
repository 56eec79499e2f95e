"""``eds resume``: continue a parked table."""

from __future__ import annotations

import click

from eds_core.errors import ConfigError

from .quarantine import opened, url_argument


@click.command("resume")
@click.argument("table")
@url_argument
def command(table: str, url: str) -> None:
    """Ask the server to continue TABLE from where it was parked, without loss."""
    with opened(url) as ledger:
        count = ledger.request_resume(table)
        parked = sorted({entry.table for entry in ledger.parked()})
    if not count:
        names = ", ".join(parked) or "none"
        raise ConfigError(f"table {table} is not parked; parked tables: {names}")
    click.echo(f"{table} will be continued by the server, at once or at its next start")
