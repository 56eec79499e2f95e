"""Layer 3, ledger: positions, quarantine and table states."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from eds_core.errors import FatalError, PositionMoved, TakenOver, TransientError
from eds_core.event import Message
from eds_core.ledger import Checkpoint, Ledger, Move, Parked, Quarantined, TableStatus
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.shop import Shop, unique
from eds_core.testing.suite import Suite, needs
from eds_core.testing.sweeping import FirstLook

TIME = 1_700_000_000_123_456_789


def message(sequence: int = 7, data: bytes = b"\x1f\x8b\x00\xff") -> Message:
    headers = {"Nats-Msg-Id": "ä", "x": ""}
    subject = "dbchange.order.INSERT.shop.loc.PUBLIC.1"
    return Message(subject, data, sequence, TIME, headers)


class Books(Suite):
    """What EDS remembers in the destination, of companies that are the kit's own."""

    @pytest.fixture
    def company(self, shop: Shop) -> str:
        """A company whose position is 41."""
        name = shop.traces.company()
        first = Checkpoint(name, 41, TIME, "account", "dbchange", "prefix")
        shop.ledger.establish(first)
        return name

    @pytest.fixture
    def entry(self, shop: Shop) -> Callable[..., Quarantined]:
        """A way to make entries for the quarantine."""
        made = Quarantined(
            "",
            shop.traces.company(),
            "order",
            "event",
            message(),
            "because",
            "do this",
            at="2024-01-01T00:00:00Z",
        )
        return lambda id_, **changes: replace(made, id=id_, **changes)

    def test_nothing_is_read_where_nothing_was_written(
        self, first_look: FirstLook
    ) -> None:
        if not first_look.untouched:
            pytest.skip("EDS has been in this database before")

        assert first_look.found == {
            "checkpoints": {},
            "quarantined": [],
            "parked": [],
            "statuses": [],
            "resumed": 0,
            "made": False,
        }

    def test_the_tables_are_made_once_even_by_two_servers(self, shop: Shop) -> None:
        with shop.another() as second:
            second.ledger.create()
            shop.ledger.create()

    def test_the_first_position_stays_the_first(self, shop: Shop, company: str) -> None:
        shop.ledger.establish(Checkpoint(company, 99, TIME, "a", "s", "p"))

        first = Checkpoint(company, 41, TIME, "account", "dbchange", "prefix")
        assert shop.ledger.checkpoints()[company] == first

    def test_a_claim_bumps_the_epoch(self, shop: Shop, company: str) -> None:
        first = claimed(shop.ledger, company, "me")
        second = claimed(shop.ledger, company, "you", "import")

        assert (first.epoch, first.owner, first.sequence) == (1, "me", 41)
        assert (second.epoch, second.owner, second.role) == (2, "you", "import")
        assert shop.ledger.checkpoints()[company] == second

    def test_a_claim_without_a_row_is_none(self, shop: Shop) -> None:
        assert shop.ledger.claim(unique(), "me", "server") is None

    def test_companies_are_claimed_one_by_one(self, shop: Shop, company: str) -> None:
        other = shop.traces.company()
        shop.ledger.establish(Checkpoint(other, 7, TIME, "a", "s", "p"))
        mine = claimed(shop.ledger, company)
        claimed(shop.ledger, other, "you")
        with shop.transaction():
            shop.ledger.advance([Move(company, mine.epoch, 41, 50, TIME)])

        assert shop.ledger.checkpoints()[other].sequence == 7

    def test_advancing_moves_position_and_time(self, shop: Shop, company: str) -> None:
        mine = claimed(shop.ledger, company)
        with shop.transaction():
            shop.ledger.advance([Move(company, mine.epoch, 41, 50, TIME + 1)])

        found = shop.ledger.checkpoints()[company]
        assert (found.sequence, found.time) == (50, TIME + 1)

    @needs("transactions")
    def test_who_was_taken_over_writes_nothing(self, shop: Shop, company: str) -> None:
        order = shop.table(name=ColumnType.TEXT)
        mine = claimed(shop.ledger, company)
        claimed(shop.ledger, company, "you")

        with pytest.raises(TakenOver, match="you"), shop.transaction():
            shop.put(order, 1, id="a")
            shop.ledger.advance([Move(company, mine.epoch, 41, 50, TIME)])

        assert shop.rows(order) == []
        assert shop.ledger.checkpoints()[company].sequence == 41

    @pytest.mark.parametrize(("epochs", "old"), [(0, 50), (0, 30), (1, 41), (2, 30)])
    def test_a_restored_database_is_noticed(
        self, shop: Shop, company: str, epochs: int, old: int
    ) -> None:
        """The copy is older than we are: in its position, its epoch or both."""
        mine = claimed(shop.ledger, company)

        with pytest.raises(PositionMoved) as caught, shop.transaction():
            shop.ledger.advance([Move(company, mine.epoch + epochs, old, 60, TIME)])

        assert (caught.value.found, caught.value.expected) == (41, old)
        assert shop.ledger.checkpoints()[company].sequence == 41

    def test_a_checkpoint_that_is_gone_stops(self, shop: Shop) -> None:
        with pytest.raises(FatalError), shop.transaction():
            shop.ledger.advance([Move(unique(), 1, 41, 50, TIME)])
        with pytest.raises(FatalError):
            shop.ledger.reclaim(unique(), 1, "me")

    def test_a_reclaim_bumps_the_epoch_that_is_ours(
        self, shop: Shop, company: str
    ) -> None:
        mine = claimed(shop.ledger, company)

        again = shop.ledger.reclaim(company, mine.epoch, "me")

        assert (again.epoch, again.sequence) == (mine.epoch + 1, 41)

    def test_a_reclaim_after_a_takeover_says_who(
        self, shop: Shop, company: str
    ) -> None:
        mine = claimed(shop.ledger, company)
        claimed(shop.ledger, company, "you", "import")

        with pytest.raises(TakenOver, match=r"\(import\): you"):
            shop.ledger.reclaim(company, mine.epoch, "me")

    def test_a_reclaim_on_a_restored_copy_goes_beyond_its_own_epoch(
        self, shop: Shop, company: str
    ) -> None:
        mine = claimed(shop.ledger, company)

        again = shop.ledger.reclaim(company, mine.epoch + 5, "me")

        assert (again.epoch, again.sequence) == (mine.epoch + 6, 41)

    @needs("transactions")
    def test_position_and_rows_vanish_together(self, shop: Shop, company: str) -> None:
        order = shop.table(name=ColumnType.TEXT)
        mine = claimed(shop.ledger, company)
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.ledger.advance([Move(company, mine.epoch, 41, 50, TIME)])
            shop.put(order, 1, id="a")
            raise ZeroDivisionError

        assert shop.rows(order) == []
        assert shop.ledger.checkpoints()[company].sequence == 41

    def test_a_zombie_transaction_is_waited_for_and_fenced(
        self, shop: Shop, company: str
    ) -> None:
        order: TableSchema = shop.table(name=ColumnType.TEXT)
        mine = claimed(shop.ledger, company)
        with shop.another() as second:
            with shop.transaction():
                shop.ledger.advance([Move(company, mine.epoch, 41, 50, TIME)])
                shop.put(order, 1, id="a")
            again = second.ledger.reclaim(company, mine.epoch, "me")

            assert again.sequence == 50
            with pytest.raises(TakenOver), shop.transaction():
                shop.ledger.advance([Move(company, mine.epoch, 50, 60, TIME)])

    def test_after_close_there_is_no_connection_but_words(
        self, shop: Shop, company: str
    ) -> None:
        shop.close()
        shop.close()

        with pytest.raises(TransientError):
            shop.ledger.checkpoints()
        shop.open()
        assert company in shop.ledger.checkpoints()


class Quarantine(Books):
    """Bad messages and broken tables are kept, found, marked and let go."""

    def test_the_quarantine_keeps_the_whole_message(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        one, two = (
            entry(unique(), message=message(8)),
            entry(unique(), message=message(7)),
        )
        shop.ledger.quarantine([one, two])

        assert kept(shop, one) == [two, one]

    def test_an_entry_that_is_there_is_replaced(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        id_ = unique()
        shop.ledger.quarantine([entry(id_, reason="first")])
        last = entry(id_, reason="third")
        shop.ledger.quarantine([entry(id_, reason="second"), last])

        assert kept(shop, last) == [last]

    def test_entries_are_found_marked_and_dropped(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        ledger, one = shop.ledger, unique()
        count = max(12, 1200 // self.slowness)
        ids = [f"{one}-{number:04d}" for number in range(count)]
        ledger.quarantine([entry(id_) for id_ in ids])

        assert ledger.set_quarantine_state(ids[:3], "retry") == 3
        marked = {e.id for e in ledger.quarantined(state="retry")}
        assert marked & set(ids) == set(ids[:3])
        assert len(ledger.quarantined(ids=ids[10:])) == count - 10
        assert [e.id for e in ledger.quarantined(ids=ids[:9], state="retry")] == ids[:3]
        assert ledger.quarantined(ids=[]) == []
        assert ledger.drop_quarantined(ids) == count
        assert ledger.drop_quarantined(ids) == 0

    def test_entries_are_read_in_parts_in_stream_order(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        ledger, one = shop.ledger, unique()
        sequences = (7, 30, 200, 1000)
        made = [entry(f"{one}-{n}", message=message(n)) for n in sequences]
        ledger.quarantine(made)
        ids = [entry.id for entry in made]

        def read(after: int) -> list[str]:
            return [e.id for e in ledger.quarantined(ids=ids, after=after, most=2)]

        assert read(after=0) == ids[:2]
        assert read(after=30) == ids[2:]
        assert read(after=1000) == []

    def test_what_no_text_column_takes_does_not_stop_the_quarantine(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        bad = entry(unique(), reason="NUL \0 and \ud800 and 😀")
        shop.ledger.quarantine([bad])

        (found,) = kept(shop, bad)
        assert found.reason == "NUL \\u0000 and \\ud800 and 😀"

    def test_an_empty_and_a_large_payload(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        large = bytes(range(256)) * 20_000
        one = entry(unique(), message=message(1, b""))
        shop.ledger.quarantine([one])
        shop.ledger.quarantine([entry(unique(), message=message(2, large))])

        assert [e.message.data for e in kept(shop, one)] == [b"", large]

    @needs("transactions")
    def test_quarantine_is_undone_with_its_transaction(
        self, shop: Shop, entry: Callable[..., Quarantined]
    ) -> None:
        bad = entry(unique())
        with pytest.raises(ZeroDivisionError), shop.transaction():
            shop.ledger.quarantine([bad])
            raise ZeroDivisionError

        assert kept(shop, bad) == []

    def test_a_parked_table_is_remembered_until_it_is_let_go(self, shop: Shop) -> None:
        ledger, company = shop.ledger, shop.traces.company()
        order, user = unique("order"), unique("user")
        parked = Parked(order, company, 41, "no privilege", "grant it")
        ledger.park([parked, Parked(user, company, 7, "gone")])
        ledger.park([replace(parked, sequence=43, resume=True)])
        ledger.park([replace(parked, sequence=44)])

        found = of(company, ledger.parked())
        assert [(p.table, p.sequence) for p in found] == [(order, 43), (user, 7)]
        states = {s.table: (s.state, s.reason) for s in ledger.statuses()}
        assert states[order] == ("parked", "no privilege")
        assert ledger.request_resume(order) == 1
        assert [p.resume for p in of(company, ledger.parked())] == [True, False]
        ledger.unpark(order, company)
        assert [p.table for p in of(company, ledger.parked())] == [user]
        assert {s.table: s.state for s in ledger.statuses()}[order] == "ok"

    def test_a_table_is_parked_for_one_company_and_not_for_another(
        self, shop: Shop
    ) -> None:
        ledger, table = shop.ledger, unique("order")
        one, two = shop.traces.company(), shop.traces.company()
        ledger.park([Parked(table, one, 1, "why"), Parked(table, two, 2, "why")])

        assert ledger.request_resume(table) == 2
        ledger.unpark(table, one)
        assert of(one, ledger.parked()) == []
        assert [p.sequence for p in of(two, ledger.parked())] == [2]

    def test_freshness_adds_up_rows(self, shop: Shop) -> None:
        company, other = shop.traces.company(), shop.traces.company()
        table = unique("order")
        status = TableStatus(table, company, "ok", "", TIME, 0.25, 3, "now")
        shop.ledger.report({(table, company): status, (table, other): status})
        shop.ledger.report({(table, company): status})
        parked = TableStatus(table, company, state="parked", reason="why")
        shop.ledger.report({(table, company): parked})

        (found,) = of(company, shop.ledger.statuses())
        assert (found.rows, found.last_event, found.lag) == (6, TIME, 0.25)
        assert (found.state, found.reason) == ("parked", "why")


def claimed(
    ledger: Ledger, company: str, owner: str = "me", role: Any = "server"
) -> Checkpoint:
    found = ledger.claim(company, owner, role)
    assert found is not None
    return found


def kept(shop: Shop, entry: Quarantined) -> list[Quarantined]:
    """The quarantine's entries of the same company as *entry*."""
    return of(entry.company, shop.ledger.quarantined())


def of(company: str, entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry.company == company]
