"""Secrets: where they are typed, in a variable, or in a file of their own."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from eds_core.errors import ConfigError
from eds_core.private import exposed
from eds_core.urls import is_redacted

from .config_file import config_option, variable_of

log = logging.getLogger("eds")

F = TypeVar("F", bound=Callable[..., Any] | click.Command)

_META = "eds.secret."
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NEAREST = (
    ParameterSource.PROMPT,
    ParameterSource.COMMANDLINE,
    ParameterSource.ENVIRONMENT,
    ParameterSource.DEFAULT_MAP,
    ParameterSource.DEFAULT,
)


def secret_file_option(param: str, name: str, text: str) -> Callable[[F], F]:
    """The option *name* for a file with the secret of *param*; for ``in_file``."""
    return click.option(
        name,
        f"{param}_file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=f"EDS_{name.strip('-').upper().replace('-', '_')}",
        expose_value=False,
        callback=_keep,
        help=text,
    )


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    ctx.meta[f"{_META}{param.name}"] = value


def in_file(ctx: click.Context, param: str) -> str:
    """What the file for *param* holds; empty when *param* itself is named nearer.

    Near are command line, variable, ``eds.toml``, in this order. Raises ConfigError.
    """
    path: Path | None = ctx.meta[f"{_META}{param}_file"]
    if path is None:
        return ""
    itself, file = _distance(ctx, param), _distance(ctx, f"{param}_file")
    if itself == file:
        both = " and ".join(_variables(ctx, param, f"{param}_file"))
        raise ConfigError(
            f"there are two secrets for one: {both}", advice="give one of them"
        )
    return "" if itself < file else _read(path)


def _distance(ctx: click.Context, name: str) -> int:
    source = ctx.get_parameter_source(name)
    return _NEAREST.index(source or ParameterSource.DEFAULT)


def _variables(ctx: click.Context, *names: str) -> list[str]:
    by_name = {param.name: variable_of(param) for param in ctx.command.params}
    return [by_name[name] for name in names]


def _read(path: Path) -> str:
    try:
        if mode := exposed(path.stat()):
            log.warning("others can read %s (mode %04o): chmod 600 it", path, mode)
        text = path.read_text().strip()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigError(
            f"cannot read {path}: {reason}",
            advice="name a file that holds nothing but the secret",
        ) from None  # an error of decoding has the content
    if not text:
        raise ConfigError(f"{path} is empty", advice="write the secret into it")
    return text


def url_options(function: F) -> F:
    """``--config`` and ``--url-file``; ``urls_of`` has what comes of it."""
    file: Callable[[F], F] = secret_file_option(
        "urls", "--url-file", "The database URL is in this file; a line for each."
    )
    return config_option(file(function))


def urls_of(
    ctx: click.Context, urls: Sequence[str], typed: Sequence[str] = ()
) -> tuple[str, ...]:
    """The database URLs, each once: *typed*, else *urls*, or those of the file."""
    lines = "" if typed else in_file(ctx, "urls")
    found = tuple(dict.fromkeys(typed or lines.splitlines() or urls))
    if any(map(is_redacted, found)):
        raise ConfigError(
            "this URL is as EDS shows it, with *** in place of what is secret",
            advice="write the password itself; or leave the URL out, where it is in "
            "EDS_URL or eds.toml",
        )
    return found


def need_urls(
    ctx: click.Context, urls: Sequence[str], typed: Sequence[str] = ()
) -> tuple[str, ...]:
    """As ``urls_of``; raises ConfigError when there is none."""
    if found := urls_of(ctx, urls, typed):
        return found
    raise ConfigError(
        "no database URL",
        advice="name it, as postgresql://user:password@host/name, or put it into the "
        "variable EDS_URL, or as `url` into eds.toml",
    )


def need_url(ctx: click.Context, urls: Sequence[str], typed: Sequence[str] = ()) -> str:
    """The one database URL that is meant. Raises ConfigError."""
    found = need_urls(ctx, urls, typed)
    if len(found) > 1:
        raise ConfigError(
            f"this is for one database, and there are {len(found)} URLs",
            advice="name the one that is meant",
        )
    return found[0]


def with_urls(function: F) -> F:
    """``url_options`` for a command whose URLs stand among its other arguments."""
    option = click.option(
        "--url",
        "urls",
        multiple=True,
        envvar="EDS_URL",
        hidden=True,  # an argument is shorter; this is for the variable and the file
    )
    return url_options(option(function))


def split_url(given: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The URL, if it is the first of the arguments, and the others."""
    first = tuple(given[:1]) if given and _URL.match(given[0]) else ()
    return first, tuple(given[len(first) :])
