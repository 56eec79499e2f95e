"""The ledger on a database that enforces no key."""

from __future__ import annotations

from sqlalchemy import Table, text

from eds_core.ledger import Checkpoint
from eds_core.sql.ledger import SqlLedger
from eds_core.sql.records import checkpoint_row


class SnowflakeLedger(SqlLedger):
    """The same tables, made and first written in other words."""

    def _lacking(self) -> list[Table]:
        """Ask once for all of them: each statement is a round trip."""
        session = self._session
        with session.translated():
            place = session.quote(session.schema or "")
            names = f"{self._books.prefix}_eds_%"
            show = f"SHOW TABLES LIKE '{names}' IN SCHEMA {place}"
            there = {row[1] for row in session.connection.exec_driver_sql(show)}
        return [table for table in self._books.all if table.name not in there]

    def _insert_checkpoint(self, checkpoint: Checkpoint) -> None:
        """Merge a company's first position.

        Two servers that start at once would both insert one. MERGE takes the
        table's lock, so that the second one finds the first one's row.
        """
        row = checkpoint_row(checkpoint)
        place = self._session.quote_table(self._books.checkpoint.name)
        every = ", ".join(f'"{name}"' for name in row)
        values = ", ".join(f':{name} AS "{name}"' for name in row)
        merged = ", ".join(f's."{name}"' for name in row)
        statement = (
            f"MERGE INTO {place} t USING (SELECT {values}) s "  # noqa: S608 - identifiers only, quoted
            'ON t."company" = s."company" WHEN NOT MATCHED THEN '
            f"INSERT ({every}) VALUES ({merged})"
        )
        self._session.execute(text(statement), row)
