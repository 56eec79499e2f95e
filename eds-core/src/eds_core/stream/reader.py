"""Takes deliveries straight from a connection's bytes, past nats-py's slow way.

nats-py sees a message through a stream, five regular expressions, a queue and a task,
which is most of what reading costs. A reader stands in front of the stream that
nats-py reads from: it takes the bytes from the socket, cuts them into protocol units,
hands on deliveries of known subscriptions, all that came at once together, and gives
everything else to the stream. Whether nats-py still works as it has to is tried out at
each connect (see ``Connection.open``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from nats.errors import ProtocolError

from eds_core.event import Headers

from .client import CarefulClient, stream_of

_READ = 256 * 1024  # bytes at once; a chunk that stays in the processor's cache
_ROOM = 32 * 1024  # at least so much, behind a unit that has only begun
_LONGEST_LINE = 1024 * 1024  # of one protocol line; INFO names a cluster's servers
_MSG, _HMSG = b"MSG", b"HMSG"
_END = b"\n"  # with a CR in front; one byte is found six times as fast as two
_SID = 2  # the word of a line where the id is
_REPLY = {_MSG: 5, _HMSG: 6}  # words of a line that names a reply


class Delivery(msgspec.Struct, gc=False):
    """One message as it came."""

    subject: str
    reply: str
    data: bytes
    raw_headers: Headers = b""

    def __repr__(self) -> str:  # never the data
        return f"Delivery({self.subject!r}, {self.reply!r}, {len(self.data)} bytes)"


#: Takes deliveries that came together, in their order.
Handler = Callable[[Sequence[Delivery]], None]


class Reader(asyncio.BufferedProtocol):
    """Stands between the socket and the stream of one nats-py client.

    A handler must not raise: nothing would be read any further.
    """

    def __init__(self, client: CarefulClient) -> None:
        self.handlers: dict[bytes, Handler] = {}  # by nats-py's subscription id
        self.units = 0  # seen so far
        self._client = client
        self._stream, self._transport = stream_of(client)
        self._behind: asyncio.Protocol = self._transport.get_protocol()
        self._buffer = bytearray(_READ)
        self._end = self._needed = 0  # of what is in it; of the unit in front, if known
        self._transport.set_protocol(self)

    def give_back(self) -> None:
        """Leave reading to nats-py again; right only while nothing was read."""
        self._transport.set_protocol(self._behind)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where asyncio puts what comes next."""
        del sizehint  # it knows no more than we do
        size = max(_READ, self._needed, self._end + _ROOM)
        if size != len(self._buffer):
            old, self._buffer = self._buffer, bytearray(size)
            self._buffer[: self._end] = memoryview(old)[: self._end]
        return memoryview(self._buffer)[self._end :]

    def buffer_updated(self, nbytes: int) -> None:
        self._client.is_alive()
        self._end += nbytes
        if self._end < self._needed:
            return
        try:
            self._take()
        except ValueError:  # a size that is no number, or a line that has no end
            self._stream.set_exception(ProtocolError())  # nats-py gives up

    def _take(self) -> None:
        """Hand on every unit that is whole, and keep the rest."""
        chunk = bytes(memoryview(self._buffer)[: self._end])  # cut faster than a view
        place = self._needed = 0
        together: list[Delivery] = []
        receiver: Handler | None = None
        while (line := chunk.find(_END, place)) >= 0:
            words = chunk[place:line].split()
            begin = stop = line + 1
            if words and words[0] in _REPLY:
                stop += int(words[-1]) + 2
            if stop > len(chunk):
                self._needed = stop - place
                break
            self.units += 1
            handler = self.handlers.get(words[_SID]) if len(words) > _SID else None
            if handler is not receiver:
                _hand_on(together, receiver)
                together, receiver = [], handler
            if handler is None:
                self._stream.feed_data(chunk[place:stop])
            else:
                together.append(_delivery(words, chunk, begin, stop - 2))
            place = stop
        _hand_on(together, receiver)
        self._keep(chunk[place:])

    def _keep(self, rest: bytes) -> None:
        """The beginning of a unit goes to the beginning of the buffer."""
        self._end = len(rest)
        if not self._needed and self._end > _LONGEST_LINE:
            raise ValueError
        self._buffer[: self._end] = rest

    def eof_received(self) -> bool | None:
        return self._behind.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._behind.connection_lost(exc)

    def pause_writing(self) -> None:
        self._behind.pause_writing()

    def resume_writing(self) -> None:
        self._behind.resume_writing()


def _hand_on(deliveries: list[Delivery], handler: Handler | None) -> None:
    if handler is not None:
        handler(deliveries)


def _delivery(words: list[bytes], chunk: bytes, begin: int, end: int) -> Delivery:
    """``MSG subject sid [reply] size`` or ``HMSG subject sid [reply] headers size``."""
    kind, behind = words[0], begin
    if kind == _HMSG:
        behind += int(words[-2])
    reply = words[3].decode("utf-8", "replace") if len(words) == _REPLY[kind] else ""
    subject = words[1].decode("utf-8", "replace")
    return Delivery(subject, reply, chunk[behind:end], chunk[begin:behind])
