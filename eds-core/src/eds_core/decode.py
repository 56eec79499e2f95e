"""A message's bytes to a change event, by their first bytes. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated

import msgspec

from .errors import DecodeError
from .event import ChangeEvent, Message, Operation, Version
from .gunzip import DAMAGED, decompressobj
from .schema import check_name

#: No event is larger than this when unpacked: a bomb is refused, not inflated.
MAX_UNPACKED = 64 * 1024 * 1024
#: A version further than this beyond the message's time would win for ever.
MAX_AHEAD = 24 * 3600 * 1_000_000_000

_NOT_AN_EVENT: tuple[type[Exception], ...] = (
    *(msgspec.MsgspecError, UnicodeDecodeError),
    *DAMAGED,
)
_ODD: tuple[type[Exception], ...] = (*_NOT_AN_EVENT, RecursionError, DecodeError)
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's word for a gzip header
_MSGPACK_MAPS = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})
_OBJECT = ord("{")
_FILLED = msgspec.Meta(min_length=1)
_DELETE = Operation.DELETE  # an enumeration looks its members up slowly
# It becomes a token of a subject, so that dots, blanks and wildcards are out.
_MODEL_VERSION = re.compile(r"[A-Za-z0-9_-]{0,128}")


class _Wire(msgspec.Struct, gc=False, kw_only=True, rename="camel"):
    operation: Operation
    table: str
    key: list[str | int]
    id: str | None = None
    mvcc_timestamp: str | int | None = None
    timestamp: int | None = None
    model_version: str | None = None


class _Json(_Wire, gc=False):
    after: msgspec.Raw = msgspec.Raw(b"null")


class _Msgpack(_Wire, gc=False):
    after: dict[str, object] | None = None


class _Usual(msgspec.Struct, gc=False, rename="camel"):
    """What all events are but odd ones."""

    operation: Operation
    table: str
    key: Annotated[tuple[str, ...], _FILLED]
    id: Annotated[str, _FILLED]
    mvcc_timestamp: str
    model_version: str
    timestamp: int | None = None  # not needed, but refused in the same way
    after: msgspec.Raw = msgspec.Raw(b"null")


_USUAL = msgspec.json.Decoder(_Usual)
_JSON = msgspec.json.Decoder(_Json)
_MSGPACK = msgspec.msgpack.Decoder(_Msgpack)


def decode(message: Message) -> ChangeEvent:
    """Return the change event that *message* holds.

    Raises DecodeError, whatever the bytes are. The row of an event is a JSON
    object in valid UTF-8; what is inside is left as it came.
    """
    try:
        wire, after = _unpack(message.data)
        key = tuple(map(str, wire.key))
        version = _version(wire.mvcc_timestamp, wire.timestamp)
        event = _event(wire, key, version, after, message)
        str(event.after, "utf-8")
    except _NOT_AN_EVENT as error:
        raise DecodeError(
            f"the payload is not a change event: {_printable(error)}"
        ) from error
    except RecursionError as error:
        raise DecodeError("the payload is nested too deep") from error
    return event


def decode_usual(messages: Sequence[Message]) -> list[ChangeEvent] | None:
    """As ``decode`` each of *messages*, in less time; None if one of them is odd.

    That is for ``decode`` to look at: it may be packed, of an older form, or no event.
    """
    try:
        return _together(messages)
    except _ODD:
        return None


def _together(messages: Sequence[Message]) -> list[ChangeEvent]:
    wires = [_USUAL.decode(message.data) for message in messages]
    versions = Version.parse_all([wire.mvcc_timestamp for wire in wires])
    events = []
    for wire, version, message in zip(wires, versions, messages, strict=True):
        if not message.data.isascii():
            str(wire.after, "utf-8")
        events.append(_event(wire, wire.key, version, wire.after, message))
    return events


def _unpack(data: bytes) -> tuple[_Wire, msgspec.Raw]:
    """The header `content-encoding` says no more than the first bytes do."""
    if zipped := data[:2] == _GZIP:
        data = gunzip(data)
    if data and data[0] in _MSGPACK_MAPS:
        packed = _MSGPACK.decode(data)
        row = None if packed.operation is Operation.DELETE else packed.after
        return packed, _as_json(row, "the row (`after`)")
    wire = _JSON.decode(data)
    # A copy lets go of what surrounds it in the unpacked text.
    return wire, wire.after.copy() if zipped else wire.after


def event_json(event: ChangeEvent) -> bytes:
    """Return *event* as the shop published it, as JSON text in UTF-8.

    That holds more than EDS reads: the row before, who changed it, columns that no
    model has. Raises DecodeError for what JSON has no word for.
    """
    data = event.message.data
    if data[:2] == _GZIP:
        data = gunzip(data)
    if data[0] in _MSGPACK_MAPS:
        whole = msgspec.msgpack.decode(data, type=dict[str, object])
        return bytes(_as_json(whole, "the event"))
    try:
        data.decode()  # of which only the row was looked at
    except UnicodeDecodeError as error:
        raise DecodeError("the event is not UTF-8") from error
    return data


def encode(event: ChangeEvent, after: bytes | None) -> bytes:
    """A payload that ``decode`` makes *event* of, with *after* for its row.

    Nothing else of the message is in it: ``before`` holds a whole row, too.
    """
    wire = _Json(
        operation=event.operation,
        table=event.table,
        key=[*event.raw_key],
        id=event.id,
        mvcc_timestamp=str(event.version),
        model_version=event.model_version,
        after=msgspec.Raw(after or b"null"),
    )
    return msgspec.json.encode(wire)


def gunzip(data: bytes) -> bytes:
    """Unpack one gzip member; refuse truncated, trailing and oversized data."""
    unpacker = decompressobj(_GZIP_WINDOW)
    unpacked: bytes = unpacker.decompress(data, MAX_UNPACKED)
    if unpacker.unconsumed_tail:
        raise DecodeError(f"the payload unpacks to more than {MAX_UNPACKED} bytes")
    if not unpacker.eof:
        raise DecodeError("the payload's gzip data is truncated")
    if unpacker.unused_data:
        raise DecodeError("the payload goes on behind its gzip data")
    return unpacked


def _as_json(value: dict[str, object] | None, what: str) -> msgspec.Raw:
    """Refuse what JSON has no word for, where msgspec would write null."""
    try:
        text = json.dumps(value, allow_nan=False, default=msgspec.to_builtins)
    except (TypeError, ValueError) as error:
        raise DecodeError(f"{what} holds what JSON cannot say") from error
    return msgspec.Raw(text.encode())


def _event(
    wire: _Usual | _Wire,
    key: tuple[str, ...],
    version: Version,
    after: msgspec.Raw,
    message: Message,
) -> ChangeEvent:
    """Whether the row is UTF-8 is not looked at."""
    operation = wire.operation
    table, model = _names(wire.table, wire.model_version or "", message.table)
    if version.wall > message.time + MAX_AHEAD:
        raise _ahead(version)
    if not key:
        raise DecodeError("the event has no key")
    row: msgspec.Raw | bytes = after
    if operation is _DELETE:
        row = b""
    elif memoryview(after)[0] != _OBJECT:
        raise _no_row(operation, bytes(after))
    id_ = wire.id or message.id
    return ChangeEvent(id_, table, operation, key, version, model, row, message)


@lru_cache(maxsize=4096)
def _names(table: str, model_version: str, in_subject: str) -> tuple[str, str]:
    """Table and model version, checked: for every event, and mostly the same objects.

    (So that they are hashed once and freed seldom.)
    """
    check_name(table)
    if not _MODEL_VERSION.fullmatch(model_version):
        raise DecodeError(f"modelVersion {model_version[:80]!r} is not one")
    if table != in_subject:
        raise DecodeError(
            f"the payload is of table {table}, its subject of {in_subject[:80]!r}"
        )
    return table, model_version


def _no_row(operation: Operation, after: bytes) -> DecodeError:
    what = "missing" if after == b"null" else "not an object"
    return DecodeError(f"the row (`after`) of this {operation} is {what}")


def _version(clock: str | int | None, milliseconds: int | None) -> Version:
    if clock:  # "" is a Go program's way to have none
        return Version.parse(str(clock))
    if milliseconds is not None:
        return Version.from_milliseconds(milliseconds)
    raise DecodeError("the event has neither mvccTimestamp nor timestamp")


def _ahead(version: Version) -> DecodeError:
    return DecodeError(
        f"the event's version {version} is more than a day ahead of its message"
    )


def _printable(error: Exception) -> str:
    """It quotes the payload, and goes to logs and into text columns."""
    return "".join(c if c.isprintable() else "?" for c in str(error)[:200])
