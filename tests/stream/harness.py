"""A sandbox, a feed that reads from it, and what the feed has handed on."""

import asyncio
import gc
import time
from contextlib import asynccontextmanager

from eds_core.event import Message
from eds_core.sandbox import Sandbox, disconnect
from eds_core.stream import Connection, Feed, Gap, Heartbeat, Settings

A = "aaaaaaaaaaaaaaaaaaaaaaaa"
B = "bbbbbbbbbbbbbbbbbbbbbbbb"
C = "cccccccccccccccccccccccc"


def in_sandbox(directory, scenario, companies=(A, B), **options):
    """Run *scenario*; whatever goes wrong in the background fails the test."""

    async def run():
        troubles = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: troubles.append(context))
        before = asyncio.all_tasks()
        async with Sandbox(directory, companies, **options) as sandbox:
            result = await scenario(sandbox)
        await soon(lambda: not left(before), lambda: left(before))
        gc.collect()
        assert not troubles, troubles
        return result

    def left(before):
        return asyncio.all_tasks() - before - {asyncio.current_task()}

    return asyncio.run(run())


async def soon(condition, what="it", seconds=10.0):
    """Wait until *condition* is true; tell how long that took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            why = what() if callable(what) else what
            raise AssertionError(f"not within {seconds} s: {why}")
        await asyncio.sleep(0.01)
    return time.monotonic() - began


class Reader:
    """A sink that keeps what it gets, and gives its bytes back at once."""

    def __init__(self, feed, *, releases=True):
        self.feed = feed
        self.releases = releases
        self.items = []
        self.bytes = 0

    def __call__(self, items):
        self.items.extend(items)
        size = sum(item.size for item in items if isinstance(item, Message))
        self.bytes += size
        if self.releases:
            asyncio.get_running_loop().call_soon(self.feed.pool.release, size)

    def of(self, kind):
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def messages(self):
        return self.of(Message)

    @property
    def sequences(self):
        return [message.sequence for message in self.messages]

    @property
    def gaps(self):
        return self.of(Gap)

    @property
    def heartbeats(self):
        return [heartbeat.sequence for heartbeat in self.of(Heartbeat)]

    async def has(self, count, seconds=10.0):
        """Wait for *count* messages."""
        await soon(lambda: len(self.messages) >= count, f"{count} messages", seconds)

    def follow(self, company=A, after=0, **options):
        return self.feed.follow(company, self, after=after, **options)


def settings(sandbox, credentials=None, **options):
    return Settings((sandbox.url,), credentials or sandbox.credentials, **options)


@asynccontextmanager
async def feeding(sandbox, prefix="", **options):
    feed = Feed(settings(sandbox, **options), prefix)
    await feed.open()
    try:
        yield feed
    finally:
        await feed.close()
    assert not feed.pool.accounts


@asynccontextmanager
async def connected(sandbox, **options):
    connection = Connection(settings(sandbox, **options))
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def service(sandbox):
    """JetStream with all permissions."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        yield client.jetstream()
    finally:
        await disconnect(client)


def subject(company=A, table="order"):
    return f"dbchange.{table}.INSERT.{company}.NONE.PUBLIC.1.e"


async def publish(sandbox, companies, size=10):
    """Publish a message for each of *companies*; return the sequences."""
    messages = [(subject(company), b"x" * size, {}) for company in companies]
    return await sandbox.publisher.publish_many(messages, 1000)


async def consumers(sandbox):
    async with service(sandbox) as jetstream:
        return await jetstream.consumers_info("dbchange")


async def purge(sandbox, before):
    """Remove all messages before the sequence."""
    async with service(sandbox) as jetstream:
        await jetstream.purge_stream("dbchange", seq=before)
