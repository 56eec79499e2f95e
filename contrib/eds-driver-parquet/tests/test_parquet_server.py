"""A real server, from a real NATS into a lake, killed on the way."""

from __future__ import annotations

import asyncio
import signal
import sys

import duckdb

from eds_core.sandbox import Sandbox
from eds_driver_parquet import latest

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


def keys(place, table, names):
    """The keys that the lake has of *table*, by the README's query."""
    if not any((place / table).rglob("*.parquet")):
        return set()
    query = latest(f"{place}/{table}/*/*.parquet", names)
    columns = ", ".join(f'"{name}"' for name in names)
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT {columns} FROM ({query})").fetchall()
    return {tuple(map(str, row)) for row in rows}


def test_kill_9_while_streaming_loses_nothing(tmp_path):
    place = tmp_path / "lake"
    place.mkdir()
    url = f"file://{place}"

    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for _ in range(3):
                server = await started(sandbox, url)
                await sandbox.run_shop(events=EVENTS // 3)
                await ended(server, signal.SIGKILL)
            state = sandbox.shop.state()
            server = await started(sandbox, url)
            async with asyncio.timeout(120):
                for table, rows in state.items():
                    names = sandbox.shop.models[table].keys
                    while keys(place, table, names) != set(rows):  # noqa: ASYNC110 - files cannot be waited for
                        await asyncio.sleep(0.2)
            assert await ended(server, signal.SIGTERM) == 0
            return state

    assert any(asyncio.run(scenario()).values())
