"""Layer 6, faults: connections that break, and two writers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from threading import Barrier, Thread
from typing import TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import pytest

from eds_core.errors import ConfigError, TakenOver, TransientError
from eds_core.event import Row, VersionedKey
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.proxy import Harm, Proxy, proxy
from eds_core.testing.shop import Shop, as_version, row_of, table_of, unique
from eds_core.testing.suite import Suite, needs

from .ledger import TIME, claimed
from .static import SECRET, told

T = TypeVar("T")
TEXT = ColumnType.TEXT
_ROUNDS = 20
_TABLES = 5
_PATIENCE = 30  # seconds until a thread that waits has failed


class Faults(Suite):
    """What breaks in the middle is transient, and is as if it had never begun."""

    @pytest.fixture
    def between(self, destination_url: str) -> Iterator[Proxy]:
        """A proxy in front of the database's server."""
        address = self.address(destination_url)
        if address is None:
            pytest.skip("the URL names no host and port to put a proxy in front of")
        with proxy(*address) as made:
            yield made

    @pytest.fixture
    def far(self, shop: Shop, between: Proxy) -> Iterator[Shop]:
        """A connection through the proxy; ``shop`` has its own."""
        url = self.redirected(shop.url, between.host, between.port)
        with self.opened(url, shop.traces) as far:
            yield far

    @needs("server", "transactions")
    @pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
    def test_a_connection_cut_in_a_transaction_is_transient_and_open_heals_it(
        self, shop: Shop, far: Shop, between: Proxy, reset: bool
    ) -> None:
        table = shop.table(name=TEXT)
        with pytest.raises(TransientError), far.transaction():
            far.put(table, 1, id="a")
            between.cut(reset=reset)
            far.put(table, 1, id="b")
        for use in (
            lambda: far.put(table, 1, id="a"),
            lambda: far.driver.columns(table.name),
            far.ledger.checkpoints,
        ):
            with pytest.raises(TransientError):
                use()

        assert shop.rows(table) == []
        far.open()
        assert far.put(table, 1, id="a") == 1

    @needs("server", "transactions")
    @pytest.mark.parametrize("harm", [Harm.CUT_REQUEST, Harm.CUT_ANSWER])
    def test_a_commit_that_breaks_leaves_both_rows_and_position_or_neither(
        self, shop: Shop, far: Shop, between: Proxy, harm: Harm
    ) -> None:
        table, company = shop.table(name=TEXT), established(shop)
        mine = claimed(far.ledger, company)
        with pytest.raises(TransientError), far.transaction():
            far.ledger.advance([Move(company, mine.epoch, 1, 9, TIME)])
            far.put(table, 1, id="a")
            between.harm = harm

        between.heal()
        far.open()
        position = far.ledger.reclaim(company, mine.epoch, "me").sequence
        assert len(far.rows(table)) == {1: 0, 9: 1}[position]
        assert harm is Harm.CUT_ANSWER or position == 1

    @needs("server")
    def test_a_migration_whose_answer_is_lost_is_completed(
        self, far: Shop, between: Proxy
    ) -> None:
        table = table_of(unique(), name=TEXT)
        far.traces.tables[table.name] = table
        between.harm = Harm.CUT_ANSWER
        with pytest.raises(TransientError):
            far.prepare(table)

        between.heal()
        far.open()
        far.prepare(table)
        assert far.put(table, 1, id="a") == 1

    @needs("server")
    def test_a_bulk_load_that_breaks_is_completed_when_repeated(
        self, far: Shop, between: Proxy
    ) -> None:
        table = far.table(n=ColumnType.INTEGER)
        count = far.capabilities.max_rows + 10

        def rows() -> Iterator[Row]:
            return (row_of(table, 1, id=f"{n:06d}", n=n) for n in range(count))

        with pytest.raises(TransientError):
            far.bulk_load(table, cutting(rows(), between, count - 5))
        far.open()
        far.bulk_load(table, rows())

        assert far.rows(table, "n") == [(n,) for n in range(count)]

    @needs("server")
    def test_a_server_that_hangs_up_at_once_is_transient(
        self, shop: Shop, between: Proxy
    ) -> None:
        between.refuses = True
        url = self.redirected(shop.url, between.host, between.port)
        driver = self.driver_class()(url)
        with pytest.raises(TransientError) as caught:
            driver.open()
        driver.close()

        assert caught.value.advice

    @needs("server")
    def test_a_wrong_password_is_the_users_to_change_and_is_not_told(
        self, destination_url: str
    ) -> None:
        parts = urlsplit(destination_url)
        if not parts.password:
            pytest.skip("the URL has no password")
        user = f"{quote(parts.username or '')}:{SECRET}@"
        place = parts.netloc.rpartition("@")[2]
        driver = self.driver_class()(urlunsplit(parts._replace(netloc=user + place)))
        with pytest.raises(ConfigError) as caught:
            driver.open()
        driver.close()

        assert SECRET not in told(caught.value)
        assert caught.value.advice

    @needs("server")
    def test_a_database_that_does_not_exist_is_the_users_to_change(
        self, destination_url: str
    ) -> None:
        parts = urlsplit(destination_url)
        path = "/".join(["", unique(), *parts.path.split("/")[2:]])
        driver = self.driver_class()(urlunsplit(parts._replace(path=path)))
        with pytest.raises(ConfigError) as caught:
            driver.open()
        driver.close()

        assert caught.value.advice

    @needs("transactions")
    def test_a_claim_waits_for_the_writer_and_fences_it(self, shop: Shop) -> None:
        company = established(shop)
        mine = claimed(shop.ledger, company)
        taken: list[Checkpoint | None] = []
        with shop.another() as second:
            claim = Thread(
                target=lambda: taken.append(patiently(second, claim_of(company)))
            )
            with shop.transaction():
                shop.ledger.advance([Move(company, mine.epoch, 1, 5, TIME)])
                claim.start()
                claim.join(0.2)
                waited = not taken
            claim.join(_PATIENCE)

        assert waited
        assert taken[0] is not None
        assert (taken[0].epoch, taken[0].sequence) == (mine.epoch + 1, 5)
        with pytest.raises(TakenOver), shop.transaction():
            shop.ledger.advance([Move(company, mine.epoch, 5, 6, TIME)])

    @needs("transactions")
    def test_two_writers_at_once_end_in_the_newest_rows(self, shop: Shop) -> None:
        """Each has its own rows, and both have one in common."""
        table = shop.table(n=ColumnType.INTEGER)
        failed: list[Exception] = []
        with shop.another() as second:
            threads = [
                Thread(target=write_rounds, args=(who, table, offset, failed))
                for offset, who in enumerate((shop, second))
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(_PATIENCE)

        assert failed == []
        found = dict(shop.rows(table, "id", "n"))
        newest = 2 * _ROUNDS - 1
        assert found == {"0": newest - 1, "1": newest, "common": newest}

    def test_two_servers_make_one_table_at_once(self, shop: Shop) -> None:
        types = {f"a_{kind}": kind for kind in ColumnType}
        tables = [table_of(unique(), **types) for _ in range(_TABLES)]
        together, failed = Barrier(2, timeout=_PATIENCE), list[Exception]()
        with shop.another() as second:
            threads = [
                Thread(target=prepare, args=(who, tables, together, failed))
                for who in (shop, second)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(_PATIENCE)

        assert failed == []
        for table in tables:
            assert shop.driver.columns(table.name) == table.types


def established(shop: Shop) -> str:
    company = shop.traces.company()
    shop.ledger.establish(Checkpoint(company, 1, TIME, "a", "s", "p"))
    return company


def cutting(rows: Iterator[Row], between: Proxy, after: int) -> Iterator[Row]:
    for number, row in enumerate(rows):
        if number == after:
            between.cut()
        yield row


def claim_of(company: str) -> Callable[[Shop], Checkpoint | None]:
    return lambda shop: shop.ledger.claim(company, "you", "server")


def patiently(shop: Shop, action: Callable[[Shop], T]) -> T:
    """Do as the server does: what is transient is tried again."""
    for _ in range(50):
        try:
            return action(shop)
        except TransientError as error:
            last = error
    raise last


def write_rounds(
    shop: Shop, table: TableSchema, offset: int, failed: list[Exception]
) -> None:
    """Write with every other version: a row of one's own, and the common one."""
    try:
        for number in range(offset, 2 * _ROUNDS, 2):
            patiently(shop, partial(write_round, table, offset, number))
    except Exception as error:  # noqa: BLE001 - for the test's own thread
        failed.append(error)


def write_round(table: TableSchema, offset: int, number: int, shop: Shop) -> None:
    rows = [row_of(table, number, id=key, n=number) for key in (str(offset), "common")]
    with shop.transaction():
        shop.delete(table, [VersionedKey(("common",), as_version(number))])
        shop.upsert(table, rows)


def prepare(
    shop: Shop, tables: list[TableSchema], together: Barrier, failed: list[Exception]
) -> None:
    try:
        for table in tables:
            together.wait()
            patiently(shop, partial(Shop.prepare, table=table))
    except Exception as error:  # noqa: BLE001 - for the test's own thread
        failed.append(error)
        together.abort()
