"""A real server, from a real NATS into a DuckDB file, killed on the way."""

from __future__ import annotations

import asyncio
import signal

from eds_core.sandbox import EdsServer, Sandbox
from eds_driver_duckdb import DuckdbDriver

EVENTS = 600


def keys(url, expected, models):
    """The keys that the file has of each table that is expected."""
    driver = DuckdbDriver(url)
    driver.read_only = True
    driver.open()
    try:
        found = {}
        for table in expected:
            names = models[table].keys
            columns = ", ".join(map(driver.session.quote, names))
            place = driver.session.quote_table(table)
            if not driver.columns(table):
                found[table] = set()
                continue
            with driver.session.reading(), driver.session.cursor() as cursor:
                cursor.execute(f"SELECT {columns} FROM {place}")
                found[table] = {tuple(map(str, row)) for row in cursor.fetchall()}
        return found
    finally:
        driver.close()


def test_kill_9_while_streaming_loses_nothing(tmp_path):
    url = f"duckdb:///{tmp_path / 'shop.duckdb'}"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for _ in range(3):
                async with EdsServer(sandbox, url) as server:
                    await sandbox.run_shop(events=EVENTS // 3)
                    await server.end(signal.SIGKILL)
                assert "Traceback" not in server.log
            state, models = sandbox.shop.state(), sandbox.shop.models
            wanted = {table: set(rows) for table, rows in state.items()}
            async with asyncio.timeout(120):
                # The sandbox lives in this loop: what blocks it, blocks the server.
                while await asyncio.to_thread(keys, url, wanted, models) != wanted:
                    async with EdsServer(sandbox, url) as server:
                        await asyncio.sleep(1)  # it has to do something first
                        assert await server.end() == 0
                    assert "Traceback" not in server.log
            return wanted

    wanted = asyncio.run(scenario())

    assert sum(map(len, wanted.values())) > 0
