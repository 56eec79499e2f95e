"""Reads the files of one lane and has them written, chunk by chunk.

While a chunk is being written the next one is read, unpacked and decoded.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Event

from eds_core.errors import EdsError, TableError, told
from eds_core.event import Key
from eds_core.failpoints import reached
from eds_core.ledger import ImportedFile, Quarantined

from .chunks import Chunk, Chunker
from .loading import Landed
from .plan import Item
from .reading import read_lines
from .tally import FileTally
from .unpack import FileError
from .writers import StoppedError, Writer

log = logging.getLogger("eds.import")


@dataclass(slots=True)
class _Flight:
    """A chunk that is being written."""

    chunk: Chunk
    file: ImportedFile
    future: Future[Landed]


class Lane:
    """The items that *writer* alone writes."""

    def __init__(
        self,
        writer: Writer,
        halt: Event,
        companies: Iterable[str],
        default_company: str,
    ) -> None:
        self._writer = writer
        self._halt = halt
        self._companies = frozenset(companies)
        self._default = default_company
        self._failed: dict[str, str] = {}  # tables that take no rows
        self.seen: set[str] = set()  # companies of the rows that were read

    def run(
        self,
        items: Sequence[Item],
        known: Mapping[str, ImportedFile],
        tallies: Mapping[str, FileTally],
    ) -> None:
        """Import *items*, from where they stand. Raises StoppedError and the like."""
        for item in items:
            tally = tallies[item.id]
            begun = known.get(
                item.id, ImportedFile(item.id, item.table.name, tally.name)
            )
            _count(tally, begun)
            if begun.done:
                tally.done, tally.share = True, 1.0
                log.info("%s: done in an earlier import", tally.name)
                continue
            self._one(item, begun, tally)

    def _one(self, item: Item, file: ImportedFile, tally: FileTally) -> None:
        """One file; what is wrong with it or its table stops only itself."""
        table = item.table.name
        if table in self._failed:
            tally.error = self._failed[table]
            return
        reached("import.file.before")
        try:
            self._writer.insist(self._writer.loader.prepare, item.table)
            file = self._file(item, file, tally)
            reached("import.done")
            self._writer.insist(self._finish, replace(file, done=True))
            reached("import.file.after")
            tally.done, tally.share = True, 1.0
        except FileError as error:
            self._fail(tally, told(error))
        except TableError as error:
            self._failed[table] = f"table {table}: {told(error)}"
            self._fail(tally, self._failed[table])

    @staticmethod
    def _fail(tally: FileTally, reason: str) -> None:
        tally.error = reason
        log.error("%s", reason)

    def _file(self, item: Item, file: ImportedFile, tally: FileTally) -> ImportedFile:
        if file.offset:
            log.info("%s goes on behind line %d", tally.name, file.line)
        can = self._writer.destination.capabilities
        chunker = Chunker(item, self._companies, self._default, cells=can.cells)
        flight: _Flight | None = None
        with closing(item.source.open()) as stream:
            lines = read_lines(stream, item.source.name, file.offset, file.line)
            try:
                for chunk in chunker.chunks(lines, can.bulk_rows):
                    reached("import.read")
                    file, flight = self._landed(flight, file, tally, chunker), None
                    flight = self._start(chunk, file, chunker)
                    tally.share = item.source.share
            finally:  # what has been read before an error is written all the same
                file = self._landed(flight, file, tally, chunker)
                self.seen |= chunker.seen
        return file

    def _start(self, chunk: Chunk, file: ImportedFile, chunker: Chunker) -> _Flight:
        if self._halt.is_set():
            raise StoppedError
        moved = replace(
            file, offset=chunk.offset, line=chunk.line, read=file.read + chunk.read
        )
        explain = _explainer(chunk, chunker)
        load = self._writer.loader.load
        return _Flight(chunk, moved, self._writer.submit(load, chunk, moved, explain))

    def _landed(
        self,
        flight: _Flight | None,
        file: ImportedFile,
        tally: FileTally,
        chunker: Chunker,
    ) -> ImportedFile:
        """Wait for *flight*; how far the file has come with it."""
        if flight is None:
            return file
        landed = self._writer.settle(
            flight.future,
            self._writer.loader.load,
            flight.chunk,
            flight.file,
            _explainer(flight.chunk, chunker),
        )
        for entry in landed.bad:
            log.warning("quarantined %s: %s", entry.id, entry.reason)
        _count(tally, landed.file)
        return landed.file

    def _finish(self, file: ImportedFile) -> None:
        destination = self._writer.destination
        with destination.transaction():
            destination.ledger.hold(self._writer.loader.epochs)
            destination.ledger.record_file(file)


def _explainer(
    chunk: Chunk, chunker: Chunker
) -> Callable[[Key, EdsError], Quarantined]:
    return lambda key, error: chunker.quarantined(chunk.lines[key], error)


def _count(tally: FileTally, file: ImportedFile) -> None:
    tally.read, tally.quarantined = file.read, file.quarantined
    tally.inserted, tally.updated = file.inserted, file.updated
    tally.deleted = file.deleted
