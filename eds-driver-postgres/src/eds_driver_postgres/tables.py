"""A real table out of PostgreSQL's catalogue: exact types, domains, its keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from eds_core.schema import ColumnType
from eds_core.sql.tables import RealColumn, RealTable

# A domain is followed to the type below it: that is what a value is read as.
COLUMNS = """
SELECT a.attname,
       pg_catalog.format_type(b.type, b.modifier),
       pg_catalog.format_type(b.type, -1),
       b.depth > 0,
       a.attgenerated = '' AND a.attidentity <> 'a'
FROM pg_catalog.pg_attribute a
CROSS JOIN LATERAL (
    WITH RECURSIVE below(type, modifier, depth) AS (
        SELECT a.atttypid, a.atttypmod, 0
        UNION ALL
        SELECT t.typbasetype, t.typtypmod, below.depth + 1
        FROM below JOIN pg_catalog.pg_type t ON t.oid = below.type
        WHERE t.typtype = 'd'
    )
    SELECT * FROM below ORDER BY depth DESC LIMIT 1
) b
WHERE a.attrelid = pg_catalog.to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum
"""

# Only what ON CONFLICT can use: whole, valid, checked at once.
KEYS = """
SELECT i.indisprimary, (
    SELECT pg_catalog.array_agg(a.attname::text)
    FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = i.indrelid
      AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
)
FROM pg_catalog.pg_index i
WHERE i.indrelid = pg_catalog.to_regclass(%s)
  AND i.indisunique AND i.indisvalid AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL
"""


_COLLATION = re.compile(r" COLLATE .*")
_PRECISION = re.compile(r"\([\d,]+\)")


@dataclass(frozen=True, slots=True)
class PostgresColumn(RealColumn):
    """With the type's name for casts, which must not cut a value off."""

    plain: str = ""


def with_plain_types(table: RealTable) -> RealTable:
    """A table that EDS made: its types without collation and precision."""
    columns = {
        name: PostgresColumn(
            name, declared, column.type, plain=_PRECISION.sub("", declared)
        )
        for name, column in table.columns.items()
        for declared in [_COLLATION.sub("", column.declared)]
    }
    return replace(table, columns=columns)


def look(
    cursor: Any, name: str, quoted: str, type_of: Callable[[str], ColumnType | None]
) -> RealTable | None:
    """Return the table *name* as it is; None when there is none."""
    columns = {
        column: PostgresColumn(
            column, declared, None if domain else type_of(declared), writable, plain
        )
        for column, declared, plain, domain, writable in cursor.execute(
            COLUMNS, (quoted,)
        ).fetchall()
    }
    if not columns:
        return None
    found = cursor.execute(KEYS, (quoted,)).fetchall()
    primary = [frozenset(names) for is_primary, names in found if is_primary]
    return RealTable(
        name,
        columns,
        primary[0] if primary else frozenset(),
        frozenset(frozenset(names) for _, names in found),
    )
