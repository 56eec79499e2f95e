"""``eds export``: the shop's tables as files, by the service's export API."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from eds_core.console import Notes
from eds_core.errors import ConfigError

from .config_file import Secret, config_of, config_option, is_silent
from .downloads import shown_downloads
from .options import Duration, creds_option, log_format_option, logging_options
from .secrets import in_file, secret_file_option

if TYPE_CHECKING:
    from eds_core.export import ApiKey, Exported, ExportOptions

_log = logging.getLogger("eds.export")
_TABLE = re.compile(r"[a-z0-9_]+")
_IMPORT = "import"
_CLOCKS = timedelta(minutes=10)  # how much the stream's and ours may differ


def _tables(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    """Names, each once; several may be in one value, with commas."""
    names = [part.strip() for item in value for part in item.split(",")]
    for name in names:
        if not _TABLE.fullmatch(name):
            raise click.BadParameter(f"{name!r} is no table; `eds tables` lists them")
    return tuple(dict.fromkeys(names))


@click.command("export")
@click.option(
    "--table",
    "--tables",
    "tables",
    multiple=True,
    callback=_tables,
    envvar="EDS_TABLES",
    metavar="NAME[,NAME...]",
    help="A table to export; may be repeated. `eds tables` lists them.",
)
@click.option("--all", "everything", is_flag=True, envvar="EDS_ALL", help="All tables.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    show_default=True,
    envvar="EDS_OUTPUT",
    metavar="DIR",
    help="The folder for the files; made when it is not there.",
)
@click.option(
    "--api-key",
    envvar=["SM_APIKEY", "EDS_API_KEY"],
    type=Secret(),
    metavar="KEY",
    help="The API key. Better in SM_APIKEY, where no list of processes shows it.",
)
@secret_file_option("api_key", "--api-key-file", "The API key is in this file.")
@config_option
@click.option(
    "--api-url",
    envvar="EDS_API_URL",
    metavar="URL",
    help="The API; by default where the key's issuer says, or Shopmonkey's.",
)
@click.option(
    "--bulk",
    is_flag=True,
    envvar="EDS_BULK",
    help="Ask for files per table (/v3/export/bulk), not for one file.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 16),
    default=4,
    show_default=True,
    envvar="EDS_JOBS",
    help="Files that are downloaded at a time.",
)
@click.option(
    "--wait",
    type=Duration(timedelta(hours=24)),
    default="1h",
    show_default=True,
    envvar="EDS_WAIT",
    help="How long the service may take to write the files.",
)
@click.option(
    "--fresh",
    is_flag=True,
    envvar="EDS_FRESH",
    help="Begin a new export even if there is an unfinished one.",
)
@click.option(
    "--then-import",
    envvar="EDS_THEN_IMPORT",
    metavar="URL",
    help="Load the files into this database afterwards, as `eds import` does.",
)
@creds_option("The credentials file, for --then-import.")
@log_format_option
@logging_options
@click.pass_context
def command(
    ctx: click.Context,
    *,
    tables: tuple[str, ...],
    everything: bool,
    output: Path,
    api_key: str | None,
    api_url: str | None,
    bulk: bool,
    jobs: int,
    wait: timedelta,
    fresh: bool,
    then_import: str | None,
    creds: Path | None,
    log_format: str,
) -> None:
    """Export tables of the shop into files of a folder.

    The same command goes on where an interrupted one stopped. Prints the names of
    the files. Exit codes: 0 all is there, 1 error, 2 usage, key or tables.
    """
    from eds_core.export import ExportOptions

    if everything == bool(tables):
        raise ConfigError(
            "name the tables to export, or all of them",
            advice="--table order --table customer, or --all; `eds tables` lists them",
        )
    importer = _import_command(ctx) if then_import else None
    _warn_of_argument(ctx)
    key = _key(in_file(ctx, "api_key") or api_key)
    options = ExportOptions(
        api=_api(api_url, key),
        directory=output,
        tables=tables,
        bulk=bulk,
        fresh=fresh,
        wait=wait.total_seconds(),
        jobs=jobs,
    )
    notes = Notes(as_json=log_format == "json")
    exported = _export(notes, options, key, silent=is_silent(ctx))
    code = 1 if exported.failed else 0
    if importer is not None and then_import is not None:
        args = [
            *_config(ctx),
            *_stream(creds, exported),
            *map(str, exported.paths),
            then_import,
        ]
        code = _worst(code, _run_import(ctx, importer, args))
    ctx.exit(code)


def _worst(exported: int, imported: int) -> int:
    """A table that is missing counts more than lines in the quarantine."""
    return imported if imported in (1, 2) else exported or imported


def _warn_of_argument(ctx: click.Context) -> None:
    if ctx.get_parameter_source("api_key") is ParameterSource.COMMANDLINE:
        _log.warning("--api-key is seen by all users of this machine; use SM_APIKEY")


def _key(given: str | None) -> ApiKey:
    from eds_core.export import ApiKey

    if not given and sys.stdin.isatty():
        given = click.prompt("API key", hide_input=True, err=True)
    if not given:
        raise ConfigError(
            "no API key",
            advice="put it into the environment variable SM_APIKEY, or into a file for "
            "--api-key-file; on a terminal, EDS asks for it",
        )
    return ApiKey(given.strip())


def _api(given: str | None, key: ApiKey) -> str:
    from eds_core.export import checked_api

    return checked_api(given) if given else key.api()


def _export(
    notes: Notes, options: ExportOptions, key: ApiKey, *, silent: bool
) -> Exported:
    from eds_core.export import export

    with shown_downloads(notes, silent=silent) as progress:
        exported = export(options, key, progress)
    if not silent:
        _tell(notes, exported)
    return exported


def _tell(notes: Notes, exported: Exported) -> None:
    for path in exported.paths:
        click.echo(path)  # the result, whatever the log looks like
    if exported.empty:
        notes.say(f"no rows: {', '.join(exported.empty)}")
    for table, reason in exported.failed.items():
        error = "" if notes.as_json else "error: "
        notes.say(f"{error}{table} was not exported: {reason}", level=logging.ERROR)
    if exported.snapshot:
        when = f"{exported.snapshot:%Y-%m-%d %H:%M:%S} UTC"
        notes.say(f"{len(exported.paths)} files, not older than {when}")


def _import_command(ctx: click.Context) -> click.Command:
    """The command that `--then-import` runs; asked for before anything is exported."""
    group = ctx.parent.command if ctx.parent else None
    found = group.get_command(ctx, _IMPORT) if isinstance(group, click.Group) else None
    if found is None:
        raise ConfigError("--then-import: this version of EDS has no `eds import`")
    return found


def _config(ctx: click.Context) -> Sequence[str]:
    """A file that was typed is the import's as well; it finds others by itself."""
    typed = ctx.get_parameter_source("config") is ParameterSource.COMMANDLINE
    found = config_of(ctx) if typed else None
    return ["--config", str(found.path)] if found else []


def _stream(creds: Path | None, exported: Exported) -> Sequence[str]:
    """The import's options with which a first position is before the export.

    Else what happened between the export and the import would be in neither.
    """
    ago = datetime.now(UTC) - exported.began + _CLOCKS
    start = ["--consumer-start-time", f"{ago.total_seconds():.0f}s"]
    return ["--creds", str(creds), *start] if creds else start


def _run_import(
    ctx: click.Context, importer: click.Command, args: Sequence[str]
) -> int:
    """Run it in this process, where no list of processes shows the URL.

    Returns its exit code. Options that are not given it takes from the
    environment and from ``eds.toml``.
    """
    names = ("verbose", "silent", "timestamp")
    switches = [f"--{name}" for name in names if ctx.params[name]]
    switches += ["--log-format=json"] if ctx.meta["eds.json"] else []
    try:
        with importer.make_context(
            _IMPORT, [*switches, *args], parent=ctx.parent
        ) as sub:
            importer.invoke(sub)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return 0
