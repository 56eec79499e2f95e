"""Every kind of poison in one stream of good events; memory stays bounded."""

import asyncio
import gzip
import json
import re
import zlib
from pathlib import Path

import msgspec
import pytest

from acceptance.harness import serving, until
from acceptance.tables import rows, table_names, value
from eds_core.sandbox import Sandbox, message_headers

ORDERS = 'SELECT count(*) FROM "order"'
MEGABYTE = 1 << 20
MOST_MEMORY = (
    900 * MEGABYTE
)  # the bytes under way are bounded, and so is what is made of them


def with_member(event, name, raw):
    """The payload of *event* with *name* (dotted) set to the JSON text *raw*."""
    body = json.loads(event.payload)
    outer, _, inner = name.rpartition(".")
    (body[outer] if outer else body)[inner] = "@HERE@"
    return json.dumps(body).encode().replace(b'"@HERE@"', raw)


def without(event, name):
    body = json.loads(event.payload)
    del body[name]
    return json.dumps(body).encode()


def bomb(size):
    """*size* MB of blanks in a few kilobytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b" " * MEGABYTE) for _ in range(size)]
    return b"".join([*parts, packer.flush()])


def wide(event):
    after = {"id": event.key[0]} | {f"column_{n}": n for n in range(10_000)}
    return with_member(
        event, "after", json.dumps({"id": event.key[0], **after}).encode()
    )


#: What each poison makes of an INSERT into `customer`.
QUARANTINED = {
    "broken JSON": lambda e: e.payload[:-7],
    "nothing": lambda _: b"",
    "no object": lambda _: b'["an", "array"]',
    "a number": lambda _: b"42",
    "invalid UTF-8": lambda e: e.payload.replace(b'"operation"', b'"\xff\xfe"'),
    "truncated gzip": lambda e: gzip.compress(e.payload)[:-5],
    "damaged gzip": lambda e: gzip.compress(e.payload)[:20] + b"\0" * 60,
    "a gzip bomb of 800 MB": lambda _: bomb(800),
    "broken msgpack": lambda e: msgspec.msgpack.encode(json.loads(e.payload))[:-9],
    "no key": lambda e: without(e, "key"),
    "an empty key": lambda e: with_member(e, "key", b"[]"),
    "an object for a key": lambda e: with_member(e, "key", b'{"id": 1}'),
    "nulls for a key": lambda e: with_member(e, "key", b"[null]"),
    "another row's key": lambda e: with_member(e, "key", b'["somebody else"]'),
    "a key of 100 KB": lambda e: with_member(
        e, "key", json.dumps(["k" * 100_000]).encode()
    ),
    "a row that is a list": lambda e: with_member(e, "after", b"[1]"),
    "no row": lambda e: without(e, "after"),
    "no version": lambda e: with_member(e, "mvccTimestamp", b'"yesterday"'),
    "a version of tomorrow's tomorrow": lambda e: with_member(
        e, "mvccTimestamp", b'"9000000000000000000.0000000000"'
    ),
    "NaN": lambda e: with_member(e, "after.appointmentCount", b"NaN"),
    "Infinity": lambda e: with_member(e, "after.appointmentCount", b"-Infinity"),
    "a text for a number": lambda e: with_member(e, "after.appointmentCount", b'"x"'),
    "an object for a number": lambda e: with_member(e, "after.appointmentCount", b"{}"),
    "a number of 30 digits": lambda e: with_member(
        e, "after.appointmentCount", b"9" * 30
    ),
    "no date": lambda e: with_member(e, "after.createdDate", b'"the other day"'),
    "the word now": lambda e: with_member(e, "after.createdDate", b'"now"'),
    "JSON nested 1,000 deep": lambda e: with_member(
        e, "after.metadata", b"[" * 1000 + b"]" * 1000
    ),
    "JSON nested 100,000 deep": lambda e: with_member(
        e, "after.metadata", b"[" * 100_000 + b"]" * 100_000
    ),
    "a lone surrogate": lambda e: with_member(e, "after.note", b'"\\ud83d"'),
    "an operation of no kind": lambda e: with_member(e, "operation", b'"DROP"'),
    "another table": lambda e: with_member(e, "table", b'"vendor"'),
    "a hostile table": lambda e: with_member(
        e, "table", b'"customer\\"; DROP TABLE vendor; --"'
    ),
    "a hostile model version": lambda e: with_member(e, "modelVersion", b'"../../x"'),
}

#: What looks like poison and is a value like any other.
STORED = {
    "JSON nested 300 deep": lambda e: with_member(
        e, "after.metadata", b"[" * 300 + b"]" * 300
    ),
    "a string of 64 MB": lambda e: gzip.compress(
        with_member(e, "after.note", b'"' + b"a" * 64_000_000 + b'"')
    ),
    "a list for a text": lambda e: with_member(e, "after.note", b'[1, "b"]'),
    "10,000 columns that nobody knows": wide,
    "msgpack": lambda e: msgspec.msgpack.encode(json.loads(e.payload)),
    "NUL": lambda e: with_member(e, "after.note", b'"a\\u0000b"'),
    "SQL": lambda e: with_member(
        e, "after.note", b'"\'; DROP TABLE customer; -- $_H_$ \\\\ %s :x"'
    ),
    "terminal escapes": lambda e: with_member(
        e, "after.note", b'"\\u001b[31m\\u001b]0;owned\\u0007"'
    ),
}


def peak_memory(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


async def publish_all(sandbox, poisons):
    """Publish an INSERT made bad by each, a good order behind it; their names."""
    names, orders = {}, []
    for name, poison in poisons.items():
        event, order = sandbox.shop.insert("customer"), sandbox.shop.insert("order")
        data = await asyncio.to_thread(poison, event)
        headers = message_headers(event.id, "plain")
        names[await sandbox.publish_raw(event.subject, data, headers)] = name
        await sandbox.publish(order)
        orders.append(order)
    return names, orders


@pytest.mark.timeout(240)
@pytest.mark.survives(
    "Poison of 41 kinds between good events",
    "broken JSON, bombs, wrong keys, hostile names, too deep, too long ...",
    "the good arrive, the bad are in quarantine with the reason, memory stays bounded",
)
def test_every_poison_is_told_and_stops_nothing_else(tmp_path, url):
    every = QUARANTINED | STORED

    def settled():
        kept = value(url, "SELECT count(*) FROM _eds_quarantine")
        return kept + value(url, "SELECT count(*) FROM customer") == len(every)

    async def scenario():
        async with Sandbox(tmp_path) as sandbox, serving(sandbox, url) as server:
            names, orders = await publish_all(sandbox, every)
            await until(lambda: "customer" in table_names(url), 30, server.tail)
            await until(settled, 90, server.tail)
            await until(lambda: value(url, ORDERS) == len(orders), 20, server.tail)
            return names, peak_memory(server), server.err

    names, memory, told = asyncio.run(scenario())
    kept = rows(url, "SELECT seq, reason FROM _eds_quarantine")
    bad = {names[row["seq"]] for row in kept}

    assert bad == set(QUARANTINED)
    assert all(0 < len(row["reason"]) < 500 for row in kept)
    assert "vendor" not in table_names(url)
    assert "\x1b" not in told
    assert memory < MOST_MEMORY
