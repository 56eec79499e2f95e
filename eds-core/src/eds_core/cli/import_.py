"""``eds import``: load exported files into a database."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from eds_core.console import printable
from eds_core.errors import ConfigError

from .options import (
    Bytes,
    Prefix,
    logging_options,
    servers_option,
    set_up,
    start_time_option,
)

if TYPE_CHECKING:
    from eds_core.importer.options import ImportOptions, Outcome
    from eds_core.importer.run import Import

_SOME_QUARANTINED = 3


@click.command("import")
@click.argument(
    "paths", nargs=-1, required=True, metavar="PATH... URL", envvar="EDS_IMPORT"
)
@click.option(
    "--creds",
    type=click.Path(path_type=Path),
    envvar="EDS_CREDS",
    help="The credentials file: for schemas, and for the position of the stream.",
)
@servers_option
@click.option(
    "--consumer-prefix",
    type=Prefix(),
    default="",
    envvar="EDS_CONSUMER_PREFIX",
    help="The server's prefix: an old server's position is found by it.",
)
@start_time_option
@click.option(
    "--table",
    default="",
    envvar="EDS_TABLE",
    help="The table of files whose names do not tell it.",
)
@click.option(
    "--snapshot-time",
    envvar="EDS_SNAPSHOT_TIME",
    metavar="TIME",
    help="When the export was asked for, e.g. 2025-01-31T12:00:00Z; never later.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=min(8, os.cpu_count() or 1),
    show_default="the processors, at most 8",
    envvar="EDS_JOBS",
    help="Files that are read side by side.",
)
@click.option(
    "--prune",
    is_flag=True,
    envvar="EDS_PRUNE",
    help="Delete rows that are older than the export and not in it.",
)
@click.option(
    "--verify",
    is_flag=True,
    envvar="EDS_VERIFY",
    help="Compare the database with the files afterwards.",
)
@click.option(
    "--repair",
    is_flag=True,
    envvar="EDS_REPAIR",
    help="Write the rows again that differ (with --verify).",
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="EDS_DRY_RUN",
    help="Read and check everything; write nothing.",
)
@click.option(
    "--restart",
    is_flag=True,
    envvar="EDS_RESTART",
    help="Begin anew instead of where a broken import stood.",
)
@click.option(
    "--max-ratio",
    type=click.FloatRange(min=1),
    default=250.0,
    show_default=True,
    envvar="EDS_MAX_RATIO",
    help="Refuse what unpacks to more than so many times its size.",
)
@click.option(
    "--max-unpacked",
    type=Bytes(),
    default="1T",
    show_default=True,
    envvar="EDS_MAX_UNPACKED",
    help="Refuse to unpack more than that in all, e.g. 50G.",
)
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    paths: tuple[str, ...],
    creds: Path | None,
    servers: tuple[str, ...],
    consumer_prefix: str,
    consumer_start_time: timedelta | None,
    table: str,
    snapshot_time: str | None,
    jobs: int,
    prune: bool,
    verify: bool,
    repair: bool,
    dry_run: bool,
    restart: bool,
    max_ratio: float,
    max_unpacked: int,
    verbose: bool,
    silent: bool,
    timestamp: bool,
) -> None:
    """Load exported files into the database at URL.

    PATH is a folder, a file of JSON lines, or a zip or tar of such files, packed or
    not. Rows are guarded by their version: an import never destroys what is newer,
    and may be repeated. A broken one continues where it stood.

    Exit codes: 0 all is in, 3 some lines were quarantined, 1 error, 2 usage or
    configuration.
    """
    from eds_core.importer.names import read_moment
    from eds_core.importer.options import ImportOptions
    from eds_core.importer.unpack import Limits
    from eds_core.server import DEFAULT_SERVER

    set_up(ctx, verbose=verbose, silent=silent, timestamp=timestamp)
    files, url = _files_and_url(paths)
    if repair and not verify:
        raise ConfigError("--repair goes with --verify")
    if verify and dry_run:
        raise ConfigError("--verify has nothing to compare after --dry-run")
    options = ImportOptions(
        paths=files,
        url=url,
        credentials=creds,
        servers=servers or (DEFAULT_SERVER,),
        prefix=consumer_prefix,
        look_back=consumer_start_time,
        table=table,
        snapshot=read_moment(snapshot_time, "--snapshot-time")
        if snapshot_time
        else None,
        jobs=jobs,
        dry_run=dry_run,
        verify=verify,
        repair=repair,
        prune=prune,
        restart=restart,
        limits=Limits(max_ratio, max_unpacked),
        tables=known_tables(),
    )
    ctx.exit(run_import(options, silent=silent))


def _files_and_url(paths: tuple[str, ...]) -> tuple[tuple[Path, ...], str]:
    """The last one is the URL, unless EDS_URL has it."""
    urls = [path for path in paths if "://" in path]  # never told: it has a password
    if len(urls) > 1:
        raise ConfigError(
            "more than one database URL",
            advice="give the command again for each, or use --importer of the server",
        )
    if urls and "://" not in paths[-1]:
        raise ConfigError(
            "the database URL is not last", advice="e.g. eds import . URL"
        )
    files = [path for path in paths if path not in urls]
    url = urls[0] if urls else os.environ.get("EDS_URL", "")
    if not url:
        raise ConfigError(
            "no database URL",
            advice="e.g. eds import . postgresql://user:password@host/name",
        )
    if not files:
        raise ConfigError("no files to import", advice="e.g. eds import . URL")
    return tuple(Path(file) for file in files), url


def known_tables() -> tuple[str, ...]:
    """The tables that there may be in an export."""
    from eds_core.catalogue import all_tables

    return tuple(all_tables())


def run_import(options: ImportOptions, *, silent: bool = False) -> int:
    """Run an import with its progress shown; the exit code."""
    return _run_import(options, silent=silent)[0]


def _run_import(options: ImportOptions, *, silent: bool) -> tuple[int, bool]:
    """The exit code, and whether it was asked to stop."""
    from eds_core.importer.run import Import
    from eds_core.plugins import installed_plugins

    running = Import(options, tuple(installed_plugins()))
    outcome = asyncio.run(_shown(running, silent=silent))
    if not silent:
        _summarise(outcome, options)
    if not outcome.complete or (outcome.differences and not options.repair):
        return 1, outcome.stopped
    return _SOME_QUARANTINED if outcome.tally.total().quarantined else 0, False


def run_imports(imports: Iterable[ImportOptions], *, silent: bool = False) -> int:
    """Run one after the other, until one is stopped; the worst exit code.

    An error, else lines that were quarantined, else 0.
    """
    codes = set()
    for options in imports:
        code, stopped = _run_import(options, silent=silent)
        codes.add(code)
        if stopped:
            break
    return 1 if 1 in codes else max(codes, default=0)


async def _shown(running: Import, *, silent: bool) -> Outcome:
    if silent:
        return await running.run()
    show = _bars if sys.stderr.isatty() else _lines
    showing = asyncio.create_task(show(running))
    try:
        return await running.run()
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _bars(running: Import) -> None:
    from eds_core.importing import progress

    with progress() as refresh:
        while True:
            refresh(running.tally)
            await asyncio.sleep(0.2)


async def _lines(running: Import) -> None:
    from eds_core.importing import progress_line

    while True:
        await asyncio.sleep(10)
        if told := progress_line(running.tally):
            click.echo(told, err=True)


def _summarise(outcome: Outcome, options: ImportOptions) -> None:
    from eds_core.importing import summary

    tell: Callable[[str], None] = lambda text: click.echo(printable(text))  # noqa: E731 - said several times
    summary(outcome.tally, dry_run=options.dry_run)
    for error in outcome.tally.errors:
        tell(f"error: {error}")
    for difference in outcome.differences:
        tell(f"{difference.table}: {difference.count} rows differ from the files")
        for row in difference.rows:
            tell(f"  {row}")
    if outcome.verified and not outcome.differences:
        tell("verified: the database holds what the files hold, or newer rows")
    if outcome.repaired:
        tell(f"{outcome.repaired} rows were written again")
    if outcome.tally.total().quarantined:
        tell("some lines were quarantined: eds quarantine list URL")
    if outcome.stopped:
        tell("stopped: the same import continues where it stands")
