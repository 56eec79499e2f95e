"""Layer 3, quarantine: bad messages and broken tables, kept until they are mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from eds_core.event import Message
from eds_core.ledger import Parked, Quarantined, TableStatus
from eds_core.testing.shop import Shop, unique
from eds_core.testing.suite import Suite, needs

from .ledger import TIME


def message(sequence: int = 7, data: bytes = b"\x1f\x8b\x00\xff") -> Message:
    headers = {"Nats-Msg-Id": "ä", "x": ""}
    subject = "dbchange.order.INSERT.shop.loc.PUBLIC.1"
    return Message(subject, data, sequence, TIME, headers)


class Quarantine(Suite):
    """Bad messages and broken tables are kept, found, marked and let go."""

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


def kept(shop: Shop, entry: Quarantined) -> list[Quarantined]:
    """The quarantine's entries of the same company as *entry*."""
    return of(entry.company, shop.ledger.quarantined())


def of(company: str, entries: list[Any]) -> list[Any]:
    return [entry for entry in entries if entry.company == company]
