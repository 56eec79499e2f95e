"""What happens to the connection to NATS while a server streams."""

import asyncio

import pytest

from acceptance.harness import until
from eds_core.testing.proxy import Harm
from faults.network import behind_nats, ends_equal

AGAIN = "connected to NATS again"


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.survives(
    "The connection to NATS is cut, again and again",
    "a proxy ends it, with a farewell and without",
    "it connects again by itself",
)
def test_a_connection_to_nats_that_is_cut_is_made_again(tmp_path, sqlite_url, reset):
    async def scenario():
        async with behind_nats(tmp_path, sqlite_url) as (sandbox, server, between):
            shop = asyncio.create_task(sandbox.run_shop(rate=100, events=300))
            for times in range(1, 6):
                await asyncio.sleep(0.3)
                between.cut(reset=reset)
                await until(lambda n=times: server.err.count(AGAIN) >= n, 20)
            await shop
            await ends_equal(sqlite_url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "The connection to NATS is half open",
    "packets vanish in both directions, nobody is told",
    "it gives the silent connection up and makes another",
)
def test_a_connection_to_nats_that_is_half_open_is_noticed(tmp_path, sqlite_url):
    async def scenario():
        async with behind_nats(tmp_path, sqlite_url) as (sandbox, server, between):
            await sandbox.run_shop(events=50)
            between.vanish()
            await sandbox.run_shop(events=50)
            await server.says(AGAIN, 60)
            await ends_equal(sqlite_url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "NATS hears EDS and is not heard",
    "a proxy swallows what NATS says, and lives on",
    "it gives the silent connection up and makes another",
)
def test_a_nats_that_is_not_heard_is_given_up(tmp_path, sqlite_url):
    async def scenario():
        async with behind_nats(tmp_path, sqlite_url) as (sandbox, server, between):
            await sandbox.run_shop(events=50)
            between.harm = Harm.SILENT_SERVER
            await sandbox.run_shop(events=50)
            await server.says("connection to NATS lost", 60)
            between.heal()
            await ends_equal(sqlite_url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "5 seconds without a word of NATS",
    "a proxy holds what is said, then lets it go on",
    "it goes on with the same connection",
)
def test_a_pause_of_nats_is_waited_out(tmp_path, sqlite_url):
    async def scenario():
        async with behind_nats(tmp_path, sqlite_url) as (sandbox, server, between):
            await sandbox.run_shop(events=50)
            between.harm = Harm.HOLD
            await sandbox.run_shop(events=50)
            await asyncio.sleep(5)
            between.heal()
            await ends_equal(sqlite_url, sandbox, server)
            return server.err

    assert "lost" not in asyncio.run(scenario())


@pytest.mark.survives(
    "A slow line to NATS",
    "10 KB a second, and a backlog",
    "it is slow, and nothing more: what is late is not taken for lost",
)
def test_a_slow_line_to_nats_delays_and_no_more(tmp_path, sqlite_url):
    async def scenario():
        async with behind_nats(tmp_path, sqlite_url) as (sandbox, server, between):
            between.rate = 10_000
            orders = [sandbox.shop.insert("order") for _ in range(60)]
            await sandbox.publish_many(orders)
            await ends_equal(sqlite_url, sandbox, server, 90)
            return server.err

    told = asyncio.run(scenario())

    assert "lost" not in told
    assert "guessed" not in told
    assert "made anew" not in told
