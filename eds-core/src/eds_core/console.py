"""What people see: log lines and error messages, without control characters."""

from __future__ import annotations

import logging
import sys
import unicodedata

import click

from .errors import EdsError


class _Lines(logging.Formatter):
    """One line per record; what comes from outside cannot forge another one."""

    def format(self, record: logging.LogRecord) -> str:
        trace, record.exc_info, record.exc_text = record.exc_info, None, None
        line = printable(super().format(record))
        return f"{line}\n{self.formatException(trace)}" if trace else line


def printable(text: str) -> str:
    """*text* with control characters (newlines, terminal escapes) made visible."""
    if text.isprintable():
        return text
    return "".join(
        char if not unicodedata.category(char).startswith("C") else repr(char)[1:-1]
        for char in text
    )


def set_up_logging(*, verbose: bool, silent: bool, timestamp: bool) -> None:
    """Send ``eds`` log records to stderr as the user wants them."""
    logger = logging.getLogger("eds")
    logger.handlers.clear()
    logger.propagate = False
    if silent:
        logger.addHandler(logging.NullHandler())
        logger.setLevel(logging.CRITICAL + 1)
        return
    when = "%(asctime)s " if timestamp else ""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(f"{when}%(levelname)-7s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.INFO)


def show_error(error: EdsError) -> None:
    """What, where, and what to do."""
    click.echo(f"error: {printable(str(error))}", err=True)
    if error.advice:
        click.echo(f"  {printable(error.advice)}", err=True)
