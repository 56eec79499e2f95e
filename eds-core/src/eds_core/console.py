"""What people see: log lines and error messages, without control characters."""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from .errors import EdsError, coded
from .urls import redact

_FOREIGN = "eds-foreign"  # our handler for what libraries say
#: What a URL asks for: a signature, for one.
_QUERY = re.compile(r"(\bhttps?://[^\s?]*|[ =]/[^\s?]*)\?[^\s)]+")


class _Lines(logging.Formatter):
    """One line per record; what comes from outside cannot forge another one."""

    def format(self, record: logging.LogRecord) -> str:
        trace, record.exc_info, record.exc_text = record.exc_info, None, None
        line = printable(super().format(record))
        return f"{line}\n{printable_traceback(trace[1])}" if trace else line


class _Foreign(_Lines):
    """What libraries say by themselves, for whom a whole URL is no secret."""

    def format(self, record: logging.LogRecord) -> str:
        return _QUERY.sub(r"\1?***", super().format(record))


class _Json(logging.Formatter):
    """One JSON object per line, for collectors of logs."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "timestamp": at.isoformat(timespec="milliseconds"),
            "severity": record.levelname,
            "component": record.name,
            "message": self.text(record),
        }
        if record.exc_info:
            fields["traceback"] = printable_traceback(record.exc_info[1])
        return json.dumps(fields)

    def text(self, record: logging.LogRecord) -> str:
        return record.getMessage()


class _ForeignJson(_Json):
    """See ``_Foreign``."""

    def text(self, record: logging.LogRecord) -> str:
        return _QUERY.sub(r"\1?***", super().text(record))


def printable(text: str) -> str:
    """*text* with control characters (newlines, terminal escapes) made visible."""
    if text.isprintable():
        return text
    return "".join(repr(char)[1:-1] if _controls(char) else char for char in text)


def _controls(char: str) -> bool:
    """Whether *char* may do something to a terminal or end a line."""
    category = unicodedata.category(char)
    return category.startswith("C") or category in ("Zl", "Zp")


def printable_traceback(error: BaseException | None) -> str:
    """The traceback of *error*, indented, without the values of variables.

    A stranger's error may quote the URL that it was given.
    """
    lines = "".join(traceback.format_exception(error)).rstrip("\n").split("\n")
    return "\n".join(f"  {printable(redact(line))}" for line in lines)


def set_up_logging(
    *,
    verbose: bool,
    silent: bool,
    timestamp: bool,
    as_json: bool = False,
    warnings_only: bool = False,
) -> None:
    """Send log records to stderr as the user wants them: ours, and libraries' warnings.

    A library's record that nobody handles would be written as it is.
    """
    when = "%(asctime)s " if timestamp else ""
    line = f"{when}%(levelname)-7s %(message)s"
    own, theirs = (
        (_Json(), _ForeignJson()) if as_json else (_Lines(line), _Foreign(line))
    )
    logger, others = logging.getLogger("eds"), logging.getLogger()
    logger.handlers.clear()
    logger.propagate = False
    others.handlers = [h for h in others.handlers if h.name != _FOREIGN]
    handler, foreign = _handler(own), _handler(theirs)
    if silent:
        handler = foreign = logging.NullHandler()
    foreign.name = _FOREIGN
    foreign.setLevel(logging.WARNING)
    logger.addHandler(handler)
    others.addHandler(foreign)
    usual = logging.WARNING if warnings_only else logging.INFO
    logger.setLevel(logging.DEBUG if verbose else usual)


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


class Notes:
    """What a command tells besides its log: lines for people, or more of the log."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, text: str, *, err: bool = True, level: int = logging.INFO) -> None:
        """A line on stderr or stdout; as JSON an object of the log, with *level*."""
        if self.as_json:
            logging.getLogger("eds").log(level, "%s", text)
        else:
            click.echo(printable(text), err=err)


@contextmanager
def logged_above() -> Iterator[None]:
    """Inside of one of rich's displays: what is logged goes above it.

    The display takes what is written to ``sys.stderr``, but a handler has its own.
    """
    logger = logging.getLogger("eds")
    handlers = [h for h in logger.handlers if isinstance(h, logging.StreamHandler)]
    streams = [handler.setStream(sys.stderr) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if stream is not None:
                handler.setStream(stream)


def show_error(error: EdsError) -> None:
    """What, where, and what to do."""
    click.echo(f"error: {printable(coded(error))}", err=True)
    if error.advice:
        click.echo(f"  {printable(error.advice)}", err=True)
