"""Two hundred companies in one credentials file start, and all of them stream."""

import asyncio
import itertools
import re
import time
from functools import partial

from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from acceptance.harness import serving, shop_is_at, starting
from acceptance.tables import rows
from eds_core.sandbox import Sandbox, disconnect

MANY = [f"{number:024x}" for number in range(200)]
SOME = MANY[:40]


async def ready_after(server):
    begun = time.monotonic()
    await server.ready(120)
    return time.monotonic() - begun


def test_two_hundred_companies_start_and_stream(tmp_path, url, record_property):
    async def scenario():
        async with Sandbox(tmp_path, MANY) as sandbox:
            seconds = []
            for _ in ("the first time", "with positions"):
                with starting(sandbox, url) as server:
                    seconds.append(await ready_after(server))
                    insert = partial(sandbox.shop.insert, "brand")
                    await sandbox.publish_many(insert(company=c) for c in MANY)
                    await shop_is_at(url, sandbox, 120, server)
                    assert await server.stop() == 0, server.tail()
            return seconds

    record_property("seconds", asyncio.run(scenario()))


async def old_servers(sandbox):
    """The durables of the Go server, one for each company; nobody reads them."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        for company in sandbox.companies:
            config = ConsumerConfig(
                durable_name=f"eds-server-{company}",
                deliver_policy=DeliverPolicy.NEW,
                ack_policy=AckPolicy.EXPLICIT,
                filter_subject=f"dbchange.*.*.{company}.*.PUBLIC.>",
            )
            await client.jetstream().add_consumer("dbchange", config)
    finally:
        await disconnect(client)


def test_old_servers_of_many_companies_are_watched_at_the_same_time(
    tmp_path, sqlite_url
):
    async def scenario():
        async with Sandbox(tmp_path, SOME) as sandbox:
            await old_servers(sandbox)
            args = ("--trace-nats",)
            async with serving(sandbox, sqlite_url, args=args) as server:
                return server.err

    said = asyncio.run(scenario())
    asked = re.findall(r"tx: \S+CONSUMER\.INFO\.dbchange\.eds-server-(\w+):", said)
    first = list(itertools.islice(asked, len(SOME)))

    assert sorted(first) == SOME  # nobody is asked again before all were asked once


def moved(url):
    """When each company's position was last written."""
    found = rows(url, "SELECT company, updated FROM _eds_checkpoint")
    return {row["company"]: row["updated"] for row in found}


def test_a_batch_moves_the_positions_of_its_own_companies_only(tmp_path, sqlite_url):
    busy, idle = MANY[:2]

    async def scenario():
        async with (
            Sandbox(tmp_path, [busy, idle]) as sandbox,
            serving(sandbox, sqlite_url) as server,
        ):
            before = moved(sqlite_url)
            await sandbox.publish(sandbox.shop.insert("brand", company=busy))
            await shop_is_at(sqlite_url, sandbox, server=server)
            return before, moved(sqlite_url)

    before, after = asyncio.run(scenario())

    assert after[busy] != before[busy]
    assert after[idle] == before[idle]
