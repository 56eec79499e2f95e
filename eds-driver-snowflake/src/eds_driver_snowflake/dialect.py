"""SQLAlchemy's Snowflake, with every name in quotes: as it is written, so it is."""

from __future__ import annotations

from typing import Any

from snowflake.sqlalchemy.base import SnowflakeIdentifierPreparer
from snowflake.sqlalchemy.snowdialect import SnowflakeDialect
from sqlalchemy import Connection


class QuotingPreparer(SnowflakeIdentifierPreparer):
    """Unquoted, Snowflake would make capitals of a name."""

    def _requires_quotes(self, value: str) -> bool:
        del value
        return True

    def quote_schema(self, schema: str, force: bool | None = None) -> str:
        """One name, whatever dots are in it."""
        del force
        if getattr(schema, "quote", None) is False:  # SQLAlchemy's own placeholder
            return str(schema)
        return self.quote_identifier(schema)


class QuotingDialect(SnowflakeDialect):
    """Names as they are, parameters bound by the server."""

    preparer = QuotingPreparer
    default_paramstyle = "qmark"
    supports_statement_cache = False
    max_identifier_length = 255

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"paramstyle": "qmark"} | options)

    @classmethod
    def import_dbapi(cls) -> Any:
        """Defined here, too: SQLAlchemy looks for it in this very class."""
        return super().import_dbapi()

    def initialize(self, connection: Connection) -> None:
        """Ask the server nothing: the driver does, and only what it needs."""
        del connection

    def set_isolation_level(self, dbapi_connection: Any, level: str) -> None:
        """Leave it as ``connecting.SETTINGS`` have it.

        It would be AUTOCOMMIT = FALSE, by which all that is not inside of BEGIN and
        COMMIT opens a transaction that nobody ends; and a round trip.
        """
        del dbapi_connection, level

    def has_table(
        self,
        connection: Connection,
        table_name: str,
        schema: str | None = None,
        **kw: Any,
    ) -> bool:
        """Answered without a warehouse."""
        del kw
        quote = self.identifier_preparer.quote_identifier
        place = "" if schema is None else f" IN SCHEMA {quote(schema)}"
        pattern = table_name.replace("\\", "\\\\").replace("'", "''")
        found = connection.exec_driver_sql(f"SHOW TABLES LIKE '{pattern}'{place}")
        return any(row[1] == table_name for row in found)
