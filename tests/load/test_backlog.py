"""A backlog of small events is drained at one go, and memory does not grow with it."""

import asyncio
import re
from contextlib import closing
from itertools import cycle, islice
from pathlib import Path

import pytest

from acceptance.harness import serving, shop_is_at, starting
from acceptance.tables import connect
from eds_core.sandbox import Sandbox

EVENTS = 60_000
ROWS = 500
MOST = 180  # MiB; the bytes under way are bounded, and so is what is made of them


def changes(shop):
    """Rows that are changed for ever, each in its turn."""
    rows = [shop.insert("brand") for _ in range(ROWS)]
    yield from rows
    for row in cycle(rows):
        yield shop.update("brand", row.key, {})


def peak(pid):
    """The most memory that a process ever held, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) // 1024


def test_a_backlog_is_drained_at_one_go(tmp_path, url, record_property):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            await sandbox.publish_many(islice(changes(sandbox.shop), EVENTS))
            args = ("--consumer-start-time", "1h")
            with starting(sandbox, url, args=args) as server:
                await server.ready(60)
                await shop_is_at(url, sandbox, 120 + EVENTS / 1000, server)
                return peak(server.pid)

    most = asyncio.run(scenario())
    record_property("peak", most)

    assert most < MOST


async def no_longer_grows(pid):
    """Wait until a process has held no more memory than before for two seconds."""
    same, before = 0, 0
    while same < 4:
        await asyncio.sleep(0.5)
        now = peak(pid)
        same, before = (same + 1 if now == before else 0), now


@pytest.mark.survives(
    "More comes than can be written",
    "60,000 events while another program locks the database",
    "most of it stays in the stream; memory is bounded",
)
def test_a_backlog_that_cannot_be_written_stays_in_the_stream(tmp_path, sqlite_url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, sqlite_url) as server:
            await sandbox.publish(sandbox.shop.insert("label"))
            await shop_is_at(sqlite_url, sandbox, server=server)
            with closing(connect(sqlite_url)) as other:
                other.execute("BEGIN IMMEDIATE")
                await sandbox.publish_many(islice(changes(sandbox.shop), EVENTS))
                await no_longer_grows(server.pid)
                other.execute("ROLLBACK")
            await shop_is_at(sqlite_url, sandbox, 120 + EVENTS / 1000, server)
            return peak(server.pid)

    most = asyncio.run(scenario())
    assert most < MOST
