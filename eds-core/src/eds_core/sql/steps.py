"""Run statements that make and change tables, and have the history tell of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from uuid import uuid4

from eds_core.errors import DestinationError, TransientError, coded
from eds_core.failpoints import reached
from eds_core.ledger import Outcome, SchemaStep

from .records import now
from .session import Session

#: Statements that belong together: one transaction.
Step = tuple[str, ...]


class Steps:
    """Over *session*. *record* keeps an entry; *actor* says who this is."""

    def __init__(
        self,
        session: Session,
        record: Callable[[SchemaStep], None],
        actor: Callable[[], str],
    ) -> None:
        self._session = session
        self._record = record
        self._actor = actor
        # Steps that are not known to have ended well: tried again, each is one entry.
        self._begun: dict[tuple[str, Step], SchemaStep] = {}

    def take(self, table: str, step: Step, is_needed: Callable[[], bool]) -> int:
        """Run *step* for *table*; return how many statements that were.

        After an error *is_needed* looks at what is really there. What another server
        was faster with is none.
        """
        begun = self._begin(table, step)
        try:
            self._session.settled(lambda: self._execute(step, begun))
        except TransientError:
            raise
        except DestinationError as error:
            if is_needed():
                self._end(begun, "failed", coded(error))
                raise
            self._end(begun, "overtaken")
            ran = 0
        else:
            ran = len(step)
        del self._begun[table, step]
        return ran

    def was_done(self, table: str, step: Step) -> None:
        """Record a *step* whose process died before it could; once."""
        entry = replace(self._fresh(table, step), id=table)
        self._end(entry, "done")

    def _begin(self, table: str, step: Step) -> SchemaStep:
        """Record that *step* begins."""
        begun = self._begun.setdefault((table, step), self._fresh(table, step))
        self._record(begun)
        reached("migrate.begun")
        return begun

    def _fresh(self, table: str, step: Step) -> SchemaStep:
        told, eds = ";\n".join(step), version("eds-core")
        return SchemaStep(uuid4().hex, table, told, "begun", self._actor(), eds, now())

    def _end(self, begun: SchemaStep, outcome: Outcome, error: str = "") -> None:
        self._record(replace(begun, outcome=outcome, ended=now(), error=error))

    def _execute(self, step: Step, begun: SchemaStep) -> None:
        with self._session.altering():
            for statement in step:
                self._session.run(statement)
                reached("migrate.step")
            self._end(begun, "done")  # if it can be, in the same transaction
            reached("migrate.recorded")
