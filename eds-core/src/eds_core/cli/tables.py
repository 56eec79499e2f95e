"""``eds tables``: what can be exported and is streamed."""

from __future__ import annotations

import click


@click.command("tables")
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print a JSON object: group to names.",
)
def command(*, as_json: bool) -> None:
    """List the shop's tables, by group."""
    from eds_core.catalogue import table_groups

    groups = table_groups()
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(groups), indent=2))
        return
    for number, (group, tables) in enumerate(groups.items()):
        click.echo(f"{chr(10) if number else ''}{group}")
        for table in tables:
            click.echo(f"  {table}")
