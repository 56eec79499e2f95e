"""What the ledger knows of changes of tables: those that were made, those that wait."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Table, delete, insert, select, update

from eds_core.ledger import Ledger, Outcome, SchemaStep

from .books import Books
from .errors import not_alone
from .records import schema_step_of, schema_step_row
from .session import Session
from .settling import settled
from .steps import Steps


class SqlHistory(Ledger):
    """``_eds_schema_history`` over a session."""

    _session: Session
    _books: Books

    #: What makes and changes tables, EDS's own as well.
    steps: Steps

    def create(self) -> None:
        lacking, history = self._lacking(), self._books.history
        if self._books.checkpoint in lacking and history not in lacking:
            self._history_was_made()
        for table in lacking:
            self.ensure(table)

    def _lacking(self) -> list[Table]:
        """EDS's own tables that are not there."""
        return [table for table in self._books.all if self._is_missing(table)]

    def _history_was_made(self) -> None:
        """By somebody who may have died before anything could be recorded."""
        name = self._name(self._books.history)
        if all(step.table != name for step in self.schema_steps()):
            self.steps.was_done(name, (self._session.create(self._books.history),))

    def ensure(self, table: Table) -> None:
        """Make *table* unless it is there, and record it; two may do so at once."""
        missing = partial(self._is_missing, table)
        if not missing():
            return
        if table is not self._books.history:
            self.ensure(self._books.history)
        self.steps.take(self._name(table), (self._session.create(table),), missing)

    def _is_missing(self, table: Table) -> bool:
        return not self._session.has_table(table.name)

    def _name(self, table: Table) -> str:
        return table.name.removeprefix(self._books.prefix)

    def missing(self) -> list[str]:
        return [self._session.create(table) for table in self._lacking()]

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

    def remember(self, step: SchemaStep) -> None:
        """As ``record_step``; nothing where there is no history yet."""
        if not self._is_missing(self._books.history):
            self.record_step(step)

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
