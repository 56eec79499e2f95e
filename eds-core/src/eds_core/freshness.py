"""How fresh each table is: gathered per batch, written at most once a second."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace

from .ledger import TableStatus
from .work import Work

Name = tuple[str, str]  # table, company
Statuses = Mapping[Name, TableStatus]
_EVERY = 1.0  # seconds


class Freshness:
    """Statuses that wait to be written, and those written but not yet committed."""

    def __init__(self) -> None:
        self.batch: Statuses = {}  # those of the last transaction alone
        self._waiting: dict[Name, TableStatus] = {}
        self._merged: dict[Name, TableStatus] = {}
        self._written = False
        self._last = 0.0

    def due(self, work: Work) -> Statuses:
        """What the transaction of *work* should write; mostly nothing."""
        self.batch = _statuses(work)
        self._merged = _merge(self._waiting, self.batch)
        changed_state = bool(work.parked or work.unparked)
        self._written = changed_state or time.monotonic() - self._last >= _EVERY
        return self._merged if self._written else {}

    def left(self) -> Statuses:
        """What has waited since the last transaction."""
        self._merged, self._written = self._waiting, True
        return self._merged

    def committed(self) -> None:
        """The transaction that ``due`` or ``left`` was for has been committed."""
        if self._written:
            self._waiting, self._last = {}, time.monotonic()
        else:
            self._waiting = self._merged


def _statuses(work: Work) -> dict[Name, TableStatus]:
    now = time.time_ns()
    statuses: dict[Name, TableStatus] = {}
    for name, times in _times(work).items():
        statuses[name] = TableStatus(
            *name,
            last_event=max(times),
            lag=max(0.0, (now - times[-1]) / 1e9),
            rows=len(times),
        )
    for table, company in work.unparked:
        statuses.setdefault((table, company), TableStatus(table, company))
    for parked in work.parked:
        name = parked.table, parked.company
        state = "resuming" if parked.resume else "parked"
        read = statuses.get(name, TableStatus(*name))  # again, of one that resumes
        statuses[name] = replace(read, state=state, reason=parked.reason)
    return statuses


def _times(work: Work) -> dict[Name, list[int]]:
    """When each event of a table came, in their order."""
    times: dict[Name, list[int]] = defaultdict(list)
    only = next(iter(work.moves)) if len(work.moves) == 1 else None
    for event, _ in work.changes:
        message = event.message
        times[event.table, only or message.company].append(message.time)
    return times


def _merge(old: Statuses, new: Statuses) -> dict[Name, TableStatus]:
    merged = dict(old)
    for name, status in new.items():
        if (before := old.get(name)) is not None:
            newest = max(status.last_event, before.last_event)
            status = replace(  # noqa: PLW2901 - the merged one takes its place
                status, rows=status.rows + before.rows, last_event=newest
            )
        merged[name] = status
    return merged
