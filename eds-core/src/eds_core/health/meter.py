"""What one destination has been given since the start, in figures."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eds_core.driver import hookimpl
from eds_core.errors import TransientError
from eds_core.ledger import Quarantined, TableStatus
from eds_core.plugins import BatchReport

from .histogram import Histogram

#: A table's name comes from outside: what is beyond this many is counted together.
MOST_TABLES = 1000
OTHERS = "(others)"

_FLUSH_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_FLUSH_COUNT = (1, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
_PROCESSING = (1, 2, 3, 5, 10, 60, 300, 600, 1800, 3600)
_LATENCY = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 3600)


@dataclass(frozen=True, slots=True)
class Table:
    """One table, of all companies."""

    rows: int = 0  # written and deleted
    last_event: int = 0  # NATS time of the newest event that was committed, ns
    delay: float = 0.0  # seconds from publishing to commit, at the last commit


@dataclass(slots=True)
class Totals:
    """Since the start of the process; they only rise."""

    events: int = 0
    flush_seconds: Histogram = field(default_factory=lambda: Histogram(_FLUSH_SECONDS))
    flush_count: Histogram = field(default_factory=lambda: Histogram(_FLUSH_COUNT))
    processing: Histogram = field(default_factory=lambda: Histogram(_PROCESSING))
    latency: Histogram = field(default_factory=lambda: Histogram(_LATENCY))
    tables: dict[str, Table] = field(default_factory=dict)
    quarantined: Counter[str] = field(default_factory=Counter)  # by table
    retries: Counter[str] = field(default_factory=Counter)  # by kind

    def copy(self) -> Totals:
        return Totals(
            self.events,
            self.flush_seconds.copy(),
            self.flush_count.copy(),
            self.processing.copy(),
            self.latency.copy(),
            dict(self.tables),
            self.quarantined.copy(),
            self.retries.copy(),
        )


@dataclass(slots=True)
class Recent:
    """Between two readings."""

    events: int = 0
    latencies: list[float] = field(default_factory=list)


class Meter:
    """An observer whose hooks only note: ``read`` does the sums, in another thread.

    So a batch costs the stream one step, however many events it has.
    """

    def __init__(self) -> None:
        self._totals = Totals()
        self._noted: deque[BatchReport | str | Sequence[Quarantined]] = deque()

    @hookimpl
    def batch_written(self, report: BatchReport) -> None:
        self._noted.append(report)

    @hookimpl
    def batch_failed(self, error: Exception) -> None:
        self._noted.append(_kind(error))  # it would keep its batch in memory

    @hookimpl
    def quarantined(self, entries: Sequence[Quarantined]) -> None:
        self._noted.append(entries)

    def read(self) -> tuple[Totals, Recent]:
        """Add up what was noted since the last time; from one thread only."""
        recent = Recent()
        for _ in range(len(self._noted)):
            match self._noted.popleft():
                case BatchReport() as report:
                    self._add(report, recent)
                case str() as kind:
                    self._totals.retries[kind] += 1
                case entries:
                    self._totals.quarantined.update(self._known(e) for e in entries)
        recent.latencies.sort()
        return self._totals.copy(), recent

    def _add(self, report: BatchReport, recent: Recent) -> None:
        totals = self._totals
        totals.events += report.events
        totals.flush_seconds.add((report.seconds,))
        totals.flush_count.add((report.events,))
        latencies = sorted(report.latencies)
        if latencies and latencies[0] < 0:  # a clock behind NATS's: from the future
            latencies = [max(0.0, seconds) for seconds in latencies]
        totals.latency.add(latencies)
        totals.processing.add(latencies)
        self._add_rows(report.rows)
        self._add_statuses(report.tables.values())
        recent.events += report.events
        recent.latencies += latencies

    def _add_rows(self, rows: Mapping[str, int]) -> None:
        for table, count in rows.items():
            name, old = self._table(table)
            self._totals.tables[name] = replace(old, rows=old.rows + count)

    def _add_statuses(self, statuses: Iterable[TableStatus]) -> None:
        for status in statuses:
            if not status.last_event:
                continue  # no event of it: parked, or parked no more
            name, old = self._table(status.table)
            self._totals.tables[name] = replace(
                old,
                last_event=max(old.last_event, status.last_event),
                delay=status.lag,
            )

    def _table(self, table: str) -> tuple[str, Table]:
        tables = self._totals.tables
        if table not in tables and len(tables) >= MOST_TABLES:
            table = OTHERS
        return table, tables.get(table, Table())

    def _known(self, entry: Quarantined) -> str:
        known = self._totals.quarantined
        fits = entry.table in known or len(known) < MOST_TABLES
        return entry.table if fits else OTHERS


def _kind(error: Exception) -> str:
    return "outage" if isinstance(error, TransientError) else "own_tables"
