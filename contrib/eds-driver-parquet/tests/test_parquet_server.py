"""A real server, from a real NATS into a lake, killed on the way."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE

import duckdb
import pytest

from eds_core.sandbox import Sandbox
from eds_core.sandbox.exports import write_export
from eds_driver_parquet import latest

EVENTS = 600


async def started(sandbox, url):
    command = [sys.executable, "-m", "eds_core", "--creds", str(sandbox.credentials)]
    server = await asyncio.create_subprocess_exec(
        *command, "--server", sandbox.url, url, stderr=PIPE
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


async def equal(place, sandbox):
    """Wait until the lake has the shop's keys, and no others."""
    state = sandbox.shop.state()
    async with asyncio.timeout(120):
        for table, rows in state.items():
            names = sandbox.shop.models[table].keys
            while keys(place, table, names) != set(rows):  # noqa: ASYNC110 - files cannot be waited for
                await asyncio.sleep(0.2)
    assert any(state.values())


@pytest.fixture
def url(place):
    return f"file://{place}?freshness=0"


@pytest.fixture
def place(tmp_path):
    made = tmp_path / "lake"
    made.mkdir()
    return made


def test_kill_9_while_streaming_loses_nothing(url, place, tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for _ in range(3):
                server = await started(sandbox, url)
                await sandbox.run_shop(events=EVENTS // 3)
                await ended(server, signal.SIGKILL)
            server = await started(sandbox, url)
            await equal(place, sandbox)
            assert await ended(server, signal.SIGTERM) == 0

    asyncio.run(scenario())


async def imported(sandbox, directory, url):
    """Run an import to its end."""
    command = [sys.executable, "-m", "eds_core", "import"]
    command += ["--creds", str(sandbox.credentials), "--server", sandbox.url]
    run = await asyncio.create_subprocess_exec(
        *command, str(directory), url, stdout=PIPE, stderr=PIPE
    )
    _, log = await run.communicate()
    assert run.returncode == 0, log.decode()


def test_an_import_done_twice_and_the_stream_end_equal(url, place, tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.run_shop(events=EVENTS // 2)
            state = sandbox.shop.state()
            write_export(state, tmp_path / "export", state, time.time_ns())
            for _ in range(2):
                await imported(sandbox, tmp_path / "export", url)
            server = await started(sandbox, url)
            await sandbox.run_shop(events=EVENTS // 2)
            await equal(place, sandbox)
            assert await ended(server, signal.SIGTERM) == 0

    asyncio.run(scenario())
