"""PyMySQL's connection and cursor, with what they lack."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pymysql
from pymysql.constants import CR
from pymysql.cursors import Cursor

#: A peer that is gone without a word is noticed within a minute.
_KEEPALIVE: Mapping[str, int] = {
    "TCP_KEEPIDLE": 30,
    "TCP_KEEPINTVL": 10,
    "TCP_KEEPCNT": 3,
}
USER_TIMEOUT = 60_000  # milliseconds in which what was sent has to be acknowledged


class InfoCursor(Cursor):  # type: ignore[misc]  # PyMySQL ships no types
    """A cursor that keeps what the server said about a statement."""

    @property
    def info(self) -> str:
        """``Records: 3  Duplicates: 1  Warnings: 0``, or nothing."""
        message = getattr(self._result, "message", None)
        return message.decode("utf-8", "replace") if message else ""


class MysqlConnection(pymysql.connections.Connection):  # type: ignore[misc]  # as above
    """A connection that hands no file to a server which was not offered it.

    A server may ask its client for any file, in answer to any statement.
    """

    #: The name of the file that the server may ask for now.
    offered = b""
    _answers = False  # the next packet is the first one of an answer

    def __init__(self, *, user_timeout: int = USER_TIMEOUT, **options: Any) -> None:
        self._options = {**_KEEPALIVE, "TCP_USER_TIMEOUT": user_timeout}
        super().__init__(**options)

    def connect(self, sock: socket.socket | None = None) -> None:
        """Give up a silent server; once it has answered, statements may be long."""
        super().connect(sock)
        self._read_timeout = None
        raw = self._sock
        if isinstance(raw, socket.socket) and raw.family != socket.AF_UNIX:
            for name, value in self._options.items():
                if (option := getattr(socket, name, None)) is not None:
                    raw.setsockopt(socket.IPPROTO_TCP, option, value)

    @contextmanager
    def offering(self, name: bytes) -> Iterator[None]:
        """Inside, the server may ask for the file *name*."""
        self.offered = name
        try:
            yield
        finally:
            self.offered = b""

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self._answers = True
        return super()._read_query_result(unbuffered)

    def _read_packet(self, *arguments: Any) -> Any:
        first, self._answers = self._answers, False
        packet = super()._read_packet(*arguments)
        if first and packet.is_load_local_packet() and not self._may_have(packet):
            self._force_close()
            told = "the server asked for a file that it was not offered"
            raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, told)
        return packet

    def _may_have(self, packet: Any) -> bool:
        return bool(self.offered) and packet.get_all_data()[1:] == self.offered
