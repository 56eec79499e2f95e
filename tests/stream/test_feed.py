"""What a feed hands on: everything, in order, once, through any failure."""

import asyncio
import time
from pathlib import Path

import pytest

from eds_core.stream import Feed, Settings
from eds_core.stream import consumer as module
from stream.harness import (
    A,
    B,
    C,
    Reader,
    consumers,
    feeding,
    in_sandbox,
    publish,
    soon,
)


@pytest.fixture
def quick(monkeypatch):
    """Heartbeats come ten times a second."""
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "_SILENCE", 0.5)


def test_messages_of_several_companies_come_in_stream_order_without_holes(tmp_path):
    async def scenario(sandbox):
        sequences = await publish(sandbox, [A, B, B, C] * 500)
        async with feeding(sandbox) as feed:
            readers = {company: Reader(feed) for company in (A, B, C)}
            for company, reader in readers.items():
                reader.follow(company)
            await soon(lambda: sum(len(r.messages) for r in readers.values()) == 2000)
            more = await publish(sandbox, [C, A, B])
            await soon(lambda: sum(len(r.messages) for r in readers.values()) == 2003)
        assert readers[A].sequences == [*sequences[0::4], more[1]]
        assert readers[C].sequences == [*sequences[3::4], more[0]]
        both = sorted([*sequences[1::4], *sequences[2::4], more[2]])
        assert readers[B].sequences == both

    in_sandbox(tmp_path, scenario, (A, B, C))


def test_companies_that_are_to_come_have_their_share_of_the_pool():
    async def scenario():
        many = tuple(f"{number:024x}" for number in range(200))
        pool = Feed(Settings(("nats://127.0.0.1",), Path("creds"), companies=many)).pool
        return pool.idle_share * len(many) <= pool.size // 2

    assert asyncio.run(scenario())


def test_each_company_sees_only_its_own(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A, B] * 5)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(B)
            await reader.has(5)
        assert {message.company for message in reader.messages} == {B}

    in_sandbox(tmp_path, scenario)


def test_one_table_of_a_company_can_be_followed(tmp_path):
    async def scenario(sandbox):
        await sandbox.publish_raw(f"dbchange.order.INSERT.{A}.NONE.PUBLIC.1.e", b"1")
        await sandbox.publish_raw(f"dbchange.user.INSERT.{A}.NONE.PUBLIC.1.f", b"2")
        async with feeding(sandbox) as feed:
            whole, users = Reader(feed), Reader(feed)
            whole.follow()
            users.follow(table="user")
            await whole.has(2)
            await users.has(1)
        assert [message.data for message in users.messages] == [b"2"]

    in_sandbox(tmp_path, scenario)


def test_it_begins_behind_the_position(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 10)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(after=7)
            await reader.has(3)
        assert reader.sequences == [8, 9, 10]
        assert reader.gaps == []

    in_sandbox(tmp_path, scenario)


def test_what_a_message_was_comes_whole(tmp_path):
    async def scenario(sandbox):
        event = next(sandbox.shop)
        sequence = await sandbox.publish(event, "gzip", {"x-user-id": "u"})
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(event.company)
            await reader.has(1)
        (message,) = reader.messages
        assert (message.subject, message.sequence) == (event.subject, sequence)
        assert message.data[:2] == b"\x1f\x8b"
        assert message.header("X-USER-ID") == "u"
        assert abs(message.time - time.time_ns()) < 60e9

    in_sandbox(tmp_path, scenario)


def test_an_idle_company_follows_the_stream_by_heartbeats(tmp_path, quick):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            await feed.ready(reader.follow())
            end = (await publish(sandbox, [B] * 50))[-1]
            await soon(lambda: reader.heartbeats and reader.heartbeats[-1] == end)
        assert reader.messages == []

    in_sandbox(tmp_path, scenario)


def test_a_heartbeat_comes_only_behind_the_messages_before_it(tmp_path, quick):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            for _ in range(10):
                end = (await publish(sandbox, [A, B]))[-1]
                await soon(lambda end=end: end in reader.heartbeats)
        told = [getattr(item, "sequence", 0) for item in reader.items]
        assert told == sorted(told)

    in_sandbox(tmp_path, scenario)


def test_a_table_read_alone_has_heartbeats_too(tmp_path, quick):
    async def scenario(sandbox):
        end = (await publish(sandbox, [A] * 5))[-1]
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow(table="user")
            await soon(lambda: end in reader.heartbeats)

    in_sandbox(tmp_path, scenario)


def test_following_a_subject_again_goes_back_and_hears_nothing_of_the_old(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 2000)
        async with feeding(sandbox) as feed:
            first, second = Reader(feed), Reader(feed)
            subject = first.follow()
            await first.has(1)
            assert second.follow() == subject
            seen = len(first.items)
            await second.has(2000)
            await soon(lambda: len(feed.pool.accounts) == 1)
            assert len(first.items) == seen
            await soon(lambda: feed.pool.buffered == 0)
        assert second.sequences == list(range(1, 2001))

    in_sandbox(tmp_path, scenario)


def test_following_the_same_subject_in_a_hurry_leaves_one_consumer(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 100)
        async with feeding(sandbox) as feed:
            readers = [Reader(feed) for _ in range(20)]
            for index, reader in enumerate(readers):
                reader.follow()
                await asyncio.sleep(0.002 * (index % 4))
            await readers[-1].has(100)
            await soon(lambda: not feed._leaving)
            lasting = [c for c in await consumers(sandbox) if "-probe-" not in c.name]
            assert len(lasting) == 1
        assert readers[-1].sequences == list(range(1, 101))

    in_sandbox(tmp_path, scenario)


def test_nothing_comes_of_a_subject_that_was_forgotten(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 2000)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            subject = reader.follow()
            await reader.has(1)
            feed.forget(subject)
            seen = len(reader.items)
            await publish(sandbox, [A])
            await soon(lambda: not feed.pool.accounts)
            assert len(reader.items) == seen
            assert feed.forget(subject) is None

    in_sandbox(tmp_path, scenario)


def test_consumers_are_named_as_the_old_servers_and_removed_at_the_end(tmp_path):
    async def scenario(sandbox):
        async with feeding(sandbox, "My") as feed:
            subjects = [Reader(feed).follow(company) for company in (A, B)]
            await asyncio.gather(*map(feed.ready, subjects))
            found = await consumers(sandbox)
            names = sorted(info.name for info in found)
            assert [name[: len(A) + 14] for name in names] == [
                f"Myeds-server-{A}-",
                f"Myeds-server-{B}-",
            ]
            assert {info.config.filter_subject for info in found} == set(subjects)
            assert {info.config.durable_name for info in found} == {None}
        assert await consumers(sandbox) == []

    in_sandbox(tmp_path, scenario)


def test_fifty_companies_begin_within_ten_seconds(tmp_path):
    companies = [f"{number:024x}" for number in range(50)]

    async def scenario(sandbox):
        await publish(sandbox, companies)
        began = time.monotonic()
        async with feeding(sandbox) as feed:
            readers = [Reader(feed) for _ in companies]
            for reader, company in zip(readers, companies, strict=True):
                reader.follow(company)
            await soon(lambda: all(len(reader.messages) == 1 for reader in readers))
            seconds = time.monotonic() - began
            assert feed.pool.free > 0
        assert [reader.sequences for reader in readers] == [[n] for n in range(1, 51)]
        assert seconds < 10

    in_sandbox(tmp_path, scenario, companies)


def test_nothing_is_done_that_the_credentials_do_not_permit(tmp_path, quick):
    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            await feed.ready(reader.follow())
            await publish(sandbox, [A] * 5)
            await reader.has(5)
            await soon(lambda: reader.heartbeats)
            await feed.connection.request("schema.order.latest", b"{}")
        log = sandbox.server.log_path.read_text()
        assert "Violation" not in log

    in_sandbox(tmp_path, scenario)
