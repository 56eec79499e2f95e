"""Bulk loads by COPY: straight into a table that is new, else through a staged one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eds_core.driver import Loaded
from eds_core.errors import RejectedError
from eds_core.event import Row
from eds_core.sql.portable import counted
from eds_core.sql.session import Session
from eds_core.sql.tables import Target

from . import statements
from .copying import Copying


class Loader:
    """What one connection copies, and which tables it has found new."""

    def __init__(self, session: Session, tombstones: str) -> None:
        """*tombstones*: the name of their table."""
        self._session = session
        self._tombstones = tombstones
        self._copyings: dict[tuple[str, str], tuple[Target, Copying]] = {}
        self._new: dict[str, bool] = {}

    def forget(self) -> None:
        """There is a new connection."""
        self._copyings.clear()
        self._new.clear()

    def touched(self, target: Target) -> None:
        """Something else was written to the table."""
        self._new[target.real.name] = False

    def load(self, target: Target, rows: Sequence[Row]) -> tuple[Loaded, list[Row]]:
        """Write rows by COPY; return what was written, and which are still to do.

        Raises ValueError for a column that COPY has no usual form for, RejectedError
        or TableError for what PostgreSQL refuses, such as a temporary table; then
        nothing was written.
        """
        copying = self._copying(target)
        if self._is_new(target):
            try:
                return self._copy(target, copying, rows)
            except RejectedError:  # a key comes twice, or the value is at fault
                self.touched(target)
        return self._merge(target, copying, rows)

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
            query = statements.is_new(place(name), place(self._tombstones))
            with self._session.cursor() as cursor:
                found = cursor.execute(query, (name,)).fetchone()
            known = self._new[name] = bool(found[0])
        return known

    def _copy(
        self, target: Target, copying: Copying, rows: Sequence[Row]
    ) -> tuple[Loaded, list[Row]]:
        into = self._session.quote_table(target.real.name)
        with self._session.savepoint(), self._session.cursor() as cursor:
            others = self._send(cursor, into, copying, rows, with_key=False)
            return Loaded(inserted=int(cursor.rowcount)), others

    def _merge(
        self, target: Target, copying: Copying, rows: Sequence[Row]
    ) -> tuple[Loaded, list[Row]]:
        quote, place = self._session.quote, self._session.quote_table
        table, tombstones = place(target.real.name), place(self._tombstones)
        staged, make = statements.stage(target, quote)
        with self._session.savepoint(), self._session.cursor() as cursor:
            cursor.execute(make)
            cursor.execute(f"TRUNCATE {staged}")
            others = self._send(cursor, staged, copying, rows, with_key=True)
            there = statements.there(target, table, staged, quote)
            merge = statements.merge(target, table, tombstones, staged, quote)
            loaded = counted(
                len(rows) - len(others),
                lambda: int(cursor.execute(there).fetchone()[0]),
                lambda: int(cursor.execute(merge, (target.real.name,)).rowcount),
            )
            return loaded, others

    def _send(
        self,
        cursor: Any,
        into: str,
        copying: Copying,
        rows: Sequence[Row],
        *,
        with_key: bool,
    ) -> list[Row]:
        """Copy rows; return those that cannot be. PostgreSQL reads while we write."""
        others: list[Row] = []
        statement = statements.copy(
            copying.columns, into, self._session.quote, with_key=with_key
        )
        with cursor.copy(statement) as copy:
            for block in copying.blocks(rows, others, with_key=with_key):
                copy.write(block)
        return others
