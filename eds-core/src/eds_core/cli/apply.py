"""``eds apply``: run what ``eds plan`` shows."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from eds_core.console import printable
from eds_core.errors import ConfigError

from .config_file import Confirmation
from .opening import destination_at
from .options import logging_options
from .plan import look, question_options, summary, tell
from .secrets import need_url


@click.command("apply", short_help="Run that SQL, and go on with what waited for it.")
@question_options
@click.option(
    "--yes", is_flag=True, cls=Confirmation, envvar="EDS_YES", help="Do not ask."
)
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    creds: Path | None,
    servers: tuple[str, ...],
    everything: bool,
    yes: bool,
) -> None:
    """Make the changes that `eds plan` shows, and have parked tables go on.

    Only changes that wait, unless --creds is given. A server that runs goes on by
    itself, at once. May be repeated.

    Exit codes: 0 all is done, 1 something could not be done, 2 usage or configuration.
    """
    from eds_core.claims import this_process
    from eds_core.planning import apply
    from eds_core.plugins import installed_plugins

    url = need_url(ctx, urls)
    found = look(ctx, url, creds, servers, everything=everything)
    if not found.to_do:
        click.echo(summary(found, asked=creds is not None), err=True)
        return
    tell(found)
    _confirm(yes=yes)
    actor = f"apply on {this_process()}"
    plugins = tuple(installed_plugins())
    with destination_at(url, plugins, read_only=False, actor=actor) as destination:
        failed = apply(destination, found)
    for table in failed:
        advice = f". {table.advice}" if table.advice else ""
        click.echo(printable(f"error: {table.table}: {table.error}{advice}"), err=True)
    ctx.exit(1 if failed else 0)


def _confirm(*, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfigError(
            "there is nobody here to say yes; nothing was run",
            advice="give --yes, as soon as you know what `eds plan` prints",
        )
    click.confirm("Do this now?", abort=True, err=True)
