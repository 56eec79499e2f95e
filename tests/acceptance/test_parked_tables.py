"""A table at fault is set aside; the others go on, and it catches up later."""

import asyncio

import pytest

from acceptance.harness import eds, equal, serving, shop_is_at, streaming, until
from acceptance.tables import execute, rows, table_names, value
from eds_core.sandbox import Sandbox, fold

STATE = "SELECT state, reason FROM _eds_status WHERE table_name = 'brand'"
OWN_COLUMN = (
    "CREATE TABLE brand (id VARCHAR(64) PRIMARY KEY, own INTEGER NOT NULL)",
    "ALTER TABLE brand DROP COLUMN own",
)


def state_is(url, state):
    return lambda: [row["state"] for row in rows(url, STATE)] == [state]


def only_others(sandbox):
    state = sandbox.shop.state()
    return {table: found for table, found in state.items() if table != "brand"}


async def publish_some(sandbox, count=30):
    for number in range(count):
        table = ("brand", "vendor", "order")[number % 3]
        event = sandbox.shop.insert(table)
        sandbox.published.append(event)
        await sandbox.publish(event)


async def others_arrive(url, sandbox, server):
    """All but the brands, whose table is there and holds what it may."""

    def arrived():
        names = {"vendor", "order"}
        if not names <= set(table_names(url)):
            return False
        found = {t: value(url, f'SELECT count(*) FROM "{t}"') for t in names}
        return found == {t: len(sandbox.shop.state()[t]) for t in names}

    await until(arrived, 20, server.tail)


async def park(sandbox, url, server):
    """A column of the user's own, which EDS cannot fill, stops one table."""
    await publish_some(sandbox)
    await server.says("table brand is parked")
    await until(state_is(url, "parked"), 20, server.tail)
    await others_arrive(url, sandbox, server)


def make_file(url):
    if url.startswith("sqlite"):
        open(url.removeprefix("sqlite:///"), "w").close()  # noqa: PTH123 - made, not used


def test_a_table_at_fault_does_not_hold_the_others(tmp_path, url):
    async def scenario():
        make_file(url)
        execute(url, OWN_COLUMN[0])
        async with streaming(tmp_path, url) as (sandbox, server):
            await park(sandbox, url, server)
            await publish_some(sandbox)
            await others_arrive(url, sandbox, server)
            (status,) = rows(url, STATE)
            assert "own" in status["reason"]
            assert "eds resume brand" in server.err
            assert value(url, "SELECT count(*) FROM _eds_quarantine") == 0

    asyncio.run(scenario())


@pytest.mark.survives(
    "A table is at fault and mended later",
    "a column's type changed, then changed back; `eds resume`",
    "parked alone, then continued without loss",
)
def test_a_mended_table_is_resumed_by_the_running_server(tmp_path, url):
    async def scenario():
        make_file(url)
        execute(url, OWN_COLUMN[0])
        async with streaming(tmp_path, url) as (sandbox, server):
            await park(sandbox, url, server)
            execute(url, OWN_COLUMN[1])
            shop = asyncio.create_task(publish_some(sandbox, 150))
            resumed = await eds(sandbox, "resume", "brand", url)
            assert resumed.code == 0, resumed.tail()
            await shop
            await shop_is_at(url, sandbox, server=server)
            await until(state_is(url, "ok"), 20, server.tail)

    asyncio.run(scenario())


def test_a_mended_table_is_resumed_at_the_next_start(tmp_path, url):
    async def scenario():
        make_file(url)
        execute(url, OWN_COLUMN[0])
        async with Sandbox(tmp_path) as sandbox:
            async with serving(sandbox, url) as server:
                await park(sandbox, url, server)
            async with serving(sandbox, url) as server:  # parked it stays
                await publish_some(sandbox)
                await others_arrive(url, sandbox, server)
                assert value(url, "SELECT count(*) FROM brand") == 0
            execute(url, OWN_COLUMN[1])
            await publish_some(sandbox)
            resumed = await eds(sandbox, "resume", "brand", url)
            assert resumed.code == 0, resumed.tail()
            async with serving(sandbox, url) as server:
                await shop_is_at(url, sandbox, server=server)
                await until(state_is(url, "ok"), 20, server.tail)

    asyncio.run(scenario())


def test_a_table_that_is_resumed_unmended_is_parked_again_without_loss(tmp_path, url):
    async def scenario():
        make_file(url)
        execute(url, OWN_COLUMN[0])
        async with streaming(tmp_path, url) as (sandbox, server):
            await park(sandbox, url, server)
            first = value(url, "SELECT seq FROM _eds_parked")
            shop = asyncio.create_task(publish_some(sandbox, 150))
            await eds(sandbox, "resume", "brand", url)
            asked = "SELECT resume FROM _eds_parked"
            await until(lambda: value(url, asked) == 0, 20, server.tail)
            await shop
            await until(state_is(url, "parked"), 20, server.tail)
            assert value(url, "SELECT seq FROM _eds_parked") == first
            execute(url, OWN_COLUMN[1])
            await eds(sandbox, "resume", "brand", url)
            await shop_is_at(url, sandbox, server=server)

    asyncio.run(scenario())


def test_only_a_parked_table_can_be_resumed(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, _):
            return await eds(sandbox, "resume", "brand", url)

    resumed = asyncio.run(scenario())

    assert resumed.code == 2
    assert "brand is not parked" in resumed.err


@pytest.mark.parametrize(
    ("harm", "mending"),
    [
        ("REVOKE INSERT, UPDATE ON brand FROM eds", "GRANT ALL ON brand TO eds"),
        (
            "ALTER TABLE brand ALTER COLUMN name TYPE date USING NULL",
            "ALTER TABLE brand ALTER COLUMN name TYPE text",
        ),
        (
            "ALTER TABLE brand ADD FOREIGN KEY (name) REFERENCES vendor (id) NOT VALID",
            "ALTER TABLE brand DROP CONSTRAINT brand_name_fkey",
        ),
        (
            "ALTER TABLE brand DROP CONSTRAINT brand_pkey",
            "ALTER TABLE brand ADD PRIMARY KEY (id)",
        ),
    ],
    ids=["privilege", "type", "foreign-key", "primary-key"],
)
def test_what_a_user_did_to_a_postgres_table_is_mended_and_resumed(
    tmp_path, postgres_url, harm, mending
):
    url = postgres_url

    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish_some(sandbox, 3)
            await shop_is_at(url, sandbox, server=server)
            before = len(sandbox.published)
            execute(url, harm)
            await publish_some(sandbox, 75)
            await server.says("table brand is parked")
            await others_arrive(url, sandbox, server)
            execute(url, mending)
            await eds(sandbox, "resume", "brand", url)
            await eds(sandbox, "quarantine", "retry", url, "--all")
            expected = fold(sandbox.published[before:])
            for event in sandbox.published[:before]:
                if event.table != "brand":  # its name is gone with the type
                    expected[event.table] |= fold([event])[event.table]
            execute(url, f"DELETE FROM brand WHERE id IN ({first_ids(sandbox)})")
            await equal(url, expected, sandbox.shop.models, server=server)
            await until(state_is(url, "ok"), 20, server.tail)

    asyncio.run(scenario())


def first_ids(sandbox):
    events = sandbox.published[:3]
    return ", ".join(f"'{e.key[0]}'" for e in events if e.table == "brand")


def test_a_dropped_column_comes_back_by_itself(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish_some(sandbox)
            await shop_is_at(url, sandbox, server=server)
            execute(url, "ALTER TABLE brand DROP COLUMN name")
            later = sandbox.shop.insert("brand", {"name": "Volta"})
            await sandbox.publish(later)
            names = "SELECT count(*) FROM brand WHERE name = 'Volta'"
            count = "SELECT count(*) FROM brand"
            await until(lambda: value(url, count) == 11, 20, server.tail)
            assert value(url, names) == 1
            assert "parked" not in server.err

    asyncio.run(scenario())


def test_a_dropped_table_comes_back_by_itself(tmp_path, url):
    async def scenario():
        async with streaming(tmp_path, url) as (sandbox, server):
            await publish_some(sandbox)
            await shop_is_at(url, sandbox, server=server)
            execute(url, "DROP TABLE brand")
            later = sandbox.shop.insert("brand")
            await sandbox.publish(later)
            expected = only_others(sandbox) | fold([later])
            await equal(url, expected, sandbox.shop.models, server=server)
            assert "parked" not in server.err

    asyncio.run(scenario())
