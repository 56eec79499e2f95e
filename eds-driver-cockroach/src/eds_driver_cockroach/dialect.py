"""CockroachDB to SQLAlchemy: PostgreSQL's dialect, less what only that one has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

#: The PostgreSQL whose SQL CockroachDB says it speaks.
_LIKE_POSTGRESQL = (13, 0)

_HAS_TABLE = text(
    "SELECT 1 FROM information_schema.tables "
    "WHERE table_schema = :schema AND table_name = :name"
)


class CockroachDialect(PGDialect_psycopg):
    """What the ledger's statements are compiled for."""

    supports_statement_cache = True

    def _get_server_version_info(self, connection: Any) -> tuple[int, ...]:
        """``version()`` does not say PostgreSQL, which the base class insists on."""
        del connection
        return _LIKE_POSTGRESQL

    def has_table(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **_kw: Any,
    ) -> bool:
        where = {"schema": schema or self.default_schema_name, "name": table_name}
        return connection.execute(_HAS_TABLE, where).first() is not None

    def do_executemany(
        self,
        cursor: Any,
        statement: str,
        parameters: Sequence[Any],
        context: Any = None,
    ) -> None:
        """One by one: psycopg would use pipelines, which nobody vouches for here."""
        del context
        for some in parameters:
            cursor.execute(statement, some)
