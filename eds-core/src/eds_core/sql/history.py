"""What the ledger knows of changes of tables: those that were made, those that wait."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update

from eds_core.ledger import Ledger, Outcome, SchemaStep

from .books import Books
from .errors import not_alone
from .records import schema_step_of, schema_step_row
from .session import Session
from .settling import settled


class SqlHistory(Ledger):
    """``_eds_schema_history`` over a session."""

    _session: Session
    _books: Books

    def missing(self) -> list[str]:
        session = self._session
        there = session.has_table
        return [session.create(t) for t in self._books.all if not there(t.name)]

    @settled
    def schema_steps(
        self, *, outcome: Outcome | None = None, most: int | None = None
    ) -> list[SchemaStep]:
        table = self._books.history
        if not self._session.has_table(table.name):
            return []
        query = select(table).order_by(table.c.at.desc(), table.c.id).limit(most)
        if outcome is not None:
            query = query.where(table.c.outcome == outcome)
        with self._session.reading() as connection:
            return [schema_step_of(row) for row in connection.execute(query)]

    @settled
    def record_step(self, step: SchemaStep) -> None:
        table, row = self._books.history, schema_step_row(step)
        known = update(table).where(table.c.id == step.id).values(row)
        with self._session.joined():
            if self._session.execute(known).rowcount == 0:
                with not_alone():
                    self._session.execute(insert(table), {"id": step.id, **row})

    @settled
    def forget_waiting(self, table: str) -> None:
        c = self._books.history.c
        waits = (c.table_name == table, c.outcome == "waiting")
        with self._session.joined():
            self._session.execute(delete(self._books.history).where(*waits))
