"""A real server, from a real NATS into a lake, killed on the way."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import PIPE

import duckdb
import pytest

from eds_core.sandbox import EdsServer, Sandbox
from eds_core.sandbox.exports import write_export
from eds_driver_parquet import latest

EVENTS = 600
CRASHED = 86
#: What EDS and the driver do on the way from a batch to the next: audit events of
#: Python, what the first argument has to hold, and the time at which it dies there.
PLACES = (
    ("eds.checkpoint.after", "", 2),
    ("eds.commit.before", "", 3),
    ("os.rename", ".parquet.tmp", 1),  # a file is written, and not yet seen
    ("os.rename", ".parquet.tmp", 9),
    ("open", "eds_date=", 2),  # a file is seen, and the position has not moved
    ("open", "eds_date=", 12),
    ("eds.commit.after", "", 2),
)
DIES = """
import os, sys
event, words, left = sys.argv.pop(1), sys.argv.pop(1), [int(sys.argv.pop(1))]
def die(name, arguments):
    if name == event and words in str(arguments[:1]):
        left[0] -= 1
        if left[0] == 0:
            os._exit(86)
sys.addaudithook(die)
from eds_core.cli.main import main
main()
"""


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
            # The sandbox lives in this loop: what blocks it, blocks the server.
            while await asyncio.to_thread(keys, place, table, names) != set(rows):  # noqa: ASYNC110 - files cannot be waited for
                await asyncio.sleep(0.2)
    assert any(state.values())


async def caught_up(sandbox, url, place):
    """A server that nothing disturbs gets all."""
    async with EdsServer(sandbox, url) as server:
        await equal(place, sandbox)
        assert await server.end() == 0
    assert "Traceback" not in server.log


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
                async with EdsServer(sandbox, url) as server:
                    await sandbox.run_shop(events=EVENTS // 3)
                    await server.end(signal.SIGKILL)
                assert "Traceback" not in server.log
            await caught_up(sandbox, url, place)

    asyncio.run(scenario())


def test_whoever_dies_on_the_way_of_a_batch_loses_nothing(url, place, tmp_path):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            for dies in PLACES:
                program = ("-c", DIES, *map(str, dies))
                async with EdsServer(sandbox, url, program=program) as server:
                    while server.code is None:
                        await sandbox.run_shop(events=20)
                        await asyncio.sleep(0.1)  # until it is seen that it has ended
                assert server.code == CRASHED
            await caught_up(sandbox, url, place)

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
            async with EdsServer(sandbox, url) as server:
                await sandbox.run_shop(events=EVENTS // 2)
                await equal(place, sandbox)
                assert await server.end() == 0

    asyncio.run(scenario())
