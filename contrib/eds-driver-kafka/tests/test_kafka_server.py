"""A real server, from a real NATS to a real Kafka: killed, left alone, fed too much."""

from __future__ import annotations

import asyncio
import signal
from collections import Counter

import msgspec
import pytest

from eds_core import Version
from eds_core.sandbox import EdsServer, Sandbox, load_models
from eds_core.sqlite import SqliteDriver
from eds_core.values import parse_json
from eds_driver_kafka.records import HEADER

PATIENCE = 150  # seconds
#: A server that dies when the records are on the broker's disk and the position is not.
DYING = """
import os
from eds_core.cli.main import main
from eds_driver_kafka import KafkaDriver

write = KafkaDriver.write

def dies(self, changes):
    write(self, changes)
    os._exit(9)

KafkaDriver.write = dies
main()
"""


@pytest.fixture
def topic(broker):
    return broker.topic(partitions=4)


@pytest.fixture
def url(broker, topic, tmp_path):
    return f"kafka://{broker.address}/{topic}?state={tmp_path / 'state.db'}"


class Event(msgspec.Struct, rename="camel"):
    operation: str
    table: str
    key: list[str]
    mvcc_timestamp: str
    after: msgspec.Raw = msgspec.Raw()

    def row(self, models):
        """Its table and key; a region may stand before the key."""
        return self.table, tuple(self.key[-len(models[self.table].keys) :])

    @property
    def version(self):
        return Version.parse(self.mvcc_timestamp)


def event_of(message):
    return msgspec.json.decode(message.value(), type=Event)


def rows_of(messages, models):
    """What a consumer makes of a topic: of each row the newest, by table and key."""
    newest = {}
    for event in map(event_of, messages):
        row = event.row(models)
        if event.version >= newest.setdefault(row, event).version:
            newest[row] = event
    return {
        row: parse_json(bytes(event.after))
        for row, event in newest.items()
        if event.operation != "DELETE"
    }


def shop_of(sandbox):
    tables = sandbox.shop.state().items()
    return {(table, key): row for table, rows in tables for key, row in rows.items()}


async def until(holds):
    async with asyncio.timeout(PATIENCE):
        # The sandbox lives in this loop: what blocks it, blocks the server.
        while not await asyncio.to_thread(holds):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.2)


async def equal(sandbox, broker, topic):
    """Wait until a consumer's rows are the shop's."""
    wanted = shop_of(sandbox)

    def holds():
        found = rows_of(broker.read(topic), sandbox.shop.models)
        return found.keys() == wanted.keys() and all(
            {name: found[row].get(name) for name in values} == values
            for row, values in wanted.items()
        )

    await until(holds)


async def caught_up(sandbox, url, broker, topic):
    """A server that nothing disturbs gets all."""
    async with EdsServer(sandbox, url) as server:
        await equal(sandbox, broker, topic)
        assert await server.end() == 0
    assert "Traceback" not in server.log


def in_order(messages, models):
    """Whether the changes of a row rise where they were made, repeats left out."""
    seen, last = set(), {}
    for message in messages:
        if message.key() in seen:
            continue
        seen.add(message.key())
        event = event_of(message)
        row = dict(message.headers())[HEADER], event.row(models)
        if event.version < last.get(row, event.version):
            return False
        last[row] = event.version
    return True


def test_kill_9_while_streaming_loses_nothing(tmp_path, broker, topic, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for _ in range(3):
                async with EdsServer(sandbox, url) as server:
                    await sandbox.run_shop(events=200)
                    await server.end(signal.SIGKILL)
                assert "Traceback" not in server.log
            await caught_up(sandbox, url, broker, topic)

    asyncio.run(scenario())

    assert in_order(broker.read(topic), load_models())


def test_what_was_sent_when_the_position_did_not_move_comes_twice(
    tmp_path, broker, topic, url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with EdsServer(sandbox, url, program=("-c", DYING)) as dying:
                await sandbox.run_shop(events=100)
                assert await dying.ended() == 9
            sent = Counter(message.key() for message in broker.read(topic))
            await caught_up(sandbox, url, broker, topic)
            return sent

    sent = asyncio.run(scenario())

    found = Counter(message.key() for message in broker.read(topic))
    assert sent
    assert {found[key] - count for key, count in sent.items()} <= {0, 1}
    assert in_order(broker.read(topic), load_models())


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
def test_a_broker_that_comes_back_gets_all(tmp_path, broker, topic, url, kill):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with EdsServer(sandbox, url) as server:
                await sandbox.run_shop(events=100)
                await asyncio.to_thread(broker.stop, kill=kill)
                try:
                    await sandbox.run_shop(events=100)
                    assert server.code is None
                finally:
                    await asyncio.to_thread(broker.start)
                await sandbox.run_shop(events=100)
                await equal(sandbox, broker, topic)
                assert await server.end() == 0
            assert "Traceback" not in server.log

    asyncio.run(scenario())


def test_an_event_too_large_goes_into_quarantine_and_stops_no_other(
    tmp_path, broker, url, topic
):
    small = broker.topic(max_message_bytes=100_000)
    url = url.replace(topic, small)

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with EdsServer(sandbox, url) as server:
                await sandbox.run_shop(events=50)
                large = sandbox.shop.insert("vendor", {"name": "y" * 200_000})
                await sandbox.publish(large, "gzip")
                names = ("vendor", "order") * 25
                await sandbox.publish_many(map(sandbox.shop.insert, names))
                wanted = shop_of(sandbox)
                del wanted["vendor", tuple(large.key)]

                def others_are_there():
                    found = rows_of(broker.read(small), sandbox.shop.models)
                    return found.keys() >= wanted.keys()

                await until(others_are_there)
                assert await server.end() == 0
            assert "Traceback" not in server.log
            return large

    large = asyncio.run(scenario())

    state = SqliteDriver(f"sqlite:///{tmp_path / 'state.db'}")
    state.open()
    (kept,) = state.ledger.quarantined()
    state.close()
    assert kept.message.subject.endswith(large.id)
    assert "too large for its topic" in kept.reason
    assert "max.message.bytes" in kept.advice
