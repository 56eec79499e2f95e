"""``eds counts URL``: how many rows each table has. A command, as an example."""

from __future__ import annotations

import click

from eds_core import find_driver


@click.command("counts")
@click.argument("url", envvar="EDS_URL")
def command(url: str) -> None:
    """Print how many rows each table has that EDS has written to at URL.

    Changes nothing and claims nothing: a server may be running.
    """
    driver = find_driver(url)(url)
    driver.read_only = True
    driver.open()
    try:
        for table in sorted({status.table for status in driver.ledger.statuses()}):
            click.echo(f"{driver.count(table):>12,}  {table}")
    finally:
        driver.close()
