"""A real server, from a real NATS into a DuckDB file, killed on the way."""

from __future__ import annotations

import asyncio
import signal
import sys

from eds_core.sandbox import Sandbox
from eds_driver_duckdb import DuckdbDriver

EVENTS = 600


async def started(sandbox, url):
    command = [sys.executable, "-m", "eds_core", "--creds", str(sandbox.credentials)]
    server = await asyncio.create_subprocess_exec(
        *command, "--server", sandbox.url, url, stderr=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(60):
        while b"ready" not in (line := await server.stderr.readline()):
            assert line, "the server has ended"
    return server


async def ended(server, number):
    """Send a signal, and read what is left of the log, so that it cannot block."""
    server.send_signal(number)
    log = (await server.communicate())[1].decode()
    assert "Traceback" not in log
    return server.returncode


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
                server = await started(sandbox, url)
                await sandbox.run_shop(events=EVENTS // 3)
                await ended(server, signal.SIGKILL)
            state = sandbox.shop.state()
            wanted = {table: set(rows) for table, rows in state.items()}
            async with asyncio.timeout(120):
                while keys(url, wanted, sandbox.shop.models) != wanted:
                    server = await started(sandbox, url)
                    await asyncio.sleep(1)  # it has to do something before it is asked
                    assert await ended(server, signal.SIGTERM) == 0
            return wanted

    wanted = asyncio.run(scenario())

    assert sum(map(len, wanted.values())) > 0
