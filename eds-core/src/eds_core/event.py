"""Versions, rows and change events. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple, Self

import msgspec

from .errors import DecodeError, RejectedError
from .schema import ColumnType, TableSchema
from .values import Value, convert, parse_json

#: The values of a row's key columns, as text, in the order of the table's key.
Key = tuple[str, ...]
#: A message's headers, or their bytes on the wire, which nobody has parsed.
Headers = Mapping[str, str] | bytes

_SHOWN = 64  # characters of a key's value
_MVCC = re.compile(r"([0-9]{1,19})(?:\.([0-9]{1,10}))?").fullmatch
_ZEROS = ".000000000"  # of a counter below ten, as nearly all are
_USUAL = re.compile(r"(?:[1-9][0-9]{0,18}\.0{9}[0-9],)+").fullmatch
_NUMBER, _SORTABLE = "%d.%010d", "%020d.%010d"  # twice as fast as f-strings
_NANOSECONDS_PER_MILLISECOND = 1_000_000
_TOKENS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def shown(key: Iterable[str | None]) -> str:
    """A key as people may be told it: hostile ones are long, and not printable."""
    values = (None if value is None else _shortened(value) for value in key)
    return ascii([*values])


def _shortened(value: str) -> str:
    return value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…"


class Version(NamedTuple):
    """When the source changed a row: a total order per row.

    The pair of the source's hybrid logical clock, compared as integers: wall
    time in nanoseconds since 1970 and a counter within it.
    """

    wall: int
    logical: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``<nanoseconds>.<counter>``; the counter may be absent."""
        if (found := _MVCC(text)) is None:
            raise DecodeError(f"mvccTimestamp {text[:60]!r} is not a version")
        wall, logical = found.groups()
        # for every event: cls(...) takes twice as long
        return tuple.__new__(cls, (int(wall), int(logical or 0)))

    @classmethod
    def parse_all(cls, texts: Sequence[str]) -> list[Version]:
        """As ``parse`` each of *texts*; in a third of the time if they are as usual."""
        if _USUAL(",".join([*texts, ""])) is not None:
            pairs = "],[".join(texts).replace(_ZEROS, ",")
            versions = _PAIRS.decode(f"[[{pairs}]]")
            if len(versions) == len(texts):  # else one has a comma
                return versions
        return [cls.parse(text) for text in texts]

    @classmethod
    def from_milliseconds(cls, milliseconds: int) -> Self:
        if not 0 <= milliseconds < 10**13:
            raise DecodeError(f"timestamp {str(milliseconds)[:60]} is not a version")
        return cls(milliseconds * _NANOSECONDS_PER_MILLISECOND)

    def __str__(self) -> str:
        """The form for numeric(30,10) columns: the counter zero-padded."""
        return _NUMBER % self

    @property
    def sortable(self) -> str:
        """The form for text columns: orders as the pair does, byte by byte."""
        return _SORTABLE % self


_PAIRS = msgspec.json.Decoder(list[Version])


class Operation(StrEnum):
    INSERT = "INSERT"
    UPDATE = "UPDATE"
    DELETE = "DELETE"


class Row:
    """One row to be written: key, version, and the JSON object as it came.

    *after* is never parsed unless somebody asks for ``tokens`` or ``values``.
    """

    __slots__ = ("_tokens", "after", "cells", "event", "key", "version")

    def __init__(
        self,
        key: Key,
        version: Version,
        after: bytes | msgspec.Raw,
        cells: bytes = b"",
        event: ChangeEvent | None = None,
    ) -> None:
        self.key = key
        self.version = version
        self.after = after
        #: *after* as ``eds_core.cells`` has it, by the types of the schema that the
        #: row was read for; empty: nobody has made them.
        self.cells = cells
        #: The change event that it came with; None for a row of an import.
        self.event = event
        self._tokens: dict[str, msgspec.Raw] | None = None

    @property
    def tokens(self) -> Mapping[str, msgspec.Raw]:
        """Each column's JSON text as it came, decoded on first use."""
        if self._tokens is None:
            try:
                self._tokens = _TOKENS.decode(self.after)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                raise RejectedError(f"the row is not valid JSON: {error}") from error
        return self._tokens

    @property
    def values(self) -> dict[str, object]:
        """Every column decoded: exact ints, Decimal for other numbers."""
        try:
            return {name: parse_json(token) for name, token in self.tokens.items()}
        except ValueError as error:
            raise RejectedError(f"the row is not valid JSON: {error}") from error

    def get(self, column: str, kind: ColumnType) -> Value:
        """The value of *column* for a column of *kind*; absent is None."""
        token = self.tokens.get(column)
        return None if token is None else convert(bytes(token), kind, column)

    def __repr__(self) -> str:  # never the values: they are the shop's
        return f"Row(key={shown(self.key)}, version={self.version})"


class VersionedKey(NamedTuple):
    """A key to delete, and the version of its deletion."""

    key: Key
    version: Version

    @property
    def event(self) -> ChangeEvent | None:
        """The change event that deletes it; None where an import does."""
        return None


def parse_headers(headers: Headers) -> Mapping[str, str]:
    """Return *headers* by name; a status has the names Status and Description."""
    if isinstance(headers, bytes):
        return dict(_parsed(headers)) if headers else {}
    return headers


def _parsed(raw: bytes) -> Iterator[tuple[str, str]]:
    """``NATS/1.0[ status[ description]]``, then ``name: value`` lines."""
    first, *lines = raw.decode("utf-8", "replace").split("\r\n")
    _, _, inline = first.partition(" ")
    status, _, description = inline.strip().partition(" ")
    if status:
        yield "Status", status
    if description:
        yield "Description", description
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


class Message(msgspec.Struct, gc=False, eq=False):
    """What NATS delivered, and where it stands in the stream."""

    subject: str
    data: bytes  # the shop's
    sequence: int
    time: int  # nanoseconds since 1970, by the NATS server's clock
    raw_headers: Headers = b""
    #: Bytes that it takes up until it is written, nearly; a packed row also unpacked.
    size: int = 0

    def __repr__(self) -> str:  # never the data
        return f"Message({self.subject!r}, sequence={self.sequence})"

    def __eq__(self, other: object) -> bool:
        """Whether it is the same as NATS has it; what we added does not count."""
        if not isinstance(other, Message):
            return NotImplemented
        mine = (self.subject, self.data, self.sequence, self.time)
        same = mine == (other.subject, other.data, other.sequence, other.time)
        return same and dict(self.headers) == dict(other.headers)

    __hash__ = None  # type: ignore[assignment]  # as of all that can be changed

    @property
    def headers(self) -> Mapping[str, str]:
        return parse_headers(self.raw_headers)

    @property
    def table(self) -> str:
        tokens = self.subject.split(".", 2)  # of each message: no further
        return tokens[1] if len(tokens) > 1 else ""

    @property
    def company(self) -> str:
        tokens = self.subject.split(".", 4)
        return tokens[3] if len(tokens) > 3 else ""  # noqa: PLR2004 - the fourth

    @property
    def id(self) -> str:
        return self.header("Nats-Msg-Id")

    def header(self, name: str) -> str:
        """The header's value without regard to case; absent is empty."""
        wanted = name.lower()
        return next(
            (v for k, v in self.headers.items() if k.lower() == wanted),
            "",
        )


class ChangeEvent(msgspec.Struct, gc=False, frozen=True):
    """A decoded message: what happened to one row."""

    id: str
    table: str
    operation: Operation
    raw_key: Sequence[str]
    version: Version
    model_version: str
    after: msgspec.Raw | bytes
    message: Message

    @property
    def deletes(self) -> bool:
        return self.operation is Operation.DELETE

    def key(self, table: TableSchema) -> Key:
        """The row's key: the last elements on the wire, as many as *table* needs.

        (A region has at times been put in front.)
        """
        found, count = self.raw_key, len(table.key)
        if len(found) == count:
            return tuple(found)
        if len(found) < count:
            raise DecodeError(
                f"the event's key has {len(found)} values, "
                f"table {table.name} needs {count}"
            )
        return tuple(found[-count:])

    def __repr__(self) -> str:  # never the values: they are the shop's
        return (
            f"ChangeEvent({self.operation} {self.table} {shown(self.raw_key)}, "
            f"id={self.id!r}, version={self.version})"
        )


class Deletion(VersionedKey):
    """The key that a change event deletes. Equal to the plain one."""

    _event: ChangeEvent

    @classmethod
    def of(cls, key: Key, event: ChangeEvent) -> Self:
        made = cls(key, event.version)
        made._event = event
        return made

    @property
    def event(self) -> ChangeEvent:
        return self._event
