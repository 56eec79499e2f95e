"""The ``_eds_`` tables, in the types that a dialect prefers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine


class Books:
    """The tables, in the types that a dialect prefers.

    *name* is compared byte by byte and short enough for an index, as is *key*; *text*
    and *data* hold whatever there is.
    """

    def __init__(
        self,
        name: TypeEngine[Any] | None = None,
        key: TypeEngine[Any] | None = None,
        version: TypeEngine[Any] | None = None,
        text: TypeEngine[Any] | None = None,
        data: TypeEngine[Any] | None = None,
    ) -> None:
        self.prefix = ""
        self._name = name or String(255)
        self._text = text or Text()
        self._data = data or LargeBinary()
        self._metadata = MetaData()
        self.history = self._history()  # made first, as it tells of the others
        self.checkpoint = self._checkpoint()
        self.tombstone = self._table(
            "_eds_tombstone",
            self._key("table_name"),
            Column("key", key or String(400), primary_key=True),
            Column("version", version or String(40), nullable=False),
        )
        self.quarantine = self._quarantine()
        self.parked = self._parked()
        self.status = self._status()
        self.heartbeat = self._table(
            "_eds_heartbeat",
            self._key("company"),
            Column("epoch", BigInteger, nullable=False),
            *self._texts("owner", "at"),
        )
        self.imported = self._imported()

    def put_before(self, prefix: str) -> None:
        """Begin all names with *prefix*; before any statement is made of them."""
        self.prefix = prefix
        for table in self.all:
            table.name = f"{prefix}{table.name}"

    @property
    def all(self) -> tuple[Table, ...]:
        return tuple(self._metadata.tables.values())

    def _checkpoint(self) -> Table:
        return self._table(
            "_eds_checkpoint",
            self._key("company"),
            Column("seq", BigInteger, nullable=False),
            Column("time", self._name),
            *self._texts("account", "stream", "prefix"),
            Column("epoch", BigInteger, nullable=False),
            *self._texts("owner", "role"),
            Column("updated", self._name),
        )

    def _quarantine(self) -> Table:
        return self._table(
            "_eds_quarantine",
            self._key("id"),
            *self._texts("company", "table_name", "event_id", "state"),
            *self._texts("reason", "advice", "at", "subject"),
            Column("seq", BigInteger, nullable=False),
            Column("time", self._name),
            Column("headers", self._text),
            Column("payload", self._data),
        )

    def _parked(self) -> Table:
        return self._table(
            "_eds_parked",
            self._key("table_name"),
            self._key("company"),
            Column("seq", BigInteger, nullable=False),
            *self._texts("reason", "advice"),
            Column("resume", SmallInteger, nullable=False),
        )

    def _status(self) -> Table:
        return self._table(
            "_eds_status",
            self._key("table_name"),
            self._key("company"),
            *self._texts("state", "reason"),
            Column("last_event", self._name),
            Column("lag", Float(53)),
            Column("rows_written", BigInteger, nullable=False),
            Column("updated", self._name),
        )

    def _imported(self) -> Table:
        numbers = (
            *("bytes_read", "lines_read", "is_done"),
            *("rows_read", "rows_inserted", "rows_updated"),
            *("rows_quarantined", "rows_deleted"),
        )
        return self._table(
            "_eds_import",
            self._key("id"),
            *self._texts("table_name", "file", "updated"),
            *(Column(name, BigInteger, nullable=False) for name in numbers),
        )

    def _history(self) -> Table:
        return self._table(
            "_eds_schema_history",
            self._key("id"),
            *(Column(name, self._name) for name in ("table_name", "at", "ended")),
            Column("outcome", self._name),
            *self._texts("statement", "actor", "version", "error", "model"),
        )

    def _table(self, name: str, *columns: Column[Any]) -> Table:
        return Table(name, self._metadata, *columns)

    def _key(self, name: str) -> Column[Any]:
        return Column(name, self._name, primary_key=True)

    def _texts(self, *names: str) -> list[Column[Any]]:
        return [Column(name, self._text) for name in names]
