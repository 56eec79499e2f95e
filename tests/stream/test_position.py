"""Where a company begins that the destination does not know yet."""

import asyncio
import json
from datetime import timedelta

import pytest

from eds_core.errors import ConfigError
from eds_core.stream import first_position, position
from eds_core.stream.api import company_filter
from stream.harness import A, B, connected, consumers, in_sandbox, publish, service

DURABLE = f"eds-server-{A}"
SECOND = 10**9
# protocol.md 2.3, version 2
OLD = {
    "durable_name": DURABLE,
    "description": "exactly once consumer for dbchange",
    "filter_subject": company_filter(A),
    "deliver_policy": "new",
    "ack_policy": "explicit",
    "ack_wait": 30 * SECOND,
    "max_deliver": 1,
    "max_ack_pending": 1,
    "max_batch": 4096,
    "num_replicas": 1,
    "replay_policy": "instant",
}


@pytest.fixture(autouse=True)
def _watched_briefly(monkeypatch):
    monkeypatch.setattr(position, "_WATCHED", 0.3)


async def find(sandbox, durables=(DURABLE,), look_back=None, company=A):
    async with connected(sandbox) as connection:
        return await first_position(connection, company, durables, look_back)


async def old_server(jetstream, **changes):
    """Make the durable as the Go server did."""
    config = OLD | changes
    subject = f"$JS.API.CONSUMER.DURABLE.CREATE.dbchange.{config['durable_name']}"
    body = json.dumps({"stream_name": "dbchange", "config": config}).encode()
    reply = json.loads((await jetstream._nc.request(subject, body)).data)
    assert "error" not in reply, reply


async def pulling(jetstream):
    return await jetstream.pull_subscribe_bind(DURABLE, "dbchange")


async def handle(jetstream, count):
    """Fetch and acknowledge messages one by one."""
    subscription = await pulling(jetstream)
    for _ in range(count):
        (message,) = await subscription.fetch(1)
        await message.ack_sync()
    return subscription


def test_without_a_durable_it_is_the_end_of_the_stream(tmp_path):
    async def scenario(sandbox):
        empty = await find(sandbox)
        end = (await publish(sandbox, [A, A, B]))[-1]
        found = await find(sandbox)
        assert (empty.sequence, found.sequence) == (0, end)
        assert found.why == "the end of the stream"

    in_sandbox(tmp_path, scenario)


def test_the_end_of_a_purged_stream_is_its_last_sequence(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 5)
        async with service(sandbox) as jetstream:
            await jetstream.purge_stream("dbchange")
        return await find(sandbox)

    assert in_sandbox(tmp_path, scenario).sequence == 5


def test_it_can_look_back(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 3)
        await asyncio.sleep(1.2)
        await publish(sandbox, [B, A])
        short = await find(sandbox, look_back=timedelta(seconds=0.6))
        long = await find(sandbox, look_back=timedelta(days=6))
        assert (short.sequence, long.sequence) == (3, 0)

    in_sandbox(tmp_path, scenario)


def test_the_old_servers_floor_brings_what_it_left_in_flight_again(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await publish(sandbox, [A])
            await old_server(jetstream)
            mine = (await publish(sandbox, [A, B] * 5))[0::2]
            subscription = await handle(jetstream, 2)
            (in_flight,) = await subscription.fetch(1)
            found = await find(sandbox, look_back=timedelta(days=1))
            assert mine[1] <= found.sequence < in_flight.metadata.sequence.stream
            assert in_flight.metadata.sequence.stream == mine[2]
            assert DURABLE in found.why

    in_sandbox(tmp_path, scenario)


def test_a_durable_that_never_acknowledged_begins_when_it_was_made(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            before = await publish(sandbox, [A] * 3)
            await asyncio.sleep(0.05)
            await old_server(jetstream)
            await publish(sandbox, [A] * 3)
            found = await find(sandbox)
            assert found.sequence == before[-1]

    in_sandbox(tmp_path, scenario)


def test_a_durable_that_never_acknowledged_keeps_its_start_time(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await publish(sandbox, [A] * 3)
            start = "2020-01-01T00:00:00Z"
            await old_server(
                jetstream, deliver_policy="by_start_time", opt_start_time=start
            )
            assert (await find(sandbox)).sequence == 0

    in_sandbox(tmp_path, scenario)


def test_the_durable_stays_as_it_was(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await old_server(jetstream)
            await publish(sandbox, [A] * 5)
            await handle(jetstream, 2)
            (before,) = await consumers(sandbox)
            await find(sandbox)
            (after,) = await consumers(sandbox)
            assert before == after
            await handle(jetstream, 1)

    in_sandbox(tmp_path, scenario)


def test_a_durable_whose_server_waits_is_refused(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await old_server(jetstream)
            subscription = await pulling(jetstream)
            waiting = asyncio.create_task(subscription.fetch(1, timeout=5))
            await asyncio.sleep(0.1)
            with pytest.raises(ConfigError, match="old EDS server is still") as caught:
                await find(sandbox)
            assert "stop it" in caught.value.advice
            await publish(sandbox, [A])
            await waiting

    in_sandbox(tmp_path, scenario)


def test_a_durable_whose_server_is_at_work_is_refused(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await old_server(jetstream)
            await publish(sandbox, [A] * 100)
            subscription = await pulling(jetstream)
            working = asyncio.create_task(work(subscription))
            with pytest.raises(ConfigError, match=f"its consumer {DURABLE} is in use"):
                await find(sandbox)
            await working

    async def work(subscription):
        for _ in range(10):
            (message,) = await subscription.fetch(1)
            await asyncio.sleep(0.05)
            await message.ack_sync()

    in_sandbox(tmp_path, scenario)


def test_a_durable_that_vanishes_meanwhile_is_refused(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await old_server(jetstream)
            finding = asyncio.create_task(find(sandbox))
            await asyncio.sleep(0.15)
            await jetstream.delete_consumer("dbchange", DURABLE)
            with pytest.raises(ConfigError, match="is in use"):
                await finding

    in_sandbox(tmp_path, scenario)


def test_a_durable_of_another_company_is_passed_over(tmp_path):
    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            await old_server(jetstream, filter_subject=company_filter(B))
            end = (await publish(sandbox, [A] * 3))[-1]
            assert (await find(sandbox)).sequence == end

    in_sandbox(tmp_path, scenario)


def test_a_durable_of_several_companies_counts_for_each(tmp_path):
    """Version 3 had one for all."""

    async def scenario(sandbox):
        async with service(sandbox) as jetstream:
            filters = [company_filter(A), company_filter(B)]
            changes = {"filter_subject": "", "filter_subjects": filters}
            await old_server(
                jetstream, **changes, durable_name="eds-me", deliver_policy="all"
            )
            await publish(sandbox, [A, B, A])
            subscription = await jetstream.pull_subscribe_bind("eds-me", "dbchange")
            (message,) = await subscription.fetch(1)
            await message.ack_sync()
            names = (DURABLE, "eds-me")
            found = [await find(sandbox, names, company=c) for c in (A, B)]
            assert [position.sequence for position in found] == [1, 1]

    in_sandbox(tmp_path, scenario)


def test_no_probe_is_left(tmp_path):
    async def scenario(sandbox):
        await find(sandbox)
        await find(sandbox, look_back=timedelta(days=1))
        assert await consumers(sandbox) == []

    in_sandbox(tmp_path, scenario)
