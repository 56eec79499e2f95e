"""A position means nothing in another stream, and it is noticed."""

import asyncio

import pytest

from eds_core.errors import FatalError
from eds_core.stream import feed as module
from stream.harness import (
    A,
    B,
    Reader,
    consumers,
    feeding,
    in_sandbox,
    publish,
    purge,
    service,
)

AFTER_ALL = 30.0  # seconds, of a machine that is busy


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "_BETWEEN_LOOKS", 0.02)


async def make_anew(sandbox):
    async with service(sandbox) as jetstream:
        await jetstream.delete_stream("dbchange")
        await jetstream.add_stream(name="dbchange", subjects=["dbchange.>"])


async def times(sandbox, count):
    """The NATS times of the first messages of A."""
    async with feeding(sandbox) as feed:
        reader = Reader(feed)
        reader.follow()
        await reader.has(count)
        return [message.time for message in reader.messages]


async def stops(feed):
    with pytest.raises(FatalError, match="the stream was made anew") as caught:
        await asyncio.wait_for(asyncio.shield(feed.failed), AFTER_ALL)
    return caught.value


async def begins(sandbox, count, **position):
    """Follow A from a position; the sequences that come."""
    async with feeding(sandbox) as feed:
        reader = Reader(feed)
        reader.follow(**position)
        await reader.has(count, AFTER_ALL)
        return reader.sequences


def test_one_that_has_grown_beyond_the_position_stops_the_running_server(tmp_path):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            await publish(sandbox, [A] * 5)
            await reader.has(5)
            await make_anew(sandbox)
            await publish(sandbox, [A] * 8)
            error = await stops(feed)
            return error, reader.sequences

    error, sequences = in_sandbox(tmp_path, scenario)

    assert "import" in error.advice
    assert sequences == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "anew",
    [[A] * 8, [B, B, A, B, B, B, B, B], [B] * 8, [B] * 8 + [A]],
    ids=["all-ours", "one-of-ours", "none-of-ours", "ours-beyond"],
)
def test_one_made_while_nobody_looked_is_noticed_at_the_start(tmp_path, anew):
    """Whatever the company has in the new one: events of the old one are missing."""

    async def scenario(sandbox):
        await publish(sandbox, [A, B, A, B, A])
        last = (await times(sandbox, 3))[-1]
        await make_anew(sandbox)
        await publish(sandbox, anew)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=5, time=last)
            error = await stops(feed)
            return str(error), reader.items

    told, items = in_sandbox(tmp_path, scenario)

    assert f"has company {A} up to 5" in told
    assert items == []


@pytest.mark.parametrize("after", [3, 5, 9], ids=["there", "further", "the-end"])
def test_the_same_stream_is_known_by_the_companys_last_message(tmp_path, after):
    """A heartbeat may have moved the position beyond it."""

    async def scenario(sandbox):
        await publish(sandbox, [A, B, A, *[B] * 6])
        last = (await times(sandbox, 2))[-1]
        await publish(sandbox, [A, A])
        return await begins(sandbox, 2, after=after, time=last)

    assert in_sandbox(tmp_path, scenario) == [10, 11]


def test_a_message_that_is_still_to_come_may_tell_it_too(tmp_path):
    """While an event waits for its schema, the position lies before it."""

    async def scenario(sandbox):
        await publish(sandbox, [A, B, A])
        following = (await times(sandbox, 2))[-1]
        return await begins(sandbox, 1, after=2, time=following)

    assert in_sandbox(tmp_path, scenario) == [3]


@pytest.mark.parametrize(
    ("before", "sequences"), [(4, [7, 8]), (8, [8])], ids=["no-gap", "gap"]
)
def test_a_message_that_has_expired_stops_nothing(tmp_path, before, sequences):
    async def scenario(sandbox):
        await publish(sandbox, [A, B, A, B, B, B])
        last = (await times(sandbox, 2))[-1]
        await publish(sandbox, [A, A])
        await purge(sandbox, before)
        return await begins(sandbox, len(sequences), after=6, time=last)

    assert in_sandbox(tmp_path, scenario) == sequences


def test_a_purge_stops_nothing(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A, B, A])
        last = (await times(sandbox, 2))[-1]
        async with service(sandbox) as jetstream:
            await jetstream.purge_stream("dbchange")
        await publish(sandbox, [A])
        return await begins(sandbox, 1, after=3, time=last)

    assert in_sandbox(tmp_path, scenario) == [4]


def test_no_probe_is_left_of_it(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A, A])
        last = (await times(sandbox, 2))[-1]
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            subject = reader.follow(after=2, time=last)
            await feed.ready(subject)
            return [info.name for info in await consumers(sandbox)]

    (name,) = in_sandbox(tmp_path, scenario)

    assert "probe" not in name
