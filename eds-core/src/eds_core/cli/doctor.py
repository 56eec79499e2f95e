"""``eds doctor``: is all well, and if not, what exactly is to be done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eds_core.errors import ConfigError
from eds_core.findings import Finding, Verdict

from .findings import show
from .options import creds_option, schema_changes_option, servers_option
from .secrets import url_options, urls_of

if TYPE_CHECKING:
    from eds_core.doctor import Question


@click.command("doctor", short_help="What is wrong, and what to do about it.")
@click.argument("urls", nargs=-1, metavar="[URL]...", envvar="EDS_URL")
@url_options
@creds_option("The credentials file; without it, NATS is not looked at.")
@servers_option
@schema_changes_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    creds: Path | None,
    servers: tuple[str, ...],
    schema_changes: str,
    as_json: bool,
) -> None:
    """Look at credentials, clock, network, NATS, and each database.

    Each line is ok, a note, or WRONG, with the reason and what to paste. Nothing is
    written anywhere, and no password is shown: the output can be mailed. It may be
    used while the server runs. Give --schema-changes as the server has it: with off or
    review its user need not be allowed to make tables.

    Exit codes: 0 nothing is wrong, 1 something is.
    """
    import asyncio

    from eds_core.doctor import Question
    from eds_core.gate import SchemaChanges
    from eds_core.server import DEFAULT_SERVER

    urls = urls_of(ctx, urls)
    if not urls and creds is None:
        raise ConfigError(
            "there is nothing to look at",
            advice="eds doctor --creds shop.creds postgresql://user:password@host/name",
        )
    mode = SchemaChanges(schema_changes)
    question = Question(servers or (DEFAULT_SERVER,), urls, creds, mode)
    found = asyncio.run(_tell(question, as_json=as_json))
    wrong = [finding for _, finding in found if finding.verdict is Verdict.WRONG]
    if as_json:
        every = [{"what": what, **finding.as_dict()} for what, finding in found]
        click.echo(json.dumps({"ok": not wrong, "findings": every}, indent=2))
    else:
        click.echo(
            f"{len(wrong)} of {len(found)} are wrong" if wrong else "all is well"
        )
    ctx.exit(1 if wrong else 0)


async def _tell(question: Question, *, as_json: bool) -> list[tuple[str, Finding]]:
    """Print each finding as it comes, unless all are to be printed as JSON."""
    from eds_core.console import printable
    from eds_core.doctor import examine

    found: list[tuple[str, Finding]] = []
    before = ""
    async for what, finding in examine(question):
        found.append((what, finding))
        if as_json:
            continue
        if what != before:
            click.echo(printable(what))
            before = what
        show([finding])
    return found
