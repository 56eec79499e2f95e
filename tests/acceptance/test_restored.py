"""A destination that was restored from an older copy catches up by itself."""

import asyncio
import itertools
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from acceptance.harness import equal, serving, shop_is_at, starting, streaming, until
from acceptance.tables import execute, value
from eds_core.sandbox import Sandbox, fold

EPOCH = "SELECT max(epoch) FROM _eds_checkpoint"


@pytest.mark.survives(
    "A SQLite file is replaced by an older copy",
    "stop, copy back, start",
    "it catches up from the copy's position",
)
def test_a_sqlite_file_restored_from_a_copy_catches_up(tmp_path, sqlite_url):
    file = Path(sqlite_url.removeprefix("sqlite:///"))

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for copies in (True, False):
                async with serving(sandbox, sqlite_url) as server:
                    await sandbox.run_shop(events=200)
                    await shop_is_at(sqlite_url, sandbox, server=server)
                if copies:
                    shutil.copy(file, tmp_path / "copy.db")
            for path in file.parent.glob(f"{file.name}*"):
                path.unlink()
            shutil.copy(tmp_path / "copy.db", file)
            async with serving(sandbox, sqlite_url) as server:
                await shop_is_at(sqlite_url, sandbox, server=server)

    asyncio.run(scenario())


async def copy_of(postgres, url):
    """An older copy of the database; nobody may be connected meanwhile."""
    name = urlsplit(url).path[1:]
    await asyncio.to_thread(
        postgres.execute, "CREATE DATABASE {} TEMPLATE {} OWNER eds", f"{name}c", name
    )
    return name, f"{name}c"


async def swap(postgres, name, copy):
    """Put the copy in the place of the database, as after a restore."""

    def act():
        postgres.execute("ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE usename = 'eds'"
        )
        postgres.execute("DROP DATABASE {} WITH (FORCE)", name)
        postgres.execute("ALTER DATABASE {} RENAME TO {}", copy, name)

    await asyncio.to_thread(act)


@pytest.mark.survives(
    "A database is restored from an older backup while EDS runs",
    "an older copy takes its place, and its sessions are ended",
    "EDS notices its older position and catches up",
)
def test_a_postgres_database_restored_while_streaming_catches_up(
    tmp_path, own_postgres, postgres_url
):
    url = postgres_url

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await sandbox.run_shop(events=200)
                await shop_is_at(url, sandbox, server=server)
            name, copy = await copy_of(own_postgres, url)
            async with serving(sandbox, url) as server:
                await sandbox.run_shop(events=200)
                await shop_is_at(url, sandbox, server=server)
                shop = asyncio.create_task(sandbox.run_shop(200, 300))
                await swap(own_postgres, name, copy)
                await shop
                await shop_is_at(url, sandbox, server=server)
                assert "restored or failed over" in server.err

    asyncio.run(scenario())


def test_a_restored_database_does_not_forget_what_was_parked(
    tmp_path, own_postgres, postgres_url
):
    """The running server knows of a parked table that the copy does not."""
    url = postgres_url

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await sandbox.publish(sandbox.shop.insert("brand"))
                await shop_is_at(url, sandbox, server=server)
            name, copy = await copy_of(own_postgres, url)
            async with serving(sandbox, url) as server:
                execute(url, "REVOKE INSERT, UPDATE ON brand FROM eds")
                await sandbox.publish(sandbox.shop.insert("brand"))
                await server.says("table brand is parked")
                await swap(own_postgres, name, copy)
                await sandbox.publish(sandbox.shop.insert("brand"))
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_checkpoint_that_was_set_back_by_hand_is_read_again(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.run_shop(events=200)
            await shop_is_at(url, sandbox, server=server)
            execute(
                url,
                "DELETE FROM brand",
                "DELETE FROM _eds_tombstone",
                "UPDATE _eds_checkpoint SET seq = 0",
            )
            await sandbox.publish(sandbox.shop.insert("brand"))
            await shop_is_at(url, sandbox, server=server)
            await until(lambda: value(url, EPOCH) > 1, 20, server.tail)

    asyncio.run(scenario())


def test_a_checkpoint_that_is_gone_stops_the_server_with_words(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as server:
                await server.ready()
                execute(url, "DELETE FROM _eds_checkpoint")
                await sandbox.publish(sandbox.shop.insert("brand"))
                return await server.ended(), server.err

    code, said = asyncio.run(scenario())

    assert code == 1
    assert "is gone from _eds_checkpoint" in said
    assert "Traceback" not in said


@pytest.mark.survives(
    "EDS was away for longer than the stream keeps messages",
    "the oldest messages are purged",
    "it says how many are gone and names the import that heals it",
)
def test_a_server_that_was_away_for_too_long_tells_what_is_gone(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path, stream_config={"max_msgs": 30}) as sandbox:
            async with serving(sandbox, sqlite_url):
                pass
            await sandbox.publish_many(itertools.islice(sandbox.shop, 70))
            kept = [next(sandbox.shop) for _ in range(30)]
            await sandbox.publish_many(kept)
            async with serving(sandbox, sqlite_url) as server:
                await server.says("up to 70 events (of all companies)")
                models = sandbox.shop.models
                await equal(sqlite_url, fold(kept), models, server=server)

    asyncio.run(scenario())
