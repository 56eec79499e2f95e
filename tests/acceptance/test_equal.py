"""Whatever comes, and in whatever order: the tables equal the fold by version."""

import asyncio
import dataclasses
import itertools
import json
import random

import pytest

from acceptance.harness import (
    MODULE,
    STRANGER,
    equal,
    process,
    serving,
    shop_is_at,
    trust,
)
from acceptance.tables import rows, table_names
from eds_core.sandbox import COMPANY, Sandbox, fold

RESERVED = {"order", "user", "authorization"}
COMPOSITE = {"customer_location_connection", "vehicle_location", "vehicle_owner"}


@pytest.fixture(params=["sqlite", "postgres", "mariadb", "mysql"])
def url(request):
    """The URL of an empty destination: here, of every kind that there is."""
    return request.getfixturevalue(f"{request.param}_url")


def take(sandbox, count):
    events = list(itertools.islice(sandbox.shop, count))
    sandbox.published.extend(events)
    return events


def test_3000_mixed_events_over_tls_end_equal(tmp_path, url, tls):
    async def scenario():
        companies = (COMPANY, STRANGER)
        async with Sandbox(tmp_path, companies, tls=tls) as sandbox:
            async with serving(sandbox, url) as server:
                events = take(sandbox, 3000)
                await sandbox.publish_many(events[:2400], gzip_share=0.3)
                for event in events[2400:2700]:
                    await sandbox.publish(event, "msgpack")
                await sandbox.publish_many(events[2700:], gzip_share=1)
                await shop_is_at(url, sandbox, server=server)
                assert "quarantined" not in server.err
            return {event.table for event in events}

    tables = asyncio.run(scenario())

    assert len(tables) >= 12
    assert tables >= RESERVED | COMPOSITE
    assert table_names(url) >= RESERVED | COMPOSITE


def test_what_was_published_before_is_read_from_the_start_time(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.publish_many(take(sandbox, 500))
            args = ("--consumer-start-time", "1h")
            async with serving(sandbox, url, args=args) as server:
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_a_restart_goes_on_where_it_was_stopped(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await sandbox.publish_many(take(sandbox, 200))
                await shop_is_at(url, sandbox, server=server)
            await sandbox.publish_many(take(sandbox, 200))
            command = (*MODULE, "--creds", sandbox.credentials)
            command = (*command, "--server", sandbox.url, url)
            with process(tmp_path, *command, env=trust(sandbox)) as server:
                await shop_is_at(url, sandbox, server=server)
                assert await server.stop() == 0

    asyncio.run(scenario())


def again(event, number):
    """The same event as another message: the stream does not drop it."""
    return dataclasses.replace(event, id=f"{event.id}-{number}")


def shuffled(events, seed):
    """*events*, a third of them twice, the copies and the order anyhow."""
    dice = random.Random(seed)
    copies = [again(event, n) for n, event in enumerate(events) if n % 3 == 0]
    mixed = [*events, *copies]
    dice.shuffle(mixed)
    return mixed


def test_duplicates_and_stale_events_in_any_order_end_equal(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            mixed = shuffled(take(sandbox, 900), 7)
            async with serving(sandbox, url) as server:
                for start in range(0, len(mixed), 150):  # in several batches
                    await sandbox.publish_many(mixed[start : start + 150])
                await equal(url, fold(mixed), sandbox.shop.models, server=server)
            assert fold(mixed) == sandbox.shop.state()

    asyncio.run(scenario())


def test_an_old_update_after_a_delete_brings_nothing_back(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            shop = sandbox.shop
            insert = shop.insert("brand", {"name": "Acme"})
            update = shop.update("brand", insert.key, {"name": "Volta"})
            delete = shop.delete("brand", insert.key)
            other = shop.insert("brand", {"name": "Hornet"})
            async with serving(sandbox, url) as server:
                for event in (insert, delete):
                    await sandbox.publish(event)
                await equal(url, {"brand": {}}, shop.models, server=server)
                for event in (update, again(insert, 1), other):
                    await sandbox.publish(event)
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def at_version(event, number, text):
    """*event* as another message, with *text* as its version and its name."""
    body = json.loads(event.payload) | {"mvccTimestamp": text, "id": f"v{number}"}
    body["after"]["name"] = f"{number}: {text}"
    payload = json.dumps(body).encode()
    return dataclasses.replace(event, id=f"v{number}", payload=payload)


def test_versions_that_differ_in_the_counter_only_are_told_apart(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            first = sandbox.shop.insert("brand")
            wall = json.loads(first.payload)["mvccTimestamp"].partition(".")[0]
            counters = ["9", "10", "0000000002", "0000000100", "99", "0000000100", ""]
            events = [
                at_version(first, number, f"{wall}.{counter}" if counter else wall)
                for number, counter in enumerate(counters)
            ]
            async with serving(sandbox, url) as server:
                for event in events:  # each in a batch of its own, mostly
                    await sandbox.publish(event)
                await equal(url, fold(events), sandbox.shop.models, server=server)
            return [row["name"] for row in rows(url, "SELECT name FROM brand")], wall

    names, wall = asyncio.run(scenario())

    assert names == [f"5: {wall}.0000000100"]  # of equal ones the later
