"""The rows of files that were loaded already, read once more to be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from eds_core.errors import DecodeError
from eds_core.event import Row
from eds_core.schema import TableSchema

from .plan import Item
from .reading import read_lines
from .writers import Writer

_LATE = 1 << 63


class Read(NamedTuple):
    """A row of a file, and the schema of its columns."""

    schema: TableSchema
    row: Row


def read_again(writer: Writer, items: Iterable[Item]) -> Iterator[Read]:
    """All rows of *items*. Raises StoppedError when *writer* is to stop."""
    for item in items:
        reader = item.reader()
        with item.source.open() as stream:
            for line in read_lines(stream, item.source.name):
                writer.check()
                try:
                    read = reader.read(line.data, item.snapshot, _LATE)
                except DecodeError:
                    continue  # it is in the quarantine
                if read is not None:
                    yield Read(*read[:2])
