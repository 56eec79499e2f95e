"""The words of TDS, as bytes: what a SQL Server is asked, and what it answers."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_FINAL, _ERROR, _STOPPED = 0x0000, 0x0002, 0x0020
_COLLATION = bytes.fromhex("0904d00034")
_ZERO = struct.pack("<HQ", 0, 0)
_COMMIT = 7
_TRANSACTION_ID = b"\x08" + bytes(range(1, 9))

#: What may be asked for: a login, statements, a transaction's begin and end.
RPC, LOGIN, TRANSACTION, PRELOGIN = 0x03, 0x10, 0x0E, 0x12
ATTENTION = 0x06
#: Procedures that are called by number.
PREPARE, EXECUTE = 11, 12
BEGIN = 5
#: What a query gives.
Rows = Sequence[Sequence[int | str | None]]


@dataclass(frozen=True)
class Says:
    """An error of the server's."""

    number: int
    text: str
    severity: int = 16


def receive(connection: socket.socket) -> tuple[int, bytes]:
    body = b""
    while True:
        kind, status, length, _ = struct.unpack(">BBHI", _exactly(connection, 8))
        body += _exactly(connection, length - 8)
        if status & 1:
            return kind, body


def _exactly(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def send(connection: socket.socket, body: bytes) -> None:
    """In packets of 4096 bytes, as was agreed."""
    parts = [body[start : start + 4088] for start in range(0, len(body), 4088)]
    for number, part in enumerate(parts, 1):
        last = int(number == len(parts))
        header = struct.pack(">BBHHBB", 4, last, len(part) + 8, 0, number % 256, 0)
        connection.sendall(header + part)


def prelogin() -> bytes:
    """Version 15, no encryption, no MARS."""
    options = [(0, struct.pack(">BBHH", 15, 0, 2000, 0)), (1, b"\x02"), (4, b"\x00")]
    place = 5 * len(options) + 1
    table = values = b""
    for token, value in options:
        table += struct.pack(">BHH", token, place + len(values), len(value))
        values += value
    return table + b"\xff" + values


def procedure(body: bytes) -> int:
    """The number of a procedure that is called by one, else 0."""
    (headers,) = struct.unpack_from("<I", body)
    length, number = struct.unpack_from("<HH", body, headers)
    return number if length == 0xFFFF else 0


def asked(body: bytes) -> int:
    """What is to be done with a transaction: begin, commit, or roll back (8)."""
    (headers,) = struct.unpack_from("<I", body)
    return int(struct.unpack_from("<H", body, headers)[0])


def transaction(body: bytes) -> bytes:
    """Begin, commit, roll back: as asked."""
    kind = asked(body)
    if kind == BEGIN:
        return _begun()
    change = (b"\x09" if kind == _COMMIT else b"\x0a") + b"\x00" + _TRANSACTION_ID
    return b"\xe3" + struct.pack("<H", len(change)) + change + _done(0xFD, _FINAL)


def _begun() -> bytes:
    change = b"\x08" + _TRANSACTION_ID + b"\x00"
    return b"\xe3" + struct.pack("<H", len(change)) + change + _done(0xFD, _FINAL)


def answer(answer: Says | Rows | None, *, is_rpc: bool) -> bytes:
    if isinstance(answer, Says):
        return _error(answer) + _done(0xFE if is_rpc else 0xFD, _ERROR)
    rows = b"" if answer is None else _rows(answer)
    if not is_rpc:
        count = len(answer) if answer is not None else 0
        return rows + struct.pack("<BHHQ", 0xFD, 0x10 if rows else 0, 0xC1, count)
    end = b"\x79" + struct.pack("<i", 0) + _handle() + _done(0xFE, _FINAL)
    return rows + (_done(0xFF, 0x0001) if rows else b"") + end


def _handle() -> bytes:
    """The prepared statement's handle, which the caller waits for."""
    place = struct.pack("<BHBBIH", 0xAC, 0, 0, 1, 0, 0)
    return place + b"\x26\x04\x04" + struct.pack("<i", 1)


def _rows(rows: Rows) -> bytes:
    kinds = [type(value) for value in rows[0]]
    columns = b"".join(map(_column, kinds))
    head = b"\x81" + struct.pack("<H", len(kinds)) + columns
    return head + b"".join(b"\xd1" + b"".join(map(_value, row, kinds)) for row in rows)


def _column(kind: type) -> bytes:
    flags = struct.pack("<IH", 0, 1)
    name = b"\x01" + utf16("c")
    if kind is int:
        return flags + b"\x26\x08" + name
    return flags + b"\xe7" + struct.pack("<H", 8000) + _COLLATION + name


def _value(value: int | str | None, kind: type) -> bytes:
    if isinstance(value, int):
        return b"\x08" + struct.pack("<q", value)
    if value is None:
        return b"\x00" if kind is int else b"\xff\xff"
    data = utf16(value)
    return struct.pack("<H", len(data)) + data


def _error(error: Says) -> bytes:
    text = utf16(error.text)
    body = (
        struct.pack("<iBBH", error.number, 1, error.severity, len(error.text))
        + text
        + _short("standin")
        + _short("")
        + struct.pack("<i", 1)
    )
    return b"\xaa" + struct.pack("<H", len(body)) + body


def _done(token: int, status: int) -> bytes:
    return struct.pack("<BH", token, status) + _ZERO


def _short(text: str) -> bytes:
    return bytes([len(text)]) + utf16(text)


def _change(kind: int, new: str, old: str) -> bytes:
    body = bytes([kind]) + _short(new) + _short(old)
    return b"\xe3" + struct.pack("<H", len(body)) + body


def _acknowledged() -> bytes:
    body = b"\x01\x74\x00\x00\x04" + _short("Microsoft SQL Server")
    body += struct.pack(">BBH", 15, 0, 2000)
    return b"\xad" + struct.pack("<H", len(body)) + body


def _collated() -> bytes:
    body = b"\x07\x05" + _COLLATION + b"\x00"
    return b"\xe3" + struct.pack("<H", len(body)) + body


def utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def password(login: bytes) -> str:
    """The password in a login, which is scrambled only."""
    place, length = struct.unpack_from("<HH", login, 44)
    scrambled = login[place : place + 2 * length]
    return bytes(map(_unscrambled, scrambled)).decode("utf-16-le")


def _unscrambled(byte: int) -> int:
    byte ^= 0xA5
    return (byte << 4 | byte >> 4) & 0xFF


def failed(error: Says) -> bytes:
    """The answer to what is no procedure."""
    return _error(error) + _done(0xFD, _ERROR)


def stopped() -> bytes:
    """The answer to somebody who no longer waits."""
    return _done(0xFD, _STOPPED)


LOGGED_IN = (
    _change(1, "shop", "master")
    + _collated()
    + _change(4, "4096", "4096")
    + _acknowledged()
    + _done(0xFD, _FINAL)
)
