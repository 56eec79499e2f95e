"""Something that talks TDS as SQL Server does, and says what a test wants it to.

No database: it takes a login, and answers each statement by what occurs in it. It is
there to see what real ODBC drivers make of a server's words, and what they send.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from . import tds_words as words
from .tds_words import Rows, Says

__all__ = ["Rows", "Says", "TdsServer", "tds_server"]

#: What any type is called, its ODBC number, and how long it may be.
_TYPE = [("nvarchar", -9, 4000, *("x",) * 3, *(1,) * 6, "nvarchar", *(1,) * 7)]
_NO_TRANSACTION = Says(
    3903, "The ROLLBACK TRANSACTION request has no corresponding BEGIN TRANSACTION."
)


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

    def saw(self, text: str) -> int:
        """Return how many requests had *text* in them."""
        return sum(words.utf16(text) in request for request in self.requests)

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
                kind, body = words.receive(connection)
                words.send(connection, self._reply(kind, body))

    def _reply(self, kind: int, body: bytes) -> bytes:
        if kind == words.PRELOGIN:
            return words.prelogin()
        if kind == words.LOGIN:
            return self._log_in(body)
        if kind == words.TRANSACTION:
            return self._transaction(body)
        if kind == words.ATTENTION:
            return words.stopped()
        return self._answered(body, is_rpc=kind == words.RPC)

    def _log_in(self, body: bytes) -> bytes:
        self.password = words.password(body)
        return words.failed(self.login) if self.login else words.LOGGED_IN

    def _transaction(self, body: bytes) -> bytes:
        if self.ended_by_itself and words.asked(body) != words.BEGIN:
            self.ended_by_itself = False
            return words.failed(_NO_TRANSACTION)
        return words.transaction(body)

    def _answered(self, body: bytes, *, is_rpc: bool) -> bytes:
        if words.utf16("sp_datatype_info") in body:
            # FreeTDS asks by a batch, and does with nothing.
            return words.answer(_TYPE if is_rpc else None, is_rpc=is_rpc)
        self.requests.append(body)
        procedure = words.procedure(body) if is_rpc else 0
        if procedure == words.PREPARE:
            self._prepared = body
            return words.answer(None, is_rpc=True)
        if procedure == words.EXECUTE:  # it has the handle only
            body += self._prepared
        return words.answer(self._answer_to(body), is_rpc=is_rpc)

    def _answer_to(self, body: bytes) -> Says | Rows | None:
        fitting = (a for text, a in self.answers if words.utf16(text) in body)
        return next(fitting, None)


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
