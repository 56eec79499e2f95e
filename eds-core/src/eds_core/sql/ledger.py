"""The ledger in a SQL database: tables that a person can read and query."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    Table,
    and_,
    delete,
    insert,
    select,
    update,
)

from eds_core.errors import (
    ConflictError,
    DestinationError,
    FatalError,
    PositionMoved,
    TakenOver,
)
from eds_core.ledger import (
    Checkpoint,
    Move,
    Parked,
    Quarantined,
    QuarantineGroup,
    Role,
    TableStatus,
    row_gone,
)
from eds_core.moments import as_text

from .books import Books
from .errors import not_alone
from .history import SqlHistory
from .imports import SqlImports
from .records import (
    checkpoint_of,
    checkpoint_row,
    checkpoint_step,
    in_parts,
    now,
    parked_of,
    quarantine_group_of,
    quarantine_groups,
    quarantine_row,
    quarantined_of,
    status_of,
    status_row,
    storable,
)
from .session import Session
from .settling import settled
from .steps import Steps


class SqlLedger(SqlHistory, SqlImports):
    """Positions, quarantine and table states over *session*, in *books*."""

    def __init__(
        self,
        session: Session,
        books: Books,
        *,
        shared_locks: bool = False,
        actor: Callable[[], str] = str,
    ) -> None:
        super().__init__(session, books, shared_locks=shared_locks)
        self.steps = Steps(session, self.remember, actor)
        self._roles: dict[str, Role] = {}
        self._there: set[str] = set()  # tables that were seen to exist
        # Made once: to build it costs more than to execute it.
        self._step = checkpoint_step(books.checkpoint)

    def checkpoints(self) -> dict[str, Checkpoint]:
        rows = self._all(self._books.checkpoint)
        return {row.company: checkpoint_of(row) for row in rows}

    @settled
    def establish(self, checkpoint: Checkpoint) -> None:
        try:
            with self._session.transaction():
                if self._checkpoint(checkpoint.company) is None:
                    self._insert_checkpoint(checkpoint)
        except ConflictError:
            raise
        except DestinationError:
            # Another server may have been first; its row is as good as ours.
            if checkpoint.company not in self.checkpoints():
                raise

    def _insert_checkpoint(self, checkpoint: Checkpoint) -> None:
        row = checkpoint_row(checkpoint)
        self._session.execute(insert(self._books.checkpoint), row)

    @settled
    def claim(self, company: str, owner: str, role: Role) -> Checkpoint | None:
        self._roles[company] = role
        table = self._books.checkpoint
        with self._session.transaction():
            self._take(company, owner, table.c.epoch + 1)
            found = self._checkpoint(company)
            if found is not None and role == "import":
                self._begin(company, found.epoch, owner)
            elif found is not None and self._exists(self._books.heartbeat.name):
                self._end(company)
            return found

    @settled
    def reclaim(self, company: str, epoch: int, owner: str) -> Checkpoint:
        c = self._books.checkpoint.c
        with self._session.transaction():
            # Lower: a restored copy. Beyond our own epoch all the same, so that
            # nobody who ever had this company before us can come back.
            if not self._take(company, owner, epoch + 1, c.epoch <= epoch):
                raise self._not_ours(company, epoch)
            found = self._checkpoint(company)
        if found is None:
            raise row_gone(company)
        return found

    def _take(
        self,
        company: str,
        owner: str,
        epoch: ColumnElement[int] | int,
        *conditions: ColumnElement[bool],
    ) -> int:
        table = self._books.checkpoint
        taken = {
            "epoch": epoch,
            "owner": storable(owner),
            "role": self._roles.get(company, "server"),
            "updated": now(),
        }
        which = and_(table.c.company == company, *conditions)
        return self._session.execute(update(table).where(which).values(taken)).rowcount

    def _not_ours(self, company: str, epoch: int) -> DestinationError:
        found = self._checkpoint(company)
        if found is None:
            return row_gone(company)
        if found.epoch > epoch:
            return TakenOver(company, found.owner, found.role)
        return FatalError(f"the checkpoint of company {company} could not be claimed")

    def advance(self, moves: Sequence[Move]) -> None:
        at = now()
        for move in moves:
            values = {
                "of_company": move.company,
                "of_epoch": move.epoch,
                "of_seq": move.old,
                "seq": move.new,
                "time": as_text(move.time),
                "updated": at,
            }
            if self._session.execute(self._step, values).rowcount == 0:
                raise self._not_where_it_was(move)

    def _not_where_it_was(self, move: Move) -> DestinationError:
        found = self._checkpoint(move.company)
        if found is None:
            return row_gone(move.company)
        if found.epoch > move.epoch:
            return TakenOver(move.company, found.owner, found.role)
        return PositionMoved(move.company, found.sequence, move.old)

    def _checkpoint(self, company: str) -> Checkpoint | None:
        table = self._books.checkpoint
        query = select(table).where(table.c.company == company)
        row = self._session.execute(query).first()
        return None if row is None else checkpoint_of(row)

    @settled
    def quarantine(self, entries: Sequence[Quarantined]) -> None:
        table = self._books.quarantine
        last = {entry.id: entry for entry in entries}
        if not last:
            return
        with self._session.joined():
            self.drop_quarantined(last)
            rows = [quarantine_row(entry) for entry in last.values()]
            with not_alone():
                self._session.execute(insert(table), rows)

    @settled
    def quarantined(
        self,
        *,
        ids: Iterable[str] | None = None,
        state: str | None = None,
        after: int = -1,
        most: int | None = None,
    ) -> list[Quarantined]:
        c = self._books.quarantine.c
        which = [c.seq > after, *([] if state is None else [c.state == state])]
        parts = [()] if ids is None else [(c.id.in_(some),) for some in in_parts(ids)]
        rows = [
            row
            for part in parts
            for row in self._all(
                self._books.quarantine, *which, *part, order=(c.seq, c.id), most=most
            )
        ]
        rows.sort(key=lambda row: (row.seq, row.id))
        return [quarantined_of(row) for row in rows[:most]]

    @settled
    def quarantine_groups(self) -> list[QuarantineGroup]:
        if not self._exists(self._books.quarantine.name):
            return []
        query = quarantine_groups(self._books.quarantine)
        with self._session.reading() as connection:
            return [quarantine_group_of(row) for row in connection.execute(query)]

    @settled
    def set_quarantine_state(self, ids: Iterable[str], state: str) -> int:
        table = self._books.quarantine
        with self._session.transaction():
            return sum(
                self._session.execute(
                    update(table).where(table.c.id.in_(some)).values(state=state)
                ).rowcount
                for some in in_parts(ids)
            )

    @settled
    def drop_quarantined(self, ids: Iterable[str]) -> int:
        table = self._books.quarantine
        with self._session.joined():
            return sum(
                self._session.execute(
                    delete(table).where(table.c.id.in_(some))
                ).rowcount
                for some in in_parts(ids)
            )

    @settled
    def park(self, entries: Sequence[Parked]) -> None:
        with self._session.joined():
            for entry in entries:
                row = {
                    "seq": self._first(entry),
                    "reason": storable(entry.reason),
                    "advice": storable(entry.advice),
                    "resume": int(entry.resume),
                }
                self._put(self._books.parked, entry.table, entry.company, row, row)
                self._set_state(entry.table, entry.company, "parked", entry.reason)

    def _first(self, entry: Parked) -> int:
        """Where reading has to begin: only a resume may move it forward."""
        table = self._books.parked
        query = select(table.c.seq).where(_of(table, entry.table, entry.company))
        known = self._session.execute(query).scalar()
        if known is None or entry.resume:
            return entry.sequence
        return min(int(known), entry.sequence)

    @settled
    def unpark(self, table: str, company: str) -> None:
        parked = self._books.parked
        with self._session.joined():
            self._session.execute(delete(parked).where(_of(parked, table, company)))
            self._set_state(table, company, "ok", "")
            self.forget_waiting(table)

    def parked(self) -> list[Parked]:
        return [parked_of(row) for row in self._all(self._books.parked)]

    @settled
    def request_resume(self, table: str) -> int:
        parked = self._books.parked
        if not self._session.has_table(parked.name):
            return 0
        wish = update(parked).where(parked.c.table_name == table).values(resume=1)
        with self._session.joined():
            return self._session.execute(wish).rowcount

    def _set_state(self, table: str, company: str, state: str, reason: str) -> None:
        row = {"state": state, "reason": storable(reason), "updated": now()}
        first = {"lag": 0.0, "rows_written": 0, **row}
        self._put(self._books.status, table, company, row, first)

    def _put(
        self,
        into: Table,
        table: str,
        company: str,
        row: Mapping[str, object],
        first: Mapping[str, object],
    ) -> None:
        """Update the one row of a table and a company, or insert it as *first*."""
        which = _of(into, table, company)
        changed = self._session.execute(update(into).where(which).values(row))
        if changed.rowcount == 0:
            key = {"table_name": table, "company": company}
            with not_alone():
                self._session.execute(insert(into), {**key, **first})

    @settled
    def report(self, statuses: Mapping[tuple[str, str], TableStatus]) -> None:
        table = self._books.status
        with self._session.joined():
            for (name, company), status in statuses.items():
                added = {"rows_written": table.c.rows_written + status.rows}
                first = {"rows_written": status.rows, "lag": 0.0}
                row = status_row(status)
                self._put(table, name, company, row | added, first | row)

    def statuses(self) -> list[TableStatus]:
        return [status_of(row) for row in self._all(self._books.status)]

    @settled
    def _all(
        self,
        table: Table,
        *conditions: ColumnElement[bool],
        order: Iterable[ColumnElement[Any]] = (),
        most: int | None = None,
    ) -> list[Row[Any]]:
        """Every row, or *most*, ordered by key; none when there is no such table."""
        if not self._exists(table.name):
            return []
        order = tuple(order) or table.primary_key.columns
        query = select(table).where(*conditions).order_by(*order).limit(most)
        try:
            with self._session.reading() as connection:
                return list(connection.execute(query))
        except DestinationError:
            self._there.clear()
            raise

    def _exists(self, name: str) -> bool:
        if name not in self._there and self._session.has_table(name):
            self._there.add(name)
        return name in self._there


def _of(table: Table, name: str, company: str) -> ColumnElement[bool]:
    return and_(table.c.table_name == name, table.c.company == company)
