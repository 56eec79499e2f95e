"""A destination that costs by the commit gets its changes together, and in time."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest

from acceptance.harness import until
from acceptance.tables import value
from eds_core import intake
from eds_core.driver import hookimpl
from eds_core.sandbox import Sandbox
from eds_core.server import Exit, Server, ServerOptions


class Commits:
    """How many events each transaction had, and when it was over."""

    def __init__(self):
        self.seen = []

    @hookimpl
    def batch_written(self, report):
        self.seen.append((report.events, time.monotonic()))

    @property
    def sizes(self):
        return [events for events, _ in self.seen]


@asynccontextmanager
async def sparing(directory, url, freshness):
    """A sandbox, and a server whose destination asks for *freshness* seconds."""
    async with Sandbox(directory) as sandbox:
        ready, commits = asyncio.Event(), Commits()
        options = ServerOptions(sandbox.credentials, (url,), (sandbox.url,))
        server = Server(options, [commits], ready.set, signals=False)
        server._destinations[0].driver.freshness = freshness
        running = asyncio.create_task(server.run())
        await ready.wait()
        try:
            yield sandbox, commits, server
        finally:
            server.stop()
            assert await running == Exit.OK


def brands(sandbox, count):
    return [sandbox.shop.insert("brand") for _ in range(count)]


def test_a_lone_event_waits_no_longer_than_it_may(tmp_path, sqlite_url):
    async def scenario():
        async with sparing(tmp_path, sqlite_url, 2) as (sandbox, commits, _):
            (event,) = brands(sandbox, 1)
            published = time.monotonic()
            await sandbox.publish(event)
            await until(lambda: commits.seen, 10)
            return commits.seen[0][1] - published

    assert 1.9 <= asyncio.run(scenario()) < 4


def test_events_that_come_meanwhile_go_together(tmp_path, sqlite_url):
    async def scenario():
        async with sparing(tmp_path, sqlite_url, 1.5) as (sandbox, commits, _):
            for event in brands(sandbox, 5):
                await sandbox.publish(event)
                await asyncio.sleep(0.1)
            await until(lambda: commits.seen, 10)
            return commits.sizes

    assert asyncio.run(scenario()) == [5]


def test_a_batch_at_its_limits_does_not_wait(tmp_path, sqlite_url, monkeypatch):
    monkeypatch.setattr("eds_core.gathering.MAX_EVENTS", 20)

    async def scenario():
        async with sparing(tmp_path, sqlite_url, 60) as (sandbox, commits, _):
            await sandbox.publish_many(brands(sandbox, 20))
            await until(lambda: sum(commits.sizes) == 20, 10)

    asyncio.run(scenario())
    assert intake.MAX_EVENTS > 20


@pytest.mark.parametrize("events", [1, 30])
def test_stopping_writes_what_was_made_to_wait(tmp_path, sqlite_url, events):
    async def scenario():
        async with sparing(tmp_path, sqlite_url, 60) as (sandbox, commits, server):
            await sandbox.publish_many(brands(sandbox, events))
            waiting = server._pipelines[0]._intake
            await until(lambda: waiting.waiting == events, 10)
            await asyncio.sleep(0.5)  # the table's schema has been asked for by now
            assert commits.seen == []
        return commits.sizes

    assert asyncio.run(scenario()) == [events]
    assert value(sqlite_url, "SELECT count(*) FROM brand") == events
