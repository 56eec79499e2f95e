"""A message that cannot be applied stops only itself, and is kept whole."""

import asyncio
import dataclasses
import gzip
import json

import pytest

from acceptance.harness import (
    eds,
    equal,
    serving,
    shop_is_at,
    starting,
    streaming,
    until,
)
from acceptance.tables import rows, table_names, value
from eds_core.sandbox import Sandbox, fold, message_headers

COUNT = "SELECT count(*) FROM _eds_quarantine"


def counts(url, number):
    return lambda: value(url, COUNT) == number


def altered(event, **members):
    """*event* with other members in its payload."""
    body = json.loads(event.payload) | members
    return dataclasses.replace(event, payload=json.dumps(body).encode())


def misfit(shop):
    """An order whose bigint is a text."""
    return shop.insert("order", {"messageCount": "many", "number": "misfit"})


def test_all_good_events_arrive_and_bad_ones_are_kept_whole(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            shop, good, bad = sandbox.shop, [], {}

            async def publish_bad(event, data):
                headers = message_headers(event.id, "plain")
                sequence = await sandbox.publisher.publish(event.subject, data, headers)
                bad[sequence] = data

            async with serving(sandbox, url) as server:
                hostile = sandbox.model("vendor").with_column('x"; DROP TABLE brand;--')
                sandbox.use(hostile)
                poison = (
                    b"\xff{",
                    b"",
                    b"[1, 2]",
                    gzip.compress(b'{"a": 1}')[:-9],
                    altered(shop.insert("brand"), key=[]).payload,
                    altered(shop.insert("brand"), key=["somebody else"]).payload,
                    altered(shop.insert("brand"), mvccTimestamp="9" * 19).payload,
                    altered(shop.insert("brand"), after=[1]).payload,
                    altered(shop.insert("brand"), modelVersion="../x y").payload,
                )
                for data in poison:
                    await publish_bad(shop.insert("brand"), data)
                    good.append(shop.insert("brand"))
                    await sandbox.publish(good[-1])
                for event in (misfit(shop), shop.insert("vendor"), misfit(shop)):
                    await publish_bad(event, event.payload)
                    good.append(shop.insert("order"))
                    await sandbox.publish(good[-1])
                await equal(url, fold(good), shop.models, server=server)
                await until(counts(url, len(bad)), 20, server.tail)
            return bad, rows(url, "SELECT seq, payload, reason FROM _eds_quarantine")

    bad, kept = asyncio.run(scenario())

    assert {row["seq"]: bytes(row["payload"]) for row in kept} == bad
    assert all(row["reason"] for row in kept)
    assert sum("messageCount" in row["reason"] for row in kept) == 2
    assert "vendor" not in table_names(url)


OBSERVER = """
from eds_core import hookimpl

@hookimpl
def quarantined(entries):
    with open(PLACE, "a") as file:
        file.writelines(f"{entry.table} {entry.id}\\n" for entry in entries)
    raise RuntimeError("and that is not the stream's business")
"""


def observer(directory):
    """A distribution with a plugin that writes down what it is told, and fails."""
    info, place = directory / "eds_watch-1.0.dist-info", directory / "told"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: w\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[eds.plugins]\nwatch = eds_watch\n")
    (directory / "eds_watch.py").write_text(f"PLACE = {str(place)!r}\n{OBSERVER}")
    return place


def test_an_observer_is_told_what_is_quarantined_and_cannot_stop_it(
    tmp_path, sqlite_url
):
    told = observer(tmp_path / "plugin")
    env = {"PYTHONPATH": str(told.parent)}

    async def scenario():
        async with streaming(tmp_path, sqlite_url, env=env) as (sandbox, server):
            shop, good = sandbox.shop, []
            for number in (1, 2):
                await sandbox.publish(misfit(shop))
                await until(counts(sqlite_url, number), 20, server.tail)
                good.append(shop.insert("order"))
                await sandbox.publish(good[-1])
            await equal(sqlite_url, fold(good), shop.models, server=server)
            return server.err

    log = asyncio.run(scenario())

    ids = [row["id"] for row in rows(sqlite_url, "SELECT id FROM _eds_quarantine")]
    assert sorted(told.read_text().splitlines()) == sorted(f"order {i}" for i in ids)
    assert log.count("plugin eds_watch: quarantined fails: RuntimeError") == 1


def test_the_quarantine_is_listed_shown_and_dropped(tmp_path, sqlite_url):
    url = sqlite_url

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            event, other = misfit(sandbox.shop), misfit(sandbox.shop)
            async with serving(sandbox, url) as server:
                await sandbox.publish(sandbox.shop.insert("brand"))
                sequence = await sandbox.publish(
                    event, headers={"Nats-Msg-Id": "message \x1b[31m id"}
                )
                await sandbox.publish(other, "gzip")
                await until(counts(url, 2), 20, server.tail)
            listed = await eds(sandbox, "quarantine", "list", url)
            shown = await eds(sandbox, "quarantine", "show", url, str(sequence))
            raw = await eds(sandbox, "quarantine", "show", url, sequence, "--raw")
            zipped = await eds(sandbox, "quarantine", "show", url, str(sequence + 1))
            nobody = await eds(sandbox, "quarantine", "show", url, "99")
            dropped = await eds(sandbox, "quarantine", "drop", url, sequence)
            left = await eds(sandbox, "quarantine", "list", url)
            return event, sequence, listed, shown, raw, zipped, nobody, dropped, left

    event, sequence, listed, shown, raw, zipped, nobody, dropped, left = asyncio.run(
        scenario()
    )
    first = listed.out.splitlines()[0]

    assert listed.code == 0
    assert f"event={event.id}" in first
    assert "message=message \\x1b[31m id" in first
    assert f"sequence={sequence}" in first
    assert "messageCount" in first
    assert shown.code == 0
    assert '"misfit"' in shown.out
    assert "advice" in shown.out
    assert raw.out.encode() == event.payload
    assert '"misfit"' in zipped.out
    assert nobody.code == 2
    assert "no quarantine entry 99" in nobody.err
    assert dropped.out == "1 dropped\n"
    assert len(left.out.splitlines()) == 1


def test_a_database_without_quarantine_has_an_empty_list_and_stays_as_it_is(
    tmp_path, url
):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            return await eds(sandbox, "quarantine", "list", url)

    listed = asyncio.run(scenario())

    assert (listed.code, listed.out) == (0, ""), listed.tail()
    assert not list(tmp_path.glob("shop.db*"))


async def misfit_then_wider_model(sandbox, url, server):
    """One event in quarantine, and a model in which it fits by now."""
    await sandbox.publish(misfit(sandbox.shop))
    await sandbox.publish(sandbox.shop.insert("order"))
    await until(counts(url, 1), 20, server.tail)
    sandbox.use(sandbox.model("order").with_type("messageCount", "String"))
    await sandbox.publish(sandbox.shop.insert("order"))
    query = 'SELECT count(*) FROM "order"'
    await until(lambda: value(url, query) == 2, 20, server.tail)


def test_what_is_mended_is_retried_by_the_running_server(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await misfit_then_wider_model(sandbox, url, server)
                retried = await eds(sandbox, "quarantine", "retry", url, "--all")
                assert retried.code == 0, retried.tail()
                await shop_is_at(url, sandbox, server=server)
            assert value(url, COUNT) == 0

    asyncio.run(scenario())


def test_what_is_mended_is_retried_at_the_next_start(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await misfit_then_wider_model(sandbox, url, server)
            retried = await eds(sandbox, "quarantine", "retry", url, "1")
            assert retried.code == 0, retried.tail()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)
            assert value(url, COUNT) == 0

    asyncio.run(scenario())


def test_what_still_does_not_fit_returns_to_quarantine(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await sandbox.publish(misfit(sandbox.shop))
            await until(counts(url, 1), 20, server.tail)
            await eds(sandbox, "quarantine", "retry", url, "--all")
            state = "SELECT state FROM _eds_quarantine"
            await until(lambda: value(url, state) == "quarantined", 20, server.tail)

    asyncio.run(scenario())


@pytest.mark.parametrize("deed", ["update", "delete"])
def test_a_retried_event_that_is_stale_by_now_changes_nothing(tmp_path, url, deed):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            shop = sandbox.shop
            async with serving(sandbox, url) as server:
                bad = misfit(shop)
                await sandbox.publish(bad)
                await until(counts(url, 1), 20, server.tail)
                values = {"update": [{"messageCount": 3}], "delete": []}[deed]
                await sandbox.publish(getattr(shop, deed)("order", bad.key, *values))
                await shop_is_at(url, sandbox, server=server)
                sandbox.use(shop.models["order"].with_type("messageCount", "String"))
                await sandbox.publish(shop.insert("order"))
                await shop_is_at(url, sandbox, server=server)
                await eds(sandbox, "quarantine", "retry", url, "--all")
                await until(counts(url, 0), 20, server.tail)
                await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_kill_9_among_bad_events_loses_none_of_them(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            shop = sandbox.shop
            events = [
                misfit(shop) if n % 5 == 0 else shop.insert("order") for n in range(200)
            ]
            async with serving(sandbox, url):
                pass
            await sandbox.publish_many(events)
            with starting(sandbox, url) as server:
                await until(
                    lambda: "_eds_quarantine" in table_names(url) and value(url, COUNT),
                    20,
                    server.tail,
                )
                server.kill()
            good = [event for n, event in enumerate(events) if n % 5]
            async with serving(sandbox, url) as server:
                await equal(url, fold(good), shop.models, server=server)
                await until(counts(url, 40), 20, server.tail)

    asyncio.run(scenario())
