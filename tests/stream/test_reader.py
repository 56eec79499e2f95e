"""Reading past nats-py's parser: the same deliveries, however the bytes are cut."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.errors import ProtocolError

from eds_core.event import parse_headers
from eds_core.stream import reader as module
from eds_core.stream.client import CarefulClient
from eds_core.stream.reader import Reader

from .harness import A, feeding, in_sandbox, publish
from .harness import Reader as Sink


class Stream:
    """In the place of what nats-py reads from: keeps what it is given."""

    def __init__(self):
        self.units = []
        self.error = None

    def feed_data(self, data):
        self.units.append(data)

    def set_exception(self, error):
        self.error = error


class Socket:
    """What a transport is to the reader."""

    def get_protocol(self):
        return None

    def set_protocol(self, protocol):
        self.protocol = protocol


def read(chunks):
    """Feed *chunks*; return the reader, what its handler got and what it left."""
    client, got, stream = CarefulClient(), [], Stream()
    writer = SimpleNamespace(transport=Socket())
    client._transport = SimpleNamespace(_io_reader=stream, _io_writer=writer)
    reader = Reader(client)
    reader.handlers[b"7"] = got.extend
    for chunk in chunks:
        fill(writer.transport.protocol, chunk)
    return reader, got, stream


def fill(protocol, chunk):
    """As asyncio does, in as many steps as there is room for."""
    while chunk:
        with protocol.get_buffer(-1) as room:
            size = min(len(room), len(chunk))
            room[:size] = chunk[:size]
            protocol.buffer_updated(size)
        chunk = chunk[size:]


HEADERS = b"NATS/1.0\r\nNats-Msg-Id: 1\r\n\r\n"
UNITS = (
    b"MSG a.b 7 $JS.ACK.x 5\r\nhello\r\n",
    b"MSG a.b 7 2\r\n\r\n\r\n",  # no reply, and a payload that looks like an end
    b"HMSG a.c 7 $JS.ACK.y %d %d\r\n%bdata\r\n"
    % (len(HEADERS), len(HEADERS) + 4, HEADERS),
    b"HMSG a.d 7 %d %d\r\n%b\r\n" % (len(HEADERS), len(HEADERS), HEADERS),
)
FOREIGN = (
    b"PING\r\n",
    b"+OK\r\n",
    b"MSG b 8 3\r\nx\r\n\r\n",
    b"-ERR 'no'\r\n",
    b"\r\n",
)
EXPECTED = [
    ("a.b", "$JS.ACK.x", b"hello", {}),
    ("a.b", "", b"\r\n", {}),
    ("a.c", "$JS.ACK.y", b"data", {"Nats-Msg-Id": "1"}),
    ("a.d", "", b"", {"Nats-Msg-Id": "1"}),
]


def plain(deliveries):
    return [
        (d.subject, d.reply, d.data, dict(parse_headers(d.raw_headers)))
        for d in deliveries
    ]


@given(st.lists(st.integers(1, 400), max_size=20).map(sorted))
def test_however_the_bytes_are_cut_the_deliveries_are_the_same(cuts):
    stream = b"".join(u + f for u, f in zip(UNITS, FOREIGN, strict=False)) + FOREIGN[-1]
    places = [0, *cuts, len(stream)]
    chunks = [part for a, b in pairwise(places) if (part := stream[a:b])]
    _, got, left = read(chunks)

    assert plain(got) == EXPECTED
    assert left.units == list(FOREIGN)


def test_the_end_of_a_unit_that_nats_py_has_begun_is_left_to_it():
    _, got, left = read([b'_id":"x"}\r\n' + UNITS[0]])

    assert plain(got) == EXPECTED[:1]
    assert left.units == [b'_id":"x"}\r\n']


def test_what_comes_together_is_handed_on_together():
    client, got = CarefulClient(), []
    writer = SimpleNamespace(transport=Socket())
    client._transport = SimpleNamespace(_io_reader=Stream(), _io_writer=writer)
    reader = Reader(client)
    reader.handlers |= {b"7": lambda some: got.append(("seven", len(some)))}
    reader.handlers |= {b"8": lambda some: got.append(("eight", len(some)))}
    fill(reader, b"".join([*UNITS, FOREIGN[2], UNITS[0], FOREIGN[0], UNITS[0]]))

    assert got == [("seven", 4), ("eight", 1), ("seven", 1), ("seven", 1)]


@pytest.mark.parametrize("line", [b"MSG a 7 x\r\n", b"HMSG a 7 1 y\r\n"])
def test_a_size_that_is_none_is_an_error_of_the_protocol(line):
    _, _, left = read([line])

    assert isinstance(left.error, ProtocolError)


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch):
    monkeypatch.setattr(module, "_LONGEST_LINE", 1000)
    _, _, left = read([b"INFO " + b"x" * 500, b"x" * 600])

    assert isinstance(left.error, ProtocolError)


def test_a_payload_in_many_pieces_is_put_together_once():
    size = 3_000_000
    stream = b"MSG a 7 %d\r\n%b\r\n" % (size, b"x" * size)
    reader, got, _ = read([stream[i : i + 1000] for i in range(0, len(stream), 1000)])

    assert [len(delivery.data) for delivery in got] == [size]
    assert reader.units == 1


@pytest.mark.parametrize(
    "raw",
    [
        HEADERS,
        b"NATS/1.0 404 No Messages\r\n\r\n",
        b"NATS/1.0 503\r\n\r\n",
        b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Consumer: 7\r\n\r\n",
        b"NATS/1.0\r\nA:1\r\nB: :2 \r\n\r\n",
    ],
)
def test_headers_are_what_nats_py_makes_of_them(raw):
    theirs = asyncio.run(Client()._process_headers(raw))

    assert parse_headers(raw) == theirs


def handed_on(tmp_path, **options):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 50)
        async with feeding(sandbox, **options) as feed:
            sink = Sink(feed)
            sink.follow()
            await sink.has(50)
            return feed.connection._reader, sink.messages

    return in_sandbox(tmp_path, scenario)


def test_both_ways_of_reading_give_the_same(tmp_path):
    fast, messages = handed_on(tmp_path / "fast")
    slow, expected = handed_on(tmp_path / "slow", fast=False)

    assert fast.units > 50
    assert slow is None
    assert [(m.subject, m.data, m.sequence, dict(m.headers)) for m in messages] == [
        (m.subject, m.data, m.sequence, dict(m.headers)) for m in expected
    ]


def test_a_client_that_works_otherwise_reads_by_itself(tmp_path, monkeypatch):
    def reader_of(client):
        raise AttributeError("_io_reader")

    monkeypatch.setattr("eds_core.stream.connection.Reader", reader_of)
    reader, messages = handed_on(tmp_path)

    assert reader is None
    assert len(messages) == 50


def test_a_reader_that_is_never_asked_is_given_up(tmp_path, monkeypatch):
    class Unasked(Reader):
        def __init__(self, client):
            super().__init__(client)
            self.give_back()

    monkeypatch.setattr("eds_core.stream.connection.Reader", Unasked)
    reader, messages = handed_on(tmp_path)

    assert reader is None
    assert len(messages) == 50
