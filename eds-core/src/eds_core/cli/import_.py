"""``eds import``: load exported files into a database."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from itertools import takewhile
from pathlib import Path

import click

from eds_core.errors import ConfigError

from .config_file import is_silent
from .options import (
    Bytes,
    Prefix,
    creds_option,
    log_format_option,
    logging_options,
    schema_changes_option,
    servers_option,
    start_time_option,
)
from .policy import policy_of, policy_options
from .secrets import need_urls, with_urls


@click.command("import")
@click.argument(
    "paths",
    nargs=-1,
    type=click.Path(),  # which takes a URL as it is
    metavar="PATH... URL...",
    envvar="EDS_IMPORT",
)
@with_urls
@creds_option("The credentials file: for schemas, and for the position of the stream.")
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
@schema_changes_option
@policy_options
@log_format_option
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    paths: tuple[str, ...],
    urls: tuple[str, ...],
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
    log_format: str,
    schema_changes: str,
) -> None:
    """Load exported files into the database at URL, or into several.

    PATH is a folder, a file of JSON lines, or a zip or tar of such files, packed or
    not. Rows are guarded by their version: an import never destroys what is newer,
    and may be repeated. A broken one continues where it stood.

    Exit codes: 0 all is in, 3 some lines were quarantined, 1 error, 2 usage or
    configuration.
    """
    from eds_core.gate import SchemaChanges
    from eds_core.importer.names import read_moment
    from eds_core.importer.options import ImportOptions
    from eds_core.importer.unpack import Limits
    from eds_core.server import DEFAULT_SERVER

    from .imports import run_imports

    files, urls = _files_and_urls(ctx, paths, urls)
    if repair and not verify:
        raise ConfigError("--repair goes with --verify")
    if verify and dry_run:
        raise ConfigError("--verify has nothing to compare after --dry-run")
    options = partial(
        ImportOptions,
        paths=files,
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
        tables=known_tables(),
        policy=policy_of(ctx),
        schema_changes=SchemaChanges(schema_changes),
    )
    several = [options(url=url, limits=Limits(max_ratio, max_unpacked)) for url in urls]
    ctx.exit(run_imports(several, silent=is_silent(ctx), as_json=log_format == "json"))


def _files_and_urls(
    ctx: click.Context, given: tuple[str, ...], elsewhere: tuple[str, ...]
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The URLs come last, unless they are not among the arguments at all."""
    files = tuple(takewhile(lambda one: "://" not in one, given))
    typed = given[len(files) :]
    if not all("://" in url for url in typed):  # never told: they have passwords
        raise ConfigError(
            "the database URL is not last", advice="e.g. eds import . URL"
        )
    urls = need_urls(ctx, elsewhere, typed)
    if not files:
        raise ConfigError("no files to import", advice="e.g. eds import . URL")
    return tuple(map(Path, files)), urls


def known_tables() -> tuple[str, ...]:
    """The tables that there may be in an export."""
    from eds_core.catalogue import all_tables

    return tuple(all_tables())
