"""A real table out of the information schema, which CockroachDB keeps best."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from eds_core.schema import ColumnType
from eds_core.sql.tables import RealColumn, RealTable

COLUMNS = """
SELECT column_name, data_type, udt_name, character_maximum_length,
       numeric_precision, numeric_scale, datetime_precision,
       is_generated, identity_generation, column_default
FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s
ORDER BY ordinal_position
"""

# A unique index is a constraint there, also one that was made as an index.
KEYS = """
SELECT c.constraint_type, c.constraint_name, k.column_name
FROM information_schema.table_constraints AS c
JOIN information_schema.key_column_usage AS k
  ON k.constraint_schema = c.constraint_schema
 AND k.constraint_name = c.constraint_name
 AND k.table_schema = c.table_schema
 AND k.table_name = c.table_name
WHERE c.table_schema = %s AND c.table_name = %s
  AND c.constraint_type IN ('PRIMARY KEY', 'UNIQUE')
"""

_MICROSECONDS = 6
#: Columns that CockroachDB itself puts in front of a key.
_IMPLICIT = re.compile(r"crdb_region|crdb_internal_.*")
_ROW_ID = re.compile(r"rowid(_\d+)?")


@dataclass(frozen=True, slots=True)
class CockroachColumn(RealColumn):
    """With the type's name for casts, which must not cut a value off."""

    plain: str = ""


def with_plain_types(table: RealTable) -> RealTable:
    """A table that EDS made: its types without precision."""
    columns = {
        name: CockroachColumn(
            name, column.declared, column.type, plain=_without_size(column.declared)
        )
        for name, column in table.columns.items()
    }
    return replace(table, columns=columns)


def _without_size(declared: str) -> str:
    return re.sub(r"\([\d,]+\)", "", declared)


def look(
    cursor: Any,
    schema: str | None,
    name: str,
    quote: Callable[[str], str],
    type_of: Callable[[str], ColumnType | None],
) -> RealTable | None:
    """Return the table *name* of *schema* as it is; None when there is none."""
    place = (schema, name)
    found = cursor.execute(COLUMNS, place).fetchall()
    if not found:
        return None
    columns = {row[0]: _column(row, quote, type_of) for row in found}
    hidden = {row[0] for row in found if _is_hidden(row[0], row[-1])}
    keys = _keys(cursor.execute(KEYS, place).fetchall())
    primary = next((key for kind, key in keys if kind == "PRIMARY KEY"), frozenset())
    return RealTable(
        name,
        {n: column for n, column in columns.items() if n not in hidden},
        frozenset() if primary <= hidden else primary,
        frozenset(key for _, key in keys),
    )


def _keys(rows: Iterable[tuple[str, str, str]]) -> list[tuple[str, frozenset[str]]]:
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for kind, constraint, column in rows:
        if not _IMPLICIT.fullmatch(column):
            names[kind, constraint].add(column)
    return [(kind, frozenset(columns)) for (kind, _), columns in names.items()]


def _is_hidden(name: str, default: str | None) -> bool:
    """The key that CockroachDB gives a table without one."""
    return bool(_ROW_ID.fullmatch(name)) and "unique_rowid()" in (default or "")


def _column(
    row: tuple[Any, ...],
    quote: Callable[[str], str],
    type_of: Callable[[str], ColumnType | None],
) -> CockroachColumn:
    name, kind, udt, *sizes, generated, identity, _ = row
    plain = _plain(kind, udt, quote)
    declared = f"{plain}{_size(plain, *sizes)}"
    computed = generated not in {None, "NEVER", "NO"} or identity == "ALWAYS"
    return CockroachColumn(
        name, declared, type_of(declared), writable=not computed, plain=plain
    )


#: Elements whose cast would cut them off.
_ELEMENTS: Mapping[str, str] = {"varchar": "text", "bpchar": "text"}
_PLAIN = re.compile(r"[a-z][a-z0-9_]*")


def _plain(kind: str, udt: str, quote: Callable[[str], str]) -> str:
    if kind == "ARRAY":
        element = udt.removeprefix("_")
        built_in = _ELEMENTS.get(element, element)
        return f"{built_in if _PLAIN.fullmatch(built_in) else quote(element)}[]"
    return quote(udt) if kind == "USER-DEFINED" else kind


def _size(
    plain: str,
    length: int | None,
    digits: int | None,
    scale: int | None,
    fine: int | None,
) -> str:
    """The type's size where it is not the one that EDS declares."""
    if length is not None:
        return f"({length})"
    if plain == "numeric" and digits is not None:
        return f"({digits},{scale or 0})"
    if plain.startswith("timestamp") and fine not in {None, _MICROSECONDS}:
        return f"({fine})"
    return ""
