"""A file's lines, of any length, with where each ends."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import NamedTuple

from eds_core.line import KEPT, MAX_LINE

from .unpack import FileError, told

_BLOCK = 1 << 20
_BOM = b"\xef\xbb\xbf"
_OTHER_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Line(NamedTuple):
    """One line without its end."""

    data: bytes
    number: int  # from 1
    end: int  # the offset behind it
    length: int = 0  # of a line that is too long, of which *data* is the beginning


class _Lines:
    """Puts blocks together to lines."""

    def __init__(self, offset: int, number: int) -> None:
        self._offset = offset
        self._number = number
        self._parts: list[bytes] = []
        self._length = 0  # of the line that has begun

    def add(self, block: bytes) -> Iterator[Line]:
        """The lines that *block* ends."""
        first, *others = block.split(b"\n")
        self._put(first)
        for following in others:
            yield self._take(1)
            self._put(following)

    def last(self) -> Iterator[Line]:
        """What comes behind the last line end."""
        if self._length:
            yield self._take(0)

    def skip(self, count: int) -> None:
        self._offset += count

    def _put(self, part: bytes) -> None:
        if self._length <= MAX_LINE:
            self._parts.append(part)
        self._length += len(part)

    def _take(self, end: int) -> Line:
        data, length = b"".join(self._parts), self._length
        self._parts, self._length = [], 0
        self._number += 1
        self._offset += length + end
        if length > MAX_LINE:
            return Line(data[:KEPT], self._number, self._offset, length)
        return Line(data.removesuffix(b"\r"), self._number, self._offset)


def read_lines(
    stream: io.BufferedReader, name: str, offset: int = 0, number: int = 0
) -> Iterator[Line]:
    """The lines behind *offset*, before which there are *number*.

    Empty ones are left out. Raises FileError.
    """
    lines = _Lines(offset, number)
    with told(name):
        if offset:
            _skip(stream, name, offset)
        else:
            lines.skip(_skip_bom(stream, name))
        while block := stream.read1(_BLOCK):
            for line in lines.add(block):
                if line.data:
                    yield line
    yield from lines.last()


def _skip(stream: io.BufferedReader, name: str, count: int) -> None:
    while count:
        block = stream.read1(min(count, _BLOCK))
        if not block:
            raise FileError(f"{name} is shorter than it was")
        count -= len(block)


def _skip_bom(stream: io.BufferedReader, name: str) -> int:
    head = stream.peek(len(_BOM))
    if head.startswith(_OTHER_BOMS):
        raise FileError(f"{name} is in UTF-16", advice="convert it to UTF-8")
    return len(stream.read(len(_BOM))) if head.startswith(_BOM) else 0
