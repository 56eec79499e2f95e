"""How an import looks: bars while it runs, a table at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from rich.console import Console
from rich.filesize import decimal
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from .console import logged_above, printable
from .importer.tally import FileTally, Tally

_MOST_BARS = 12
_WIDE = 200  # columns, when nobody looks at a terminal

#: By the destination's URL.
Tallies = Sequence[tuple[str, Tally]]

_Columns = tuple[tuple[str, Callable[[FileTally], int]], ...]
_DONE: _Columns = (
    ("read", lambda tally: tally.read),
    ("inserted", lambda tally: tally.inserted),
    ("updated", lambda tally: tally.updated),
    ("stale", lambda tally: tally.stale),
    ("quarantined", lambda tally: tally.quarantined),
    ("deleted", lambda tally: tally.deleted),
)
#: A dry run does not look at what is there: it knows no inserts from updates.
_WOULD: _Columns = (
    ("read", lambda tally: tally.read),
    ("would write", lambda tally: tally.written),
    ("quarantined", lambda tally: tally.quarantined),
    ("would delete", lambda tally: tally.deleted),
)


@contextmanager
def progress() -> Iterator[Callable[[Tallies], None]]:
    """Bars on the terminal; call what is yielded to bring them up to date."""
    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[told]}", markup=False),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    shown: dict[str, _Shown] = {}

    def refresh(tallies: Tallies) -> None:
        for url, tally in tallies:
            if url not in shown:
                name = printable(url) if len(tallies) > 1 else "all files"
                shown[url] = _Shown(bars, bars.add_task(name, total=1.0, told=""))
            shown[url].refresh(tally)

    with bars, logged_above():
        yield refresh


class _Shown:
    """The bars of one import: one for all its files, one for each that is read."""

    def __init__(self, bars: Progress, total: TaskID) -> None:
        self._bars = bars
        self._total = total
        self._by_name: dict[tuple[str, str], TaskID] = {}

    def refresh(self, tally: Tally) -> None:
        everything = tally.total()
        rows = f"{everything.read:,} rows  {tally.rate:,.0f} rows/s"
        self._bars.update(
            self._total,
            completed=everything.share if tally.files else 0,
            told=tally.phase or f"{_bytes(everything)}  {rows}",
        )
        for file in tally.files:
            self._refresh(file)

    def _refresh(self, file: FileTally) -> None:
        name, bars, known = (file.name, file.table), self._bars, self._by_name
        running = file.share > 0 and not file.done and not file.error
        if not running and name in known:
            bars.remove_task(known.pop(name))
        elif running and name not in known and len(known) < _MOST_BARS:
            known[name] = bars.add_task(printable(file.table), total=1.0, told="")
        if name in known:
            told = f"{_bytes(file)}  {file.read:,} rows"
            bars.update(known[name], completed=file.share, told=told)


def _bytes(file: FileTally) -> str:
    """As packed: how many of them were read."""
    return f"{decimal(int(file.size * file.share))} of {decimal(file.size)}"


def progress_line(tally: Tally) -> str:
    """The same in words, for a log; nothing while there is nothing to tell."""
    total = tally.total()
    if not tally.files or tally.phase:
        return tally.phase
    left = f", {tally.left:.0f} s left" if tally.left is not None else ""
    return (
        f"{total.share:.0%}, {_bytes(total)}, {total.read} rows, "
        f"{tally.rate:.0f} rows/s, {total.quarantined} quarantined{left}"
    )


def summary(tally: Tally, *, dry_run: bool) -> None:
    """What was done, by table."""
    shown = _shown_columns(tally, dry_run=dry_run)
    table = Table("table", *(name for name, _ in shown), box=None)
    for column in table.columns[1:]:
        column.justify = "right"
    for one in _with_total(tally):
        table.add_row(printable(one.table), *(f"{number(one)}" for _, number in shown))
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)
    console.print(table, markup=False)


def summary_lines(tally: Tally, *, dry_run: bool) -> Iterator[str]:
    """The same in words, a line for each table."""
    shown = _shown_columns(tally, dry_run=dry_run)
    for one in _with_total(tally):
        numbers = ", ".join(f"{number(one)} {name}" for name, number in shown)
        yield f"{one.table}: {numbers}"


def _shown_columns(tally: Tally, *, dry_run: bool) -> _Columns:
    every = _WOULD if dry_run else _DONE
    return every if tally.total().deleted else every[:-1]


def _with_total(tally: Tally) -> list[FileTally]:
    sums = tally.by_table()
    return [*sums, replace(tally.total(), table="total")] if len(sums) > 1 else sums
