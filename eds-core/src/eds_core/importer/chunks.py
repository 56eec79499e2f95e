"""Lines gathered to what one transaction writes. Pure but for what it reads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from eds_core.errors import DecodeError, EdsError, coded
from eds_core.event import Key, Row
from eds_core.ledger import Quarantined
from eds_core.line import MAX_LINE, line_message, parse_line, text_of
from eds_core.schema import TableSchema
from eds_core.transforms import not_kept

from .plan import Item
from .reading import Line
from .unpack import FileError

_MOST_BYTES = 16 * 1024 * 1024
_MOST_BAD = 1_000
_ALL_BAD = 100  # from the first line on: this is no export


@dataclass(slots=True)
class Group:
    """Rows with the same columns; of each key the last word."""

    schema: TableSchema
    rows: dict[Key, Row] = field(default_factory=dict)

    @property
    def sorted(self) -> list[Row]:
        return [self.rows[key] for key in sorted(self.rows)]


@dataclass(slots=True)
class Chunk:
    """Rows by schema, in layers: within one, a key is in one schema only.

    Layers are written in their order, so that of rows of one key the last wins.
    """

    layers: list[dict[str, Group]] = field(default_factory=list)  # by model version
    bad: list[Quarantined] = field(default_factory=list)
    lines: dict[Key, Line] = field(default_factory=dict)  # where each row stood
    read: int = 0
    size: int = 0
    offset: int = 0  # behind the last line
    line: int = 0
    _schemas: dict[Key, TableSchema] = field(default_factory=dict)

    @property
    def groups(self) -> Iterator[Group]:
        """What is to be written, in this order."""
        return (group for layer in self.layers for group in layer.values())

    def add(self, schema: TableSchema, row: Row, line: Line) -> None:
        if not self.layers or self._schemas.get(row.key, schema) is not schema:
            self.layers.append({})
            self._schemas.clear()
        group = self.layers[-1].get(schema.model_version)
        if group is None:
            group = self.layers[-1][schema.model_version] = Group(schema)
        known = group.rows.get(row.key)
        if known is None or row.version >= known.version:
            group.rows[row.key] = row
            self.lines[row.key] = line
        self._schemas[row.key] = schema

    def passed(self, line: Line, *, counts: bool) -> None:
        """*line* has been dealt with."""
        self.offset, self.line = line.end, line.number
        if counts:
            self.read += 1
            self.size += len(line.data)

    def full(self, most_rows: int) -> bool:
        return (
            self.read >= most_rows
            or self.size >= _MOST_BYTES
            or len(self.bad) >= _MOST_BAD
        )


class Chunker:
    """Makes an item's lines into chunks.

    *companies* are those whose rows may be written; none: all. *cells* says whether
    rows shall have them.
    """

    def __init__(
        self,
        item: Item,
        companies: Iterable[str],
        default_company: str,
        *,
        cells: bool = False,
    ) -> None:
        self._item = item
        self._reader = item.reader(cells=cells)
        self._companies = frozenset(companies)
        self._default = default_company
        self._good = self._bad = 0
        self._now = time.time_ns()
        self._ours: set[str] = set()  # those of the rows that may be written
        self.seen: set[str] = set()  # companies of the rows

    def chunks(self, lines: Iterable[Line], most_rows: int) -> Iterator[Chunk]:
        """Raises FileError when not one line is a row."""
        chunk = Chunk()
        for line in lines:
            chunk.passed(line, counts=self._put(chunk, line))
            if chunk.full(most_rows):
                yield chunk
                chunk = Chunk(offset=chunk.offset, line=chunk.line)
        yield chunk

    def _put(self, chunk: Chunk, line: Line) -> bool:
        """Add *line* to *chunk*; False when it is another table's."""
        try:
            _check_length(line)
            read = self._reader.read(line.data, self._item.snapshot, self._now)
            if read is None:
                return False
            schema, row, company = read
            if self._item.transform is not None:  # as it is to be kept from now on
                line = line._replace(data=bytes(row.after))
            if company and company not in self._ours:
                self._check_company(company)
        except DecodeError as error:
            return self._broken(chunk, line, error)
        chunk.add(schema, row, line)
        self._good += 1
        return True

    def _check_company(self, company: str) -> None:
        self.seen.add(company)
        if not self._companies or company in self._companies:
            self._ours.add(company)
            return
        raise DecodeError(
            f"the row is of company {company[:40]}, which these credentials do not "
            "name",
            advice="import it with that company's credentials",
        )

    def _broken(self, chunk: Chunk, line: Line, error: DecodeError) -> bool:
        if not self._item.keeps_broken:
            return False
        if self._item.transform is not None:
            line, error = line._replace(data=b""), not_kept(error)
        self._bad += 1
        if self._bad >= _ALL_BAD and not self._good:
            raise FileError(
                f"{self._item.source.name}: not one of the first {self._bad} lines is "
                f"a row of {self._item.table.name}: {error}",
                advice=error.advice or "see whether it is the file you mean",
            )
        chunk.bad.append(self.quarantined(line, error))
        return True

    def quarantined(self, line: Line, error: EdsError) -> Quarantined:
        """The quarantine's entry for *line*."""
        company = self._default
        try:
            told = text_of(parse_line(line.data), "companyId")
            company = told if told in self._companies else company
        except DecodeError:
            pass
        name = self._item.source.name
        message = line_message(
            self._item.table.name,
            company,
            line.data,
            file=name,
            number=line.number,
            version=self._item.snapshot,
        )
        return Quarantined(
            id=str(message.sequence),
            company=company,
            table=self._item.table.name,
            event_id="",
            message=message,
            reason=f"{name} line {line.number}: {coded(error)}",
            advice=error.advice,
        )


def _check_length(line: Line) -> None:
    if line.length:
        raise DecodeError(
            f"the line has {line.length} bytes, more than {MAX_LINE}; its first "
            f"{len(line.data)} are kept"
        )
