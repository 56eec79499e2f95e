"""One incarnation of a consumer: it hands on in order, or says that it is lost."""

from contextlib import asynccontextmanager

import pytest

from eds_core.stream import consumer as module
from eds_core.stream.api import company_filter
from eds_core.stream.consumer import Consumer
from eds_core.stream.credit import Pool
from eds_core.stream.reader import Delivery
from stream.harness import (
    A,
    connected,
    in_sandbox,
)

HOUR = 3600 * 10**9


@pytest.fixture
def quick(monkeypatch):
    """Heartbeats come ten times a second."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "_SILENCE", 0.4)


@asynccontextmanager
async def consuming(sandbox, after=0, **options):
    """A consumer without a feed, and what it hands on."""
    async with connected(sandbox) as connection:
        items, pool, subject = [], Pool(), company_filter(A)
        consumer = Consumer(
            connection,
            pool.account(),
            "by-hand",
            A,
            subject,
            sink=items.extend,
            **options,
        )
        await consumer.start(after)
        try:
            yield consumer, items
        finally:
            await consumer.stop()
        assert not pool.accounts


def data(sequence, delivered, *, at=HOUR, pending=0, reply=None):
    """A message as the server would deliver it."""
    reply = reply or f"$JS.ACK.dbchange.c.1.{sequence}.{delivered}.{at}.{pending}"
    return Delivery(f"dbchange.order.INSERT.{A}", reply, b"x", {})


def status(consumer, code, description="", **headers):
    lines = {name.replace("_", "-"): str(value) for name, value in headers.items()}
    told = {"Status": str(code), "Description": description, **lines}
    return Delivery(f"{consumer._inbox}.1", "", b"", told)


def heartbeat(consumer, delivered, sequence):
    return status(
        consumer,
        100,
        "Idle Heartbeat",
        Nats_Last_Consumer=delivered,
        Nats_Last_Stream=sequence,
    )


def fed(tmp_path, messages, after=0, **options):
    """Give a new consumer these messages; return it and what it handed on."""

    async def scenario(sandbox):
        async with consuming(sandbox, after, **options) as (consumer, items):
            for message in messages:
                given = message(consumer) if callable(message) else message
                consumer._on_deliveries([given])
            reason = consumer.reason
            return consumer, [item.sequence for item in items], reason

    return in_sandbox(tmp_path, scenario)


def test_messages_are_handed_on_once_each(tmp_path):
    consumer, sequences, reason = fed(tmp_path, [data(3, 1), data(9, 2, pending=4)])

    assert sequences == [3, 9]
    assert (consumer.last, consumer.delivered, consumer.pending) == (9, 2, 4)
    assert reason == ""


def test_the_pool_counts_what_came_and_what_it_was_unpacked_to(tmp_path):
    """Else the server would be asked for more than there is room for."""
    items = []

    def unpacking(messages):
        items.extend(messages)
        messages[0].size += 1000

    async def scenario(sandbox):
        async with connected(sandbox) as connection:
            pool = Pool()
            consumer = Consumer(
                connection, pool.account(), "n", A, company_filter(A), sink=unpacking
            )
            consumer._on_deliveries([data(3, 1), data(4, 2)])
            return pool.buffered

    held = in_sandbox(tmp_path, scenario)

    assert [item.size for item in items] == [held // 2 + 500, held // 2 - 500]
    assert held // 2 - 500 > len(items[1].subject) + len(items[1].data)


@pytest.mark.parametrize("delivered", [1, 3, 100, 0])
def test_a_consumer_sequence_that_does_not_rise_by_one_is_a_loss(tmp_path, delivered):
    consumer, sequences, reason = fed(
        tmp_path, [data(3, 1), data(9, delivered), data(10, 2)]
    )

    assert sequences == [3]
    assert consumer.last == 3
    assert reason.startswith(f"message {delivered} (sequence 9) followed 1")


@pytest.mark.parametrize("sequence", [1, 3])
def test_a_stream_sequence_that_does_not_rise_is_a_loss(tmp_path, sequence):
    _, sequences, reason = fed(tmp_path, [data(3, 1), data(sequence, 2)])

    assert sequences == [3]
    assert "followed 1 (sequence 3)" in reason


def test_the_longer_form_of_the_reply_subject_is_read(tmp_path):
    reply = f"$JS.ACK.domain.hash.dbchange.c.1.7.1.{HOUR}.2.token"
    consumer, sequences, _ = fed(tmp_path, [data(0, 0, reply=reply)])

    assert sequences == [7]
    assert consumer.pending == 2


@pytest.mark.parametrize("reply", ["$JS.ACK.x", "$JS.ACK.dbchange.c.1.a.b.c.d"])
def test_a_reply_subject_that_makes_no_sense_stops_with_words(tmp_path, reply):
    consumer, sequences, _ = fed(tmp_path, [data(0, 0, reply=reply), data(1, 1)])

    assert sequences == []
    assert "please report it" in consumer.error.advice


def test_a_later_sequence_with_an_earlier_time_stops_with_words(tmp_path):
    consumer, sequences, _ = fed(
        tmp_path, [data(8, 1, at=5 * HOUR)], after=7, not_before=6 * HOUR
    )

    assert sequences == []
    assert "the stream was made anew" in str(consumer.error)
    assert "import" in consumer.error.advice


def test_clocks_of_a_cluster_may_differ_by_seconds(tmp_path):
    _, sequences, reason = fed(
        tmp_path, [data(8, 1, at=HOUR - 5 * 10**9)], after=7, not_before=HOUR
    )

    assert sequences == [8]
    assert reason == ""


def test_a_heartbeat_that_agrees_moves_the_position(tmp_path):
    consumer, sequences, _ = fed(
        tmp_path, [data(3, 1), lambda consumer: heartbeat(consumer, 1, 50)]
    )

    assert sequences == [3, 50]
    assert consumer.last == 50


def test_a_heartbeat_never_moves_the_position_back(tmp_path):
    consumer, sequences, _ = fed(tmp_path, [lambda c: heartbeat(c, 0, 5)], after=7)

    assert sequences == []
    assert consumer.last == 7


def test_a_heartbeat_of_a_message_that_never_came_is_a_loss(tmp_path):
    ahead = [lambda consumer: heartbeat(consumer, 2, 9)] * 2
    consumer, sequences, reason = fed(tmp_path, [data(3, 1), *ahead])

    assert sequences == [3]
    assert consumer.last == 3
    assert reason == "a heartbeat tells of message 2, the last that came is 1"


def test_one_heartbeat_may_be_ahead_of_its_message(tmp_path):
    _, sequences, reason = fed(
        tmp_path,
        [lambda c: heartbeat(c, 1, 9), data(9, 1), lambda c: heartbeat(c, 1, 9)],
    )

    assert sequences == [9, 9]
    assert reason == ""


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (409, "Consumer Deleted"),
        (409, "Leadership Change"),
        (409, "Server Shutdown"),
        (503, ""),
        (999, "Something new"),
    ],
)
def test_what_ends_the_consumer_is_a_loss(tmp_path, code, description):
    consumer, _, reason = fed(tmp_path, [lambda c: status(c, code, description)])

    assert consumer.lost.is_set()
    assert reason == f"NATS ended the pull: {code} {description}"


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (404, "No Messages"),
        (408, "Request Timeout"),
        (409, "Message Size Exceeds MaxBytes"),
        (409, "Batch Completed"),
    ],
)
def test_what_ends_a_pull_alone_is_no_loss(tmp_path, code, description):
    _, _, reason = fed(tmp_path, [lambda c: status(c, code, description), data(1, 1)])

    assert reason == ""


def test_nothing_is_taken_once_it_was_left(tmp_path):
    async def scenario(sandbox):
        async with consuming(sandbox) as (consumer, items):
            consumer.abandon()
            consumer._on_deliveries([data(1, 1)])
            consumer._on_deliveries([heartbeat(consumer, 0, 9)])
            return items

    assert in_sandbox(tmp_path, scenario) == []
