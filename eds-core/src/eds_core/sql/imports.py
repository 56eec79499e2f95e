"""What the ledger knows of imports: who runs one, and how far its files have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, update

from eds_core.errors import DestinationError, TakenOver
from eds_core.ledger import Heartbeat, ImportedFile, Ledger, row_gone

from .books import Books
from .errors import not_alone
from .records import imported_of, imported_row, in_parts, storable
from .session import Session
from .settling import settled


class SqlImports(Ledger):
    """Heartbeats and files over *session*, in *books*.

    *shared_locks*: the database knows locks that many may hold at once, so that
    several writers of one import do not wait for each other.
    """

    def __init__(self, session: Session, books: Books, *, shared_locks: bool) -> None:
        self._session = session
        self._books = books
        self._shared = shared_locks

    def hold(self, epochs: Mapping[str, int]) -> None:
        for company, epoch in sorted(epochs.items()):
            if not self._is_ours(company, epoch):
                raise self._taken(company)

    def _is_ours(self, company: str, epoch: int) -> bool:
        table = self._books.checkpoint
        which = (table.c.company == company, table.c.epoch == epoch)
        if self._shared:
            query = select(table.c.epoch).where(*which).with_for_update(read=True)
            return self._session.execute(query).first() is not None
        same = update(table).where(*which).values(epoch=epoch)
        return self._session.execute(same).rowcount > 0

    def _taken(self, company: str) -> DestinationError:
        c = self._books.checkpoint.c
        query = select(c.owner, c.role).where(c.company == company)
        row = self._session.execute(query).first()
        if row is None:
            return row_gone(company)
        return TakenOver(company, row.owner or "", row.role or "server")

    @settled
    def beat(self, epochs: Mapping[str, int]) -> None:
        table = self._books.heartbeat
        with self._session.transaction():
            self.hold(epochs)
            at = self._clock().isoformat()
            for company, epoch in sorted(epochs.items()):
                which = (table.c.company == company, table.c.epoch == epoch)
                self._session.execute(update(table).where(*which).values(at=at))

    def _begin(self, company: str, epoch: int, owner: str) -> None:
        """The first sign of life, in the transaction of the claim."""
        self._end(company)
        row = {
            "company": company,
            "epoch": epoch,
            "owner": storable(owner),
            "at": self._clock().isoformat(),
        }
        with not_alone():
            self._session.execute(insert(self._books.heartbeat), row)

    def _end(self, company: str, *epoch: int) -> None:
        """No import of *company* runs (or not the one of *epoch*)."""
        table = self._books.heartbeat
        which = [table.c.company == company, *(table.c.epoch == e for e in epoch)]
        self._session.execute(delete(table).where(*which))

    @settled
    def release(self, epochs: Mapping[str, int]) -> None:
        with self._session.transaction():
            for company, epoch in sorted(epochs.items()):
                self._end(company, epoch)

    @settled
    def heartbeats(self) -> list[Heartbeat]:
        table = self._books.heartbeat
        if not self._session.has_table(table.name):
            return []
        with self._session.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.company)).all()
            now = self._clock() if rows else None
        return [
            Heartbeat(row.company, row.owner or "", _age(row.at, now)) for row in rows
        ]

    def _clock(self) -> datetime:
        """The database's own clock, which all who use it share."""
        found: Any = self._session.execute(select(func.current_timestamp())).scalar()
        moment = found if isinstance(found, datetime) else _moment(str(found))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

    @settled
    def imported_files(self) -> dict[str, ImportedFile]:
        table = self._books.imported
        if not self._session.has_table(table.name):
            return {}
        with self._session.reading() as connection:
            rows = connection.execute(select(table).order_by(table.c.id)).all()
        return {row.id: imported_of(row) for row in rows}

    @settled
    def record_file(self, file: ImportedFile) -> None:
        table: Table = self._books.imported
        values = imported_row(file)
        with self._session.joined():
            known = update(table).where(table.c.id == file.id).values(values)
            if self._session.execute(known).rowcount == 0:
                with not_alone():
                    self._session.execute(insert(table), {"id": file.id, **values})

    @settled
    def forget_files(self, ids: Iterable[str]) -> None:
        table = self._books.imported
        with self._session.joined():
            for some in in_parts(ids):
                self._session.execute(delete(table).where(table.c.id.in_(some)))


def _age(at: str | None, now: datetime | None) -> float:
    """Seconds; what cannot be read is as old as can be."""
    try:
        then = datetime.fromisoformat(at or "")
        return (now - then).total_seconds() if now else 0.0
    except (ValueError, TypeError):
        return float("inf")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
