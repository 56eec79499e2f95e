"""`eds apply` that dies at any of its failpoints is given again, and ends equal."""

import asyncio

import pytest

from acceptance.harness import shop_is_at, streaming, until
from acceptance.tables import rows
from eds_core.failpoints import POINTS
from faults.children import CRASHED, Crash, child
from faults.crashing import PATIENCE
from faults.destinations import OnMariadb, OnPostgres, OnSqlite

OF_AN_APPLY = [
    *(point for point in POINTS if point.startswith("apply.")),
    *("migrate.begun", "migrate.step", "migrate.recorded"),
]
TABLES = ("brand", "vendor")
REVIEW = ("--schema-changes", "review")


async def ends(sandbox, code, command, crash=None):
    said = sandbox.directory / "said.txt"
    said.write_text("")
    with child(command, said, crash) as running:
        found = await asyncio.to_thread(running.ended, PATIENCE)
        assert found == code, running.tail()


class Crashes:
    @pytest.mark.timeout(300)
    @pytest.mark.parametrize("point", OF_AN_APPLY)
    @pytest.mark.survives(
        "`eds apply` dies at any of its failpoints, while the server runs",
        "os._exit at the first of two tables that wait",
        "given again, it goes on where it stood",
    )
    def test_apply_that_dies_is_given_again_and_ends_equal(
        self, tmp_path, new_url, point
    ):
        url = new_url()

        async def scenario():
            async with streaming(tmp_path, url, args=REVIEW) as (sandbox, server):
                for table in TABLES:
                    await sandbox.publish(sandbox.shop.insert(table))
                await server.says("go on: brand, vendor.")
                apply = ("apply", "--yes", url)
                await ends(sandbox, CRASHED, apply, Crash(point, 1))
                await ends(sandbox, 0, apply)
                await shop_is_at(url, sandbox, server=server)
                parked = "SELECT * FROM _eds_parked"
                await until(lambda: rows(url, parked) == [], 20, server.tail)
                await ends(sandbox, 0, ("plan", url))

        asyncio.run(scenario())


class TestSqlite(OnSqlite, Crashes):
    pass


class TestPostgres(OnPostgres, Crashes):
    pass


class TestMariadb(OnMariadb, Crashes):
    pass
