"""Closes a nats-py client that reconnects by itself, and whatever it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from nats.aio.client import Client


async def disconnect(client: Client) -> None:
    """Close *client* for good, also while it reconnects.

    nats-py cancels its reconnecting only once; on Python 3.11 `asyncio.wait_for`
    may swallow that, and the client would connect again after it was closed. And a
    server lost while it reconnects makes it forget tasks, which then go on for ever.
    """
    # nats-py has no public name for it.
    while (task := client._reconnection_task) and not task.done():  # noqa: SLF001 - see above
        task.cancel()
        await asyncio.wait([task], timeout=0.1)
    await client.close()
    for forgotten in [*_tasks_of(client)]:
        forgotten.cancel()


def _tasks_of(client: Client) -> Iterator[asyncio.Task[object]]:
    """The tasks of *client* other than the one that asks."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        frame = getattr(task.get_coro(), "cr_frame", None)
        if frame is not None and frame.f_locals.get("self") is client:
            yield task
