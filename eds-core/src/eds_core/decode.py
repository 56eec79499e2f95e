"""A message's bytes to a change event, by header and by sniffing. Pure."""

from __future__ import annotations

import zlib

import msgspec

from .errors import DecodeError
from .event import ChangeEvent, Message, Operation, Version
from .schema import check_name

#: No event is larger than this when unpacked: a bomb is refused, not inflated.
MAX_UNPACKED = 64 * 1024 * 1024
#: A version further than this beyond the message's time would win for ever.
MAX_AHEAD = 24 * 3600 * 1_000_000_000

_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's word for a gzip header
_MSGPACK_MAPS = frozenset({*range(0x80, 0x90), 0xDE, 0xDF})


class _Wire(msgspec.Struct, gc=False, kw_only=True, rename="camel"):
    operation: Operation
    table: str
    key: list[str | int]
    id: str | None = None
    mvcc_timestamp: str | int | None = None
    timestamp: int | None = None
    model_version: str | None = None


class _Json(_Wire, gc=False):
    after: msgspec.Raw = msgspec.Raw()


class _Msgpack(_Wire, gc=False):
    after: dict[str, object] | None = None


_JSON = msgspec.json.Decoder(_Json)
_MSGPACK = msgspec.msgpack.Decoder(_Msgpack)


def decode(message: Message) -> ChangeEvent:
    """Return the change event that *message* holds.

    Raises DecodeError, whatever the bytes are.
    """
    try:
        wire, after = _unpack(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, zlib.error) as error:
        raise DecodeError(f"the payload is not a change event: {error}") from error
    except RecursionError as error:
        raise DecodeError("the payload is nested too deep") from error
    return _event(wire, after, message)


def _unpack(message: Message) -> tuple[_Wire, msgspec.Raw]:
    data = message.data
    encoding = message.header("content-encoding") if message.headers else ""
    if data[:2] == _GZIP:
        data = gunzip(data)
    if encoding == "msgpack" or (data and data[0] in _MSGPACK_MAPS):
        packed = _MSGPACK.decode(data)
        return packed, msgspec.Raw(msgspec.json.encode(packed.after))
    wire = _JSON.decode(data)
    return wire, wire.after


def gunzip(data: bytes) -> bytes:
    """Unpack one gzip member; refuse truncated, trailing and oversized data."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    unpacked = unpacker.decompress(data, MAX_UNPACKED)
    if unpacker.unconsumed_tail:
        raise DecodeError(f"the payload unpacks to more than {MAX_UNPACKED} bytes")
    if not unpacker.eof:
        raise DecodeError("the payload's gzip data is truncated")
    return unpacked


def _event(wire: _Wire, after: msgspec.Raw, message: Message) -> ChangeEvent:
    check_name(wire.table)
    if wire.table != message.table:
        raise DecodeError(
            f"the payload is of table {wire.table}, its subject of {message.table[:80]}"
        )
    deletes = wire.operation is Operation.DELETE
    return ChangeEvent(
        id=wire.id or message.id,
        table=wire.table,
        operation=wire.operation,
        raw_key=_key(wire.key),
        version=_version(wire, message),
        model_version=wire.model_version or "",
        after=b"" if deletes else _object(after, wire.operation),
        message=message,
    )


def _key(values: list[str | int]) -> list[str]:
    if not values:
        raise DecodeError("the event has no key")
    return [value if isinstance(value, str) else str(value) for value in values]


def _object(after: msgspec.Raw, operation: Operation) -> msgspec.Raw:
    start = bytes(memoryview(after)[:1])
    if start != b"{":
        what = "missing" if start in (b"", b"n") else "not an object"
        raise DecodeError(f"the row (`after`) of this {operation} is {what}")
    return after


def _version(wire: _Wire, message: Message) -> Version:
    if wire.mvcc_timestamp is not None:
        version = Version.parse(str(wire.mvcc_timestamp))
    elif wire.timestamp is not None:
        version = Version.from_milliseconds(wire.timestamp)
    else:
        raise DecodeError("the event has neither mvccTimestamp nor timestamp")
    if version.wall > message.time + MAX_AHEAD:
        raise DecodeError(
            f"the event's version {version} is more than a day ahead of its message"
        )
    return version
