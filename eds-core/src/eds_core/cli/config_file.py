"""``eds.toml``: options by their names, below the command line and the variables."""

from __future__ import annotations

import difflib
import logging
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from eds_core.console import set_up_logging
from eds_core.errors import ConfigError
from eds_core.private import exposed
from eds_core.urls import redact

from .config_place import WRONG, find_config, read_config

log = logging.getLogger("eds")

F = TypeVar("F", bound=Callable[..., Any] | click.Command)

_META = "eds.config"
_TOLD = "eds.config.told"
_PREFIX = "EDS_"
_MASK = "***"
#: Variables of EDS that are no option of a command.
_OTHERS = frozenset({"EDS_CONFIG", "EDS_HASH_SALT", "EDS_NATS_SERVER"})
#: Options that are for the log, and of no concern to the command itself.
_OF_THE_LOG = frozenset({"verbose", "silent", "timestamp"})


class Confirmation(click.Option):
    """A yes that is meant once: no file gives it for ever."""


class Secret(click.ParamType[str]):
    """Text that is never shown."""

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        del param, ctx
        return str(value)


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file that was read."""

    path: Path
    #: The names of the options in it.
    options: tuple[str, ...]
    #: Its permission bits, if others than its owner may read it; else 0.
    mode: int
    #: Whether it holds what only its owner should read.
    secret: bool


def config_option(function: F) -> F:
    """``--config``: what neither command line nor variables say is in this file.

    Also sets the log up before the command runs, and tells what may be a mistake.
    """
    return click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="EDS_CONFIG",
        is_eager=True,  # the others ask for it
        expose_value=False,
        callback=_load,
        help="Options by name, as `creds = ...`; ./eds.toml when left out.",
    )(_with_log(function))


def _with_log(function: F) -> F:
    """Before *function*, the command's own, does anything."""

    @wraps(cast("Callable[..., Any]", function))
    def run(*args: Any, **kwargs: Any) -> Any:
        _set_up(click.get_current_context())
        rest = {name: kwargs[name] for name in kwargs if name not in _OF_THE_LOG}
        return cast("Callable[..., Any]", function)(*args, **rest)

    return cast("F", run)


def is_silent(ctx: click.Context) -> bool:
    """Whether nothing at all is to be printed."""
    return bool(ctx.params.get("silent"))


def _set_up(ctx: click.Context) -> None:
    """The log as the command's options want it, and how errors are told at the end.

    A command without such options prints what it was asked for, and logs warnings.
    """
    given = ctx.params
    verbose, silent = bool(given.get("verbose")), is_silent(ctx)
    as_json = given.get("log_format") == "json"
    if verbose and silent:
        raise ConfigError("--verbose and --silent exclude each other")
    ctx.meta["eds.verbose"] = verbose
    ctx.meta["eds.silent"] = silent
    ctx.meta["eds.json"] = as_json
    set_up_logging(
        verbose=verbose,
        silent=silent,
        timestamp=bool(given.get("timestamp")),
        as_json=as_json,
        warnings_only="verbose" not in given,
    )
    _tell_of_config(ctx)


def config_of(ctx: click.Context) -> ConfigFile | None:
    """The file that *ctx* takes options from."""
    found: ConfigFile | None = ctx.meta.get(_META)
    return found


def options_of(command: click.Command) -> dict[str, click.Parameter]:
    """Whatever has a variable, by its name in the file."""
    variables = {param: variable_of(param) for param in command.params}
    return {
        name.removeprefix(_PREFIX).lower().replace("_", "-"): param
        for param, name in variables.items()
        if name and not param.is_eager
    }


def variable_of(param: click.Parameter) -> str:
    """The variable of ours that *param* can come from; empty: there is none."""
    given = param.envvar or ()
    every = [given] if isinstance(given, str) else given
    return next((name for name in every if name.startswith(_PREFIX)), "")


def shown(param: click.Parameter, value: object) -> str:
    """*value* as text, without passwords."""
    if isinstance(value, bool):
        return str(value).lower()
    return _MASK if isinstance(param.type, Secret) else redact(str(value))


def _tell_of_config(ctx: click.Context) -> None:
    """Say what options come from, and what may be a mistake there."""
    if (found := config_of(ctx)) is not None and found.options:
        log.info("options from %s: %s", found.path, ", ".join(found.options))
    known: set[str] = ctx.meta.setdefault(_TOLD, set())  # by the command before
    for told in [each for each in mistakes(ctx) if each not in known]:
        log.warning("%s", told)
        known.add(told)


def mistakes(ctx: click.Context) -> Iterator[str]:
    """What hardly anybody means, of the file and of variables."""
    found = config_of(ctx)
    if found is not None and found.secret and found.mode:
        yield (
            f"others can read {found.path}, which holds a secret (mode "
            f"{found.mode:04o}): chmod 600 it"
        )
    for name, meant in misspelt(ctx):
        yield f"the variable {name} means nothing; is it {meant}?"


def misspelt(ctx: click.Context) -> list[tuple[str, str]]:
    """Variables that look like one of ours and are none, with the one that is meant."""
    own = {variable_of(param) for param in ctx.command.params} | _OTHERS
    strange = {n for n in os.environ if n.startswith(_PREFIX)} - own
    if not strange:
        return []  # the other commands need not be loaded
    known = {variable_of(param) for param in _all_options(ctx).values()} | own
    every = sorted(strange - known)
    return [(name, near) for name in every if (near := _nearest(name, known))]


def _load(ctx: click.Context, param: click.Parameter, value: Path | None) -> None:
    del param
    path = value or find_config()
    if path is None:
        return
    given = read_config(path)
    own = options_of(ctx.command)
    # Most files are for one command: then no start loads all of them.
    known = own if given.keys() <= own.keys() else _all_options(ctx)
    for name in given:
        if name not in known:
            raise _unknown(path, name, known)
        if isinstance(known[name], Confirmation):
            raise _for_ever(path, name, known[name])
    checked = {name: _checked(path, name, known[name], given[name]) for name in given}
    ctx.default_map = {
        str(own[name].name): value for name, value in checked.items() if name in own
    }
    secret = any(_is_secret(known[name], given[name]) for name in given)
    ctx.meta[_META] = ConfigFile(path, tuple(given), exposed(path.stat()), secret)


def _all_options(ctx: click.Context) -> dict[str, click.Parameter]:
    """Of all commands: one file is for all of them."""
    root = ctx.find_root()
    return dict(_options_below(root.command, root))


def _options_below(
    command: click.Command, ctx: click.Context
) -> Iterable[tuple[str, click.Parameter]]:
    yield from options_of(command).items()
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            if (below := command.get_command(ctx, name)) is not None:
                yield from _options_below(below, ctx)


def _unknown(path: Path, name: str, known: Iterable[str]) -> ConfigError:
    near = _nearest(name, known)
    return ConfigError(
        f"{path}: there is no option {name}",
        advice=f"is it {near}?" if near else "`eds config show` lists them",
        code=WRONG,
    )


def _for_ever(path: Path, name: str, param: click.Parameter) -> ConfigError:
    return ConfigError(
        f"{path}: {name} does not stand in a file, which would say yes for ever",
        advice=f"take it out; give --{name} where it is meant, or set "
        f"{variable_of(param)} for that command alone",
        code=WRONG,
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, 1, 0.75)), "")


def _checked(path: Path, name: str, param: click.Parameter, value: object) -> object:
    """*value* as click takes it. Raises ConfigError for what no option is."""
    several = param.multiple or param.nargs != 1
    values = value if isinstance(value, list) else [value]
    switch = isinstance(param, click.Option) and param.is_flag
    good = bool if switch else (str, int, float)
    if isinstance(value, dict):
        wanted = "no section: the options of all commands stand side by side"
    elif len(values) != 1 and not several:
        wanted = "one value, and not a list"
    elif not all(isinstance(v, good) and isinstance(v, bool) is switch for v in values):
        wanted = "true or false" if switch else "a text in quotes or a number"
    else:
        beside = [_beside(path, param, each) for each in values]
        return beside if several else beside[0]
    raise ConfigError(
        f"{path}: {name} is wrong", advice=f"{name} takes {wanted}", code=WRONG
    )


def _beside(path: Path, param: click.Parameter, value: object) -> object:
    """A path that is relative, is so to the file that names it."""
    if isinstance(param.type, click.Path):
        return str(path.parent / str(value))
    return value


def _is_secret(param: click.Parameter, value: object) -> bool:
    values = value if isinstance(value, list) else [value]
    texts = [each for each in values if isinstance(each, str)]
    return any(shown(param, each) != each for each in texts)
