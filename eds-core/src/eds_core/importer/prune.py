"""Delete what the export no longer has: it was deleted while nobody read the stream.

Every row of the export is in the destination by now, with the snapshot's version or
a newer one. So what is older than the snapshot is not in the export.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Sequence

from eds_core.event import Key, Row, Version
from eds_core.failpoints import reached
from eds_core.ledger import ImportedFile
from eds_core.line import narrowed, own_version, text_of
from eds_core.schema import TableSchema

from .plan import Item
from .rereading import read_again
from .tally import FileTally
from .writers import Writer

log = logging.getLogger("eds.import")

_COMPANY = "companyId"
_NEVER = Version(0)  # as rows are read that have no version
_AT_ONCE = 100_000  # keys that are held at a time


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


def prune(
    writer: Writer,
    items: Sequence[Item],
    companies: Collection[str],
    file: ImportedFile,
) -> int:
    """Delete the rows of one table that are older than its export and not in it.

    They are counted in *file*, one of the table's, with those of a broken import.
    """
    table = items[0].table
    version = _version(items)
    for gone in _gone(writer, items, companies):
        reached("import.prune.before")
        file = _delete(writer, table, gone, version, file)
        reached("import.prune.after")
    if file.deleted:
        log.info(
            "%s: %d rows deleted that the export does not have",
            table.name,
            file.deleted,
        )
    return file.deleted


def would_prune(
    writer: Writer, items: Sequence[Item], companies: Collection[str]
) -> int:
    """How many rows ``prune`` would delete, when nothing has been loaded."""
    pruned = 0
    old: set[Key] = set()
    for keys in _gone(writer, items, companies):
        old.update(keys)
        if len(old) >= _AT_ONCE:
            pruned += _absent(writer, items, old)
            old = set()
    return pruned + _absent(writer, items, old)


def _absent(writer: Writer, items: Sequence[Item], keys: set[Key]) -> int:
    """How many of *keys* the files do not have."""
    if keys:
        for read in read_again(writer, items):
            keys.discard(read.row.key)
    return len(keys)


def _version(items: Sequence[Item]) -> Version:
    return min(item.snapshot for item in items if item.snapshot is not None)


def _gone(
    writer: Writer, items: Sequence[Item], companies: Collection[str]
) -> Iterator[list[Key]]:
    """Keys of the destination's rows that are older than the export, by pages."""
    table, version = items[0].table, _version(items)
    names = (*table.key, *({_COMPANY} & table.types.keys()))
    narrow = narrowed(table, names)
    for rows in pages(writer, narrow):
        gone = [row for row in rows if _is_gone(row, version, narrow, companies)]
        bare = [row.key for row in gone if row.version == _NEVER]
        kept = _kept(writer, table, bare, version) if bare else set()
        if keys := [row.key for row in gone if row.key not in kept]:
            yield keys


def _kept(
    writer: Writer, table: TableSchema, keys: list[Key], version: Version
) -> set[Key]:
    """Rows of an old server, which kept no versions, that tell to be newer."""
    rows = writer.insist(writer.destination.driver.unversioned, table, keys)
    now = time.time_ns()
    return {row.key for row in rows if own_version(row.tokens, now) >= version}


def _is_gone(
    row: Row, version: Version, table: TableSchema, companies: Collection[str]
) -> bool:
    if row.version >= version:
        return False
    return _COMPANY not in table.types or text_of(row.tokens, _COMPANY) in companies


def _delete(
    writer: Writer, table: TableSchema, keys: list[Key], at: Version, file: ImportedFile
) -> ImportedFile:
    most = writer.destination.capabilities.max_rows
    for start in range(0, len(keys), most):
        some = keys[start : start + most]
        file = writer.insist(writer.loader.delete, table, some, at, file)
    return file


def pages(writer: Writer, table: TableSchema) -> Iterator[list[Row]]:
    """All rows of *table* in the destination, a page at a time."""
    read = writer.destination.driver.read
    most, after = writer.destination.capabilities.max_rows, None
    while rows := writer.insist(read, table, after, most):
        yield rows
        after = rows[-1].key
