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
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from eds_core.cells import BETWEEN, by_type, joining
from eds_core.errors import RejectedError
from eds_core.event import Row, Version
from eds_core.schema import ColumnType
from eds_core.sql.portable import key_text
from eds_core.sql.tables import Target

_AT_ONCE = 256  # lines
_NULL = msgspec.Raw(b"null")
#: Stand for what is escaped, while quotes are taken off.
_BACKSLASH, _QUOTE = b"\x1c", b"\x1d"
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
    """How a moment may look, with 0 for any digit; and no moment."""
    moments = (b'"0000-00-00T00:00:00%b%b"' % (s, z) for s in _SECONDS for z in zones)
    return frozenset((b"null", *moments))


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

    def line(self, row: Row) -> bytes:
        """The row's values, then its version, without a line end.

        Raises ValueError for a value that is not in its type's usual form.
        """
        cells = (self._as_read and row.cells) or self._cells(row)
        _, *groups, _ = cells.split(BETWEEN)
        parts = [part(group) for part, group in zip(self._parts, groups, strict=True)]
        if row.version is not self._version:  # mostly, all have the export's
            self._version, self._written = row.version, b"%d.%010d" % row.version
        parts.append(self._written)
        return b"\t".join(parts)

    def _cells(self, row: Row) -> bytes:
        try:
            if self._make is None:
                self._make = _making(self._kinds, row.tokens)
            return self._make(row)
        except (msgspec.MsgspecError, RejectedError, RecursionError) as error:
            raise ValueError(str(error)) from error

    def blocks(
        self, rows: Iterable[Row], others: list[Row], *, with_key: bool
    ) -> Iterator[bytes]:
        """The lines of *rows*, many at once; what cannot be copied goes to *others*."""
        lines: list[bytes] = []
        for row in rows:
            try:
                line = self.line(row)
            except ValueError:
                others.append(row)
                continue
            lines.append(b"%b\t%b\n" % (line, _key(row)) if with_key else line + b"\n")
            if len(lines) == _AT_ONCE:
                yield b"".join(lines)
                lines.clear()
        yield b"".join(lines)


def _key(row: Row) -> bytes:
    """The row's key as the tombstones have it, as a value in a line."""
    return _escaped(key_text(row.key).encode())


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


_Part = Callable[[bytes], bytes]  # of tokens, each between two tabs


def _texts(tokens: bytes) -> bytes:
    r"""Strings without their quotes.

    The word "null" gets an escape that means nothing: it is not the value null.
    """
    escapes = b"\\" in tokens
    if (escapes and b"\\u" in tokens) or _holds_json(tokens):
        tokens = b"\t".join(map(_text, tokens.split(b"\t")))
        escapes = True
    if escapes:
        tokens = tokens.replace(b"\\\\", _BACKSLASH).replace(b'\\"', _QUOTE)
    tokens = tokens.replace(b'"null"', b"nul\\l").translate(_QUOTES_BACK, b'"')
    return tokens[1:-1].replace(_BACKSLASH, b"\\\\")


def _holds_json(tokens: bytes) -> bool:
    return (b"{" in tokens and b"\t{" in tokens) or (
        b"[" in tokens and b"\t[" in tokens
    )


def _text(token: bytes) -> bytes:
    r"""A string without ``\u``; what is no string is its JSON."""
    if token[:1] in (b"{", b"["):
        return _escaped(token)
    if b"\\u" not in token:
        return token
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
        tokens = tokens[1:-1]
        if not shapes.issuperset(tokens.translate(_DIGITS).split(b"\t")):
            raise ValueError("a moment that is not written as usual")
        return tokens.translate(None, b'"')

    return part


def _numbers(letters: bytes) -> _Part:
    """Numbers of *letters*, which may come as strings."""
    rest = letters + b'"\t'

    def part(tokens: bytes) -> bytes:
        if tokens.translate(None, rest).replace(b"null", b""):
            raise ValueError("a number that is not written as usual")
        return tokens[1:-1].translate(None, b'"')

    return part


def _booleans(tokens: bytes) -> bytes:
    if b'"' in tokens or b"[" in tokens or b"{" in tokens:
        raise ValueError("neither true nor false")
    return tokens[1:-1]


def _json(tokens: bytes) -> bytes:
    return tokens[1:-1].replace(b"\\", b"\\\\")


def _bytes(tokens: bytes) -> bytes:
    return b"\t".join(map(_hexadecimal, tokens[1:-1].split(b"\t")))


def _hexadecimal(token: bytes) -> bytes:
    if token == b"null":
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
