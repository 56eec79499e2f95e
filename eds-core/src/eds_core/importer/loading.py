"""Writes chunks into one destination, each in a transaction with its progress.

Used from the destination's one thread. The transaction begins with the proof that
the companies are ours; a file's progress moves in it, so that a crash anywhere
leaves rows and progress together.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from eds_core.destination import Destination
from eds_core.driver import Loaded
from eds_core.errors import EdsError, RejectedError, TableError, TransientError
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.failpoints import reached
from eds_core.isolation import Isolation
from eds_core.ledger import ImportedFile, Quarantined
from eds_core.line import own_version
from eds_core.repair import repair
from eds_core.schema import TableSchema

from .chunks import Chunk

log = logging.getLogger("eds.import")

Explain = Callable[[Key, EdsError], Quarantined]
_Write = Callable[[TableSchema, list[Row], list[Quarantined]], Loaded]


@dataclass(frozen=True, slots=True)
class Landed:
    """How far a file has come with a chunk, and what was bad in it."""

    file: ImportedFile
    bad: list[Quarantined]


class Loader:
    """Writes into *destination* for the companies held under ``epochs``."""

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.epochs: Mapping[str, int] = {}
        self._prepared: set[str] = set()
        self._unversioned: dict[str, TableSchema] = {}  # with rows of an old server
        self._doubtful: set[str] = set()  # files of commits that nobody answered

    def prepare(self, table: TableSchema) -> None:
        """See that *table* can take rows. Raises TableError."""
        if table.name in self._prepared:
            return
        try:
            change = self.destination.prepare(table)
        except RejectedError as error:
            raise TableError(
                str(error), table=table.name, advice=error.advice, code=error.code
            ) from error
        if change is not None:
            log.info("%s", change)
        if self.destination.driver.unversioned(table):
            self._unversioned[table.name] = table
        self._prepared.add(table.name)

    def reopen(self) -> None:
        """Connect, also after a lost connection."""
        self.destination.close()
        self.destination.open()
        self._prepared.clear()

    def load(self, chunk: Chunk, file: ImportedFile, explain: Explain) -> Landed:
        """Commit *chunk*, and *file* as far as it has come with it.

        Raises TransientError, TakenOver, TableError or FatalError; then nothing was
        written, or (unknown) all of it, and the same may be tried again.
        """
        known = self._known(file)
        if known is not None and known.offset >= file.offset:
            return Landed(known, chunk.bad)
        with self._doubted(file):
            try:
                return self._commit(chunk, file, self._plainly)
            except RejectedError:
                return self._commit(chunk, file, partial(self._carefully, explain))

    def _known(self, file: ImportedFile) -> ImportedFile | None:
        """What is recorded of *file* when a lost connection may have hidden it.

        Written again, its rows would count as updated.
        """
        if file.id not in self._doubtful:
            return None
        known = self.destination.ledger.imported_files().get(file.id)
        self._doubtful.discard(file.id)
        return known

    @contextmanager
    def _doubted(self, file: ImportedFile) -> Iterator[None]:
        try:
            yield
        except TransientError:
            self._doubtful.add(file.id)
            raise

    def _commit(self, chunk: Chunk, file: ImportedFile, write: _Write) -> Landed:
        loaded, bad = Loaded(), [*chunk.bad]
        reached("import.begin")
        with self.destination.transaction():
            ledger = self.destination.ledger
            reached("import.hold")
            ledger.hold(self.epochs)
            for group in chunk.groups:
                reached("import.write.before")
                rows = self._not_older(group.schema, group.sorted)
                loaded += write(group.schema, rows, bad)
            reached("import.write.after")
            if bad:
                reached("import.quarantine.before")
                ledger.quarantine(bad)
                reached("import.quarantine.after")
            landed = replace(
                file,
                inserted=file.inserted + loaded.inserted,
                updated=file.updated + loaded.updated,
                quarantined=file.quarantined + len(bad),
            )
            reached("import.progress")
            ledger.record_file(landed)
            reached("import.commit.before")
        reached("import.commit.after")
        return Landed(landed, bad)

    def _not_older(self, table: TableSchema, rows: list[Row]) -> list[Row]:
        """Without rows that are older than what an old server has written.

        It kept no versions: a row of it is as old as it tells of itself.
        """
        whole = self._unversioned.get(table.name)
        if whole is None:
            return rows
        driver, now = self.destination.driver, time.time_ns()
        there = driver.unversioned(whole, [row.key for row in rows])
        known = {row.key: own_version(row.tokens, now) for row in there}
        return [r for r in rows if r.version >= known.get(r.key, r.version)]

    def _plainly(
        self, table: TableSchema, rows: list[Row], _bad: list[Quarantined]
    ) -> Loaded:
        return self.destination.bulk_load(table, rows)

    def _carefully(
        self,
        explain: Explain,
        table: TableSchema,
        rows: list[Row],
        bad: list[Quarantined],
    ) -> Loaded:
        """Find the rows that the destination rejects; write the others."""
        loaded = Loaded()

        def write(some: Sequence[Row]) -> int:
            nonlocal loaded
            part = self.destination.bulk_load(table, some)
            loaded += part
            return part.changed

        mend = partial(_mended, table=table)
        isolation = Isolation[Row](write, self.destination.savepoint, mend)
        places = {row.key: place for place, row in enumerate(rows)}
        isolation.run(rows, lambda row: places[row.key])
        bad += [explain(row.key, error) for row, error in isolation.rejected]
        return loaded

    def delete(
        self, table: TableSchema, keys: list[Key], version: Version, file: ImportedFile
    ) -> ImportedFile:
        """Remove rows, and remember their deletion at *version*; count it in *file*."""
        known = self._known(file)
        if known is not None and known.deleted != file.deleted:
            return known
        dead = [VersionedKey(key, version) for key in sorted(keys)]
        with self._doubted(file), self.destination.transaction():
            self.destination.ledger.hold(self.epochs)
            count = self.destination.delete(table, dead)
            counted = replace(file, deleted=file.deleted + count)
            self.destination.ledger.record_file(counted)
        return counted

    def repair(self, table: TableSchema, rows: list[Row]) -> int:
        """Write *rows* again."""
        with self.destination.transaction():
            self.destination.ledger.hold(self.epochs)
            return self.destination.upsert(table, rows)


class Checker(Loader):
    """Reads and checks, and writes nothing (a dry run)."""

    def load(self, chunk: Chunk, file: ImportedFile, explain: Explain) -> Landed:
        bad = [*chunk.bad]
        for group in chunk.groups:
            for row in group.rows.values():
                try:
                    for column in group.schema.columns:
                        row.get(column.name, column.type)
                except RejectedError as error:
                    bad.append(explain(row.key, error))
        checked = replace(
            file,
            inserted=file.inserted + chunk.read - len(bad),
            quarantined=file.quarantined + len(bad),
        )
        return Landed(checked, bad)

    def repair(self, table: TableSchema, rows: list[Row]) -> int:
        del table
        return len(rows)


def _mended(row: Row, table: TableSchema) -> Row | None:
    mended = repair(row, table)
    return mended[0] if mended is not None else None
