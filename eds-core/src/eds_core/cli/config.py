"""``eds config``: what comes of command line, variables and ``eds.toml``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from typing import Any

import click
from click.core import ParameterSource

from eds_core.console import printable

from .config_file import config_of, misspelt, mistakes, options_of, shown, variable_of

_FLAG, _VARIABLE, _FILE, _DEFAULT = "flag", "variable", "file", "default"
_SOURCES = {
    ParameterSource.COMMANDLINE: _FLAG,
    ParameterSource.ENVIRONMENT: _VARIABLE,
    ParameterSource.DEFAULT_MAP: _FILE,
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One option, without its password."""

    name: str
    #: The words that click makes a value of; no word: there is none.
    values: tuple[str, ...]
    source: str  # flag, variable, file or default
    variable: str


@click.group("config")
def command() -> None:
    """Look at the options, wherever they come from."""


@command.command(
    "show",
    context_settings={"ignore_unknown_options": True},
    short_help="All options, and where each comes from.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@click.argument(
    "args", nargs=-1, type=click.UNPROCESSED, metavar="[COMMAND] [OPTIONS]..."
)
@click.pass_context
def show(ctx: click.Context, *, as_json: bool, args: tuple[str, ...]) -> None:
    """Show the options of COMMAND, or of the server, as it would be started here.

    What is typed wins over a variable EDS_..., that over eds.toml, and that over the
    default. Nothing is started, and no password shown: the output can be mailed.
    """
    given, settings = _read(ctx, list(args))
    if as_json:
        click.echo(json.dumps(_as_dict(given, settings), indent=2))
    else:
        _show(given, settings)


def _read(ctx: click.Context, args: list[str]) -> tuple[click.Context, list[Setting]]:
    """Parse and check *args* as the command that is meant does, without running it."""
    root = ctx.find_root()
    chosen, name = root.command, root.info_name
    if not args or args[0].startswith("-") or "://" in args[0]:
        args = ["server", *args]
    while isinstance(chosen, click.Group):
        if not args:
            raise click.UsageError(f"{name} has several commands: name one", ctx)
        name, chosen, args = _below(root, chosen, args)
    opts, _, _ = chosen.make_parser(root).parse_args(list(args))
    given = chosen.make_context(name, args, parent=root)
    every = options_of(chosen)
    return given, [_setting(given, n, p, opts) for n, p in every.items()]


def _below(
    root: click.Context, group: click.Group, args: list[str]
) -> tuple[str | None, click.Command, list[str]]:
    name, found, rest = group.resolve_command(root, args)
    if found is None:
        raise click.UsageError(f"there is no command {args[0]}", root)
    return name, found, rest


def _setting(
    given: click.Context, name: str, param: click.Parameter, opts: Mapping[str, Any]
) -> Setting:
    value, source = param.consume_value(given, opts)
    if value is None or isinstance(value, Enum):  # click's sign for nothing
        values: list[object] = []
    else:
        values = list(value) if isinstance(value, list | tuple) else [value]
    return Setting(
        name,
        tuple(shown(param, each) for each in values),
        _SOURCES.get(source, _DEFAULT),
        variable_of(param),
    )


def _as_dict(given: click.Context, settings: list[Setting]) -> dict[str, object]:
    return {
        "command": given.info_name,
        "file": _file(given),
        "options": [asdict(each) for each in settings],
        "mistakes": [*mistakes(given)],
        "unknown": [{"variable": n, "nearest": near} for n, near in misspelt(given)],
    }


def _file(given: click.Context) -> str | None:
    found = config_of(given)
    return str(found.path.absolute()) if found else None


def _show(given: click.Context, settings: list[Setting]) -> None:
    for line in _lines(given, settings):
        click.echo(printable(line))


def _lines(given: click.Context, settings: list[Setting]) -> Iterator[str]:
    yield f"command  {given.info_name}"
    yield f"file     {_file(given) or 'none'}"
    yield ""
    rows = [(each.name, " ".join(each.values) or "-", _from(each)) for each in settings]
    name, value = (max(len(row[i]) for row in rows) for i in (0, 1))
    for row in rows:
        yield f"{row[0]:{name}}  {row[1]:{value}}  {row[2]}"
    yield from mistakes(given)


def _from(each: Setting) -> str:
    return each.variable if each.source == _VARIABLE else each.source
