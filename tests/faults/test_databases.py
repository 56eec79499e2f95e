"""What happens to a database while a server streams into it: it waits, then goes on."""

import asyncio
import shutil
import subprocess
from contextlib import asynccontextmanager, closing, contextmanager

import pytest

from acceptance.harness import serving, shop_is_at
from acceptance.tables import connect, execute
from eds_core.sandbox import Sandbox
from servers import new_home

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


@contextmanager
def small_disk(directory, megabytes):
    """A file system of so many megabytes; it can be made larger."""
    directory.chmod(0o755)  # a database may run as another user
    place = directory / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=777", "tmpfs", place]
    made = subprocess.run(["mount", *options], capture_output=True, check=False)
    if made.returncode:
        pytest.skip("a small file system can be mounted by root only")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def enlarge(place, megabytes):
    subprocess.run(["mount", "-o", f"remount,size={megabytes}m", place], check=True)


async def fills_up_and_is_mended(directory, place, url, server_says):
    async with outliving(directory, url) as (sandbox, server):
        full = asyncio.create_task(server.says(server_says, 60))
        while not full.done():
            await sandbox.run_shop(events=200)
        await full
        await asyncio.to_thread(enlarge, place, 400)


@pytest.mark.survives(
    "The database's disk is full",
    "a file system of 2 MB, made larger later",
    "it waits, and goes on when there is room",
)
def test_a_full_disk_is_waited_for_on_sqlite(tmp_path):
    with small_disk(tmp_path, 2) as place:
        url = f"sqlite:///{place / 'shop.db'}"
        asyncio.run(
            fills_up_and_is_mended(tmp_path, place, url, "database or disk is full")
        )


@pytest.mark.survives(
    "The database's disk is full",
    "a file system of 14 MB, made larger later",
    "it waits, and goes on when there is room",
)
def test_a_full_disk_is_waited_for_on_postgres(tmp_path, own_postgres):
    # Where the server's user may go, which pytest's own directories are not.
    with small_disk(new_home(), 14) as place:
        shutil.chown(place, own_postgres.user)
        url = own_postgres.new_database()
        name = url.rpartition("/")[2]
        own_postgres.execute(f"CREATE TABLESPACE {{}} LOCATION '{place}'", f"t{name}")
        own_postgres.execute("ALTER DATABASE {} SET TABLESPACE {}", name, f"t{name}")
        try:
            asyncio.run(
                fills_up_and_is_mended(tmp_path, place, url, "No space left on device")
            )
        finally:
            own_postgres.execute("DROP DATABASE {} WITH (FORCE)", name)
            own_postgres.execute("DROP TABLESPACE {}", f"t{name}")


@pytest.mark.survives(
    "Another session locks a table for longer than any wait",
    "LOCK TABLE, until EDS has given up once",
    "it tries again until the lock is gone",
)
def test_a_lock_of_another_session_is_waited_for_on_postgres(tmp_path, postgres_url):
    async def scenario():
        async with outliving(tmp_path, postgres_url) as (sandbox, server):
            with closing(connect(postgres_url)) as other:
                other.execute("BEGIN")
                other.execute('LOCK TABLE "order" IN ACCESS EXCLUSIVE MODE')
                await sandbox.publish(sandbox.shop.insert("order"))
                await server.says("lock timeout", LONGER_THAN_ANY_WAIT)
                other.execute("ROLLBACK")

    asyncio.run(scenario())


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
    "default_transaction_read_only, and its sessions ended",
    "it waits until it may write again",
)
def test_a_database_that_is_read_only_is_waited_for(
    tmp_path, own_postgres, postgres_url
):
    name = postgres_url.rpartition("/")[2]

    def set_read_only(value):
        own_postgres.execute(
            f"ALTER DATABASE {{}} SET default_transaction_read_only = {value}", name
        )
        own_postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}'"
        )

    async def scenario():
        async with outliving(tmp_path, postgres_url) as (sandbox, server):
            await asyncio.to_thread(set_read_only, "on")
            await sandbox.publish(sandbox.shop.insert("order"))
            await server.says("read-only transaction")
            await asyncio.to_thread(set_read_only, "off")

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database is stopped",
    "for 10 seconds, while the shop works on",
    "it connects again by itself",
)
def test_a_database_that_is_away_for_long_is_waited_for(
    tmp_path, own_postgres, postgres_url
):
    async def scenario():
        async with outliving(tmp_path, postgres_url) as (sandbox, server):
            await asyncio.to_thread(own_postgres.stop)
            await sandbox.run_shop(events=50)
            await server.says("trying again")
            await asyncio.sleep(10)
            await asyncio.to_thread(own_postgres.start)

    asyncio.run(scenario())


@pytest.mark.survives(
    "The database takes no connections",
    "CONNECTION LIMIT 0, and its sessions ended",
    "it waits for a free one",
)
def test_a_database_without_connections_left_is_waited_for(
    tmp_path, own_postgres, postgres_url
):
    name = postgres_url.rpartition("/")[2]

    def limit(number):
        own_postgres.execute(f"ALTER DATABASE {{}} CONNECTION LIMIT {number}", name)
        own_postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{name}'"
        )

    async def scenario():
        async with outliving(tmp_path, postgres_url) as (sandbox, server):
            await asyncio.to_thread(limit, 0)
            await sandbox.publish(sandbox.shop.insert("order"))
            await server.says("too many connections")
            await asyncio.to_thread(limit, -1)

    asyncio.run(scenario())


@pytest.mark.survives(
    "The password is changed while it runs",
    "ALTER ROLE, and its sessions ended",
    "it says so and tries again; the right password is taken",
)
def test_a_password_that_is_changed_and_changed_back_is_waited_for(
    tmp_path, own_postgres, postgres_url
):
    name = postgres_url.rpartition("/")[2]
    user = f"u{name[-12:]}"
    url = postgres_url.replace("//eds:secret%40word@", f"//{user}:first@")

    def password(text):
        own_postgres.execute(f"ALTER ROLE {{}} PASSWORD '{text}'", user)
        own_postgres.execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE usename = '{user}'"
        )

    own_postgres.execute("CREATE ROLE {} LOGIN PASSWORD 'first'", user)
    execute(postgres_url, f"GRANT ALL ON SCHEMA public TO {user}")

    async def scenario():
        async with outliving(tmp_path, url) as (sandbox, server):
            await asyncio.to_thread(password, "second")
            await sandbox.publish(sandbox.shop.insert("order"))
            await server.says("password authentication failed")
            await asyncio.to_thread(password, "first")

    asyncio.run(scenario())
