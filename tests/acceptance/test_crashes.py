"""Whatever is killed, and whenever: nothing is lost, and it goes on by itself."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

from acceptance.harness import serving, shop_is_at, starting, streaming, until
from acceptance.tables import value
from eds_core.sandbox import Sandbox


@asynccontextmanager
async def shop_at_work(sandbox, rate=300):
    """The shop publishes meanwhile; at the end it has published all that it did."""
    work = asyncio.create_task(sandbox.run_shop(rate, remember=False))
    try:
        yield
    finally:
        work.cancel()
        await asyncio.wait([work])


def checkpoint(url):
    return value(url, "SELECT min(seq) FROM _eds_checkpoint")


@pytest.mark.survives(
    "EDS is killed at any moment",
    "kill -9 eight times while the shop works",
    "nothing is missing and nothing is there twice",
)
def test_kill_9_at_8_random_moments_ends_equal(tmp_path, url):
    dice = random.Random()
    moments = [dice.uniform(0, 1.2) for _ in range(8)]

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url):
                pass  # it begins here
            async with shop_at_work(sandbox):
                for moment in moments:
                    with starting(sandbox, url) as server:
                        await asyncio.sleep(moment)
                        assert server.code is None, server.tail()
                        server.kill()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    try:
        asyncio.run(scenario())
    except AssertionError as error:
        raise AssertionError(f"killed after {moments}: {error}") from error


def test_kill_9_right_after_each_commit_ends_equal(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url):
                before = checkpoint(url)
            async with shop_at_work(sandbox, 500):
                for _ in range(3):
                    with starting(sandbox, url) as server:
                        await until(lambda: checkpoint(url) > before, 20, server.tail)  # noqa: B023 - asked at once
                        server.kill()
                    before = checkpoint(url)
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_crash_of_postgres_is_waited_for(tmp_path, own_postgres, postgres_url):
    async def scenario():
        async with streaming(tmp_path, postgres_url) as (sandbox, server):
            for _ in range(2):
                async with shop_at_work(sandbox):
                    await asyncio.sleep(0.5)
                    await asyncio.to_thread(own_postgres.stop, "immediate")
                    await server.says("trying again")
                    await asyncio.to_thread(own_postgres.start)
                await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_server_that_waits_for_postgres_can_be_stopped(
    tmp_path, own_postgres, postgres_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, postgres_url) as server:
                await asyncio.to_thread(own_postgres.stop, "immediate")
                await sandbox.run_shop(events=20)
                await server.says("trying again")
                assert await server.stop() == 0, server.tail()
            await asyncio.to_thread(own_postgres.start)
            async with serving(sandbox, postgres_url) as server:
                await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


def test_sessions_that_an_administrator_ends_are_opened_again(
    tmp_path, own_postgres, postgres_url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, postgres_url) as server, shop_at_work(sandbox):
                for _ in range(3):
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(
                        own_postgres.execute,
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                        "WHERE usename = 'eds'",
                    )
            async with serving(sandbox, postgres_url) as server:
                await shop_is_at(postgres_url, sandbox, server=server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "NATS crashes",
    "kill -9 of nats-server, started again with its store",
    "waited for, then goes on",
)
def test_a_crash_of_nats_is_waited_for(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            for crash in (sandbox.server.kill, sandbox.server.stop):
                async with shop_at_work(sandbox):
                    await asyncio.sleep(0.5)
                    await asyncio.to_thread(crash)
                    await asyncio.sleep(0.3)
                    await asyncio.to_thread(sandbox.server.start)
                    await asyncio.sleep(0.5)
                await sandbox.ready()
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_server_that_waits_for_nats_can_be_stopped(tmp_path, sqlite_url):
    async def scenario():
        async with streaming(tmp_path, sqlite_url) as (sandbox, server):
            await asyncio.to_thread(sandbox.server.kill)
            await server.says("trying again for ever")
            assert await server.stop() == 0, server.tail()

    asyncio.run(scenario())
