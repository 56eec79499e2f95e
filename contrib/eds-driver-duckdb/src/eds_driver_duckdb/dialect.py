"""duckdb-engine's dialect, with the words that DuckDB reserves and it does not know."""

from __future__ import annotations

from duckdb_engine import Dialect, DuckDBIdentifierPreparer


class _Preparer(DuckDBIdentifierPreparer):
    reserved_words = DuckDBIdentifierPreparer.reserved_words | {"at"}


class DuckdbDialect(Dialect):
    preparer = _Preparer
    supports_statement_cache = True  # else SQLAlchemy warns, and compiles each time
