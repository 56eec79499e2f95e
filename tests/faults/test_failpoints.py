"""A server that dies at any of its failpoints loses nothing and garbles nothing."""

import asyncio
import os
import random
import re
from pathlib import Path

import pytest

import eds_core
from acceptance.tables import differences, execute, rows
from eds_core.credentials import read_credentials
from eds_core.destination import find_driver
from eds_core.failpoints import POINTS
from eds_core.ledger import Checkpoint
from eds_core.sandbox import COMPANY, Sandbox, Shop
from faults.children import CRASHED, Crash, child

SEEDS = int(os.environ.get("EDS_TEST_KILLS") or 3)
EVENTS = 24
TABLES = ("order", "customer", "vehicle_owner")  # a reserved word, a composite key
AT_FAULT = "label"  # a table of the user's own, of the same name
POISON = f"dbchange.tag.INSERT.{COMPANY}.NONE.PUBLIC.1.poison"

NOBODYS = f"dbchange.none.INSERT.{'0' * 24}.NONE.PUBLIC.1.e"

#: How often a point is passed for sure; others once.
MOST = {
    "decode.before": EVENTS,
    "decode.after": EVENTS,
    "migrate.before": len(TABLES),
    "migrate.step": len(TABLES),
    "migrate.after": len(TABLES),
    "write.before": len(TABLES),
}


def test_every_failpoint_is_known_and_every_known_one_is_there():
    source = Path(eds_core.__file__).parent
    text = "".join(path.read_text() for path in source.rglob("*.py"))

    assert set(re.findall(r'reached\("([\w.]+)"\)', text)) == set(POINTS)


@pytest.fixture
def new_url(request, database, tmp_path):
    """Makes the URL of another empty database."""
    if database == "sqlite":
        numbers = iter(range(1_000_000))
        return lambda: f"sqlite:///{tmp_path / f'shop-{next(numbers)}.db'}"
    return request.getfixturevalue(database).new_database


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
@pytest.mark.survives(
    "The server dies at any of 18 failpoints",
    "os._exit at the n-th time it passes there",
    "the next one goes on where it stood",
)
def test_a_crash_at_any_failpoint_ends_equal(tmp_path, new_url, database, point):
    dice = random.Random()
    counts = [dice.randint(1, MOST.get(point, 1)) for _ in range(SEEDS)]

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for seed, count in enumerate(counts):
                crash = Crash(point, count)
                told = f"{database}, seed {seed}, {crash}"
                await survive(sandbox, new_url(), seed, crash, told)

    asyncio.run(scenario())


async def survive(sandbox, url, seed, crash, told):
    """Write what a shop does, with a crash in the middle; see that all is there."""
    shop = Shop(seed, [COMPANY], sandbox.models)
    before = await sandbox.publish_raw(
        f"dbchange.none.INSERT.{'0' * 24}.NONE.PUBLIC.1.e", b""
    )
    begin(url, before, read_credentials(sandbox.credentials).account)
    events = [*deeds(shop, random.Random(seed)), shop.insert(AT_FAULT)]
    await sandbox.publish_many(events, gzip_share=0.3)
    await sandbox.publish_raw(POISON, b"no JSON")

    command = ["server", "--creds", sandbox.credentials, "--server", sandbox.url, url]
    said = sandbox.directory / "said.txt"
    said.write_text("")
    with child(command, said, crash) as server:
        code = await asyncio.to_thread(server.ended, 20)
        assert code == CRASHED, f"{told}: {server.tail()}"
    with child(command, said) as server:
        await equals(url, shop, server, told)
        assert await asyncio.to_thread(server.stop) == 0, f"{told}: {server.tail()}"


def deeds(shop, dice):
    """Rows of a few tables come, change and go."""
    alive = []
    for table in TABLES:
        alive.append(event := shop.insert(table))
        yield event
    for _ in range(EVENTS - len(TABLES)):
        deed = dice.choice(["insert", "update", "update", "delete"])
        if deed == "insert" or not alive:
            alive.append(event := shop.insert(dice.choice(TABLES)))
            yield event
            continue
        row = dice.choice(alive)
        if deed == "delete":
            alive.remove(row)
            yield shop.delete(row.table, row.key)
        else:
            moment = f"2026-11-25T10:00:00.{dice.randrange(10**6):06d}Z"
            yield shop.update(row.table, row.key, {"updatedDate": moment})


def begin(url, sequence, account):
    """A destination that has everything up to *sequence*, and a table in the way."""
    driver = find_driver(url)(url)
    driver.open()
    driver.ledger.create()
    driver.ledger.establish(Checkpoint(COMPANY, sequence, 0, account, "dbchange", ""))
    driver.close()
    execute(url, f"CREATE TABLE {AT_FAULT} (other integer PRIMARY KEY)")


async def equals(url, shop, server, told):
    """Wait until *url* holds what the shop has, and what is wrong is told there."""
    expected = shop.state() | {AT_FAULT: {}}

    def wrong():
        found = [
            some
            for some in differences(url, expected, shop.models)
            if some != f"table {AT_FAULT} should not be there"
        ]
        parked = [row["table_name"] for row in rows(url, "SELECT * FROM _eds_parked")]
        if parked != [AT_FAULT]:
            found.append(f"parked: {parked}")
        subjects = [r["subject"] for r in rows(url, "SELECT * FROM _eds_quarantine")]
        if subjects != [POISON]:
            found.append(f"quarantined: {subjects}")
        return found

    loop = asyncio.get_running_loop()
    deadline = loop.time() + 30
    while found := await asyncio.to_thread(wrong):
        if loop.time() > deadline or server.code is not None:
            raise AssertionError(f"{told}: {found[:8]}\n{server.tail()}")
        await asyncio.sleep(0.05)
