"""Writes work into one destination: migrate, then rows and checkpoint together.

Synchronous, and used from one thread. What one row or one table gets wrong stops
only itself; everything else that goes wrong is raised and nothing was written.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from .batch import Batch, Run
from .careful import Careful, as_it_is, mender
from .destination import Destination
from .errors import (
    ConflictError,
    DestinationError,
    EdsError,
    RejectedError,
    TableError,
    coded,
)
from .event import Row, VersionedKey
from .failpoints import reached
from .freshness import Freshness, Statuses
from .gate import is_for_review
from .schema import TableSchema
from .waiting import again
from .work import Work, coalesce

log = logging.getLogger("eds.writer")

T = TypeVar("T", Row, VersionedKey)

_MODELS = 64  # of one table that are remembered to fit


@dataclass(slots=True)
class Written:
    """What a transaction did, in the end."""

    work: Work  # as it was written, narrowed
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=dict)  # changed, by table
    tables: Statuses = field(default_factory=dict)  # how fresh they are now


class _TableFailedError(Exception):
    """A verb failed for one table."""

    def __init__(self, table: str, error: DestinationError) -> None:
        super().__init__(str(error))
        self.table = table
        self.error = error
        if isinstance(error, TableError):
            error.advice = _with_resume(error.advice, table)


class _SomeTableError(Exception):
    """A verb failed for one table, and nobody knows which."""


class _BadEventsError(Exception):
    """Events, by sequence, that must go into quarantine before the rest is tried."""

    def __init__(self, events: dict[int, EdsError]) -> None:
        super().__init__(f"{len(events)} bad events")
        self.events = events


class Writer:
    """The one writer of a destination."""

    def __init__(self, destination: Destination) -> None:
        self.freshness = Freshness()
        self.conflicts = 0  # transactions that were done again at once
        self._destination = destination
        # By table: the models that fit it. Several, as events of two come mixed
        # while the shop's service is being brought up to date.
        self._prepared: dict[str, set[TableSchema]] = {}
        self._careful = Careful(destination)

    def forget(self) -> None:
        """Compare every table with the destination again before its next write."""
        self._prepared.clear()

    def write(self, work: Work) -> Written:
        """Commit *work*, narrowed by what proves bad.

        Raises TransientError, TakenOver, PositionMoved or FatalError; then nothing
        was written, or (unknown) all of it, and the same work may be tried again.
        """
        careful: set[str] = set()
        looked_at: set[str] = set()
        together = self._destination.capabilities.together
        while True:
            work, batch = coalesce(work)
            try:
                self._prepare(batch)
                commit = partial(self._commit, work, batch, careful, together=together)
                return again(commit, after=ConflictError, tell=self._conflict)
            except _BadEventsError as bad:
                work = work.without_events(bad.events)
            except _SomeTableError:
                together = False  # one by one it will show
            except _TableFailedError as failed:
                if isinstance(failed.error, RejectedError):
                    careful.add(failed.table)
                elif failed.table in looked_at:
                    work = self._park(work, failed)
                else:  # a user may have changed the table, or EDS's own: look again
                    looked_at.add(failed.table)
                    self._prepared.pop(failed.table, None)
                    self._destination.ledger.create()

    def _conflict(self) -> None:
        self.conflicts += 1

    def _park(self, work: Work, failed: _TableFailedError) -> Work:
        if is_for_review(failed.error):  # as was asked for; all are told together
            log.info("table %s: %s", failed.table, failed.error)
        else:
            told = "table %s is parked, the others go on: %s. To mend it: %s"
            log.error(told, failed.table, coded(failed.error), failed.error.advice)
        self._careful.forget(failed.table)
        return work.without_table(failed.table, failed.error)

    def _prepare(self, batch: Batch) -> None:
        """Migrate what is not known to fit, outside of the transaction."""
        for name, runs in batch.runs.items():
            for run in runs:
                if run.table not in self._prepared.get(name, ()):
                    self._migrate(run.table)

    def _migrate(self, table: TableSchema) -> None:
        reached("migrate.before")
        try:
            change = self._destination.prepare(table)
        except (TableError, RejectedError) as error:
            reason = TableError(
                str(error), table=table.name, advice=error.advice, code=error.code
            )
            raise _TableFailedError(table.name, reason) from error
        reached("migrate.after")
        if change is not None:
            log.info("%s", change)
        known = self._prepared.setdefault(table.name, set())
        if len(known) == _MODELS:
            known.clear()
        known.add(table)

    def _commit(
        self, work: Work, batch: Batch, careful: set[str], *, together: bool
    ) -> Written:
        started = time.perf_counter()
        written = Written(work)
        bad: dict[int, EdsError] = {}
        reached("begin.before")
        with self._destination.transaction():
            reached("checkpoint.before")
            moves = [work.moves[company] for company in sorted(work.moves)]
            self._destination.ledger.advance(moves)
            reached("checkpoint.after")
            with self._together(written) if together else nullcontext():
                for name, runs in batch.runs.items():
                    for run in runs:
                        bad.update(self._apply(run, written, careful=name in careful))
            reached("write.after")
            if bad:
                raise _BadEventsError(bad)
            self._keep_books(work)
            reached("commit.before")
        reached("commit.after")
        self.freshness.committed()
        for name in batch.runs.keys() - careful:
            self._careful.forget(name)
        written.tables = self.freshness.batch
        written.seconds = time.perf_counter() - started
        return written

    @contextmanager
    def _together(self, written: Written) -> Iterator[None]:
        try:
            with self._destination.together() as changed:
                yield
        except (TableError, RejectedError, _TableFailedError) as error:
            raise _SomeTableError from error
        for name, count in changed.items():
            written.rows[name] = written.rows.get(name, 0) + count

    def _apply(
        self, run: Run, written: Written, *, careful: bool
    ) -> dict[int, EdsError]:
        """Write one run; return the events that the destination rejects."""
        reached("write.before")
        destination, name = self._destination, run.table.name
        verb = self._careful.write if careful else self._plainly
        bad: dict[int, EdsError] = {}
        try:
            changed = verb(run, run.deletes, destination.delete, as_it_is, bad)
            changed += verb(run, run.upserts, destination.upsert, mender(run), bad)
        except (TableError, RejectedError) as error:
            raise _TableFailedError(name, error) from error
        written.rows[name] = written.rows.get(name, 0) + changed
        return bad

    def _plainly(
        self,
        run: Run,
        items: list[T],
        verb: Callable[[TableSchema, Sequence[T]], int],
        _mend: Callable[[T], T | None],
        _bad: dict[int, EdsError],
    ) -> int:
        most = self._destination.capabilities.max_rows
        return sum(
            verb(run.table, items[start : start + most])
            for start in range(0, len(items), most)
        )

    def _keep_books(self, work: Work) -> None:
        """What the ledger must hold in the same transaction."""
        ledger = self._destination.ledger
        if work.quarantine:
            reached("quarantine.before")
            ledger.quarantine(list(work.quarantine.values()))
            reached("quarantine.after")
        if work.replayed:
            reached("retry.before")
            ledger.drop_quarantined(work.replayed)
            reached("retry.after")
        if work.parked:
            reached("park.before")
            ledger.park(work.parked)
            reached("park.after")
        for table, company in work.unparked:
            reached("unpark.before")
            ledger.unpark(table, company)
            reached("unpark.after")
        if statuses := self.freshness.due(work):
            ledger.report(statuses)

    def report(self) -> None:
        """Write freshness that no transaction has carried yet."""
        if statuses := self.freshness.left():
            with self._destination.transaction():
                self._destination.ledger.report(statuses)
            self.freshness.committed()


def _with_resume(advice: str, table: str) -> str:
    """Name the command that goes on with *table*, ready to be pasted."""
    if "eds resume" not in advice:
        advice = f"{advice or 'see to the table'}; then `eds resume TABLE`"
    return advice.replace("eds resume TABLE", f"eds resume {table} URL")
