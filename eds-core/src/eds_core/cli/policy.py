"""Options that say which tables and columns reach the destination."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from eds_core.errors import ConfigError
from eds_core.private import exposed

if TYPE_CHECKING:
    from eds_core.policy import Policy

log = logging.getLogger("eds")

F = TypeVar("F")
T = TypeVar("T")

_META = "eds.policy."
_SALT = "EDS_HASH_SALT"
_SHORTEST = 16  # bytes of a salt; a shorter one can be guessed
_OPTIONS = (
    ("only", "TABLE", "Only these tables."),
    ("except", "TABLE", "All tables but these."),
    ("exclude-column", "TABLE.COLUMN", "Leave these columns out."),
    ("redact-column", "TABLE.COLUMN", "Write `[redacted]` instead of values."),
    ("hash-column", "TABLE.COLUMN", "Write a hash (HMAC-SHA-256) instead of values."),
)


def policy_options(function: F) -> F:
    """``--only``, ``--except``, ``--hash-column`` and the like, for ``policy_of``."""
    salt = click.option(
        "--hash-salt-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar=f"{_SALT}_FILE",
        expose_value=False,
        callback=_keep,
        help=f"The secret of --hash-column; or it is in {_SALT}.",
    )
    function = salt(function)  # type: ignore[type-var]  # click's decorators take any callable
    for name, metavar, text in reversed(_OPTIONS):
        option = click.option(
            f"--{name}",
            multiple=True,
            metavar=f"{metavar}[,...]",
            envvar=f"EDS_{name.upper().replace('-', '_')}",
            expose_value=False,
            callback=_keep,
            help=f"{text} * and ? stand for any." if name == "only" else text,
        )
        function = option(function)  # type: ignore[type-var]  # as above
    return function


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    ctx.meta[f"{_META}{param.opts[0]}"] = value


def policy_of(ctx: click.Context) -> Policy | None:
    """What the user has said; None: nothing. Raises ConfigError, or a usage error."""
    from eds_core.policy import Action, Policy, checked, parse_rule

    policy = Policy(
        only=_read(ctx, "--only", checked),
        leaves_out=_read(ctx, "--except", checked),
        rules=tuple(
            rule
            for action in Action
            for rule in _read(ctx, f"--{action}-column", partial(parse_rule, action))
        ),
        salt=_salt(ctx) if ctx.meta[f"{_META}--hash-column"] else b"",
    )
    return policy if policy.plugins() else None


def _read(ctx: click.Context, option: str, parse: Callable[[str], T]) -> tuple[T, ...]:
    values = ctx.meta[f"{_META}{option}"]
    parts = [part.strip() for value in values for part in value.split(",")]
    try:
        return tuple(parse(part) for part in dict.fromkeys(parts) if part)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from error


def _salt(ctx: click.Context) -> bytes:
    path: Path | None = ctx.meta[f"{_META}--hash-salt-file"]
    told = os.environ.get(_SALT, "")
    if bool(told) == bool(path):
        what = "both" if path else "neither"
        raise ConfigError(
            f"--hash-column needs one secret: there is {what} of --hash-salt-file and "
            f"{_SALT}",
            advice="make one: (umask 077; openssl rand -hex 32 > FILE), and keep it",
        )
    salt = _read_salt(path) if path else told.strip().encode()
    if len(salt) < _SHORTEST:
        raise ConfigError(
            f"the secret of --hash-column is shorter than {_SHORTEST} characters",
            advice="make one with `openssl rand -hex 32`",
        )
    return salt


def _read_salt(path: Path) -> bytes:
    try:
        if mode := exposed(path.stat()):
            log.warning("others can read %s (mode %04o): chmod 600 it", path, mode)
        return path.read_bytes().strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read the --hash-salt-file {path}: {error.strerror}",
            advice="name the file that holds the secret",
        ) from error
