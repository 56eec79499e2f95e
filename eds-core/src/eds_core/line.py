"""One line of an export: to a row, and into the quarantine. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime

import msgspec

from .errors import DecodeError
from .event import ChangeEvent, Key, Message, Operation, Row, Version
from .schema import TableSchema
from .shapes import Shape

#: A line that is longer is no row of a shop.
MAX_LINE = 64 * 1024 * 1024
#: So much of it is kept.
KEPT = 64 * 1024

_TOKENS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_SUBJECT = "import"
_FILE, _LINE, _VERSION = "eds-file", "eds-line", "eds-version"
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_FRACTION = re.compile(r"(\.\d{6})\d+")
_MOST_KNOWN = 4096  # sets of columns
_MOST_SHAPES = 32  # each takes about 2 ms to make
# Sequences of lines lie where no stream will ever come to.
_FIRST_SEQUENCE = 1 << 62

Tokens = Mapping[str, msgspec.Raw]
#: Changes a row before anybody sees it; None: it is not wanted. Raises DecodeError.
Change = Callable[[dict[str, msgspec.Raw]], dict[str, msgspec.Raw] | None]


class _Meta(msgspec.Struct):
    version: int | None = None


_META = msgspec.json.Decoder(_Meta)


def parse_line(line: bytes) -> Tokens:
    """Each column's JSON text. Raises DecodeError."""
    _check_utf8(line)
    try:
        return _TOKENS.decode(line)
    except msgspec.ValidationError as error:
        raise DecodeError("not a JSON object") from error
    except msgspec.DecodeError as error:
        raise DecodeError(f"not valid JSON: {_plain(error)}") from error
    except RecursionError as error:
        raise DecodeError("nested too deep") from error


def _check_utf8(line: bytes) -> None:
    """What is kept raw is not checked otherwise."""
    try:
        if not line.isascii():
            line.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"not in UTF-8: byte {error.start}") from error


def _plain(error: Exception) -> str:
    """Without what quotes the line."""
    return "".join(c if c.isprintable() else "?" for c in str(error)[:120])


class LineReader:
    """Makes rows of one table from lines.

    A column that a line lacks is left alone: each set of columns seen is a schema
    of its own. Lines that are shaped as the one before them are read at once.
    """

    def __init__(
        self,
        table: TableSchema,
        only: Collection[tuple[str, ...]] | None = None,
        *,
        cells: bool = False,
        change: Change | None = None,
    ) -> None:
        """Of a file with several tables, lines with just the columns *only*.

        With *cells*, rows have them where they cost little. *table* is what *change*
        makes of rows.
        """
        self.table = table
        self._cells = cells
        self._only = only
        self._change = change
        self._narrowed: dict[tuple[str, ...], TableSchema] = {}
        self._same: dict[str, TableSchema] = {table.model_version: table}
        self._shape: Shape | None = None
        self._shapes: dict[str, Shape] = {}
        self._missed: TableSchema | None = None  # the last line's that was otherwise
        self._token = b""
        self._company = ""  # what that token says

    def read(
        self, line: bytes, snapshot: Version | None, now: int
    ) -> tuple[TableSchema, Row, str] | None:
        """The row with the schema of just its columns, and its company.

        Its version is that of the *snapshot*, or the last change that the row tells
        of itself, not after *now*. None: it is another table's, or not wanted. Raises
        DecodeError.
        """
        if self._only is None and self._change is None:
            _check_utf8(line)
            shape = self._shape
            if shape and (taken := shape.take(line)) is not None:
                return self._usual(line, shape, taken, snapshot, now)
        tokens = parse_line(line)
        if self._only is not None and tuple(tokens) not in self._only:
            return None
        if self._change is None:
            return self.take(line, tokens, snapshot, now)
        return self._changed(self._change, tokens, snapshot, now)

    def take(
        self, line: bytes, tokens: Tokens, snapshot: Version | None, now: int
    ) -> tuple[TableSchema, Row, str]:
        """What ``read`` returns, of a line that is taken apart already."""
        key, version, company = self._told(tokens, snapshot, now)
        return self._schema(tuple(tokens)), Row(key, version, line), company

    def _told(
        self, tokens: Tokens, snapshot: Version | None, now: int
    ) -> tuple[Key, Version, str]:
        key = self._key([tokens.get(name) for name in self.table.key])
        version = own_version(tokens, now) if snapshot is None else snapshot
        return key, version, text_of(tokens, "companyId")

    def _changed(
        self, change: Change, tokens: Tokens, snapshot: Version | None, now: int
    ) -> tuple[TableSchema, Row, str] | None:
        """What the row tells of itself is read before it is changed."""
        key, version, company = self._told(tokens, snapshot, now)
        kept = change({**tokens})
        if kept is None:
            return None
        names = tuple(kept)
        schema = self._narrowed.get(names) or self._narrow(names)
        return schema, Row(key, version, msgspec.json.encode(kept)), company

    def _usual(
        self,
        line: bytes,
        shape: Shape,
        taken: msgspec.Struct,
        snapshot: Version | None,
        now: int,
    ) -> tuple[TableSchema, Row, str]:
        company = ""
        key = self._key([getattr(taken, field) for field in shape.key])
        if snapshot is None:
            tokens = {n: getattr(taken, field) for n, field in shape.aside.items()}
            snapshot = own_version(tokens, now)
        if (field := shape.aside.get("companyId")) is not None:
            company = self._company_of(getattr(taken, field))
        cells = shape.cells(taken) if self._cells else b""
        return shape.schema, Row(key, snapshot, line, cells), company

    def _key(self, tokens: list[msgspec.Raw | None]) -> Key:
        return tuple(map(_key_text, tokens, self.table.key))

    def _company_of(self, token: msgspec.Raw) -> str:
        """Mostly that of the line before."""
        if (data := bytes(token)) != self._token:
            self._token, self._company = data, text_of({"": token}, "")
        return self._company

    def _schema(self, names: tuple[str, ...]) -> TableSchema:
        """What a line has the columns *names* of; its shape, when it comes twice."""
        schema = self._narrowed.get(names) or self._narrow(names)
        if schema is self._missed:
            self._shape = self._shape_of(schema, names)
        self._missed = schema
        return schema

    def _shape_of(self, schema: TableSchema, names: tuple[str, ...]) -> Shape | None:
        known = self._shapes.get(schema.model_version)
        if known is None and len(self._shapes) < _MOST_SHAPES:
            known = Shape(self.table, schema, names)
            self._shapes[schema.model_version] = known
        return known or self._shape

    def _narrow(self, names: tuple[str, ...]) -> TableSchema:
        new = narrowed(self.table, names)
        if len(self._narrowed) >= _MOST_KNOWN:
            return self._same.get(new.model_version, new)
        schema = self._same.setdefault(new.model_version, new)
        self._narrowed[names] = schema
        return schema


def narrowed(table: TableSchema, names: tuple[str, ...]) -> TableSchema:
    """*table* with those of its columns that are in *names*."""
    there = set(names)
    columns = tuple(column for column in table.columns if column.name in there)
    if len(columns) == len(table.columns):
        return table
    listed = ",".join(column.name for column in columns)
    part = hashlib.sha256(listed.encode()).hexdigest()[:12]
    version = f"{table.model_version}+{part}"
    return TableSchema(table.name, version, columns, table.key, table.inferred)


def _key_text(token: msgspec.Raw | None, name: str) -> str:
    value = None if token is None else msgspec.json.decode(token)
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    what = "no" if value is None else "an unusable"
    raise DecodeError(f"the row has {what} value for its key column {name}")


def own_version(tokens: Tokens, now: int) -> Version:
    """The last change that a row tells of itself, as a lower bound; else the oldest."""
    for tell in (_meta_version, _updated, _created):
        moment = tell(tokens)
        if moment is not None and 0 <= moment <= now:
            return Version(moment)
    return Version(0)


def _meta_version(tokens: Tokens) -> int | None:
    try:
        version = _META.decode(tokens.get("meta", b"{}")).version
    except (msgspec.MsgspecError, RecursionError):
        return None
    return None if version is None else version * 1_000_000


def _updated(tokens: Tokens) -> int | None:
    return _moment(tokens, "updatedDate")


def _created(tokens: Tokens) -> int | None:
    return _moment(tokens, "createdDate")


def _moment(tokens: Tokens, name: str) -> int | None:
    try:
        text = msgspec.json.decode(tokens.get(name, b"null"), type=str)
        return nanoseconds(text)
    except (msgspec.MsgspecError, ValueError):
        return None


def nanoseconds(text: str) -> int:
    """An ISO 8601 moment since 1970, never later than it is; ValueError."""
    moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text.strip()))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _BEGINNING
    return (since.days * 86_400 + since.seconds) * 10**9 + since.microseconds * 1000


def text_of(tokens: Tokens, name: str) -> str:
    """A column's value if it is a string, else nothing."""
    try:
        return msgspec.json.decode(tokens.get(name, b'""'), type=str)
    except msgspec.MsgspecError:
        return ""


def line_message(
    table: str,
    company: str,
    line: bytes,
    *,
    file: str,
    number: int,
    version: Version | None,
) -> Message:
    """A line as the quarantine keeps it: whole, with where it stood."""
    told = f"{table}\0{file}\0{number}\0".encode() + line
    digest = int.from_bytes(hashlib.sha256(told).digest()[:7], "big")
    headers = {_FILE: file, _LINE: str(number)}
    if version is not None:
        headers[_VERSION] = str(version)
    return Message(
        f"{_SUBJECT}.{table}.LINE.{company or 'NONE'}",
        line,
        _FIRST_SEQUENCE + digest,
        version.wall if version else 0,
        headers,
    )


def is_line(message: Message) -> bool:
    return message.subject.startswith(f"{_SUBJECT}.")


def place_of(message: Message) -> str:
    return f"{message.header(_FILE)} line {message.header(_LINE)}"


def line_event(message: Message) -> ChangeEvent:
    """The row of a quarantined line, before its schema is known. Raises DecodeError."""
    tokens = parse_line(message.data)
    return _event(message, [text_of(tokens, "id")], Version(0), "")


def finish_event(
    message: Message, table: TableSchema, now: int
) -> tuple[ChangeEvent, TableSchema]:
    """The change that a quarantined line makes to *table*. Raises DecodeError."""
    told = message.header(_VERSION)
    snapshot = Version.parse(told) if told else None
    tokens = parse_line(message.data)
    schema, row, _ = LineReader(table).take(message.data, tokens, snapshot, now)
    return _event(message, row.key, row.version, schema.model_version), schema


def _event(
    message: Message, key: Key | list[str], version: Version, model: str
) -> ChangeEvent:
    return ChangeEvent(
        "",
        message.table,
        Operation.UPDATE,
        key,
        version,
        model,
        message.data,
        message,
    )
