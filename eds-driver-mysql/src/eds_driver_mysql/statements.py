"""The statements that write, as text with one ``%b`` for literals. Pure.

Names of tables and columns hold letters, digits and ``_`` only, so that no other
``%`` is in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from eds_core.sql.tables import VERSION, Target

Quote = Callable[[str], str]

STAGE = "_eds_stage"
DROP_STAGE = "DROP TEMPORARY TABLE IF EXISTS `_eds_stage`"


def of(target: Target, tombstones: str, quote: Quote) -> Mapping[str, str]:
    """All statements of one target, by name; *tombstones*: the name of their table."""
    dead, bury = buried(quote(tombstones))
    create, fill = stage(target, quote)
    update, insert = merge(target, quote)
    return {
        "upsert": upsert(target, quote),
        "stage": create,
        "fill": fill,
        "update": update,
        "insert": insert,
        "written": written(target, quote),
        "delete": delete(target, quote),
        "dead": dead,
        "tombstones": bury,
    }


def buried(tombstones: str) -> tuple[str, str]:
    """Ask for tombstones, and raise them."""
    dead = (
        f"SELECT `key`, `version` FROM {tombstones} FORCE INDEX (PRIMARY) "  # noqa: S608 - identifiers only, quoted
        "WHERE `table_name` = %b AND `key` IN (%b)"
    )
    bury = (
        f"INSERT INTO {tombstones} (`table_name`, `key`, `version`) VALUES %b "  # noqa: S608 - as above
        "ON DUPLICATE KEY UPDATE `version` = GREATEST(`version`, VALUES(`version`))"
    )
    return dead, bury


def upsert(target: Target, quote: Quote) -> str:
    """All rows at once; one that is older than what is there changes nothing.

    MySQL assigns from left to right: the version, which decides, comes last, so that it
    is read before it changes. The key comes first: it becomes NULL, which is an error,
    when the row in the way is not the key's own but one of a unique index that was
    added since we looked.
    """
    table, version = quote(target.real.name), quote(VERSION)
    names = [*map(quote, target.columns), version]
    key = [quote(name) for name in target.table.key]
    same = " AND ".join(f"{table}.{name} = VALUES({name})" for name in key)
    newer = f"{table}.{version} IS NULL OR {table}.{version} <= VALUES({version})"
    sets = [f"{key[0]} = IF({same}, {table}.{key[0]}, NULL)"]
    sets += [
        f"{name} = IF({newer}, VALUES({name}), {table}.{name})"
        for name in [*map(quote, target.values), version]
    ]
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES %b "  # noqa: S608 - identifiers only, quoted
        f"ON DUPLICATE KEY UPDATE {', '.join(sets)}"
    )


def written(target: Target, quote: Quote) -> str:
    """Count the rows that are there now in the versions that were written."""
    return f"SELECT COUNT(*) FROM {quote(target.real.name)} WHERE %b"  # noqa: S608 - identifiers only, quoted


def delete(target: Target, quote: Quote) -> str:
    """By the index, however few rows there are: else others' rows are locked, too."""
    table = quote(target.real.name)
    primary = target.real.primary == frozenset(target.table.key)
    hint = " FORCE INDEX (PRIMARY)" if primary else ""
    return f"DELETE {table} FROM {table}{hint} WHERE %b"


def stage(target: Target, quote: Quote) -> tuple[str, str]:
    """Make an empty table of the target's own types, and fill it.

    It is temporary: neither statement ends a transaction.
    """
    names = _list(quote, [*target.columns, VERSION])
    key, table = _list(quote, target.table.key), quote(target.real.name)
    create = (
        f"CREATE TEMPORARY TABLE {quote(STAGE)} (PRIMARY KEY ({key})) ENGINE=InnoDB "  # noqa: S608 - identifiers only, quoted
        f"SELECT {names} FROM {table} LIMIT 0"
    )
    return create, f"INSERT INTO {quote(STAGE)} ({names}) VALUES %b"  # noqa: S608 - as above


def merge(target: Target, quote: Quote) -> tuple[str, str]:
    """Update from the stage what is there and not newer; insert what is not there."""
    table, staged, version = quote(target.real.name), quote(STAGE), quote(VERSION)
    same = " AND ".join(
        f"{table}.{name} = {staged}.{name}" for name in map(quote, target.table.key)
    )
    sets = ", ".join(
        f"{table}.{name} = {staged}.{name}"
        for name in map(quote, [*target.values, VERSION])
    )
    names = _list(quote, [*target.columns, VERSION])
    update = (
        f"UPDATE {staged} STRAIGHT_JOIN {table} ON {same} SET {sets} "  # noqa: S608 - identifiers only, quoted
        f"WHERE {table}.{version} IS NULL OR {table}.{version} <= {staged}.{version}"
    )
    insert = (
        f"INSERT INTO {table} ({names}) SELECT {names} FROM {staged} "  # noqa: S608 - as above
        f"WHERE NOT EXISTS (SELECT 1 FROM {table} WHERE {same})"
    )
    return update, insert


def _list(quote: Quote, names: Iterable[str]) -> str:
    return ", ".join(map(quote, names))
