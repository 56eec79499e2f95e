"""A server that dies, a consumer that is deleted, a reader that fails."""

import asyncio
import time

import pytest

from eds_core.errors import FatalError
from eds_core.stream import Connection, Feed, Settings
from eds_core.stream import consumer as module
from eds_core.testing.proxy import Harm, proxy
from stream.harness import (
    A,
    B,
    Reader,
    connected,
    consumers,
    feeding,
    in_sandbox,
    publish,
    service,
    soon,
)


def test_it_goes_on_after_a_kill_of_the_server_without_hole_or_repetition(tmp_path):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            readers = {company: Reader(feed) for company in (A, B)}
            for company, reader in readers.items():
                reader.follow(company)
            shop = asyncio.create_task(sandbox.run_shop(rate=400, events=600))
            for kills in (1, 2):
                await asyncio.sleep(0.2)
                sandbox.server.kill()
                await asyncio.to_thread(sandbox.server.start)
                await soon(lambda n=kills: feed.reconnects == n)
            await shop
            await soon(lambda: sum(len(r.messages) for r in readers.values()) >= 600)
        found = sorted(s for r in readers.values() for s in r.sequences)
        assert found == list(range(1, 601))
        for reader in readers.values():
            assert reader.sequences == sorted(reader.sequences)
            assert reader.gaps == []

    in_sandbox(tmp_path, scenario)


def test_a_consumer_that_was_deleted_is_made_anew_where_it_stood(tmp_path):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            await feed.ready(reader.follow())
            await publish(sandbox, [A] * 5)
            await reader.has(5)
            (info,) = await consumers(sandbox)
            async with service(sandbox) as jetstream:
                await jetstream.delete_consumer("dbchange", info.name)
            await publish(sandbox, [A] * 5)
            await reader.has(10)
        assert reader.sequences == list(range(1, 11))

    in_sandbox(tmp_path, scenario)


def test_a_fault_of_the_reader_stops_with_words_and_skips_nothing(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 3)
        seen = []

        def sink(items):
            for item in items:
                if item.sequence == 2:
                    raise KeyError("lane")
                seen.append(item.sequence)

        async with feeding(sandbox) as feed:
            feed.follow(A, sink, after=0)
            with pytest.raises(FatalError, match=r"behind [01] .*KeyError: 'lane'"):
                await asyncio.wait_for(feed.failed, 5)
        assert seen == [1]

    in_sandbox(tmp_path, scenario)


def test_a_reader_that_stops_while_it_connects_leaves_nothing_behind(tmp_path):
    async def scenario(sandbox):
        for delay in (0.0, 0.01, 0.05, 0.3, 0.6):
            async with feeding(sandbox) as feed:
                Reader(feed).follow()
                sandbox.server.kill()
                await asyncio.sleep(delay)
            await asyncio.to_thread(sandbox.server.start)

    in_sandbox(tmp_path, scenario)


def test_a_server_lost_while_consumers_are_made_delays_but_does_not_stop(tmp_path):
    companies = [f"{number:024x}" for number in range(20)]

    async def scenario(sandbox):
        await publish(sandbox, companies)
        for delay in (0.0, 0.005, 0.02, 0.05):
            async with feeding(sandbox) as feed:
                readers = [Reader(feed) for _ in companies]
                for reader, company in zip(readers, companies, strict=True):
                    reader.follow(company)
                await asyncio.sleep(delay)
                sandbox.server.kill()
                await asyncio.to_thread(sandbox.server.start)
                await soon(lambda r=readers: all(len(x.messages) == 1 for x in r))
            assert [reader.sequences for reader in readers] == [
                [number] for number in range(1, 21)
            ]

    in_sandbox(tmp_path, scenario, companies)


def test_a_request_does_not_outwait_its_connection(tmp_path):
    async def scenario(sandbox):
        sandbox.responder.behave(silent=True)
        async with connected(sandbox) as connection:
            asking = asyncio.create_task(
                connection.request("schema.order.latest", b"{}", 30)
            )
            await soon(lambda: sandbox.responder.counts)
            sandbox.server.kill()
            began = time.monotonic()
            with pytest.raises(Exception, match="no answer to schema"):
                await asking
            assert time.monotonic() - began < 2
        await asyncio.to_thread(sandbox.server.start)

    in_sandbox(tmp_path, scenario)


def test_an_answer_that_is_late_with_all_else_is_waited_for(tmp_path):
    """A slow line, or a pause: that is not the fault of the one who was asked."""

    async def scenario(sandbox):
        with proxy("127.0.0.1", sandbox.server.port) as between:
            connection = Connection(through(between, sandbox))
            await connection.open()
            between.harm = Harm.HOLD
            question = connection.request("schema.order.latest", b"{}", 0.2)
            asking = asyncio.ensure_future(question)
            await asyncio.sleep(1)
            between.heal()
            answer = await asking
            await connection.close()
            return answer

    assert b'"success":true' in in_sandbox(tmp_path, scenario).replace(b" ", b"")


def test_stopping_does_not_wait_for_a_line_that_is_silent(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_GONE_WITHIN", 0.2)

    async def scenario(sandbox):
        with proxy("127.0.0.1", sandbox.server.port) as between:
            feed = Feed(through(between, sandbox))
            await feed.open()
            await feed.ready(Reader(feed).follow())
            between.harm = Harm.HOLD
            async with asyncio.timeout(10):  # the silence alone is told in 15 seconds
                await feed.close()
            between.heal()

    in_sandbox(tmp_path, scenario)


def through(between, sandbox):
    return Settings((f"nats://127.0.0.1:{between.port}",), sandbox.credentials)
