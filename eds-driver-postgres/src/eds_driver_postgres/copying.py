r"""Rows as lines of text for COPY: the road of a bulk load. Pure.

JSON is nearly what COPY reads, so that values are not decoded: numbers and booleans
go as they came, strings without their quotes, for JSON's escapes are COPY's own but
for ``\u``. PostgreSQL reads them by the rules by which it reads a value of JSON.

What is legal on the wire and not as usual makes ``Copying.line`` raise, and such a row
goes the general way, as JSON.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from eds_core.cells import BETWEEN, by_type, joining
from eds_core.errors import RejectedError
from eds_core.event import Row, Version
from eds_core.schema import ColumnType
from eds_core.sql.portable import key_text
from eds_core.sql.tables import Target

_AT_ONCE = 64  # lines: what the processor keeps near
_NEXT_ROW = b"\t" + BETWEEN + b"\t"  # between two rows' tokens of one type
_NULL = msgspec.Raw(b"null")
#: Stand for what is escaped, while quotes are taken off.
_BACKSLASH, _QUOTE = b"\x1c", b"\x1d"
_JSON = (b"{", b"[")  # what begins in which way is no string
_UNUSUAL = frozenset("\0\x1c\x1d")
_QUOTES_BACK = bytes.maketrans(_QUOTE, b'"')
_ESCAPES = (
    (b"\\", b"\\\\"),
    (b'"', b'\\"'),
    (b"\t", b"\\t"),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
)
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_SECONDS = (b"", *(b"." + b"0" * digits for digits in range(1, 13)))


def _shapes(*zones: bytes) -> frozenset[bytes]:
    """How a moment may look, with 0 for any digit; no moment, and what is no token."""
    moments = (b'"0000-00-00T00:00:00%b%b"' % (s, z) for s in _SECONDS for z in zones)
    return frozenset((b"null", b"", BETWEEN, *moments))


class Copying:
    """How rows of one target are copied."""

    def __init__(self, target: Target) -> None:
        """Raise ValueError for a column whose type is of the user's own."""
        kinds = {name: _usual(target, name) for name in target.columns}
        groups = by_type(kinds)
        self._parts = [_PARTS[kind] for kind, _ in groups]
        #: The columns in the order in which their values stand in a line.
        self.columns = [name for _, names in groups for name in names]
        self._as_read = kinds == target.table.types  # so that rows' own cells will do
        self._kinds = kinds
        self._make: Callable[[Row], bytes] | None = None
        self._version = Version(0)
        self._written = b"0"

    def blocks(
        self, rows: Sequence[Row], others: list[Row], *, with_key: bool
    ) -> Iterator[bytes]:
        """The lines of *rows*, many at once; what cannot be copied goes to *others*."""
        for start in range(0, len(rows), _AT_ONCE):
            some = rows[start : start + _AT_ONCE]
            try:
                yield self.block(some, with_key=with_key)
            except ValueError:  # then each on its own
                yield from self._singly(some, others, with_key=with_key)

    def _singly(
        self, rows: Iterable[Row], others: list[Row], *, with_key: bool
    ) -> Iterator[bytes]:
        for row in rows:
            try:
                yield self.block([row], with_key=with_key)
            except ValueError:
                others.append(row)

    def block(self, rows: Sequence[Row], *, with_key: bool = False) -> bytes:
        """A line of each row: its values, its version, and its key if asked for.

        All tokens of one type are looked at together. Raises ValueError when a value
        is not in its type's usual form.
        """
        pieces = b"".join(map(self._cells_of, rows)).split(BETWEEN)
        each = len(self._parts) + 1
        if len(pieces) != len(rows) * each + 1:
            raise ValueError("there is a byte that JSON does not have")
        columns = [
            part(BETWEEN.join(pieces[place::each]))[1:-1].split(_NEXT_ROW)
            for place, part in enumerate(self._parts, 1)
        ]
        columns.append([*map(self._version_of, rows)])
        if with_key:
            columns.append(_keys(rows))
        lines = map(b"\t".join, zip(*columns, strict=True))
        return b"\n".join((*lines, b""))

    def _version_of(self, row: Row) -> bytes:
        if row.version is not self._version:  # mostly, all have the export's
            self._version, self._written = row.version, b"%d.%010d" % row.version
        return self._written

    def _cells_of(self, row: Row) -> bytes:
        return (self._as_read and row.cells) or self._made(row)

    def _made(self, row: Row) -> bytes:
        try:
            if self._make is None:
                self._make = _making(self._kinds, row.tokens)
            return self._make(row)
        except (msgspec.MsgspecError, RejectedError, RecursionError) as error:
            raise ValueError(str(error)) from error


def _keys(rows: Iterable[Row]) -> list[bytes]:
    """The rows' keys as the tombstones have them, as values in lines."""
    keys = BETWEEN.join(key_text(row.key).encode() for row in rows)
    return _escaped(keys).split(BETWEEN)


def _usual(target: Target, name: str) -> ColumnType:
    """The type that EDS gave the column. Raises ValueError for any other."""
    kind = target.real.columns[name].type
    if kind is None:
        raise ValueError(f"{target.real.name}.{name} has a type of the user's own")
    return kind


def _making(
    columns: Mapping[str, ColumnType], like: Iterable[str]
) -> Callable[[Row], bytes]:
    """Makes cells of rows; what a row lacks is null.

    Rows whose names are in the order of *like* take less time: msgspec looks for each
    name behind the one before it.
    """
    names = [*dict.fromkeys((*(n for n in like if n in columns), *columns))]
    fields = {f"c{number}": name for number, name in enumerate(names)}
    defined = [(field, msgspec.Raw, _NULL) for field in fields]
    struct = msgspec.defstruct("Copied", defined, rename=fields, gc=False)
    decode, join = msgspec.json.Decoder(struct).decode, joining(columns, names)
    return lambda row: join(decode(row.after))


#: Of tokens, each between two tabs; those of a row and the next one between BETWEEN.
_Part = Callable[[bytes], bytes]


def _texts(tokens: bytes) -> bytes:
    """Strings without their quotes.

    Row by row: most have little that is to be looked for, and some have nothing.
    """
    return BETWEEN.join(map(_row_texts, tokens.split(BETWEEN)))


def _row_texts(tokens: bytes) -> bytes:
    r"""The word "null" gets an escape that means nothing: it is not the value null."""
    escapes = b"\\" in tokens
    if (escapes and b"\\u" in tokens) or _holds_json(tokens):
        some = tokens.split(b"\t")
        tokens = b"\t".join([_text(t) if _is_special(t) else t for t in some])
        escapes = True
    if escapes:
        tokens = tokens.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    tokens = tokens.replace(b'"null"', b"nul\\l").translate(_QUOTES_BACK, b'"')
    return tokens.replace(_BACKSLASH, b"\\\\") if escapes else tokens


def _holds_json(tokens: bytes) -> bool:
    return (b"{" in tokens and b"\t{" in tokens) or (
        b"[" in tokens and b"\t[" in tokens
    )


def _is_special(token: bytes) -> bool:
    return b"\\u" in token or token[:1] in _JSON


def _text(token: bytes) -> bytes:
    r"""A string without ``\u``; of what is no string, its JSON."""
    if token[:1] in _JSON:
        return _escaped(token)
    text = msgspec.json.decode(token, type=str)
    if not _UNUSUAL.isdisjoint(text):
        raise ValueError("a NUL, which PostgreSQL cannot store, or one of ours")
    return b'"%b"' % _escaped(text.encode())


def _escaped(data: bytes) -> bytes:
    for plain, escaped in _ESCAPES:
        data = data.replace(plain, escaped)
    return data


def _moments(shapes: frozenset[bytes]) -> _Part:
    """Dates and times in one of *shapes*: a word such as ``now`` is in none."""

    def part(tokens: bytes) -> bytes:
        digits = tokens.translate(_DIGITS)
        if not shapes.issuperset(digits.split(b"\t")):
            raise ValueError("a moment that is not written as usual")
        return tokens.translate(None, b'"')

    return part


def _numbers(letters: bytes) -> _Part:
    """Numbers of *letters*, which may come as strings."""
    rest = letters + b'"\t' + BETWEEN

    def part(tokens: bytes) -> bytes:
        if tokens.translate(None, rest).replace(b"null", b""):
            raise ValueError("a number that is not written as usual")
        return tokens.translate(None, b'"')

    return part


def _booleans(tokens: bytes) -> bytes:
    if b'"' in tokens or b"[" in tokens or b"{" in tokens:
        raise ValueError("neither true nor false")
    return tokens


def _json(tokens: bytes) -> bytes:
    return tokens.replace(b"\\", b"\\\\")


def _bytes(tokens: bytes) -> bytes:
    return b"\t".join(map(_hexadecimal, tokens.split(b"\t")))


def _hexadecimal(token: bytes) -> bytes:
    if token in (b"null", b"", BETWEEN):
        return token
    try:
        text = msgspec.json.decode(token, type=str)
        return b"\\\\x" + base64.b64decode(text, validate=True).hex().encode()
    except (msgspec.MsgspecError, binascii.Error) as error:
        raise ValueError(str(error)) from error


#: What makes values of each type.
_PARTS: Mapping[ColumnType, _Part] = {
    ColumnType.TEXT: _texts,
    ColumnType.INTEGER: _numbers(b"0123456789-"),
    ColumnType.NUMBER: _numbers(b"0123456789-+.eE"),
    ColumnType.DECIMAL: _numbers(b"0123456789-+.eE"),
    ColumnType.BOOLEAN: _booleans,
    ColumnType.TIMESTAMP: _moments(_shapes(b"Z", b"+00:00", b"-00:00")),
    # A column without a zone would drop an offset that is not zero.
    ColumnType.DATETIME: _moments(_shapes(b"Z")),
    ColumnType.JSON: _json,
    ColumnType.BYTES: _bytes,
}
