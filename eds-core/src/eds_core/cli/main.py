"""The command group: with a URL and no command, the server is meant."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import EntryPoint

import click
from click.core import ParameterSource

from eds_core.console import printable_traceback, show_error
from eds_core.errors import ConfigError, EdsError, told
from eds_core.installed import entry_points
from eds_core.unexpected import unexpected
from eds_core.urls import redact

from .config_file import config_of, variable_of

log = logging.getLogger("eds")

_COMMANDS = {
    "server": "eds_core.cli.server",
    "import": "eds_core.cli.import_",
    "tables": "eds_core.cli.tables",
    "export": "eds_core.cli.export",
    "demo": "eds_core.cli.demo",
    "drivers": "eds_core.cli.drivers",
    "new-driver": "eds_core.cli.new_driver",
    "explain": "eds_core.cli.explain",
    "doctor": "eds_core.cli.doctor",
    "status": "eds_core.cli.status",
    "plan": "eds_core.cli.plan",
    "apply": "eds_core.cli.apply",
    "quarantine": "eds_core.cli.quarantine",
    "resume": "eds_core.cli.resume",
    "config": "eds_core.cli.config",
}
#: Entry points of other distributions: a command's name, and a ``click.Command``.
COMMANDS = "eds.commands"
_SERVER = "server"
_HELP = {"-h", "--help", "--version"}
_ABOUT = """Stream a shop's Shopmonkey data into its own database.

\b
eds --creds shop.creds postgresql://user:password@host/database
eds demo
"""


class Commands(click.Group):
    """Loads a command when it is used, and tells errors in one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        own = list(_COMMANDS)
        return own + sorted(entry_points(group=COMMANDS).names - set(own))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name in _COMMANDS:
            command: click.Command = import_module(_COMMANDS[cmd_name]).command
            return command
        for entry in entry_points(group=COMMANDS, name=cmd_name):
            return _installed(entry)
        return None

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.info_name == "eds-server" and args[:1] in ([], ["-h"], ["--help"]):
            return super().parse_args(ctx, [_SERVER, *args])  # the server is meant
        return super().parse_args(ctx, with_command(args))

    def invoke(self, ctx: click.Context) -> object:
        try:
            with _telling():
                return super().invoke(ctx)
        except EdsError as error:
            _tell(ctx, error)
            ctx.exit(2 if isinstance(error, ConfigError) else 1)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # the last one who can say anything
            if isinstance(error, BrokenPipeError) and _nobody_reads():
                raise  # such as `| head`, which has all it wants: click ends quietly
            _tell(ctx, unexpected(error))
            ctx.exit(1)


@contextmanager
def _telling() -> Iterator[None]:
    """Say where a wrong value comes from, and quote no password.

    An argument that stands in the wrong place may be a database URL.
    """
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        told = redact(error.format_message()) + _where(error)
        raise click.UsageError(told, error.ctx) from None


def _where(error: click.UsageError) -> str:
    """Which variable or file holds the value, if it was not typed."""
    param = getattr(error, "param", None)
    if error.ctx is None or param is None or param.name is None:
        return ""
    source = error.ctx.get_parameter_source(param.name)
    if source is ParameterSource.ENVIRONMENT:
        return f" ({variable_of(param)})"
    found = config_of(error.ctx)
    return f" ({found.path})" if found and source is ParameterSource.DEFAULT_MAP else ""


def _installed(entry: EntryPoint) -> click.Command:
    """A command of another distribution; one that is broken says so when it is used."""
    try:
        loaded: object = entry.load()
    except Exception as error:  # noqa: BLE001 - a third party's import may raise anything
        return _Broken(entry, f"{type(error).__name__}: {error}")
    if isinstance(loaded, click.Command):
        return loaded
    return _Broken(entry, "it is no click.Command")


class _Broken(click.Command):
    """Stands for a command that cannot be loaded, so that the others go on."""

    def __init__(self, entry: EntryPoint, reason: str) -> None:
        super().__init__(
            entry.name, help="Broken: it cannot be loaded.", add_help_option=False
        )
        self._error = ConfigError(
            f"the command {entry.name} ({entry.value}) cannot be loaded: {reason}",
            advice=f"install the distribution of {entry.value} again, or remove it",
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        del ctx, args
        raise self._error


def _tell(ctx: click.Context, error: EdsError) -> None:
    """The message last, where it is seen; before it the traceback, if asked for."""
    if ctx.meta.get("eds.json"):
        log.error("%s", told(error), exc_info=bool(ctx.meta.get("eds.verbose")))
        return
    if ctx.meta.get("eds.verbose"):
        click.echo(printable_traceback(sys.exception()), err=True)
    if not ctx.meta.get("eds.silent"):
        show_error(error)


def _nobody_reads() -> bool:
    """Whether it is standard output that is closed; who reads it gets an empty line."""
    try:
        click.echo()
    except BrokenPipeError:
        return True
    return False


def with_command(args: Sequence[str]) -> list[str]:
    """Put the command in front: ``server`` is meant with an option or a URL."""
    rest = list(args)
    if not rest and os.environ.get("EDS_URL"):  # all of it from the environment
        return [_SERVER]
    if not rest or rest[0] in _COMMANDS or rest[0] in _HELP or _is_word(rest[0]):
        return rest
    named = next((i for i, word in enumerate(rest) if _is_command(rest, i, word)), None)
    return [_SERVER if named is None else rest.pop(named), *rest]


def _is_command(words: Sequence[str], index: int, word: str) -> bool:
    return word in _COMMANDS and words[index - 1] not in _take_a_value()


def _take_a_value() -> set[str]:
    """The server's options that are followed by a value."""
    server: click.Command = import_module(_COMMANDS[_SERVER]).command
    options = [each for each in server.params if isinstance(each, click.Option)]
    return {name for each in options if not each.is_flag for name in each.opts}


def _is_word(text: str) -> bool:
    """Neither an option nor a URL: a command, or one misspelt."""
    return not text.startswith("-") and "://" not in text


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    help=_ABOUT,
)
@click.version_option(package_name="eds-core", prog_name="eds")
def main() -> None:
    """Run ``eds``, which is ``eds-server`` too."""
