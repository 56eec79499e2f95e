"""Owners that hang, and companies that have nothing to say for a long time."""

import asyncio
import signal
from contextlib import asynccontextmanager

import pytest

from acceptance.harness import STRANGER, equal, serving, shop_is_at, starting, until
from acceptance.tables import value
from eds_core import pipeline
from eds_core.sandbox import COMPANY, Sandbox, fold
from eds_core.server import Exit, Server, ServerOptions
from eds_core.stream import consumer
from faults.test_stream import SEQ

KEPT = 2  # seconds for which the stream keeps messages


@pytest.mark.survives(
    "A server hangs, and another one takes over",
    "SIGSTOP with events before it, the other started, then SIGCONT",
    "the other writes at once; who comes back writes nothing and ends with exit code 4",
)
def test_an_owner_that_hung_is_fenced_when_it_comes_back(tmp_path, url):
    async def scenario():
        async with Sandbox(tmp_path) as sandbox:
            with starting(sandbox, url) as hung:
                await hung.ready()
                await sandbox.run_shop(events=60)
                await shop_is_at(url, sandbox, server=hung)
                hung.send(signal.SIGSTOP)
                await sandbox.run_shop(events=60)
                async with serving(sandbox, url) as newer:
                    await shop_is_at(url, sandbox, server=newer)
                    hung.send(signal.SIGCONT)
                    assert await hung.ended() == 4
                    assert f"process {newer.pid}" in hung.err
                    await sandbox.run_shop(events=60)
                    await shop_is_at(url, sandbox, server=newer)

    asyncio.run(scenario())


@asynccontextmanager
async def following_closely(sandbox, url, credentials):
    """A server that follows an idle stream ten times a second, not once a minute."""
    ready = asyncio.Event()
    options = ServerOptions(credentials, (url,), (sandbox.url,))
    server = Server(options, on_ready=ready.set, signals=False)
    running = asyncio.create_task(server.run())
    await ready.wait()
    yield
    server.stop()
    assert await running == Exit.OK


@pytest.mark.survives(
    "A company is idle for longer than the stream keeps messages",
    "a stream that keeps them for 2 seconds, and another company that is busy",
    "its position follows the stream: at the next start nothing is missing",
)
def test_an_idle_company_has_no_gap(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setattr(pipeline, "_IDLE_MOVE_EVERY", 0.1)
    monkeypatch.setattr(consumer, "HEARTBEAT", 0.2)
    kept = {"max_age": KEPT}

    async def scenario():
        async with Sandbox(
            tmp_path, (COMPANY, STRANGER), stream_config=kept
        ) as sandbox:
            mine = sandbox.issue([COMPANY])
            first = sandbox.shop.insert("brand", company=COMPANY)
            async with following_closely(sandbox, sqlite_url, mine):
                await sandbox.publish(first)
                last = await others(sandbox, seconds=2 * KEPT)
                await until(lambda: value(sqlite_url, SEQ) == last)
            await asyncio.sleep(2 * KEPT)
            second = sandbox.shop.insert("brand", company=COMPANY)
            async with serving(sandbox, sqlite_url, credentials=mine) as server:
                await sandbox.publish(second)
                models = sandbox.shop.models
                await equal(sqlite_url, fold([first, second]), models, server=server)
                return server.err

    assert "are gone from the stream" not in asyncio.run(scenario())


async def others(sandbox, seconds):
    """Events of the other company, for so long; the last one's sequence."""
    last = 0
    for _ in range(seconds * 10):
        event = sandbox.shop.insert("brand", company=STRANGER)
        last = await sandbox.publish(event)
        await asyncio.sleep(0.1)
    return last
