"""``eds drivers``: what is installed."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

import click

from eds_core.console import printable
from eds_core.destination import DRIVERS, load_driver
from eds_core.errors import ConfigError


@click.command("drivers")
def command() -> None:
    """List the installed drivers, each with an example URL."""
    from rich.console import Console
    from rich.table import Table

    table = Table("scheme", "database", "example", "installed by", box=None)
    for entry in sorted(entry_points(group=DRIVERS), key=lambda entry: entry.name):
        table.add_row(*(printable(cell) for cell in _row(entry)))
    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table, markup=False)


def _row(entry: EntryPoint) -> tuple[str, str, str, str]:
    owner = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "?"
    try:
        driver = load_driver(entry)
    except ConfigError as error:
        return f"{entry.name}://", "broken", str(error), owner
    return f"{entry.name}://", driver.title, driver.example_url, owner
