"""Taking over from a shop's old Go server: where it stood, its event in flight too."""

import asyncio
import itertools
from contextlib import asynccontextmanager

import pytest
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from acceptance.harness import equal, serving, starting
from eds_core.sandbox import COMPANY, Sandbox, disconnect, fold


@asynccontextmanager
async def old_server(sandbox, prefix=""):
    """The durable of the Go server, and a client that pulls from it."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        jetstream, name = client.jetstream(), f"{prefix}eds-server-{COMPANY}"
        config = ConsumerConfig(
            durable_name=name,
            description="exactly once consumer for dbchange",
            deliver_policy=DeliverPolicy.NEW,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=30,
            max_deliver=1,
            max_ack_pending=1,
            filter_subject=f"dbchange.*.*.{COMPANY}.*.PUBLIC.>",
        )
        await jetstream.add_consumer("dbchange", config)
        yield await jetstream.pull_subscribe_bind(name, "dbchange")
    finally:
        await disconnect(client)


async def work_off(durable, acknowledged, in_flight=1):
    for _ in range(acknowledged):
        (message,) = await durable.fetch(1, timeout=5)
        await message.ack_sync()
    for _ in range(in_flight):
        await durable.fetch(1, timeout=5)  # and then it crashes


def take_over(tmp_path, url, acknowledged, in_flight, *, prefix=""):
    """What the new server finds to do after the old one is gone."""

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.run_shop(events=10)  # before there was any server
            async with old_server(sandbox, prefix) as durable:
                events = list(itertools.islice(sandbox.shop, 60))
                await sandbox.publish_many(events)
                await work_off(durable, acknowledged, in_flight)
            args = ("--consumer-prefix", prefix) if prefix else ()
            async with serving(sandbox, url, args=args) as server:
                later = list(itertools.islice(sandbox.shop, 20))
                await sandbox.publish_many(later)
                expected = fold([*events[acknowledged:], *later])
                await equal(url, expected, sandbox.shop.models, server=server)
                assert "where the old server's consumer" in server.err
                assert "are gone" not in server.err

    asyncio.run(scenario())


@pytest.mark.survives(
    "The old server crashed with an event in flight",
    "its durable consumer, with one message not acknowledged",
    "EDS begins at that event",
)
def test_the_event_in_flight_at_the_crash_is_not_lost(tmp_path, url):
    take_over(tmp_path, url, 20, 1)


def test_a_durable_that_never_acknowledged_begins_at_its_creation(tmp_path, sqlite_url):
    take_over(tmp_path, sqlite_url, 0, 1)


def test_the_durable_of_the_same_prefix_is_found(tmp_path, sqlite_url):
    take_over(tmp_path, sqlite_url, 5, 0, prefix="MyEDSConsumer")


def test_an_old_server_that_still_runs_is_not_disturbed(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, old_server(sandbox) as durable:
            await sandbox.run_shop(events=5)
            await work_off(durable, 5, 0)
            waiting = asyncio.create_task(durable.fetch(1, timeout=20))
            with starting(sandbox, sqlite_url) as server:
                code = await server.ended()
            waiting.cancel()
            await asyncio.wait([waiting])
            return code, server.err

    code, said = asyncio.run(scenario())

    assert code == 2
    assert "the old EDS server is still running" in said
    assert "Traceback" not in said
