"""How downloads are shown: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from eds_core.console import Notes, logged_above, printable

if TYPE_CHECKING:
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

EVERY = 5.0  # seconds between two lines of the same file


class Silence:
    """Shows nothing."""

    def moved(self, name: str, done: int, total: int | None) -> None: ...

    def finished(self, name: str) -> None: ...


class Lines:
    """A line per file every few seconds, and when it is complete."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._lock = Lock()
        self._next: dict[str, float] = {}
        self._done: dict[str, int] = {}

    def moved(self, name: str, done: int, total: int | None) -> None:
        with self._lock:
            self._done[name] = done
            now = time.monotonic()
            if now < self._next.setdefault(name, now + EVERY):
                return
            self._next[name] = now + EVERY
        of = f" of {size(total)}, {done * 100 // total} %" if total else ""
        self._notes.say(f"{name}: {size(done)}{of}")

    def finished(self, name: str) -> None:
        with self._lock:
            done = self._done.pop(name, 0)
        self._notes.say(f"{name}: {size(done)}, complete")


class Terminal:
    """A bar for each file that is on its way."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._lock = Lock()
        self._tasks: dict[str, TaskID] = {}

    def moved(self, name: str, done: int, total: int | None) -> None:
        with self._lock:
            if name not in self._tasks:
                self._tasks[name] = self._bars.add_task(printable(name), total=total)
        self._bars.update(self._tasks[name], completed=done, total=total)

    def finished(self, name: str) -> None:
        with self._lock:
            task = self._tasks.pop(name, None)
        if task is not None:
            self._bars.remove_task(task)
        self._bars.console.print(
            f"{printable(name)}: complete", markup=False, highlight=False
        )


@contextmanager
def shown_downloads(
    notes: Notes, *, silent: bool
) -> Iterator[Silence | Lines | Terminal]:
    """Show what the progress that this gives is told."""
    if silent:
        yield Silence()
    elif notes.as_json or not sys.stderr.isatty():
        yield Lines(notes)
    else:
        with _bars() as bars, logged_above():
            yield Terminal(bars)


def _bars() -> Bars:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )


def size(count: int) -> str:
    """*count* bytes for people."""
    if count < 1000:  # noqa: PLR2004 - a kilobyte
        return f"{count} bytes"
    number, unit = float(count), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one counts
        number /= 1000
        if number < 999.5:  # noqa: PLR2004 - it would be shown as 1000
            break
    return f"{number:.1f} {unit}"
