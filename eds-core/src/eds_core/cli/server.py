"""``eds server``: stream into the given databases until stopped."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta
from pathlib import Path

import click

from eds_core.errors import ConfigError

from .config_file import is_silent
from .options import (
    Prefix,
    creds_option,
    health_of,
    health_options,
    log_format_option,
    logging_options,
    schema_changes_option,
    servers_option,
    start_time_option,
    tell_of_passwords,
)
from .policy import policy_of, policy_options
from .secrets import need_urls, url_options

log = logging.getLogger("eds")


def _ids(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Several may be in one value, with commas."""
    return tuple(id_.strip() for item in value for id_ in item.split(",") if id_)


@click.command("server")
@click.argument("urls", nargs=-1, metavar="URL...", envvar="EDS_URL")
@url_options
@creds_option("The credentials file you were given.")
@servers_option
@click.option(
    "--consumer-prefix",
    type=Prefix(),
    default="",
    envvar="EDS_CONSUMER_PREFIX",
    help="Put this in front of the consumers' names.",
)
@click.option(
    "--company",
    "companies",
    multiple=True,
    callback=_ids,
    envvar="EDS_COMPANY",
    metavar="ID[,ID...]",
    help="Only this company of the credentials; may be repeated.",
)
@start_time_option
@click.option(
    "--importer",
    type=click.Path(path_type=Path),
    envvar="EDS_IMPORTER",
    help="Load exported files from this folder or file, then exit.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    envvar="EDS_DRY_RUN",
    help="Say what would be written; change nothing, take nothing.",
)
@click.option(
    "--dump-dir",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="EDS_DUMP_DIR",
    help="Write each message as it came to this directory.",
)
@click.option(
    "--trace-nats", is_flag=True, envvar="EDS_TRACE_NATS", help="Show NATS traffic."
)
@click.option(
    "--live",
    is_flag=True,
    envvar="EDS_LIVE",
    help="On a terminal: show rates, latencies and tables below the log.",
)
@health_options
@log_format_option
@schema_changes_option
@policy_options
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    urls: tuple[str, ...],
    creds: Path | None,
    servers: tuple[str, ...],
    consumer_prefix: str,
    companies: tuple[str, ...],
    consumer_start_time: timedelta | None,
    importer: Path | None,
    dry_run: bool,
    dump_dir: Path | None,
    trace_nats: bool,
    live: bool,
    schema_changes: str,
    health_host: str | None,
    health_port: int | None,
    log_format: str,
) -> None:
    """Stream changes into each database URL until stopped.

    With --importer: load exported files into each, then exit; started again without
    it, the server goes on with what has changed meanwhile.

    Every option can be a variable instead (EDS_CREDS, EDS_URL, ...), or a line of
    eds.toml (creds = "shop.creds"); `eds config show` tells what comes of it.

    Exit codes: 0 stopped as asked, 1 error, 2 usage or configuration, 3 an import
    has quarantined some lines, 4 another EDS has taken over. `eds --help` lists the
    other commands.
    """
    from eds_core.gate import SchemaChanges
    from eds_core.plugins import installed_plugins
    from eds_core.server import DEFAULT_SERVER, ServerOptions, serve

    show = live and _has_terminal(silent=is_silent(ctx), log_format=log_format)
    if creds is None:
        raise ConfigError(
            "no credentials: --creds is missing",
            advice="name the .creds file you were given: --creds shop.creds",
        )
    tell_of_passwords(ctx, urls)
    urls = need_urls(ctx, urls)
    servers = servers or (DEFAULT_SERVER,)
    if importer is not None and companies:
        raise ConfigError(
            "--company does not go with --importer",
            advice="an import loads the rows that are in the files, of all companies",
        )
    if importer is not None:
        from eds_core.importer.options import ImportOptions

        from .import_ import known_tables
        from .imports import run_imports

        imports = [
            ImportOptions(
                paths=(importer,),
                url=url,
                credentials=creds,
                servers=servers,
                prefix=consumer_prefix,
                look_back=consumer_start_time,
                dry_run=dry_run,
                tables=known_tables(),
                policy=policy_of(ctx),
                schema_changes=SchemaChanges(schema_changes),
            )
            for url in urls
        ]
        as_json = log_format == "json"
        ctx.exit(run_imports(imports, silent=is_silent(ctx), as_json=as_json))
    options = ServerOptions(
        credentials=creds,
        urls=urls,
        servers=servers,
        prefix=consumer_prefix,
        look_back=consumer_start_time,
        companies=companies,
        dry_run=dry_run,
        dump_dir=dump_dir,
        trace=trace_nats,
        health=health_of(health_host, health_port),
        policy=policy_of(ctx),
        schema_changes=SchemaChanges(schema_changes),
    )
    plugins = tuple(installed_plugins())
    if show:
        from .watching import serve_and_show

        ctx.exit(serve_and_show(options, plugins))
    ctx.exit(serve(options, plugins))


def _has_terminal(*, silent: bool, log_format: str) -> bool:
    """Whether there is somebody to show something to."""
    if silent or log_format != "text":
        raise ConfigError("--live does not go with --silent or --log-format json")
    if not sys.stdout.isatty():
        log.info("no terminal: nothing of --live can be shown, only this log")
        return False
    return True
