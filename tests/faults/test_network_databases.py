"""What happens to the connection to a database while a server streams."""

import asyncio

import pytest

from acceptance.harness import shop_is_at, starting, until
from eds_core.sandbox import Sandbox
from eds_core.testing.proxy import Harm
from faults.network import behind_database, ends_equal, proxied, through

TIMES = 3


@pytest.fixture(params=["postgres", "mariadb"])
def url(request):
    """The URL of an empty database that is reached over a network."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.survives(
    "The connection to the database is cut, again and again",
    "a proxy ends it, with a farewell and without",
    "it connects again by itself",
)
def test_a_connection_to_the_database_that_is_cut_is_made_again(tmp_path, url, reset):
    async def scenario():
        async with behind_database(tmp_path, url) as (sandbox, server, between):
            for _ in range(TIMES):
                shop = asyncio.create_task(sandbox.run_shop(rate=100, events=60))
                await asyncio.sleep(0.3)
                between.cut(reset=reset)
                await shop
            await ends_equal(url, sandbox, server)
            return server.err

    assert "trying again" in asyncio.run(scenario())


@pytest.mark.parametrize("harm", [Harm.CUT_REQUEST, Harm.CUT_ANSWER])
@pytest.mark.survives(
    "The connection breaks in the middle of a commit",
    "a proxy resets it before COMMIT arrives, or before its answer does",
    "the checkpoint tells which it was: nothing is lost, and nothing done twice",
)
def test_a_commit_of_unknown_outcome_does_not_matter(tmp_path, url, harm):
    async def scenario():
        async with behind_database(tmp_path, url) as (sandbox, server, between):
            between.resets = True
            for _ in range(TIMES):
                event = sandbox.shop.insert("order")
                between.harm_at(harm, event.key[0].encode(), b"COMMIT")
                await sandbox.run_shop(events=30)
                await sandbox.publish(event)
                await until(lambda: not between.triggers_left, 20, server.tail)
            await ends_equal(url, sandbox, server)
            return server.err

    assert asyncio.run(scenario()).count("trying again") >= TIMES


@pytest.mark.survives(
    "The connection to the database is half open",
    "packets vanish in both directions, nobody is told",
    "it gives the silent connection up and makes another",
)
def test_a_connection_to_the_database_that_is_half_open_is_noticed(tmp_path, url):
    async def scenario():
        async with behind_database(tmp_path, url) as (sandbox, server, between):
            await sandbox.run_shop(events=50)
            await shop_is_at(url, sandbox, server=server)
            between.vanish()
            await sandbox.run_shop(events=50)
            await server.says("trying again", 60)
            await ends_equal(url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "5 seconds without a word of the database",
    "a proxy holds what is said, then lets it go on",
    "it goes on with the same connection",
)
def test_a_pause_of_the_database_is_waited_out(tmp_path, url):
    async def scenario():
        async with behind_database(tmp_path, url) as (sandbox, server, between):
            await sandbox.run_shop(events=50)
            between.harm = Harm.HOLD
            await sandbox.run_shop(events=50)
            await asyncio.sleep(5)
            between.heal()
            await ends_equal(url, sandbox, server)
            return server.err

    assert "trying again" not in asyncio.run(scenario())


@pytest.mark.survives(
    "A slow line to the database",
    "10 KB a second",
    "it is slow, and nothing more",
)
def test_a_slow_line_to_the_database_delays_and_no_more(tmp_path, url):
    async def scenario():
        async with behind_database(tmp_path, url) as (sandbox, server, between):
            between.rate = 10_000
            await sandbox.publish_many(
                [sandbox.shop.insert("order") for _ in range(10)]
            )
            await ends_equal(url, sandbox, server, 60)
            return server.err

    assert "trying again" not in asyncio.run(scenario())


@pytest.mark.survives(
    "A server hangs in the middle of a transaction, and another one takes over",
    "a proxy holds what it says, until the other one waits",
    "the other waits for the row, then writes; who hung writes nothing more",
)
def test_an_owner_that_hangs_in_a_transaction_is_waited_for_and_fenced(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with (
                proxied(url) as between,
                starting(sandbox, through(between, url)) as hung,
            ):
                await hung.ready()
                await sandbox.publish(sandbox.shop.insert("order"))
                await shop_is_at(url, sandbox, server=hung)
                event = sandbox.shop.insert("order")
                between.harm_at(Harm.HOLD, event.key[0].encode())
                await sandbox.publish(event)
                await until(lambda: not between.triggers_left, 20, hung.tail)
                with starting(sandbox, url) as newer:
                    await asyncio.sleep(3)
                    assert "ready\n" not in newer.err
                    between.heal()
                    await newer.ready()
                    await ends_equal(url, sandbox, newer)
                    assert await hung.ended() == 4, hung.tail()

    asyncio.run(scenario())
