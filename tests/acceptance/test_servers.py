"""Two servers, two destinations: who writes what, and who gives way."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from acceptance.harness import STRANGER, serving, shop_is_at, starting, streaming
from acceptance.tables import rows
from eds_core.sandbox import COMPANY, Sandbox


@pytest.mark.survives(
    "Two servers on one credential and one database",
    "a second server is started beside the first",
    "the newer one goes on; the older writes nothing more and ends with exit code 4",
)
def test_the_newer_of_two_servers_wins_and_the_older_one_says_who_it_is(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as older:
                await older.ready()
                shop = asyncio.create_task(sandbox.run_shop(300, 900))
                async with serving(sandbox, url) as newer:
                    assert await older.ended() == 4
                    assert f"process {newer.pid}" in older.err
                    assert "taken over by another EDS" in older.err
                    assert "Traceback" not in older.err
                    await shop
                    await shop_is_at(url, sandbox, server=newer)

    asyncio.run(scenario())


def test_an_idle_server_learns_that_it_was_taken_over(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as older:
                await older.ready()
                async with serving(sandbox, url) as newer:
                    assert await older.ended() == 4
                    assert f"process {newer.pid}" in older.err

    asyncio.run(scenario())


def test_two_servers_share_one_credentials_file_by_company(tmp_path, url):
    async def scenario():
        async with (
            Sandbox(tmp_path, (COMPANY, STRANGER)) as sandbox,
            AsyncExitStack() as stack,
        ):
            for company in (COMPANY, STRANGER):
                args = ("--company", company)
                one = serving(sandbox, url, args=args)
                server = await stack.enter_async_context(one)
                assert ", companies: 1" in server.err
            shop = sandbox.shop
            for company in (COMPANY, STRANGER):
                inserts = (shop.insert("label", company=company) for _ in range(50))
                await sandbox.publish_many(inserts)
            await shop_is_at(url, sandbox)

    asyncio.run(scenario())


def test_a_company_that_the_credentials_do_not_name_is_refused(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            args = ("--company", f"{COMPANY},{STRANGER}")
            with starting(sandbox, sqlite_url, args=args) as server:
                assert await server.ended() == 2
                assert f"names no company {STRANGER}" in server.err

    asyncio.run(scenario())


@pytest.mark.survives(
    "Two servers share one of their companies",
    "a second server with credentials for some of the companies",
    "only the shared company changes hands",
)
def test_a_company_that_is_taken_away_leaves_the_others(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path, (COMPANY, STRANGER)) as sandbox:
            one = sandbox.issue([STRANGER])
            async with AsyncExitStack() as stack:
                both = await stack.enter_async_context(serving(sandbox, url))
                single = await stack.enter_async_context(
                    serving(sandbox, url, credentials=one)
                )
                await both.says(f"company {STRANGER} was taken over")
                await sandbox.run_shop(500, 600)
                await shop_is_at(url, sandbox, server=single)
                assert both.code is None

    asyncio.run(scenario())


def test_two_destinations_with_the_same_credential_and_prefix_end_equal(
    tmp_path, sqlite_url, postgres_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            args = ("--consumer-prefix", "same")
            async with (
                serving(sandbox, sqlite_url, args=args) as first,
                serving(sandbox, postgres_url, args=args) as second,
            ):
                await sandbox.run_shop(500, 800)
                await shop_is_at(sqlite_url, sandbox, server=first)
                await shop_is_at(postgres_url, sandbox, server=second)

    asyncio.run(scenario())


def test_two_urls_on_one_command_line_end_equal(tmp_path, sqlite_url, postgres_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, postgres_url) as (sandbox, server):
            await sandbox.run_shop(500, 500)
            await shop_is_at(sqlite_url, sandbox, server=server)
            await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "One of two databases is down",
    "two URLs on one command line, one server stopped",
    "the other one goes on; the one that was down catches up",
)
def test_a_database_that_is_down_does_not_hold_the_other(
    tmp_path, sqlite_url, own_postgres, postgres_url
):
    async def scenario():
        async with streaming(tmp_path, sqlite_url, postgres_url) as (sandbox, server):
            await sandbox.run_shop(500, 100)
            await shop_is_at(postgres_url, sandbox, server=server)
            await asyncio.to_thread(own_postgres.stop, "immediate")
            await sandbox.run_shop(500, 300)
            await shop_is_at(sqlite_url, sandbox, seconds=8, server=server)
            await asyncio.to_thread(own_postgres.start)
            await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


def test_another_prefix_goes_on_where_the_destination_is(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url, args=("--consumer-prefix", "a")) as server:
                await sandbox.run_shop(500, 100)
                await shop_is_at(url, sandbox, server=server)
            await sandbox.run_shop(500, 100)
            async with serving(sandbox, url, args=("--consumer-prefix", "b")) as server:
                await shop_is_at(url, sandbox, server=server)
            return len(rows(url, "SELECT * FROM _eds_checkpoint"))

    assert asyncio.run(scenario()) == 1
