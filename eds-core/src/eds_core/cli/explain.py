"""``eds explain``: what an error's code means."""

from __future__ import annotations

import textwrap

import click

from eds_core.errors import ConfigError


@click.command("explain", short_help="What an error's code means.")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Say what happened, why, and what to do; without CODE, list all codes."""
    from eds_core.codes import explanations

    known = explanations()
    if code is None:
        for name, each in known.items():
            click.echo(f"{name}  {each.title}")
        return
    name = "E" + code.strip(" []").upper().removeprefix("E")
    if name not in known:
        raise ConfigError(f"no error has the code {code}", advice="eds explain")
    each = known[name]
    click.echo(f"{name}: {each.title}")
    for title, text in (("", each.what), ("Why:", each.why), ("Do:", each.do)):
        click.echo(textwrap.fill(f"{title} {text}".strip(), 78, subsequent_indent="  "))
