"""Takes deliveries straight from a connection's bytes, past nats-py's slow way.

nats-py sees a message through five regular expressions, a queue and a task, which is
most of what reading costs. A reader stands in the place of its parser: it cuts the
bytes into protocol units, hands deliveries of known subscriptions on at once, and
leaves everything else to the parser it has replaced. Whether nats-py still works as
it has to is tried out at each connect (see ``Connection.open``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import msgspec
from nats.errors import ProtocolError

from .client import CarefulClient

_READ = 1024 * 1024  # bytes at once; nats-py's 32 KiB mean 8 times the calls
_LONGEST_LINE = 1024 * 1024  # of one protocol line; INFO names a cluster's servers
_HMSG = b"HMSG"
_WITH_PAYLOAD = frozenset({b"MSG", _HMSG})
_END = b"\r\n"
_SID, _REPLY = 2, 4  # words of a line: where the id is; without a reply MSG has 4


class Headers(Mapping[str, str]):
    """A message's headers, parsed when somebody asks for them."""

    __slots__ = ("_parsed", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._parsed: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._parsed is None:
            self._parsed = dict(_parse_headers(self._raw))
        return self._parsed

    def __getitem__(self, name: str) -> str:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())

    def __repr__(self) -> str:
        return f"Headers({self._all()})"


def _parse_headers(raw: bytes) -> Iterator[tuple[str, str]]:
    """``NATS/1.0[ status[ description]]``, then ``name: value`` lines."""
    first, *lines = raw.decode("utf-8", "replace").split("\r\n")
    _, _, inline = first.partition(" ")
    status, _, description = inline.strip().partition(" ")
    if status:
        yield "Status", status
    if description:
        yield "Description", description
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            yield name.strip(), value.strip()


_NO_HEADERS: Mapping[str, str] = {}


class Delivery(msgspec.Struct, gc=False):
    """One message as it came."""

    subject: str
    reply: str
    data: bytes
    headers: Mapping[str, str] = _NO_HEADERS

    def __repr__(self) -> str:  # never the data
        return f"Delivery({self.subject!r}, {self.reply!r}, {len(self.data)} bytes)"


Handler = Callable[[Delivery], None]


class Reader:
    """Stands in for the parser of one nats-py client.

    A handler must not raise: nats-py would read no further.
    """

    def __init__(self, client: CarefulClient) -> None:
        self.handlers: dict[bytes, Handler] = {}  # by nats-py's subscription id
        self.units = 0  # seen so far
        if (transport := client._transport) is None:  # noqa: SLF001 - nats-py has no other way in
            raise TypeError("a client that is not connected has nothing to read")
        self._client, self._transport = client, transport
        self._parser = client._ps  # noqa: SLF001 - see above
        self._chunks: list[bytes] = []
        self._size = self._needed = 0  # of them; of the unit in front, if known
        self._keep(bytes(self._parser.buf))
        self._parser.buf.clear()
        client._ps = self  # type: ignore[assignment]  # noqa: SLF001 - see above

    def give_back(self) -> None:
        """Leave reading to nats-py again; right only while nothing was read."""
        self._client._ps = self._parser  # noqa: SLF001 - see above

    def reset(self) -> None:
        """Forget what was read; nats-py asks for it when it gives a connection up."""
        self._chunks, self._size, self._needed = [], 0, 0
        self._parser.reset()

    async def parse(self, data: bytes = b"") -> None:
        """Take *data*, and go on reading until the connection ends."""
        while data:
            self._client._pings_outstanding = 0  # noqa: SLF001 - see ``CarefulClient``
            self._chunks.append(data)
            self._size += len(data)
            if self._size >= self._needed:
                await self._take()
            data = await self._transport.read(_READ)

    async def _take(self) -> None:
        """Hand on every unit that is whole, and keep the rest."""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        place = self._needed = 0
        while (end := data.find(_END, place)) >= 0:
            words = data[place:end].split()
            stop = end + 2 + _payload(words)
            if stop > len(data):
                self._needed = stop - place
                break
            self.units += 1
            if not self._delivered(words, data, end + 2, stop - 2):
                await self._parser.parse(data[place:stop])
            place = stop
        self._keep(data[place:])

    def _delivered(self, words: list[bytes], data: bytes, begin: int, end: int) -> bool:
        """Whether the unit is a message for one of our handlers, and handed on.

        ``MSG subject sid [reply] size`` or ``HMSG subject sid [reply] headers size``,
        with the rest in *data* from *begin* to *end*.
        """
        handler = self.handlers.get(words[2]) if len(words) > _SID else None
        if handler is None:
            return False
        headers, others = _NO_HEADERS, _REPLY
        if words[0] == _HMSG:
            size, others = int(words[-2]), _REPLY + 1
            headers = Headers(data[begin : begin + size])
            begin += size
        subject = words[1].decode("utf-8", "replace")
        reply = words[3].decode("utf-8", "replace") if len(words) > others else ""
        handler(Delivery(subject, reply, data[begin:end], headers))
        return True

    def _keep(self, rest: bytes) -> None:
        if not self._needed and len(rest) > _LONGEST_LINE:
            raise ProtocolError
        self._chunks, self._size = [rest] if rest else [], len(rest)


def _payload(words: list[bytes]) -> int:
    """How many bytes follow a protocol line, its last two included."""
    if not words or words[0] not in _WITH_PAYLOAD:
        return 0
    try:
        return int(words[-1]) + 2
    except ValueError:
        raise ProtocolError from None
