"""Delete what the export no longer has: it was deleted while nobody read the stream.

Every row of the export is in the destination by now, with the snapshot's version or
a newer one. So what is older than the snapshot is not in the export.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence

from eds_core.event import Key, Row, Version
from eds_core.line import narrowed, text_of
from eds_core.schema import TableSchema

from .plan import Item
from .tally import FileTally
from .writers import Writer

log = logging.getLogger("eds.import")

_COMPANY = "companyId"


def why_not(
    items: Sequence[Item],
    tallies: Sequence[FileTally],
    companies: Collection[str],
    *,
    alone: bool,
) -> str:
    """The reason why a table cannot be pruned, or nothing.

    *companies* are the export's own; *alone*: the destination has but one company.
    """
    if any(item.snapshot is None for item in items):
        return "it is not known when its rows were read: give --snapshot-time"
    if any(tally.error or not tally.done for tally in tallies):
        return "not all of its files are in"
    if any(tally.quarantined for tally in tallies):
        return "some of its lines are in the quarantine"
    has_company = _COMPANY in items[0].table.types
    if has_company and not companies:
        return "it is not known which company the export is of: give --creds"
    if not has_company and not alone:
        return "its rows do not tell their company, and the database has several"
    return ""


def prune(writer: Writer, items: Sequence[Item], companies: Collection[str]) -> int:
    """Delete the rows of one table that are older than its export and not in it."""
    table = items[0].table
    version = min(item.snapshot for item in items if item.snapshot is not None)
    names = (*table.key, *({_COMPANY} & table.types.keys()))
    narrow = narrowed(table, names)
    pruned = 0
    for rows in pages(writer, narrow):
        gone = [row.key for row in rows if _is_gone(row, version, narrow, companies)]
        if gone:
            pruned += _delete(writer, table, gone, version)
    if pruned:
        log.info(
            "%s: %d rows deleted that the export does not have", table.name, pruned
        )
    return pruned


def _is_gone(
    row: Row, version: Version, table: TableSchema, companies: Collection[str]
) -> bool:
    if row.version >= version:
        return False
    return _COMPANY not in table.types or text_of(row.tokens, _COMPANY) in companies


def _delete(writer: Writer, table: TableSchema, keys: list[Key], at: Version) -> int:
    most = writer.destination.capabilities.max_rows
    return sum(
        writer.insist(writer.loader.delete, table, keys[start : start + most], at)
        for start in range(0, len(keys), most)
    )


def pages(writer: Writer, table: TableSchema) -> Iterator[list[Row]]:
    """All rows of *table* in the destination, a page at a time."""
    read = writer.destination.driver.read
    most, after = writer.destination.capabilities.max_rows, None
    while rows := writer.insist(read, table, after, most):
        yield rows
        after = rows[-1].key
