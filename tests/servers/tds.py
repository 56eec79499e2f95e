"""Something that talks TDS as SQL Server does, and says what a test wants it to.

No database: it takes a login, and answers each statement by what occurs in it. It is
there to see what real ODBC drivers make of a server's words, and what they send.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_BATCH, _RPC, _LOGIN, _TRANSACTION, _PRELOGIN = 0x01, 0x03, 0x10, 0x0E, 0x12
_ATTENTION = 0x06
_PREPARE, _EXECUTE = 11, 12
_FINAL, _ERROR, _STOPPED = 0x0000, 0x0002, 0x0020
_COLLATION = bytes.fromhex("0904d00034")
#: What any type is called, its ODBC number, and how long it may be.
_TYPE = [("nvarchar", -9, 4000, *("x",) * 3, *(1,) * 6, "nvarchar", *(1,) * 7)]
_ZERO = struct.pack("<HQ", 0, 0)


@dataclass(frozen=True)
class Says:
    """An error of the server's."""

    number: int
    text: str
    severity: int = 16


_BEGIN, _COMMIT = 5, 7
_TRANSACTION_ID = b"\x08" + bytes(range(1, 9))
_NO_TRANSACTION = Says(
    3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."
)
Rows = Sequence[Sequence[int | str | None]]


@dataclass
class TdsServer:
    """Listens on the loopback address; one thread per connection."""

    login: Says | None = None
    #: What a statement has in it, and what is answered; the first that fits.
    answers: list[tuple[str, Says | Rows | None]] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    password: str = ""
    #: The transaction is over; to end it once more is an error, once.
    ended_by_itself: bool = False

    def __post_init__(self) -> None:
        self._prepared = b""
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def saw(self, words: str) -> int:
        """Return how many requests had *words* in them."""
        return sum(_utf16(words) in request for request in self.requests)

    def run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(
                    target=self._serve, args=(connection,), daemon=True
                ).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    def drop_connections(self) -> None:
        """As a server does that is killed, but go on listening."""
        while self._connections:
            with suppress(OSError):
                self._connections.pop().shutdown(socket.SHUT_RDWR)

    def _serve(self, connection: socket.socket) -> None:
        self._connections.append(connection)
        with connection, suppress(OSError, EOFError):
            while True:
                kind, body = _receive(connection)
                reply = self._reply(kind, body)
                _send(connection, reply)

    def _reply(self, kind: int, body: bytes) -> bytes:
        if kind == _PRELOGIN:
            return _prelogin()
        if kind == _LOGIN:
            return self._log_in(body)
        if kind == _TRANSACTION:
            return self._transaction(body)
        if kind == _ATTENTION:
            return _done(0xFD, _STOPPED)
        return self._answered(kind, body)

    def _answered(self, kind: int, body: bytes) -> bytes:
        if _utf16("sp_datatype_info") in body:
            # FreeTDS asks by a batch, and does with nothing.
            return _answer(_TYPE if kind == _RPC else None, is_rpc=kind == _RPC)
        self.requests.append(body)
        if self.ended_by_itself and _utf16("BEGIN TRANSACTION") in body:
            self.ended_by_itself = False
            return _begun()
        return self._executed(kind, body)

    def _transaction(self, body: bytes) -> bytes:
        if self.ended_by_itself and _asked(body) != _BEGIN:
            self.ended_by_itself = False
            return _error(_NO_TRANSACTION) + _done(0xFD, _ERROR)
        return _transaction(body)

    def _executed(self, kind: int, body: bytes) -> bytes:
        procedure = _procedure(body) if kind == _RPC else 0
        if procedure == _PREPARE:
            self._prepared = body
            return _answer(None, is_rpc=True)
        if procedure == _EXECUTE:  # it has the handle only
            body += self._prepared
        answer = next((a for words, a in self.answers if _utf16(words) in body), None)
        return _answer(answer, is_rpc=kind == _RPC)

    def _log_in(self, body: bytes) -> bytes:
        place, length = struct.unpack_from("<HH", body, 44)
        scrambled = body[place : place + 2 * length]
        self.password = bytes(map(_unscrambled, scrambled)).decode("utf-16-le")
        if self.login is not None:
            return _error(self.login) + _done(0xFD, _ERROR)
        return _LOGGED_IN


@contextmanager
def tds_server(login: Says | None = None) -> Iterator[TdsServer]:
    server = TdsServer(login)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.close()
        thread.join(5)


def _receive(connection: socket.socket) -> tuple[int, bytes]:
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


def _send(connection: socket.socket, body: bytes) -> None:
    """In packets of 4096 bytes, as was agreed."""
    parts = [body[start : start + 4088] for start in range(0, len(body), 4088)]
    for number, part in enumerate(parts, 1):
        last = int(number == len(parts))
        header = struct.pack(">BBHHBB", 4, last, len(part) + 8, 0, number % 256, 0)
        connection.sendall(header + part)


def _prelogin() -> bytes:
    """Version 15, no encryption, no MARS."""
    options = [(0, struct.pack(">BBHH", 15, 0, 2000, 0)), (1, b"\x02"), (4, b"\x00")]
    place = 5 * len(options) + 1
    table = values = b""
    for token, value in options:
        table += struct.pack(">BHH", token, place + len(values), len(value))
        values += value
    return table + b"\xff" + values


def _procedure(body: bytes) -> int:
    """The number of a procedure that is called by one, else 0."""
    (headers,) = struct.unpack_from("<I", body)
    length, number = struct.unpack_from("<HH", body, headers)
    return number if length == 0xFFFF else 0


def _asked(body: bytes) -> int:
    """What is to be done with a transaction: begin, commit, or roll back (8)."""
    (headers,) = struct.unpack_from("<I", body)
    return int(struct.unpack_from("<H", body, headers)[0])


def _transaction(body: bytes) -> bytes:
    """Begin, commit, roll back: as asked."""
    kind = _asked(body)
    if kind == _BEGIN:
        return _begun()
    change = (b"\x09" if kind == _COMMIT else b"\x0a") + b"\x00" + _TRANSACTION_ID
    return b"\xe3" + struct.pack("<H", len(change)) + change + _done(0xFD, _FINAL)


def _begun() -> bytes:
    change = b"\x08" + _TRANSACTION_ID + b"\x00"
    return b"\xe3" + struct.pack("<H", len(change)) + change + _done(0xFD, _FINAL)


def _answer(answer: Says | Rows | None, *, is_rpc: bool) -> bytes:
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
    name = b"\x01" + _utf16("c")
    if kind is int:
        return flags + b"\x26\x08" + name
    return flags + b"\xe7" + struct.pack("<H", 8000) + _COLLATION + name


def _value(value: int | str | None, kind: type) -> bytes:
    if isinstance(value, int):
        return b"\x08" + struct.pack("<q", value)
    if value is None:
        return b"\x00" if kind is int else b"\xff\xff"
    data = _utf16(value)
    return struct.pack("<H", len(data)) + data


def _error(error: Says) -> bytes:
    text = _utf16(error.text)
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
    return bytes([len(text)]) + _utf16(text)


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


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _unscrambled(byte: int) -> int:
    byte ^= 0xA5
    return (byte << 4 | byte >> 4) & 0xFF


_LOGGED_IN = (
    _change(1, "shop", "master")
    + _collated()
    + _change(4, "4096", "4096")
    + _acknowledged()
    + _done(0xFD, _FINAL)
)
