"""Layer 3, ledger: positions, and who may move them."""

from __future__ import annotations

from typing import Any

import pytest

from eds_core.errors import FatalError, PositionMoved, TakenOver, TransientError
from eds_core.ledger import Checkpoint, Move
from eds_core.ledger import Ledger as AnyLedger
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.shop import Shop, unique
from eds_core.testing.suite import Suite, needs
from eds_core.testing.sweeping import FirstLook

TIME = 1_700_000_000_123_456_789


class Ledger(Suite):
    """A company's position moves with its rows, and for its one writer only."""

    @pytest.fixture
    def company(self, shop: Shop) -> str:
        """A company whose position is 41."""
        name = shop.traces.company()
        first = Checkpoint(name, 41, TIME, "account", "dbchange", "prefix")
        shop.ledger.establish(first)
        return name

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


def claimed(
    ledger: AnyLedger, company: str, owner: str = "me", role: Any = "server"
) -> Checkpoint:
    found = ledger.claim(company, owner, role)
    assert found is not None
    return found
