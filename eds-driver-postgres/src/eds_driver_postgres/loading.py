"""Bulk loads by COPY: straight into a table that is new, else through a staged one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from eds_core.errors import RejectedError
from eds_core.event import Row
from eds_core.sql.session import Session
from eds_core.sql.tables import Target

from . import statements
from .copying import Copying, Sorted

_TOMBSTONES = "_eds_tombstone"


class Loader:
    """What one connection copies, and which tables it has found new."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._copyings: dict[tuple[str, str], tuple[Target, Copying]] = {}
        self._new: dict[str, bool] = {}

    def forget(self) -> None:
        """There is a new connection."""
        self._copyings.clear()
        self._new.clear()

    def touched(self, target: Target) -> None:
        """Something else was written to the table."""
        self._new[target.real.name] = False

    def sort(self, target: Target, rows: Sequence[Row]) -> Sorted:
        """Raise ValueError for a column that COPY has no usual form for."""
        return self._copying(target).sort(rows)

    def load(self, target: Target, found: Sorted) -> int:
        """Write the usual rows by COPY; return how many changed.

        Raises RejectedError or TableError for what PostgreSQL refuses, such as a
        temporary table; then nothing was written.
        """
        if self._is_new(target):
            try:
                return self._copy(target, found)
            except RejectedError:  # a key comes twice, or the value is at fault
                self.touched(target)
        return self._merge(target, found)

    def _copying(self, target: Target) -> Copying:
        place = target.table.name, target.table.model_version
        known = self._copyings.get(place)
        if known is None or known[0] is not target:
            known = self._copyings[place] = target, Copying(target)
        return known[1]

    def _is_new(self, target: Target) -> bool:
        name = target.real.name
        if (known := self._new.get(name)) is None:
            place = self._session.quote_table
            query = statements.is_new(place(name), place(_TOMBSTONES))
            with self._session.cursor() as cursor:
                found = cursor.execute(query, (name,)).fetchone()
            known = self._new[name] = bool(found[0])
        return known

    def _copy(self, target: Target, found: Sorted) -> int:
        into = self._session.quote_table(target.real.name)
        with self._session.savepoint(), self._session.cursor() as cursor:
            return self._send(cursor, into, found, found.lines, with_key=False)

    def _merge(self, target: Target, found: Sorted) -> int:
        quote, place = self._session.quote, self._session.quote_table
        staged, make = statements.stage(target, quote)
        with self._session.savepoint(), self._session.cursor() as cursor:
            cursor.execute(make)
            cursor.execute(f"TRUNCATE {staged}")
            self._send(cursor, staged, found, found.lines_with_keys, with_key=True)
            merge = statements.merge(
                target, place(target.real.name), place(_TOMBSTONES), staged, quote
            )
            cursor.execute(merge, (target.real.name,))
            return int(cursor.rowcount)

    def _send(
        self,
        cursor: Any,
        into: str,
        found: Sorted,
        lines: Iterable[bytes],
        *,
        with_key: bool,
    ) -> int:
        columns, quote = found.copying.columns, self._session.quote
        statement = statements.copy(columns, into, quote, with_key=with_key)
        with cursor.copy(statement) as copy:
            copy.write(b"".join([b"%b\n" % line for line in lines]))
        return int(cursor.rowcount)
