"""The bytes under way are bounded, and the bounds give way to every message."""

import asyncio

import pytest

from eds_core.stream import consumer as module
from eds_core.stream.credit import Grant, Pool
from stream.harness import A, Reader, feeding, in_sandbox, publish, soon, subject

MIB = 1024 * 1024


def pulled(account, pending=0):
    """Send what is granted; return it."""
    grant = account.grant(pending)
    if grant is not None:
        account.sent(pulled.number, grant)
        pulled.number += 1
    return grant


@pytest.fixture(autouse=True)
def _numbers():
    pulled.number = 1


def test_what_unpacks_large_is_held_but_was_never_under_way():
    pool = Pool(10_000)
    account = pool.account()
    account.sent(1, Grant(10, 5_000))
    account.received(4_100, unpacked=4_000)

    assert pool.buffered == 4_100
    assert account.reserved == 4_900


def test_an_idle_consumer_waits_with_one_small_pull():
    account = Pool().account()

    assert pulled(account) == Grant(1000, MIB // 2)
    assert pulled(account) is None


def test_idle_pulls_of_many_consumers_leave_half_of_the_pool():
    pool = Pool()
    accounts = [pool.account() for _ in range(200)]
    for account in accounts:
        assert pulled(account)

    assert pool.free >= pool.size // 2


def test_the_first_of_many_consumers_leave_something_for_the_last():
    pool = Pool(consumers=200)
    for _ in range(200):  # each pulls before the next is made
        assert pulled(pool.account())

    assert pool.free >= pool.size // 2


def test_a_busy_consumer_asks_again_before_its_pull_is_used_up():
    account = Pool().account()
    pulled(account)
    for _ in range(499):
        account.received(100)
    assert pulled(account, pending=10_000) is None
    account.received(100)

    assert pulled(account, pending=10_000) == Grant(1000, 4 * MIB)


def test_no_more_is_granted_than_the_pool_holds():
    pool = Pool(MIB)
    account = pool.account()
    pulled(account)
    for _ in range(1000):
        account.received(2000)

    assert pool.free < 0
    assert account.grant(10_000) is None
    pool.release(2_000_000)
    assert account.grant(10_000) is not None


def test_a_pull_that_is_used_up_gives_back_the_bytes_it_did_not_need():
    """Else small messages fill the pool with bytes that nobody will send."""
    pool = Pool()
    account = pool.account()
    pulled(account)
    for _ in range(50_000):
        account.received(100)
        pool.release(100)
        pulled(account, pending=100_000)

    assert account.reserved <= 2 * 4 * MIB
    assert account.waiting <= 1500


def test_a_company_that_goes_quiet_leaves_the_pool_to_the_others():
    pool = Pool()
    burst, other = pool.account(), pool.account()
    pulled(burst)
    for left in range(20_000, 0, -1):
        burst.received(100)
        pool.release(100)
        pulled(burst, pending=left)

    assert pulled(other, pending=5000).bytes == 4 * MIB


@pytest.mark.parametrize("unused", [1000, -1])
def test_a_message_that_no_pull_can_hold_is_pulled_alone(unused):
    pool = Pool()
    account = pool.account()
    pulled(account)
    account.ended(1, unused, too_small=True)

    assert pool.free == pool.size
    assert pulled(account, pending=5) == Grant(1, 0)
    assert pulled(account, pending=5) is None
    account.received(9_000_000)
    assert pulled(account, pending=4) == Grant(1000, 4 * MIB)


def test_a_pull_that_brought_something_was_not_too_small():
    account = Pool().account()
    pulled(account)
    account.received(100)
    account.ended(1, 999, too_small=True)

    assert pulled(account, pending=5).messages == 1000


def test_a_pull_that_expired_is_sent_again():
    account = Pool().account()
    pulled(account)
    account.ended(1, 1000, too_small=False)

    assert account.waiting == account.reserved == 0
    assert pulled(account) == Grant(1000, MIB // 2)


def test_the_end_of_one_pull_leaves_the_other_counted():
    account = Pool().account()
    pulled(account)
    for _ in range(600):
        account.received(100)
    second = pulled(account, pending=5000)
    account.ended(1, 400, too_small=False)

    assert account.waiting == 1000
    assert account.reserved == second.bytes


def test_an_end_that_says_nothing_ends_its_own_pull_only():
    account = Pool().account()
    pulled(account)
    for _ in range(600):
        account.received(100)
    pulled(account, pending=5000)
    account.ended(1, -1, too_small=False)

    assert account.waiting == 1000


def test_the_end_of_an_unknown_pull_changes_nothing():
    account = Pool().account()
    pulled(account)
    account.ended(77, -1, too_small=False)

    assert account.waiting == 1000


def test_a_consumer_that_is_gone_holds_nothing():
    pool = Pool()
    account = pool.account()
    pulled(account)
    account.close()
    account.close()

    assert pool.free == pool.size


def test_a_large_message_arrives_where_pulls_are_small(tmp_path):
    companies = [f"{number:024x}" for number in range(40)]

    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            readers = [Reader(feed) for _ in companies]
            for reader, company in zip(readers, companies, strict=True):
                reader.follow(company)
            await soon(lambda: len(feed.pool.accounts) == len(companies))
            assert feed.pool.idle_share < 500_000
            await publish(sandbox, companies[:3] * 3, size=900_000)
            await soon(lambda: all(len(reader.messages) == 3 for reader in readers[:3]))
            await soon(lambda: feed.pool.buffered == 0)

    in_sandbox(tmp_path, scenario, companies)


def test_ever_larger_messages_arrive_in_order(tmp_path, monkeypatch):
    monkeypatch.setattr("eds_core.stream.credit._IDLE_MOST", 4096)
    monkeypatch.setattr("eds_core.stream.credit._BUSY_MOST", 8192)
    sizes = [10, 5000, 20_000, 10, 100_000, 100_000, 10, 10] * 20

    async def scenario(sandbox):
        messages = [(subject(), b"x" * size, {}) for size in sizes]
        await sandbox.publisher.publish_many(messages, 1000)
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            await reader.has(len(sizes))
            return [len(message.data) for message in reader.messages]

    assert in_sandbox(tmp_path, scenario) == sizes


def test_what_is_not_written_stops_the_stream_at_the_pool(tmp_path):
    async def scenario(sandbox):
        await publish(sandbox, [A] * 1000, size=100_000)
        async with feeding(sandbox) as feed:
            reader = Reader(feed, releases=False)
            reader.follow()
            await soon(lambda: reader.bytes > feed.pool.size - 5 * MIB)
            await asyncio.sleep(0.5)
            held = reader.bytes
            assert held == feed.pool.buffered
            assert held <= feed.pool.size + MIB
            reader.releases = True
            feed.pool.release(held)
            await reader.has(1000)
            assert feed.reconnects == 0
            await soon(lambda: feed.pool.buffered == 0)
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == list(range(1, 1001))


def test_many_companies_together_stay_within_the_pool(tmp_path):
    companies = [f"{number:024x}" for number in range(20)]

    async def scenario(sandbox):
        await publish(sandbox, companies * 50, size=100_000)
        async with feeding(sandbox) as feed:
            readers = [Reader(feed, releases=False) for _ in companies]
            for reader, company in zip(readers, companies, strict=True):
                reader.follow(company)
            await soon(lambda: feed.pool.buffered > feed.pool.size - 5 * MIB)
            await asyncio.sleep(0.5)
            assert feed.pool.buffered <= feed.pool.size + MIB
            for reader in readers:
                reader.releases = True
            feed.pool.release(feed.pool.buffered)
            await soon(lambda: all(len(reader.messages) == 50 for reader in readers))
            assert feed.reconnects == 0

    in_sandbox(tmp_path, scenario, companies)


def test_the_books_are_even_after_pulls_expire_and_connections_break(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "HEARTBEAT", 0.1)
    monkeypatch.setattr(module, "_EXPIRES", 0.3)

    async def scenario(sandbox):
        async with feeding(sandbox) as feed:
            reader = Reader(feed)
            reader.follow()
            for kills in range(1, 4):
                await publish(sandbox, [A] * 700)
                await asyncio.sleep(0.4)
                sandbox.server.kill()
                await asyncio.to_thread(sandbox.server.start)
                await soon(lambda n=kills: feed.reconnects == n)
            await reader.has(2100)
            await asyncio.sleep(0.5)
            (account,) = feed.pool.accounts
            await soon(lambda: feed.pool.buffered == 0)
            assert (account.waiting, len(account._pulls)) in [(1000, 1), (0, 0)]
            return reader.sequences

    assert in_sandbox(tmp_path, scenario) == list(range(1, 2101))
