"""The SQL that writes. One statement changes one table, or nothing.

A statement's source is a column "v" of lines (see ``lines``): either one bound
parameter or the rows of a staged file.
"""

from __future__ import annotations

from collections.abc import Callable

from eds_core.sql.tables import VERSION, Target

from . import lines
from .tables import SnowflakeColumn

Quote = Callable[[str], str]

#: Temporary, so each session has its own.
ROWS, FILES = "_eds_rows", "_eds_files"
VERSION_TYPE = "NUMBER(38,10)"

#: A few lines: no file, no second statement.
BOUND = (
    'SELECT f.value AS "v" '
    "FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f"
)

_KEY, _TABLE = "_eds_key", "_eds_table"
#: Types that are read from text, by the plain name: a length given here would cut
#: a value off, where the column's own refuses it.
_PLAIN = (
    "BOOLEAN",
    "DATE",
    "FLOAT",
    "TIME",
    "TIMESTAMP_LTZ",
    "TIMESTAMP_NTZ",
    "TIMESTAMP_TZ",
)


def staged(rows: str) -> str:
    """Many lines: out of the table that a file was copied into."""
    return f'SELECT "v" FROM {rows}'  # noqa: S608 - identifiers only, quoted


def upsert(
    target: Target, table: str, tombstones: str, source: str, quote: Quote
) -> str:
    """Write lines. Takes the table's name, then the source's parameters."""
    names, version = [*target.columns], quote(VERSION)
    every = [*map(quote, names), version]
    values = [f"{_value(target, name)} AS {quote(name)}" for name in names]
    sets = [f"{quote(n)} = s.{quote(n)}" for n in [*target.values, VERSION]]
    same = " AND ".join(f"t.{quote(n)} = s.{quote(n)}" for n in target.table.key)
    return (
        f"MERGE INTO {table} t USING ("  # noqa: S608 - identifiers only, quoted
        f"SELECT {', '.join(f'r.{name}' for name in every)} FROM ("
        f"SELECT ? AS {quote(_TABLE)}, {', '.join(values)}, {_version()} AS {version}, "
        f"{_field(lines.KEY)}::VARCHAR AS {quote(_KEY)} FROM ({source}) x) r "
        f'LEFT JOIN {tombstones} d ON d."table_name" = r.{quote(_TABLE)} '
        f'AND d."key" = r.{quote(_KEY)} AND d."version" > r.{version} '
        f'WHERE d."key" IS NULL) s '
        f"ON {same} "
        f"WHEN MATCHED AND (t.{version} IS NULL OR t.{version} <= s.{version}) "
        f"THEN UPDATE SET {', '.join(sets)} "
        f"WHEN NOT MATCHED THEN INSERT ({', '.join(every)}) "
        f"VALUES ({', '.join(f's.{name}' for name in every)})"
    )


def bury(tombstones: str, source: str) -> str:
    """Remember deletions. Takes the table's name, then the source's parameters."""
    return (
        f"MERGE INTO {tombstones} t USING ("  # noqa: S608 - identifiers only, quoted
        f'SELECT ? AS "table_name", {_field(lines.KEY)}::VARCHAR AS "key", '
        f'{_version()} AS "version" FROM ({source}) x) s '
        'ON t."table_name" = s."table_name" AND t."key" = s."key" '
        'WHEN MATCHED AND t."version" < s."version" '
        'THEN UPDATE SET "version" = s."version" '
        'WHEN NOT MATCHED THEN INSERT ("table_name", "key", "version") '
        'VALUES (s."table_name", s."key", s."version")'
    )


def delete(target: Target, table: str, source: str, quote: Quote) -> str:
    """Remove rows that are not newer. Takes the source's parameters."""
    version, key = quote(VERSION), target.table.key
    values = [f"{_value(target, name)} AS {quote(name)}" for name in key]
    same = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
    return (
        f"DELETE FROM {table} t USING ("  # noqa: S608 - identifiers only, quoted
        f"SELECT {', '.join(values)}, {_version()} AS {version} "
        f"FROM ({source}) x) s "
        f"WHERE {same} AND (t.{version} IS NULL OR t.{version} <= s.{version})"
    )


def _field(name: str) -> str:
    return f'x."v":{name}'


def _version() -> str:
    return f"{_field(lines.VERSION)}::VARCHAR::{VERSION_TYPE}"


def _value(target: Target, name: str) -> str:
    """The expression that reads *name* out of a line, as its column has it."""
    column = SnowflakeColumn.of(target.real.columns[name])
    field = _field(lines.field_name(target, name))
    if column.base == "VARIANT":
        return f"PARSE_JSON({field}::VARCHAR)"
    if column.base in ("ARRAY", "OBJECT"):
        return f"PARSE_JSON({field}::VARCHAR)::{column.base}"
    if column.base == "BINARY":
        return f"TO_BINARY({field}::VARCHAR, 'HEX')"
    if column.base == "NUMBER":
        return f"{field}::VARCHAR::NUMBER({column.precision},{column.scale})"
    if column.base in _PLAIN:
        return f"{field}::VARCHAR::{column.base}"
    return f"{field}::VARCHAR"
