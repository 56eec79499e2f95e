"""``eds status``: where each database stands, asked of the database itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from eds_core.console import printable
from eds_core.durations import spoken
from eds_core.errors import EdsError
from eds_core.findings import Finding, Verdict, wrong
from eds_core.moments import as_text
from eds_core.urls import redact

from .findings import show
from .options import Duration
from .quarantine import opened

if TYPE_CHECKING:
    from eds_core.ledger import TableStatus
    from eds_core.status import Status

    Looked = tuple[str, Status | None, list[Finding]]


@click.command("status", short_help="How far and how fresh each database is.")
@click.argument("urls", nargs=-1, required=True, metavar="URL...", envvar="EDS_URL")
@click.option(
    "--max-age",
    type=Duration(timedelta(days=366)),
    envvar="EDS_MAX_AGE",
    help="A position that has not moved for so long is wrong, e.g. 15m.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    max_age: timedelta | None,
    as_json: bool,
) -> None:
    """Show positions, owners, freshness, and what needs a person.

    Only reads the databases, and needs neither credentials nor a running server.

    Exit codes: 0 all is well, 1 something needs a person.
    """
    every = [_look(url, max_age) for url in dict.fromkeys(urls)]
    if as_json:
        click.echo(json.dumps([_as_dict(*each) for each in every], indent=2))
    else:
        for each in every:
            _show(*each)
    verdicts = {finding.verdict for *_, found in every for finding in found}
    ctx.exit(1 if Verdict.WRONG in verdicts else 0)


def _look(url: str, max_age: timedelta | None) -> Looked:
    """One that cannot be opened keeps no other one from being told."""
    from eds_core.status import needs, read_status

    try:
        with opened(url, read_only=True) as ledger:
            status = read_status(ledger, url, time.time_ns())
    except EdsError as error:
        why = "nothing can be read or written there now"
        return redact(url), None, [wrong("database", error, why)]
    return redact(url), status, list(needs(status, max_age))


def _as_dict(
    url: str, status: Status | None, findings: list[Finding]
) -> dict[str, object]:
    found = [finding.as_dict() for finding in findings]
    return {"url": url, **(status.as_dict() if status else {}), "findings": found}


def _show(url: str, status: Status | None, findings: list[Finding]) -> None:
    click.echo(printable(url))
    if status is not None:
        for line in (*_companies(status), *_tables(status.tables)):
            click.echo(f"  {printable(line)}")
    show(findings)
    if not findings:
        click.echo("all is well")


def _companies(status: Status) -> Iterator[str]:
    for each in status.checkpoints:
        moved, as_of = status.age(each.updated), _seconds(each.time)
        yield f"company {each.company}"
        yield f"  position  {each.sequence}, with all until {as_of or 'not known'}"
        yield f"  moved     {spoken(moved)} ago"
        yield f"  owner     {each.role} on {each.owner or 'nobody'}"


def _tables(tables: tuple[TableStatus, ...]) -> Iterator[str]:
    if not tables:
        return
    width = max(len(each.table) for each in tables)
    yield f"{'table':{width}}  {'state':9} {'last event':23} {'lag':>9} {'rows':>11}"
    for each in tables:
        yield (
            f"{each.table:{width}}  {each.state:9} {_seconds(each.last_event):23} "
            f"{spoken(each.lag):>9} {each.rows:>11,}"
        )


def _seconds(moment: int) -> str:
    """To the second, for people."""
    return f"{as_text(moment)[:19].replace('T', ' ')} UTC" if moment else ""
