"""``eds plan``: the SQL that EDS would run to change tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from eds_core.console import printable
from eds_core.urls import redact

from .opening import destination_at
from .options import creds_option, servers_option
from .policy import policy_of, policy_options
from .quarantine import urls_argument
from .secrets import need_url, url_options

if TYPE_CHECKING:
    from eds_core.destination import Destination
    from eds_core.planning import Plan, TablePlan

F = TypeVar("F", bound=Callable[..., object])

TO_DO = 3  # the exit code


def question_options(function: F) -> F:
    """What ``eds plan`` and ``eds apply`` are asked about; for ``look``."""
    creds = creds_option("The credentials file; without it, only what waits is known.")
    everything = click.option(
        "--all",
        "everything",
        is_flag=True,
        help="All of the shop's tables, not only those that EDS has met here.",
    )
    asked = servers_option(everything(policy_options(function)))
    return urls_argument(url_options(creds(asked)))


@click.command("plan", short_help="The SQL that EDS would run to change tables.")
@question_options
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.pass_context
def command(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    creds: Path | None,
    servers: tuple[str, ...],
    everything: bool,
    as_json: bool,
) -> None:
    """Print the SQL that EDS would run now to make and alter tables at URL.

    Nothing is run or written. With --creds the shop's service is asked how its tables
    are; give the options of the server that leave out tables and columns, too.

    Exit codes: 0 nothing is to be done, 3 something is, 1 error, 2 usage or
    configuration.
    """
    url = need_url(ctx, urls)
    found = look(ctx, url, creds, servers, everything=everything)
    if as_json:
        click.echo(json.dumps(_as_dict(url, found), indent=2))
    else:
        tell(found)
        click.echo(summary(found, asked=creds is not None), err=True)
    ctx.exit(TO_DO if found.to_do else 0)


def look(
    ctx: click.Context,
    url: str,
    creds: Path | None,
    servers: tuple[str, ...],
    *,
    everything: bool,
) -> Plan:
    """Ask the shop's service, look at the database; changes nothing."""
    import asyncio

    from eds_core.planning import ask, plan, transformed
    from eds_core.plugins import installed_plugins
    from eds_core.server import DEFAULT_SERVER
    from eds_core.transforms import find_transforms

    policy = policy_of(ctx)
    rules = policy.plugins() if policy is not None else ()
    transforms = find_transforms((*rules, *installed_plugins()))
    with destination_at(url, read_only=True) as destination:
        if creds is None:
            return plan(destination, {})
        names = [
            name
            for name in _names(destination, everything=everything)
            if transforms is None or not transforms.drops(name)
        ]
        asked = servers or (DEFAULT_SERVER,)
        described = asyncio.run(ask(creds, asked, names, policy))
        return plan(destination, transformed(described, transforms), names)


def _names(destination: Destination, *, everything: bool) -> list[str]:
    from eds_core.catalogue import all_tables
    from eds_core.planning import tables_of

    known = all_tables()
    met = tables_of(destination, known)
    return sorted({*met, *known}) if everything else met


def tell(found: Plan) -> None:
    """Print the plan as SQL; what is no statement is a comment."""
    for line in (*_privileges(found), *_renames(found)):
        click.echo(f"-- {printable(line)}")
    if found.own:
        _block("EDS's own tables", found.own)
    for table in found.changes:
        _block(_title(table), table.statements or ())
    for name in found.waiting:
        if name not in {table.table for table in found.changes}:
            _block(f"{name} lacks nothing any more: `eds apply` has it go on")
    for name in found.unknown:
        _block(f"{name}: the shop's service does not describe it")


def _block(title: str, statements: Sequence[str] = ()) -> None:
    click.echo(f"-- {printable(title)}")
    for statement in statements:
        for line in f"{statement};".splitlines():
            click.echo(printable(line.rstrip().replace("\t", "    ")))
    click.echo()


def _title(table: TablePlan) -> str:
    if table.error:
        advice = f". {table.advice}" if table.advice else ""
        return f"{table.table} CANNOT BE CHANGED: {table.error}{advice}"
    told = f"{table.change}"
    return told if table.statements is not None else f"{told} (its driver runs no SQL)"


def _privileges(found: Plan) -> Iterator[str]:
    """Who has to do it, where the URL's user may not."""
    for finding in found.privileges:
        yield f"THIS USER MAY NOT: {finding.told}"
        yield f"{finding.advice}: {finding.paste}"
    if found.privileges:
        yield "or let somebody who may run what is below"


def _renames(found: Plan) -> Iterator[str]:
    """What should not be run before somebody has thought of it."""
    for finding in found.renames:
        yield f"LOOK FIRST: {finding.told} {finding.why}"
        yield f"if it was, {finding.advice}: {finding.paste}"


def summary(found: Plan, *, asked: bool) -> str:
    """Say how much there is to do, and what was not looked at."""
    statements = [s for t in found.changes for s in t.statements or ()]
    parts = []
    if not found.to_do:
        parts.append("nothing is to be done")
    if found.own or statements:
        count = len(found.own) + len(statements)
        plural = "s" if count > 1 else ""
        parts.append(f"{count} statement{plural}; nothing was run: `eds apply` does it")
    if not asked:
        parts.append("only what waits is known: --creds asks the shop's service")
    elif not found.tables:
        parts.append("no table of the shop is known here yet: --all shows every one")
    return ". ".join(parts)


def _as_dict(url: str, found: Plan) -> dict[str, object]:
    return {
        "url": redact(url),
        "to_do": found.to_do,
        "own_tables": [*found.own],
        "tables": [_table(table) for table in found.changes],
        "waiting": [*found.waiting],
        "unknown": [*found.unknown],
        "privileges": [finding.as_dict() for finding in found.privileges],
        "renames": [finding.as_dict() for finding in found.renames],
    }


def _table(table: TablePlan) -> dict[str, object]:
    return {
        "table": table.table,
        "change": str(table.change) if table.change else None,
        "statements": None if table.statements is None else [*table.statements],
        "error": table.error or None,
        "advice": table.advice or None,
    }
