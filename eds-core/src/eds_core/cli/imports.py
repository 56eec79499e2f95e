"""Run imports, show how they go, and tell how they have ended."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from eds_core.console import printable
from eds_core.errors import ConfigError, EdsError, told

if TYPE_CHECKING:
    from eds_core.importer.options import ImportOptions, Outcome
    from eds_core.importer.several import Imports

_SOME_QUARANTINED = 3
_WORST_FIRST = (1, 2, _SOME_QUARANTINED, 0)


def run_imports(several: Sequence[ImportOptions], *, silent: bool = False) -> int:
    """Run imports side by side, with their progress shown; the exit code.

    Of several: an error, else what the user must change, else quarantined lines,
    else 0. Raises what a single one raises.
    """
    from eds_core.importer.several import Imports
    from eds_core.plugins import installed_plugins

    running = Imports(several, tuple(installed_plugins()))
    ended = asyncio.run(_shown(running, silent=silent))
    if len(ended) == 1 and isinstance(ended[0], EdsError):
        raise ended[0]
    if not silent:
        _tell(running, ended, several)
    codes = {_code(one, options) for one, options in zip(ended, several, strict=True)}
    return next(code for code in _WORST_FIRST if code in codes)


def _code(ended: Outcome | EdsError, options: ImportOptions) -> int:
    if isinstance(ended, EdsError):
        return 2 if isinstance(ended, ConfigError) else 1
    if not ended.complete or (ended.differences and not options.repair):
        return 1
    return _SOME_QUARANTINED if ended.tally.total().quarantined else 0


async def _shown(running: Imports, *, silent: bool) -> list[Outcome | EdsError]:
    if silent:
        return await running.run()
    show = _bars if sys.stderr.isatty() else _lines
    showing = asyncio.create_task(show(running))
    try:
        return await running.run()
    finally:
        showing.cancel()
        await asyncio.gather(showing, return_exceptions=True)


async def _bars(running: Imports) -> None:
    from eds_core.importing import progress

    with progress() as refresh:
        while True:
            refresh(running.tallies)
            await asyncio.sleep(0.2)


async def _lines(running: Imports) -> None:
    from eds_core.importing import progress_line

    while True:
        await asyncio.sleep(10)
        tallies = running.tallies
        for url, tally in tallies:
            if told := progress_line(tally):
                click.echo(f"{url}: {told}" if len(tallies) > 1 else told, err=True)


def _tell(
    running: Imports,
    ended: Sequence[Outcome | EdsError],
    several: Sequence[ImportOptions],
) -> None:
    """How each has ended, below its URL when there are several."""
    for (url, _), one, options in zip(running.tallies, ended, several, strict=True):
        if len(ended) > 1:
            click.echo(f"{printable(url)}:")
        if isinstance(one, EdsError):
            click.echo(printable(f"error: {told(one)}"))
        else:
            _summarise(one, options)


def _summarise(outcome: Outcome, options: ImportOptions) -> None:
    from eds_core.importing import summary

    tell: Callable[[str], None] = lambda text: click.echo(printable(text))  # noqa: E731 - said several times
    summary(outcome.tally, dry_run=options.dry_run)
    for error in outcome.tally.errors:
        tell(f"error: {error}")
    for difference in outcome.differences:
        tell(f"{difference.table}: {difference.count} rows differ from the files")
        for row in difference.rows:
            tell(f"  {row}")
    if outcome.verified and not outcome.differences:
        tell("verified: the database holds what the files hold, or newer rows")
    if outcome.repaired:
        tell(f"{outcome.repaired} rows were written again")
    if outcome.tally.total().quarantined:
        tell("some lines were quarantined: eds quarantine list URL")
    if outcome.stopped:
        tell("stopped: the same import continues where it stands")
