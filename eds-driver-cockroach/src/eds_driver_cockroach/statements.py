"""The statements that write: rows come as one JSON parameter, whatever their number.

Only what CockroachDB has had for long: ``jsonb_array_elements``, ``->``, ``->>``,
casts from text. It has no ROWS FROM with column definitions, and reads a string
that is to be JSON wrongly in json_to_recordset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from eds_core.sql.tables import VERSION, Target

from .tables import CockroachColumn

Quote = Callable[[str], str]

_VERSION = "(r.e ->> 1)::numeric"
#: A date, perhaps with a time and an offset; no word such as ``now``.
_MOMENT = "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+ ?([Zz]|[+-][0-9:]+)?)?$"
_TEXTS = ("text", "character", "bpchar", "name")


def upsert(target: Target, table: str, tombstones: str, quote: Quote) -> str:
    """Take an array of ``[key, version, row]``, and the table's name."""
    names = [*target.columns]
    version = quote(VERSION)
    values = ", ".join(_of_row(_column(target, name)) for name in names)
    sets = ", ".join(
        f"{quote(name)} = excluded.{quote(name)}" for name in [*target.values, VERSION]
    )
    return (
        f"INSERT INTO {table} AS t ({', '.join(map(quote, names))}, {version}) "  # noqa: S608 - identifiers only, quoted
        f"SELECT {values}, {_VERSION} "
        "FROM jsonb_array_elements(%s::jsonb) AS r(e) "
        f"WHERE NOT EXISTS (SELECT 1 FROM {tombstones} AS d "
        f"WHERE d.table_name = %s AND d.key = (r.e ->> 0) AND d.version > {_VERSION}) "
        f"ON CONFLICT ({', '.join(map(quote, target.table.key))}) DO UPDATE "
        f"SET {sets} "
        f"WHERE t.{version} IS NULL OR t.{version} <= excluded.{version}"
    )


def bury(tombstones: str) -> str:
    """Take the table's name, and an array of ``[key, version, ...]``."""
    return (
        f"INSERT INTO {tombstones} AS t (table_name, key, version) "  # noqa: S608 - identifiers only, quoted
        f"SELECT %s::text, (r.e ->> 0), {_VERSION} "
        "FROM jsonb_array_elements(%s::jsonb) AS r(e) "
        "ON CONFLICT (table_name, key) DO UPDATE SET version = excluded.version "
        "WHERE t.version < excluded.version"
    )


def delete(target: Target, table: str, quote: Quote) -> str:
    """Take an array of ``[key, version, value of each key column, ...]``."""
    version = quote(VERSION)
    same = " AND ".join(
        f"t.{quote(name)} = {_of_text(_column(target, name), f'(r.e ->> {place})')}"
        for place, name in enumerate(target.table.key, start=2)
    )
    return (
        f"DELETE FROM {table} AS t "  # noqa: S608 - identifiers only, quoted
        "WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(%s::jsonb) AS r(e) "
        f"WHERE {same} AND (t.{version} IS NULL OR t.{version} <= {_VERSION}))"
    )


def _column(target: Target, name: str) -> CockroachColumn:
    return cast(CockroachColumn, target.real.columns[name])


def _of_row(column: CockroachColumn) -> str:
    """A column's value out of the third element; names hold no quotes."""
    if column.plain in {"json", "jsonb"}:
        return f"NULLIF(r.e -> 2 -> '{column.name}', 'null'::jsonb)"
    return _of_text(column, f"(r.e -> 2 ->> '{column.name}')")


def _of_text(column: CockroachColumn, text: str) -> str:
    """*text* as the column's type, its length left to the assignment: a cast cuts."""
    plain = column.plain
    if plain.startswith(_TEXTS) and not plain.endswith("]"):
        return text
    if plain == "bytea":
        return f"decode({text}, 'base64')"
    if plain.startswith("timestamp") or plain == "date":
        return _moment(plain, text)
    return f"{text}::{plain.replace('%', '%%')}"


def _moment(plain: str, text: str) -> str:
    """What has an offset becomes UTC where the column keeps none."""
    safe = f"(CASE WHEN {text} ~ '{_MOMENT}' THEN {text} "
    safe += f"WHEN {text} IS NULL THEN NULL ELSE 'no date' END)"
    if plain == "timestamp without time zone":
        return f"({safe}::timestamptz AT TIME ZONE 'UTC')"
    return f"{safe}::{plain}"


def widened(name: str, found: str, wide: str) -> str:
    """The value of a column as a wider type, losing nothing."""
    if found == "bytea":
        return f"replace(encode({name}, 'base64'), chr(10), '')"
    if found.startswith("timestamp"):
        plain = f"({name} AT TIME ZONE 'UTC')" if "with time" in found else name
        return f"replace({plain}::text, ' ', 'T') || 'Z'"
    return f"({name}::text)::{wide}"
