"""What happens to a database while a server streams into it: it waits, then goes on."""

import asyncio
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from acceptance.harness import serving, shop_is_at
from acceptance.tables import connect
from eds_core.sandbox import Sandbox
from faults.victims import remount, small_disk

LONGER_THAN_ANY_WAIT = 13  # seconds; the drivers wait 10 for a lock


@asynccontextmanager
async def outliving(directory, url):
    """A server that must be there at the end, and equal; work is to be done inside."""
    async with Sandbox(directory) as sandbox, serving(sandbox, url) as server:
        await sandbox.run_shop(events=60)
        await shop_is_at(url, sandbox, server=server)
        yield sandbox, server
        await sandbox.run_shop(events=60)
        await shop_is_at(url, sandbox, server=server)
        assert "parked" not in server.err, server.tail()
        assert "quarantined" not in server.err, server.tail()


@asynccontextmanager
async def inside(context):
    """A context whose beginning and end take their time."""
    found = await asyncio.to_thread(context.__enter__)
    try:
        yield found
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


def waited_for(directory, url, context, words, seconds=20):
    """While *context* lasts the server says *words*; afterwards it goes on."""

    async def scenario():
        async with outliving(directory, url) as (sandbox, server), inside(context):
            await sandbox.publish(sandbox.shop.insert("order"))
            await server.says(words, seconds)

    asyncio.run(scenario())


async def fills_up_and_is_mended(directory, place, url, words):
    async with outliving(directory, url) as (sandbox, server):
        full = asyncio.create_task(server.says(words, 90))
        while not full.done():
            await sandbox.run_shop(events=200)
        await full
        await asyncio.to_thread(remount, place, "size=400m")


@pytest.fixture
def disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    with small_disk(place, 2):
        yield place


@pytest.mark.survives(
    "The database's disk is full",
    "a file system of 2 MB, made larger later",
    "it waits, and goes on when there is room",
)
def test_a_full_disk_is_waited_for_on_sqlite(tmp_path, disk):
    url = f"sqlite:///{disk / 'shop.db'}"
    asyncio.run(fills_up_and_is_mended(tmp_path, disk, url, "disk is full"))


@pytest.mark.survives(
    "The database's disk is full",
    "a file system of 14 MB, made larger later",
    "it waits, and goes on when there is room",
)
def test_a_full_disk_is_waited_for(tmp_path, victim):
    with victim.on_small_disk(14) as place:
        words = victim.says["full"]
        asyncio.run(fills_up_and_is_mended(tmp_path, place, victim.url, words))


@pytest.mark.survives(
    "Another session locks a table for longer than any wait",
    "LOCK TABLE, until EDS has given up once",
    "it tries again until the lock is gone",
)
def test_a_lock_of_another_session_is_waited_for(tmp_path, victim):
    words = victim.says["locked"]
    locked = victim.locked("order")
    waited_for(tmp_path, victim.url, locked, words, LONGER_THAN_ANY_WAIT)


@pytest.mark.survives(
    "Another program locks the database for longer than any wait",
    "BEGIN IMMEDIATE, until EDS has given up once",
    "it tries again until the lock is gone",
)
def test_a_lock_of_another_program_is_waited_for_on_sqlite(tmp_path, sqlite_url):
    async def scenario():
        async with outliving(tmp_path, sqlite_url) as (sandbox, server):
            with closing(connect(sqlite_url)) as other:
                other.execute("BEGIN IMMEDIATE")
                await sandbox.publish(sandbox.shop.insert("order"))
                await server.says("database is locked", LONGER_THAN_ANY_WAIT)
                other.execute("ROLLBACK")

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database becomes read-only",
    "a setting of the server's or of the database's",
    "it waits until it may write again",
)
def test_a_database_that_is_read_only_is_waited_for(tmp_path, victim):
    words = victim.says["read-only"]
    waited_for(tmp_path, victim.url, victim.read_only(), words)


@pytest.mark.survives(
    "The database is stopped",
    "for 10 seconds, while the shop works on",
    "it connects again by itself",
)
def test_a_database_that_is_away_for_long_is_waited_for(tmp_path, victim):
    async def scenario():
        async with outliving(tmp_path, victim.url) as (sandbox, server):
            await asyncio.to_thread(victim.server.stop)
            await sandbox.run_shop(events=50)
            await server.says("trying again")
            await asyncio.sleep(10)
            await asyncio.to_thread(victim.server.start)

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database crashes",
    "SIGKILL or an immediate stop, twice, while the shop works on",
    "it connects again and writes what the crash has undone",
)
def test_a_database_that_crashes_is_waited_for(tmp_path, victim):
    async def scenario():
        async with outliving(tmp_path, victim.url) as (sandbox, server):
            for _ in range(2):
                await asyncio.to_thread(victim.server.stop, "immediate")
                await sandbox.run_shop(events=100)
                await asyncio.to_thread(victim.server.start)
                await sandbox.run_shop(events=100)
            await server.says("trying again")

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database ends EDS's session",
    "five times, in the middle of the shop's work",
    "it connects again by itself",
)
def test_a_session_that_is_ended_is_opened_again(tmp_path, victim):
    async def scenario():
        async with outliving(tmp_path, victim.url) as (sandbox, server):
            for _ in range(5):
                work = asyncio.create_task(sandbox.run_shop(events=300))
                await asyncio.to_thread(victim.end_sessions)
                await work
            await server.says("trying again")

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database takes no connections",
    "a limit of connections, and its sessions ended",
    "it waits for a free one",
)
def test_a_database_without_connections_left_is_waited_for(tmp_path, victim):
    url = victim.login("first")
    waited_for(tmp_path, url, victim.crowded(), victim.says["crowded"])


@pytest.mark.survives(
    "The password is changed while it runs",
    "by the administrator, and its sessions ended",
    "it says so and tries again; the right password is taken",
)
def test_a_password_that_is_changed_and_changed_back_is_waited_for(tmp_path, victim):
    @contextmanager
    def changed():
        victim.set_password("second")
        yield
        victim.set_password("first")

    url = victim.login("first")
    waited_for(tmp_path, url, changed(), victim.says["password"])


@pytest.mark.survives(
    "All privileges are revoked",
    "on every table, EDS's own included, and given back",
    "it says so and waits until it may write again",
)
def test_privileges_that_are_revoked_and_given_back_are_waited_for(tmp_path, victim):
    url = victim.login("first")
    waited_for(tmp_path, url, victim.powerless(), victim.says["powerless"])
