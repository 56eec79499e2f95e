"""Writes rows of which some are rejected: finds those, mends or names them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from .batch import Run
from .destination import Destination
from .errors import EdsError, RejectedError, TableError
from .event import Row, VersionedKey, shown
from .isolation import ALIKE, Isolation
from .repair import repair
from .schema import TableSchema

log = logging.getLogger("eds.writer")

T = TypeVar("T", Row, VersionedKey)


class Careful:
    """Remembers of each table how many rows were rejected, and none was taken."""

    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._alike: dict[str, int] = {}  # rejections in a row, by table

    def forget(self, table: str) -> None:
        """Rows of *table* were taken, or nobody will ask for it."""
        self._alike.pop(table, None)

    def write(
        self,
        run: Run,
        items: list[T],
        verb: Callable[[TableSchema, Sequence[T]], int],
        mend: Callable[[T], T | None],
        bad: dict[int, EdsError],
    ) -> int:
        """Write *items* of *run*; what is rejected goes to *bad*, by sequence.

        Returns how many rows changed. Raises TableError when it is the table's fault.
        """
        if not items:
            return 0
        isolation = Isolation[T](
            lambda some: verb(run.table, some), self._destination.savepoint, mend
        )
        isolation.run(items, lambda item: run.event(item.key).message.sequence)
        if not isolation.rejected:  # else all of it comes again, without those
            for item in isolation.mended:
                _tell_mended(run.table, item)
        for item, error in isolation.rejected:
            named = _with_column(run.table, item, error)
            bad[run.event(item.key).message.sequence] = named
        self._count_alike(run.table.name, isolation)
        return isolation.changed

    def _count_alike(self, table: str, isolation: Isolation[T]) -> None:
        """Tell a table at fault from bad rows when they come one by one."""
        if isolation.taken or not isolation.rejected:
            self._alike.pop(table, None)
            return
        count = self._alike.get(table, 0) + len(isolation.rejected)
        self._alike[table] = count
        error = isolation.rejected[0][1]
        if count >= ALIKE:
            raise TableError(
                f"{count} rows in a row were rejected, not one was taken: {error}",
                table=table,
                advice=error.advice,
                code=error.code,
            )


def _with_column(
    table: TableSchema, item: Row | VersionedKey, error: RejectedError
) -> RejectedError:
    """Name the column whose value does not fit, where the database does not."""
    if not isinstance(item, Row):
        return error
    for column in table.columns:
        try:
            item.get(column.name, column.type)
        except RejectedError:
            if column.name in str(error):
                return error
            return RejectedError(
                f"column {column.name}: {error}",
                advice=error.advice,
                signature=error.signature,
                code=error.code,
            )
    return error


def as_it_is(_item: VersionedKey) -> None:
    """There is nothing to mend in a key."""


def mender(run: Run) -> Callable[[Row], Row | None]:
    """What mends rows of *run*; it returns None for one that cannot be mended."""

    def mend(row: Row) -> Row | None:
        mended = repair(row, run.table)
        return None if mended is None else mended[0]

    return mend


def _tell_mended(table: TableSchema, item: Row | VersionedKey) -> None:
    """A value was replaced: never in silence."""
    if isinstance(item, Row) and (mended := repair(item, table)) is not None:
        log.warning("%s %s: %s", table.name, shown(item.key), "; ".join(mended[1]))
