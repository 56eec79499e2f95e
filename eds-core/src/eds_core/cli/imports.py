"""Run imports, show how they go, and tell how they have ended."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from eds_core.console import Notes
from eds_core.errors import ConfigError, EdsError, told

if TYPE_CHECKING:
    from eds_core.importer.options import ImportOptions, Outcome
    from eds_core.importer.several import Imports

_SOME_QUARANTINED = 3
_WORST_FIRST = (1, 2, _SOME_QUARANTINED, 0)


def run_imports(
    several: Sequence[ImportOptions], *, silent: bool = False, as_json: bool = False
) -> int:
    """Run imports side by side, with their progress shown; the exit code.

    Of several: an error, else what the user must change, else quarantined lines,
    else 0. Raises what a single one raises.
    """
    from eds_core.importer.several import Imports
    from eds_core.plugins import installed_plugins

    running = Imports(several, tuple(installed_plugins()))
    notes = Notes(as_json=as_json)
    ended = asyncio.run(_shown(running, notes, silent=silent))
    if len(ended) == 1 and isinstance(ended[0], EdsError):
        raise ended[0]
    if not silent:
        _tell(notes, running, ended, several)
    codes = {_code(one, options) for one, options in zip(ended, several, strict=True)}
    return next(code for code in _WORST_FIRST if code in codes)


def _code(ended: Outcome | EdsError, options: ImportOptions) -> int:
    if isinstance(ended, EdsError):
        return 2 if isinstance(ended, ConfigError) else 1
    if not ended.complete or (ended.differences and not options.repair):
        return 1
    return _SOME_QUARANTINED if ended.tally.total().quarantined else 0


async def _shown(
    running: Imports, notes: Notes, *, silent: bool
) -> list[Outcome | EdsError]:
    if silent:
        return await running.run()
    bars = sys.stderr.isatty() and not notes.as_json
    showing = asyncio.create_task(_bars(running) if bars else _lines(running, notes))
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


async def _lines(running: Imports, notes: Notes) -> None:
    from eds_core.importing import progress_line

    while True:
        await asyncio.sleep(10)
        tallies = running.tallies
        for url, tally in tallies:
            if told := progress_line(tally):
                notes.say(f"{url}: {told}" if len(tallies) > 1 else told)


def _tell(
    notes: Notes,
    running: Imports,
    ended: Sequence[Outcome | EdsError],
    several: Sequence[ImportOptions],
) -> None:
    """How each has ended, below its URL when there are several."""
    for (url, _), one, options in zip(running.tallies, ended, several, strict=True):
        if len(ended) > 1:
            notes.say(f"{url}:", err=False)
        if isinstance(one, EdsError):
            _wrong(notes, told(one))
        else:
            _summarise(notes, one, options)


def _wrong(notes: Notes, text: str) -> None:
    error = "" if notes.as_json else "error: "  # an object has its severity
    notes.say(f"{error}{text}", err=False, level=logging.ERROR)


def _summarise(notes: Notes, outcome: Outcome, options: ImportOptions) -> None:
    from eds_core.importing import summary, summary_lines

    tell = partial(notes.say, err=False)
    if notes.as_json:
        for line in summary_lines(outcome.tally, dry_run=options.dry_run):
            tell(line)
    else:
        summary(outcome.tally, dry_run=options.dry_run)
    for error in outcome.tally.errors:
        _wrong(notes, error)
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
