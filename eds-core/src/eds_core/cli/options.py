"""Options and values that several commands share."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from eds_core.durations import parse_duration
from eds_core.urls import redact

if TYPE_CHECKING:
    from eds_core.health import HealthOptions

log = logging.getLogger("eds")

F = TypeVar("F")
C = TypeVar("C", bound=Callable[..., Any] | click.Command)

OFF = -1  # no port

_PREFIX = re.compile(r"[A-Za-z0-9_-]{0,64}")


class Duration(click.ParamType[timedelta]):
    """A duration as ``1h45m`` or ``90s``, at most *most*."""

    name = "duration"

    def __init__(self, most: timedelta) -> None:
        self._most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        if isinstance(value, timedelta):
            return value
        try:
            found = parse_duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        if not timedelta(0) < found <= self._most:
            hours = self._most.total_seconds() / 3600
            self.fail(f"{value} is not between 0 and {hours:g}h", param, ctx)
        return found


class Prefix(click.ParamType[str]):
    """What may stand in front of a consumer's name."""

    name = "prefix"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        if not _PREFIX.fullmatch(value):
            self.fail(f"{value!r}: up to 64 letters, digits, - and _", param, ctx)
        return str(value)


class Port(click.ParamType[int]):
    """A TCP port, or ``off``, which is -1."""

    name = "port"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if value in ("off", OFF):
            return OFF
        text = str(value)
        if not (text.isascii() and text.isdigit() and int(text) < 1 << 16):
            self.fail(f"{value!r} is neither a port such as 8080 nor off", param, ctx)
        return int(text)


class Bytes(click.ParamType[int]):
    """A number of bytes as ``500M`` or ``50G``."""

    name = "bytes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"(\d{1,12})([kKmMgGtT]?)", value)
        if match is None or not int(match[1]):
            self.fail(f"{value!r} is not a number of bytes such as 50G", param, ctx)
        return int(match[1]) << (10 * " kmgt".index(match[2].lower() or " "))


def _split(
    _ctx: click.Context, _param: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    return tuple(
        _checked(part.strip()) for item in value for part in item.split(",") if part
    )


def _checked(server: str) -> str:
    """Refuse what is no address here: NATS's own errors quote it with its user."""
    try:
        url = urlsplit(server if "://" in server else f"nats://{server}")
        good = url.hostname and url.scheme in ("nats", "tls") and url.port != 0
    except ValueError:
        good = False
    if not good:
        raise click.BadParameter(
            "not an address such as nats://host:4222", param_hint="--server"
        )
    return server


def creds_option(text: str) -> Callable[[C], C]:
    """``--creds``; *text* is its help: what a command needs it for."""
    return click.option(
        "--creds",
        type=click.Path(path_type=Path),
        envvar="EDS_CREDS",
        help=text,
    )


servers_option = click.option(
    "--server",
    "servers",
    multiple=True,
    callback=_split,
    envvar="EDS_SERVER",
    metavar="URL[,URL...]",
    help="NATS server(s), instead of Shopmonkey's.",
)


def tell_of_passwords(ctx: click.Context, urls: tuple[str, ...]) -> None:
    """Say that the list of processes shows what was typed."""
    typed = ctx.get_parameter_source("urls") is ParameterSource.COMMANDLINE
    if typed and any(redact(url) != url for url in urls):
        log.info(
            "`ps` shows the password on the command line to everybody on this "
            "machine; put the URL into the variable EDS_URL instead"
        )


def logging_options(function: F) -> F:
    """``--verbose``, ``--silent`` and ``--timestamp``."""
    for name, text in (
        ("timestamp", "Put the date and time in front of each line."),
        ("silent", "Print nothing at all; the exit code tells."),
        ("verbose", "Tell every batch, and show tracebacks."),
    ):
        option = click.option(
            f"--{name}", is_flag=True, envvar=f"EDS_{name.upper()}", help=text
        )
        function = option(function)  # type: ignore[type-var]  # click's decorators take any callable
    return function


def log_format_option(function: F) -> F:
    """``--log-format``."""
    option = click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        envvar="EDS_LOG_FORMAT",
        help="json: an object per line, for collectors of logs.",
    )
    return option(function)  # type: ignore[type-var]  # click's decorators take any callable


def health_options(function: F) -> F:
    """``--health-port`` and ``--health-host``; ``health_of`` puts them together."""
    port = click.option(
        "--health-port",
        type=Port(),
        envvar="EDS_HEALTH_PORT",
        metavar="PORT",
        help="Health, metrics and a status page are here; 0: any free port; off: not.",
    )
    host = click.option(
        "--health-host",
        envvar="EDS_HEALTH_HOST",
        metavar="ADDRESS",
        help="Let others than this machine look, e.g. 0.0.0.0; they are not asked who.",
    )
    return port(host(function))  # type: ignore[type-var]  # click's decorators take any callable


def health_of(host: str | None, port: int | None) -> HealthOptions | None:
    """What was asked for; nothing asked for is a page for this machine alone."""
    from eds_core.health.options import LOOPBACK, PORT, HealthOptions

    if port == OFF:
        return None
    return HealthOptions(
        host=host or LOOPBACK,
        port=PORT if port is None else port,
        asked=not (host is None and port is None),
    )


def schema_changes_option(function: F) -> F:
    """``--schema-changes``."""
    option = click.option(
        "--schema-changes",
        type=click.Choice(["auto", "review", "off"]),
        default="auto",
        envvar="EDS_SCHEMA_CHANGES",
        help="Who makes and alters tables: EDS; EDS after `eds apply`; only you.",
    )
    return option(function)  # type: ignore[type-var]  # as above


def start_time_option(function: F) -> F:
    """``--consumer-start-time``."""
    option = click.option(
        "--consumer-start-time",
        type=Duration(timedelta(hours=168)),
        envvar="EDS_CONSUMER_START_TIME",
        help="Where a new destination begins: so long ago, e.g. 1h45m (at most 168h).",
    )
    return option(function)  # type: ignore[type-var]  # as above
