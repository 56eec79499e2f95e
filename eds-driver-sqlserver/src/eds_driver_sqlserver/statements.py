"""The two batches that write: one round trip each, however many rows. Pure.

Rows and keys come as one JSON parameter. UPDATE, then INSERT of what is not there;
no MERGE, whose races and faults are known. Every search goes by the index, in the
order that is written here: a plan made while a table was empty would else read the
JSON anew for each of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from eds_core.sql.tables import VERSION, Target

from .columns import BINARY, SqlServerColumn

Quote = Callable[[str], str]

#: What a batch returns, twice, when the table is not as it was when the batch was made.
ALTERED = -1

VERSION_TYPE = "decimal(30,10)"
#: Of a tombstone's key: with the table's name it fits into an index of 1,700 bytes.
KEY_LENGTH = 640

_KEY = "_eds_key"
_SEARCH = "OPTION (FORCE ORDER, LOOP JOIN)"

# Parameters: the table's name quoted, when it was altered, the JSON, its plain name.
_BEGIN = """\
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
"""
#: What a batch returns: how many rows it inserted, and updated or deleted.
_END = "SELECT @inserted, @changed;\n"


def upsert(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take arrays of a tombstone's key, a version and the target's columns."""
    names = [*target.columns]
    version = quote(VERSION)
    source = _source(target, names, quote)
    values = {name: _value(target, name, quote) for name in names}
    sets = ", ".join(
        [f"{quote(n)} = {values[n]}" for n in target.values]
        + [f"{version} = s.{version}"]
    )
    every = ", ".join([*map(quote, names), version])
    alive = (
        f"NOT EXISTS (SELECT 1 FROM {tombstones} AS d"  # noqa: S608 - identifiers only, quoted
        " WHERE d.[table_name] = @table\n"
        f"    AND d.[key] = {_bytes(f's.{quote(_KEY)}')} AND d.[version] > s.{version})"
    )
    same = _same(target, quote)
    return (
        f"{_BEGIN}{_check(target, names, quote)}"  # noqa: S608 - identifiers only, quoted
        f"UPDATE t SET {sets}\n"
        f"FROM {source}\n"
        f"INNER JOIN {table} AS t ON {same}\n"
        f"WHERE (t.{version} IS NULL OR t.{version} <= s.{version})\n"
        f"    AND {alive}\n"
        f"{_SEARCH};\n"
        "SET @changed = @@ROWCOUNT;\n"
        f"INSERT INTO {table} ({every})\n"
        f"SELECT {', '.join(values.values())}, s.{version}\n"
        f"FROM {source}\n"
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} AS t WITH (UPDLOCK, HOLDLOCK)\n"
        f"    WHERE {same})\n"
        f"    AND {alive}\n"
        f"{_SEARCH};\n"
        "SET @inserted = @@ROWCOUNT;\n"
        f"{_END}"
    )


def delete(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take arrays of a tombstone's key, a version and the key columns."""
    version = quote(VERSION)
    key_names = list(target.table.key)
    source = _source(target, key_names, quote)
    key = _bytes(f"s.{quote(_KEY)}")
    is_dead = f"d.[table_name] = @table AND d.[key] = {key}"
    return (
        f"{_BEGIN}{_check(target, key_names, quote)}"  # noqa: S608 - identifiers only, quoted
        f"UPDATE d SET [version] = s.{version}\n"
        f"FROM {source}\n"
        f"INNER JOIN {tombstones} AS d ON {is_dead}\n"
        f"WHERE d.[version] < s.{version}\n"
        f"{_SEARCH};\n"
        f"INSERT INTO {tombstones} ([table_name], [key], [version])\n"
        f"SELECT @table, s.{quote(_KEY)}, s.{version}\n"
        f"FROM {source}\n"
        f"WHERE NOT EXISTS (SELECT 1 FROM {tombstones} AS d WITH (UPDLOCK, HOLDLOCK)\n"
        f"    WHERE {is_dead})\n"
        f"{_SEARCH};\n"
        "DELETE t\n"
        f"FROM {source}\n"
        f"INNER JOIN {table} AS t ON {_same(target, quote)}\n"
        f"WHERE t.{version} IS NULL OR t.{version} <= s.{version}\n"
        f"{_SEARCH};\n"
        "SET @changed = @@ROWCOUNT;\n"
        f"{_END}"
    )


def column(target: Target, name: str) -> SqlServerColumn:
    return cast(SqlServerColumn, target.real.columns[name])


def _source(target: Target, names: list[str], quote: Quote) -> str:
    """The JSON as a table: by position, for names cost bytes in every row."""
    typed = [(_KEY, f"nvarchar({KEY_LENGTH})"), (VERSION, VERSION_TYPE)]
    for name in names:
        found = column(target, name)
        in_key = name in target.table.key
        typed.append((name, found.read_in_key_as if in_key else found.read_as))
    columns = ",\n    ".join(
        f"{quote(name)} {type_} '$[{place}]'"
        for place, (name, type_) in enumerate(typed)
    )
    return f"OPENJSON(@rows) WITH (\n    {columns}\n) AS s"


def _value(target: Target, name: str, quote: Quote) -> str:
    in_key = name in target.table.key
    return column(target, name).value(f"s.{quote(name)}", in_key=in_key)


def _same(target: Target, quote: Quote) -> str:
    return " AND ".join(_is(target, name, quote) for name in target.table.key)


def _is(target: Target, name: str, quote: Quote) -> str:
    """The key column equals: by its own collation for the index, then by bytes."""
    found, real = column(target, name), f"t.{quote(name)}"
    value = _value(target, name, quote)
    if not found.is_text:
        return f"{real} = {value}"
    by_index = f"{real} = {value} COLLATE {found.collation or BINARY}"
    if found.collation in {"", BINARY}:
        return by_index
    return f"{by_index} AND {_bytes(real)} = {_bytes(f's.{quote(name)}')}"


def _bytes(text: str) -> str:
    return f"{text} COLLATE {BINARY}"


def _check(target: Target, names: list[str], quote: Quote) -> str:
    """Refuse what cannot be converted, before it can doom the transaction."""
    unsure = [
        f"(s.{quote(name)} IS NOT NULL "
        f"AND TRY_CONVERT({found.plain}, s.{quote(name)}) IS NULL)"
        for name in names
        if (found := column(target, name)).is_converted
    ]
    if not unsure:
        return ""
    return (
        f"IF EXISTS (SELECT 1 FROM {_source(target, names, quote)}\n"  # noqa: S608 - identifiers only, quoted
        f"    WHERE {' OR '.join(unsure)})\n"
        "BEGIN\n"
        f"    RAISERROR (N'{UNFIT}', 16, 1, @table);\n"
        "    RETURN;\n"
        "END;\n"
    )


#: How the server says that it cannot convert a value.
UNFIT = "eds: a value of table %s does not fit the type of its column"
