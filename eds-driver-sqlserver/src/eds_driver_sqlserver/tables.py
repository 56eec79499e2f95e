"""A real table out of SQL Server's catalogue: exact types, code pages, its keys."""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eds_core.errors import TableError
from eds_core.schema import ColumnType
from eds_core.sql.tables import RealTable

from .columns import SqlServerColumn, column, type_of

# The type below a user's own type is what values have to fit.
COLUMNS = """
SELECT o.name, CONVERT(nvarchar(30), o.modify_date, 126), c.name,
    COALESCE(TYPE_NAME(c.system_type_id), TYPE_NAME(c.user_type_id)),
    c.max_length, c.precision, c.scale, c.collation_name,
    CONVERT(int, COLLATIONPROPERTY(c.collation_name, 'CodePage')),
    CONVERT(int, CASE WHEN c.user_type_id = c.system_type_id THEN 0 ELSE 1 END),
    CONVERT(int, CASE WHEN c.is_computed = 1 OR c.is_identity = 1
        OR c.generated_always_type <> 0 OR c.system_type_id = 189 THEN 0 ELSE 1 END)
FROM sys.objects AS o
INNER JOIN sys.columns AS c ON c.object_id = o.object_id
WHERE o.object_id = OBJECT_ID(?) AND o.type IN ('U', 'V')
ORDER BY c.column_id
"""

# Only what is whole and enforced.
KEYS = """
SELECT i.index_id, CONVERT(int, i.is_primary_key), CONVERT(int, i.ignore_dup_key),
    c.name
FROM sys.indexes AS i
INNER JOIN sys.index_columns AS k
    ON k.object_id = i.object_id AND k.index_id = i.index_id
INNER JOIN sys.columns AS c
    ON c.object_id = k.object_id AND c.column_id = k.column_id
WHERE i.object_id = OBJECT_ID(?) AND i.is_unique = 1 AND i.has_filter = 0
    AND i.is_disabled = 0 AND k.is_included_column = 0
ORDER BY i.index_id, k.key_ordinal
"""

_IN_CHARACTERS = frozenset({"nvarchar", "nchar"})
_IN_BYTES = frozenset({"varchar", "char", "varbinary", "binary"})
_FRACTIONS = frozenset({"datetimeoffset", "datetime2", "time"})
_MAX = -1


@dataclass(frozen=True, slots=True)
class SqlServerTable(RealTable):
    """With the moment of its last change, as the server tells it."""

    altered: str = ""


def look(cursor: Any, quoted: str) -> SqlServerTable | None:
    """Return the table *quoted* as it is; None when there is none."""
    found = cursor.execute(COLUMNS, quoted).fetchall()
    if not found:
        return None
    keys = cursor.execute(KEYS, quoted).fetchall()
    name, altered = found[0][:2]
    _check_duplicates(name, keys)
    columns = {row[2]: _column(row[2:]) for row in found}
    unique = _unique(keys)
    primary = next((unique[k] for k, is_primary, *_ in keys if is_primary), frozenset())
    return SqlServerTable(
        name, columns, primary, frozenset(unique.values()), altered=altered
    )


def _unique(keys: Sequence[Sequence[Any]]) -> dict[int, frozenset[str]]:
    found: defaultdict[int, set[str]] = defaultdict(set)
    for index, _, _, name in keys:
        found[index].add(name)
    return {index: frozenset(names) for index, names in found.items()}


def _check_duplicates(name: str, keys: Sequence[Sequence[Any]]) -> None:
    """Refuse an index that would drop rows without an error."""
    if any(ignores for _, _, ignores, _ in keys):
        raise TableError(
            f"table {name} has a unique index WITH (IGNORE_DUP_KEY = ON), which "
            "drops rows in silence",
            table=name,
            advice="make the index anew WITH (IGNORE_DUP_KEY = OFF)",
        )


def _column(row: Sequence[Any]) -> SqlServerColumn:
    name, base, length, precision, scale, collation, page, own, writable = row
    plain = f"{base}{_size(base, length, precision, scale)}"
    declared = f"{plain} COLLATE {collation}" if collation else plain
    kind: ColumnType | None = None if own else type_of(declared)
    narrow = base in {"varchar", "char", "text"}
    codec = codec_of(page) if narrow else ""
    return column(name, declared, kind, writable=bool(writable), codec=codec)


def _size(base: str, length: int, precision: int, scale: int) -> str:
    if base in _IN_CHARACTERS | _IN_BYTES:
        if length == _MAX:
            return "(max)"
        return f"({length // 2 if base in _IN_CHARACTERS else length})"
    if base in {"decimal", "numeric"}:
        return f"({precision},{scale})"
    return f"({scale})" if base in _FRACTIONS else ""


def codec_of(page: int | None) -> str:
    """Python's name of a code page; of one that it lacks, no more than ASCII."""
    name = "utf-8" if page == 65001 else f"cp{page}"  # noqa: PLR2004 - Windows' number of UTF-8
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"
