"""What failed is not kept in memory."""

import asyncio
import gc
import logging
from contextlib import asynccontextmanager

import psycopg

from acceptance.harness import shop_is_at, until
from eds_core.sandbox import Sandbox
from eds_core.server import Server, ServerOptions
from eds_core.work import Work

WAITING = "SELECT pid FROM pg_locks WHERE NOT granted"
END = f"SELECT pg_terminate_backend(pid) FROM ({WAITING}) AS waiting"


@asynccontextmanager
async def streaming(sandbox, url):
    """A server in this process, where its objects can be counted."""
    ready = asyncio.Event()
    options = ServerOptions(sandbox.credentials, (url,), servers=(sandbox.url,))
    server = Server(options, on_ready=ready.set, signals=False)
    running = asyncio.create_task(server.run())
    try:
        await asyncio.wait_for(ready.wait(), 60)
        yield
    finally:
        server.stop()
        await running


def works():
    return sum(type(found) is Work for found in gc.get_objects())


def test_a_batch_that_failed_is_not_kept(tmp_path, postgres_url, monkeypatch):
    # pytest keeps what is logged, and the errors in it.
    monkeypatch.setattr(logging.getLogger("eds"), "propagate", False)

    gc.collect()
    others = works()  # other tests are made with some

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, streaming(sandbox, postgres_url):
            shop = sandbox.shop
            await sandbox.publish(shop.insert("label"))
            await shop_is_at(postgres_url, sandbox)
            gc.collect()
            gc.disable()  # it comes when it likes: here, never
            with (
                psycopg.connect(postgres_url, autocommit=True) as other,
                psycopg.connect(postgres_url) as user,
            ):
                user.execute('LOCK TABLE "label"')
                await sandbox.publish_many(shop.insert("label") for _ in range(9))
                await until(lambda: other.execute(WAITING).fetchall(), 60)
                other.execute(END)
            await shop_is_at(postgres_url, sandbox)
            await until(lambda: works() <= others, 20)

    try:
        asyncio.run(scenario())
    finally:
        gc.enable()
