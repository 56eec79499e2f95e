"""Literals sent in statements that are as long as the server takes them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pymysql

from eds_core.errors import RejectedError
from eds_core.sql.parts import parts
from eds_core.sql.session import Session

from . import faults, loading
from .literals import quoted

_COUNTS = re.compile(r"\d+")


class Writer:
    """Executes the statements of ``statements`` over *session*."""

    def __init__(self, session: Session) -> None:
        self._session = session
        #: The longest statement, in bytes.
        self.most = 1 << 20

    def ask(self, statement: str, *literals: bytes) -> list[tuple[Any, ...]]:
        with self._session.reading(), self._session.cursor() as cursor:
            cursor.execute(_filled(statement, *literals))
            return list(cursor.fetchall())

    def run(self, statement: str, *literals: bytes) -> int:
        """Execute once; return how many rows it was about."""
        with self._session.cursor() as cursor:
            return int(cursor.execute(_filled(statement, *literals)))

    def spread(
        self, statement: str, literals: Sequence[bytes], joint: bytes = b","
    ) -> Iterator[tuple[int, int, int | None]]:
        """Execute for all *literals*, a part at a time.

        Yields, of each part, how many literals it had, how many rows were affected,
        and how many the server says were there already, if it says.
        """
        room = self.most - len(statement)
        size = partial(_size, room=room, joint=len(joint))
        for part in parts(literals, room, size):
            with self._session.cursor() as cursor:
                affected = int(cursor.execute(_filled(statement, joint.join(part))))
                counts = _COUNTS.findall(cursor.info)
            yield len(part), affected, int(counts[1]) if len(counts) > 1 else None

    def load(self, statement: str, lines: Sequence[list[bytes]]) -> bool | None:
        """Have the server read *lines* from us; say whether it took them as they are.

        None: it does not read files of ours at all.
        """
        path = loading.write(lines)
        name = path.as_posix().encode()
        with self._session.cursor() as cursor, cursor.connection.offering(name):
            try:
                cursor.execute(_filled(statement, quoted(name)))
            except pymysql.err.MySQLError as error:
                if error.args[0] not in faults.NO_LOCAL_FILES:
                    raise
                return None
            finally:
                path.unlink()
            counts = [int(number) for number in _COUNTS.findall(cursor.info)]
        return counts == [len(lines), 0, 0, 0]  # records, deleted, skipped, warnings

    def fill(self, statement: str, literals: Sequence[bytes]) -> int:
        return sum(affected for _, affected, _ in self.spread(statement, literals))


def _filled(statement: str, *literals: bytes) -> bytes:
    return statement.encode() % literals if literals else statement.encode()


def _size(literal: bytes, room: int, joint: int) -> int:
    """Raises RejectedError for a row that fits into no statement."""
    length = len(literal) + joint
    if length > room:
        raise RejectedError(
            f"a row of {length} bytes is longer than max_allowed_packet",
            advice="raise max_allowed_packet on the server, then retry the row",
            signature="max_allowed_packet",
        )
    return length
