"""Reflection through ``information_schema``, which most databases have.

For drivers whose SQLAlchemy dialect cannot reflect, or not fast enough.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from eds_core.schema import ColumnType

from .session import Session
from .tables import RealColumn, RealTable

_COLUMNS = (
    "SELECT column_name, {declared}, {writable} FROM information_schema.columns "
    "WHERE table_schema = {mark} AND table_name = {mark} ORDER BY ordinal_position"
)
_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = {mark}"
_KEYS = (
    "SELECT t.constraint_name, t.constraint_type, k.column_name "
    "FROM information_schema.table_constraints t "
    "JOIN information_schema.key_column_usage k "
    "ON k.constraint_name = t.constraint_name AND k.table_schema = t.table_schema "
    "AND k.table_name = t.table_name "
    "WHERE t.constraint_type IN ('PRIMARY KEY', 'UNIQUE') "
    "AND t.table_schema = {mark} AND t.table_name = {mark}"
)


def table_names(session: Session, *, mark: str = "?") -> list[str]:
    """What the tables of the session's schema are called; *mark* as in ``look``."""
    query = _TABLES.format(mark=mark)
    with session.reading(), session.cursor() as cursor:
        cursor.execute(query, (session.schema,))
        return [name for (name,) in cursor.fetchall()]


def look(
    session: Session,
    table: str,
    type_of: Callable[[str], ColumnType | None],
    *,
    mark: str = "?",
    declared: str = "data_type",
    writable: str = "is_generated <> 'ALWAYS'",
) -> RealTable | None:
    """Find out what *table* of the session's schema is like; None: it is not there.

    *mark* is the DBAPI's mark for a parameter; *declared* and *writable* are
    expressions over ``information_schema.columns``: the type as ``type_of`` reads
    it, and whether the column takes values. A unique index that is no constraint
    is not seen. Raises what the session raises.
    """
    place = session.schema, table
    with session.reading(), session.cursor() as cursor:
        query = _COLUMNS.format(mark=mark, declared=declared, writable=writable)
        cursor.execute(query, place)
        columns = {
            name: RealColumn(name, str(kind), type_of(str(kind)), bool(takes))
            for name, kind, takes in cursor.fetchall()
        }
        if not columns:
            return None
        cursor.execute(_KEYS.format(mark=mark), place)
        keys: dict[tuple[str, str], set[str]] = defaultdict(set)
        for constraint, kind, column in cursor.fetchall():
            keys[kind, constraint].add(column)
    primary = [key for (kind, _), key in keys.items() if kind == "PRIMARY KEY"]
    return RealTable(
        table,
        columns,
        frozenset(*primary),
        frozenset(map(frozenset, keys.values())),
    )
