"""One event at a time: what the old Go server did, as the denominator.

Fetch one, SELECT, INSERT or UPDATE with bound parameters, commit, acknowledge and
wait for the answer. All values are bound as text, which is the fastest of such
ways on PostgreSQL, and the decoder and the client are those of everyday Python:
it is no caricature, and no measure of the Go server itself.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Mapping

from nats.aio.msg import Msg

from bench.plain import Plain, plain
from bench.rounds import Run
from eds_core.sandbox import Model, Sandbox, disconnect

PREFIX = "naive_"
GZIP = b"\x1f\x8b"  # how a packed event begins


async def run_naive(
    sandbox: Sandbox, url: str, models: Mapping[str, Model], events: int
) -> Run:
    """Apply the stream's first *events*, to tables like those that EDS has made."""
    client = await sandbox.connect(sandbox.directory / "service.creds")
    try:
        with plain(url) as tables:
            for name in models:
                tables.make_like(name, PREFIX + name)
            jetstream = client.jetstream()
            name = f"naive-{time.monotonic_ns()}"
            subscription = await jetstream.pull_subscribe("dbchange.>", durable=name)
            own, started = time.process_time(), time.perf_counter()
            for _ in range(events):
                (message,) = await subscription.fetch(1)
                apply(tables, models, message)
                await message.ack_sync()
            seconds = time.perf_counter() - started
            await jetstream.delete_consumer("dbchange", name)
            return Run(events, seconds, {"naive": time.process_time() - own})
    finally:
        await disconnect(client)


def apply(tables: Plain, models: Mapping[str, Model], message: Msg) -> None:
    data = message.data
    event = json.loads(gzip.decompress(data) if data[:2] == GZIP else data)
    name, mark = tables.quoted(PREFIX + event["table"]), tables.mark
    key = event["key"][-1]
    if event["operation"] == "DELETE":
        tables.run(f"DELETE FROM {name} WHERE id = {mark}", (key,))
        tables.commit()
        return
    after = event["after"]
    columns = [c for c in models[event["table"]].columns if c.name in after]
    names = [tables.quoted(column.name) for column in columns]
    values = [tables.bind(after[column.name], column) for column in columns]
    if tables.run(f"SELECT 1 FROM {name} WHERE id = {mark}", (key,)):
        some = ", ".join(f"{column} = {mark}" for column in names)
        tables.run(f"UPDATE {name} SET {some} WHERE id = {mark}", (*values, key))
    else:
        marks = ", ".join([mark] * len(names))
        some = ", ".join(names)
        tables.run(f"INSERT INTO {name} ({some}) VALUES ({marks})", tuple(values))
    tables.commit()
