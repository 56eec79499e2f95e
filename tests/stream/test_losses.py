"""What gets lost comes again; what is gone, or not ours, is told."""

import asyncio

import pytest

from eds_core.errors import FatalError
from eds_core.stream import Connection, Gap, Heartbeat
from eds_core.stream import consumer as module
from eds_core.stream.consumer import Consumer
from stream.harness import (
    A,
    B,
    Reader,
    feeding,
    in_sandbox,
    publish,
    service,
    soon,
)

HOUR = 3600 * 10**9


@pytest.fixture
def quick(monkeypatch):
    """Heartbeats come ten times a second."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "_SILENCE", 0.4)


def test_messages_of_an_old_incarnation_are_dropped(tmp_path):
    """What is under way to the old inbox when the new consumer exists."""

    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            subject = reader.follow()
            await feed.ready(subject)
            old = feed._followers[subject].consumer
            old.abandon()
            await soon(lambda: feed._followers[subject].consumer is not old)
            await sandbox.publisher._client.publish(
                f"{old._inbox}.1", b"old", reply="$JS.ACK.dbchange.c.1.1.1.1.0"
            )
            await publish(sandbox, [A, A])
            await reader.has(2)
            return [message.data for message in reader.messages]

    assert in_sandbox(tmp_path, scenario) == [b"x" * 10] * 2


def lose(monkeypatch, number):
    """Let the message with this consumer sequence get lost on its way, once."""
    lost, take = [], Consumer._on_deliveries

    def arrives(message):
        tokens = message.reply.split(".")
        if not lost and len(tokens) > 6 and tokens[6] == str(number):
            lost.append(message)
            return False
        return True

    def on_deliveries(self, messages):
        take(self, [message for message in messages if arrives(message)])

    monkeypatch.setattr(Consumer, "_on_deliveries", on_deliveries)
    return lost


@pytest.mark.parametrize("number", [1, 3, 10])
def test_a_lost_message_comes_again(tmp_path, monkeypatch, quick, number):
    """The last one is missed by the heartbeats alone."""
    lost = lose(monkeypatch, number)

    async def scenario(sandbox):
        await publish(sandbox, [A] * 10)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            await reader.has(10)
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == list(range(1, 11))
    assert len(lost) == 1


def test_a_consumer_that_falls_silent_is_made_anew(tmp_path, monkeypatch, quick):
    deaf = []

    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            subject = reader.follow()
            await feed.ready(subject)
            consumer = feed._followers[subject].consumer
            deaf.append(consumer)
            await publish(sandbox, [A])
            await reader.has(1)
            assert feed._followers[subject].consumer is not consumer
            return consumer.reason

    take = Consumer._on_deliveries

    def on_deliveries(self, messages):
        if self not in deaf:
            take(self, messages)

    monkeypatch.setattr(Consumer, "_on_deliveries", on_deliveries)

    assert in_sandbox(tmp_path, scenario).startswith("no heartbeat for")


def test_a_pull_that_is_lost_is_noticed_by_the_silence(tmp_path, monkeypatch, quick):
    lost, publish_really = [], Connection.publish

    async def publish_but_one(self, subject, payload, reply):
        if not lost and ".MSG.NEXT." in subject:
            lost.append(subject)
        else:
            await publish_really(self, subject, payload, reply)

    monkeypatch.setattr(Connection, "publish", publish_but_one)

    async def scenario(sandbox):
        await publish(sandbox, [A] * 3)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            await reader.has(3)
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == [1, 2, 3]
    assert lost


def test_a_gap_is_told_with_its_size(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A, B] * 10)
        async with service(sandbox) as jetstream:
            await jetstream.purge_stream("dbchange", seq=15)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=4)
            await reader.has(3)
            return reader

    reader = in_sandbox(tmp_path, scenario)
    (gap,) = reader.gaps

    assert gap == reader.items[0] == Gap(A, 4, 15)
    assert gap.missing == 10
    assert reader.sequences == [15, 17, 19]


def test_a_gap_is_told_once(tmp_path, quick):
    async def scenario(sandbox):
        await publish(sandbox, [B] * 20)
        async with service(sandbox) as jetstream:
            await jetstream.purge_stream("dbchange")
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            subject = reader.follow(after=4)
            await soon(lambda: reader.of(Heartbeat))
            for _ in range(2):
                old = feed._followers[subject].consumer
                old.abandon()
                await soon(lambda o=old: feed._followers[subject].consumer is not o)
                await publish(sandbox, [A])
                await soon(lambda: feed._followers[subject].consumer.delivered)
            return reader.gaps

    assert in_sandbox(tmp_path, scenario) == [Gap(A, 4, 21)]


def test_a_stream_that_ends_before_the_position_stops_with_words(tmp_path, monkeypatch):
    monkeypatch.setattr("eds_core.stream.feed._BETWEEN_LOOKS", 0.05)

    async def scenario(sandbox):
        await publish(sandbox, [A] * 5)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=6)
            with pytest.raises(FatalError, match=r"ends at 5, .* up to 6") as caught:
                await asyncio.wait_for(asyncio.shield(feed.failed), 5)
            assert reader.items == []
            return caught.value

    assert "import" in in_sandbox(tmp_path, scenario).advice


def test_a_stream_that_only_lags_does_not_stop_it(tmp_path, monkeypatch):
    """A server of a cluster that has just come back may not have all yet."""
    monkeypatch.setattr("eds_core.stream.feed._BETWEEN_LOOKS", 0.3)

    async def scenario(sandbox):
        await publish(sandbox, [A] * 5)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=6)
            await asyncio.sleep(0.1)
            await publish(sandbox, [A] * 2)
            await reader.has(1)
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == [7]


def test_a_stream_with_older_messages_at_later_sequences_stops(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 5)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=3, time=2 * 10**18)
            with pytest.raises(FatalError, match=r"message 4 .* is older"):
                await asyncio.wait_for(asyncio.shield(feed.failed), 5)
            return reader.items

    assert in_sandbox(tmp_path, scenario) == []
