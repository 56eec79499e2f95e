"""What a user does to the tables while a server streams into them."""

import asyncio

import pytest

from acceptance.harness import eds, equal, serving, shop_is_at, starting, until
from acceptance.tables import execute, rows, table_names, value
from eds_core.sandbox import Sandbox, fold
from faults.story import POISON

TABLE = "brand"
SO_MANY = 75  # events: more than could be bad rows by chance


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def url(request):
    """The URL of an empty destination, of each kind in turn."""
    return request.getfixturevalue(f"{request.param}_url")


async def publish(sandbox, count):
    """Rows of three tables in turn; the events of the one that it is about."""
    names = [(TABLE, "vendor", "order")[number % 3] for number in range(count)]
    events = [sandbox.shop.insert(name) for name in names]
    await sandbox.publish_many(events)
    return [event for event in events if event.table == TABLE]


async def others_arrive(url, sandbox, server):
    others = {name: sandbox.shop.state()[name] for name in ("vendor", "order")}

    def arrived():
        return all(
            value(url, f'SELECT count(*) FROM "{name}"') == len(there)
            for name, there in others.items()
        )

    await until(arrived, 30, server.tail)


async def is_mended(url, sandbox, server):
    """What was parked is read again; single rows were perhaps set aside before."""
    await eds(sandbox, "resume", TABLE, url)
    await eds(sandbox, "quarantine", "retry", url, "--all")
    await shop_is_at(url, sandbox, server=server)
    state = f"SELECT state FROM _eds_status WHERE table_name = '{TABLE}'"
    await until(lambda: value(url, state) == "ok", 20, server.tail)


@pytest.mark.survives(
    "A user drops a table",
    "DROP TABLE, while the shop works on",
    "it is made again with the next event; an import brings the older rows back",
)
def test_a_table_that_is_dropped_comes_back(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            await publish(sandbox, 30)
            await shop_is_at(url, sandbox, server=server)
            execute(url, f"DROP TABLE {TABLE}")
            later = await publish(sandbox, 30)
            expected = sandbox.shop.state() | fold(later)
            await equal(url, expected, sandbox.shop.models, server=server)
            assert "parked" not in server.err

    asyncio.run(scenario())


@pytest.mark.survives(
    "A user drops a column",
    "ALTER TABLE ... DROP COLUMN, while the shop works on",
    "it is added again with the next event; an import brings the older values back",
)
def test_a_column_that_is_dropped_comes_back(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            before = {event.key[0] for event in await publish(sandbox, 30)}
            await shop_is_at(url, sandbox, server=server)
            execute(url, f"ALTER TABLE {TABLE} DROP COLUMN name")
            await publish(sandbox, 30)
            await others_arrive(url, sandbox, server)
            count = f"SELECT count(*) FROM {TABLE}"
            await until(lambda: value(url, count) == 20, 20, server.tail)
            return before, rows(url, f"SELECT id, name FROM {TABLE}"), server.err

    before, found, told = asyncio.run(scenario())

    assert {row["id"] for row in found if row["name"] is None} == before
    assert "parked" not in told


#: By a URL's scheme: how a column is given a type that no value of it fits, and back.
RETYPED = {
    "sqlite": (
        f"ALTER TABLE {TABLE} RENAME TO kept",
        f"CREATE TABLE {TABLE} (id TEXT PRIMARY KEY NOT NULL, name INTEGER) STRICT",
    ),
    "postgresql": (f"ALTER TABLE {TABLE} ALTER name TYPE date USING NULL",),
    "mariadb": (f"ALTER TABLE {TABLE} MODIFY name DATE",),
}
TYPED_BACK = {
    "sqlite": (f"DROP TABLE {TABLE}", f"ALTER TABLE kept RENAME TO {TABLE}"),
    "postgresql": (f"ALTER TABLE {TABLE} ALTER name TYPE text",),
    "mariadb": (f"ALTER TABLE {TABLE} MODIFY name LONGTEXT",),
}


@pytest.mark.survives(
    "A user changes a column's type",
    "to one that no value fits (SQLite: a STRICT table), and back",
    "that table is parked, the others go on; `eds resume` continues it without loss",
)
def test_a_column_of_another_type_parks_its_table_alone(tmp_path, url):
    scheme = url.partition(":")[0]

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            for event in await publish(sandbox, 30):  # so that no value is there
                await sandbox.publish(sandbox.shop.delete(TABLE, event.key))
            await shop_is_at(url, sandbox, server=server)
            execute(url, *RETYPED[scheme])
            await publish(sandbox, SO_MANY)
            await server.says(f"table {TABLE} is parked", 30)
            await others_arrive(url, sandbox, server)
            execute(url, *TYPED_BACK[scheme])
            await is_mended(url, sandbox, server)

    asyncio.run(scenario())


@pytest.mark.survives(
    "A privilege is revoked",
    "on one table, and given back",
    "that table is parked, the others go on; `eds resume` continues it without loss",
)
def test_a_privilege_that_is_revoked_parks_its_table_alone(tmp_path, victim):
    url = victim.login("first")

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            await publish(sandbox, 30)
            await shop_is_at(url, sandbox, server=server)
            await asyncio.to_thread(victim.revoke, TABLE)
            await publish(sandbox, SO_MANY)
            await server.says(f"table {TABLE} is parked", 30)
            await others_arrive(url, sandbox, server)
            await asyncio.to_thread(victim.give_back, TABLE)
            await is_mended(url, sandbox, server)
            assert "quarantined" not in server.err, server.tail()

    asyncio.run(scenario())


@pytest.mark.parametrize("name", ["quarantine", "parked", "status", "tombstone"])
@pytest.mark.survives(
    "A user drops one of EDS's own tables",
    "DROP TABLE, while the shop works on",
    "it is made again, empty; the position is kept, nothing stops",
)
def test_one_of_our_own_tables_that_is_dropped_is_made_again(tmp_path, url, name):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            await sandbox.run_shop(events=60)
            await shop_is_at(url, sandbox, server=server)
            execute(url, f"DROP TABLE _eds_{name}")
            await sandbox.run_shop(events=60)
            await sandbox.publish_raw(POISON, b"no JSON")
            await shop_is_at(url, sandbox, server=server)
            kept = "SELECT count(*) FROM _eds_quarantine"
            await until(lambda: has(url, "quarantine") and value(url, kept), 20)
            await until(lambda: has(url, name), 20, server.tail)

    asyncio.run(scenario())


def has(url, name):
    return f"_eds_{name}" in table_names(url)


@pytest.mark.survives(
    "A user drops the table of positions",
    "DROP TABLE _eds_checkpoint, while the shop works on",
    "it stops with words: where it stood cannot be known any more",
)
def test_a_position_that_is_dropped_stops_with_words(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as server:
                await server.ready()
                await sandbox.run_shop(events=60)
                await shop_is_at(url, sandbox, server=server)
                execute(url, "DROP TABLE _eds_checkpoint")
                await sandbox.run_shop(events=60)
                assert await server.ended(30) == 1, server.tail()
                assert "checkpoint" in server.err.splitlines()[-1]

    asyncio.run(scenario())
