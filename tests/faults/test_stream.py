"""What happens to the stream and its consumers while a server streams, or is away."""

import asyncio
import random
import shutil

import pytest

from acceptance.harness import equal, serving, shop_is_at, starting, until
from acceptance.tables import execute, table_names, value
from eds_core.sandbox import COMPANY, Sandbox, ShopEvent, disconnect, fold
from eds_core.sandbox.publisher import STREAM
from eds_core.testing.proxy import Harm
from faults.network import behind_nats, ends_equal
from faults.test_nats import empty, make_stream

THIS = f"'{COMPANY}'"
SEQ = f"SELECT seq FROM _eds_checkpoint WHERE company = {THIS}"
CUSTOMERS = "SELECT count(*) FROM customer"
MANY = (COMPANY, *(f"{number:024x}" for number in range(7)))
LARGE = 100_000  # bytes of a row


async def jetstream_does(sandbox, deed):
    """Do something to the stream that EDS may not."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        return await deed(client.jetstream())
    finally:
        await disconnect(client)


async def delete_consumers(jetstream):
    for info in await jetstream.consumers_info(STREAM):
        await jetstream.delete_consumer(STREAM, info.name)


@pytest.mark.survives(
    "NATS is killed and comes back with its store",
    "SIGKILL, three times, while the shop works on",
    "it connects again by itself and goes on where it stood",
)
def test_a_nats_that_is_killed_is_waited_for(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            shop = asyncio.create_task(sandbox.run_shop(rate=150, events=400))
            for times in range(1, 4):
                await asyncio.sleep(0.5)
                await asyncio.to_thread(sandbox.server.kill)
                await asyncio.to_thread(sandbox.server.start)
                again = lambda n=times: server.err.count("to NATS again") >= n  # noqa: E731 - asked again and again
                await until(again, 30, server.tail)
            await shop
            await ends_equal(url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "Its consumer is deleted behind its back",
    "by the stream's owner, three times",
    "it makes another one where that stood",
)
def test_a_consumer_that_is_deleted_is_made_anew(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            for times in range(1, 4):
                shop = asyncio.create_task(sandbox.run_shop(rate=200, events=60))
                await jetstream_does(sandbox, delete_consumers)
                anew = lambda n=times: server.err.count("made anew") >= n  # noqa: E731 - asked again and again
                await until(anew, 30, server.tail)
                await shop
            await ends_equal(url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "It was away for longer than the stream keeps messages",
    "stopped, and the oldest messages removed meanwhile",
    "it says how many are gone and names the import that heals it, and goes on",
)
def test_a_gap_is_told_with_its_size_and_what_heals_it(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, sqlite_url) as server:
                await sandbox.run_shop(events=40)
                await shop_is_at(sqlite_url, sandbox, server=server)
                position = value(sqlite_url, SEQ)
            await sandbox.run_shop(events=30)
            kept = position + 21
            await jetstream_does(sandbox, lambda js: js.purge_stream(STREAM, seq=kept))
            async with serving(sandbox, sqlite_url) as server:
                await server.says("up to 20 events (of all companies)")
                await sandbox.run_shop(events=30)
                there = [*sandbox.published[:40], *sandbox.published[60:]]
                models = sandbox.shop.models
                await equal(sqlite_url, fold(there), models, server=server)
                return server.err

    told = asyncio.run(scenario())

    assert "An import with --prune heals this" in told
    assert told.count("are gone from the stream") == 1


@pytest.mark.parametrize("events", [80, 3000], ids=["a-little", "far"])
@pytest.mark.survives(
    "The stream is made anew and has grown beyond the position",
    "its store removed while EDS is away, more messages than before in the new one",
    "it stops with words (its last message is not there), and can be begun anew",
)
def test_a_stream_made_anew_that_has_grown_is_noticed(tmp_path, sqlite_url, events):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, sqlite_url) as server:
                await sandbox.run_shop(events=50)
                await shop_is_at(sqlite_url, sandbox, server=server)
            before = value(sqlite_url, SEQ)
            await asyncio.to_thread(empty, sandbox)
            await make_stream(sandbox)
            await sandbox.run_shop(events=events)
            with starting(sandbox, sqlite_url) as server:
                await server.ended(40)
            assert value(sqlite_url, SEQ) == before
            execute(sqlite_url, f"DELETE FROM _eds_checkpoint WHERE company = {THIS}")
            async with serving(sandbox, sqlite_url) as again:
                await again.says("begins behind sequence")
            return server, before

    server, before = asyncio.run(scenario())

    assert server.code == 1
    assert "the stream was made anew" in server.err
    assert f"up to {before}" in server.err
    assert f"DELETE FROM _eds_checkpoint WHERE company = {THIS}" in server.err
    assert "Traceback" not in server.err


@pytest.mark.survives(
    "NATS loses the end of its stream, and gives its numbers to other messages",
    "its store put back to what it was 40 messages ago, and 80 new ones",
    "it stops with words: its last message is not there",
)
def test_a_stream_that_has_lost_its_end_is_noticed(tmp_path, sqlite_url):
    """As a power cut does to a server that had not yet synced its files."""
    copy = tmp_path / "copy"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            store = sandbox.server.directory / "store"
            async with serving(sandbox, sqlite_url) as server:
                await sandbox.run_shop(events=40)
                await shop_is_at(sqlite_url, sandbox, server=server)
            await asyncio.to_thread(sandbox.server.stop)
            shutil.copytree(store, copy)
            await asyncio.to_thread(sandbox.server.start)
            async with serving(sandbox, sqlite_url) as server:
                await sandbox.run_shop(events=40)
                await shop_is_at(sqlite_url, sandbox, server=server)
            await asyncio.to_thread(sandbox.server.kill)
            shutil.rmtree(store)
            shutil.copytree(copy, store)
            await asyncio.to_thread(sandbox.server.start)
            await sandbox.run_shop(events=80)
            with starting(sandbox, sqlite_url) as server:
                await server.ended(40)
            return server

    server = asyncio.run(scenario())

    assert server.code == 1
    assert "is not there in the stream" in server.err
    assert "has lost messages" in server.err
    assert value(sqlite_url, SEQ) == 80


@pytest.mark.survives(
    "NATS cuts EDS off because it does not read",
    "a proxy stops in the middle of a large backlog until the server's write deadline",
    "it connects again and goes on behind the last message that came",
)
def test_a_client_that_nats_found_too_slow_comes_back(tmp_path, sqlite_url):
    dice = random.Random(1)
    many = behind_nats(tmp_path, sqlite_url, companies=MANY)

    async def scenario():
        async with many as (sandbox, server, between):
            between.rate = 2_000_000
            rows = [large(sandbox, dice, company) for company in MANY * 40]
            await sandbox.publish_many(rows)
            await until(lambda: "customer" in table_names(sqlite_url), 20, server.tail)
            await until(lambda: value(sqlite_url, CUSTOMERS) > 80, 20, server.tail)
            between.harm = Harm.HOLD_ANSWER
            log = sandbox.server.log_path
            await until(lambda: "Slow Consumer" in log.read_text(), 30, server.tail)
            between.heal()
            await ends_equal(sqlite_url, sandbox, server)
            return server.err

    assert "connected to NATS again" in asyncio.run(scenario())


def large(sandbox, dice, company) -> ShopEvent:
    note = dice.randbytes(LARGE // 2).hex()
    return sandbox.shop.insert("customer", {"note": note}, company=company)
