"""Positions, quarantine and table states, on every database."""

from __future__ import annotations

import pytest

from eds_core.errors import FatalError, PositionMoved, TakenOver, TransientError
from eds_core.event import Message
from eds_core.ledger import Checkpoint, Move, Parked, Quarantined, TableStatus

TIME = 1_700_000_000_123_456_789
FIRST = Checkpoint("shop", 41, TIME, "account", "dbchange", "prefix")


@pytest.fixture
def ledger(shop):
    shop.ledger.establish(FIRST)
    return shop.ledger


def bump(shop, **values):
    sets = ", ".join(f"{name} = {value}" for name, value in values.items())
    shop.run(f"UPDATE _eds_checkpoint SET {sets}")


def test_nothing_is_read_where_nothing_was_written(shop):
    for name in ("checkpoint", "tombstone", "quarantine", "parked", "status"):
        shop.run(f"DROP TABLE _eds_{name}")
    ledger = shop.ledger

    assert ledger.checkpoints() == {}
    assert ledger.quarantined() == []
    assert ledger.parked() == []
    assert ledger.statuses() == []
    assert ledger.request_resume("order") == 0
    assert not shop.driver.session.has_table("_eds_checkpoint")


def test_the_tables_are_made_once_even_by_two_servers(shop):
    with shop.another() as second:
        second.ledger.create()
        shop.ledger.create()


def test_the_first_position_stays_the_first(shop, ledger):
    ledger.establish(Checkpoint("shop", 99, TIME, "a", "s", "p"))

    assert ledger.checkpoints() == {"shop": FIRST}


def test_a_claim_bumps_the_epoch(shop, ledger):
    first = ledger.claim("shop", "me", "server")
    second = ledger.claim("shop", "you", "import")

    assert (first.epoch, first.owner, first.sequence) == (1, "me", 41)
    assert (second.epoch, second.owner, second.role) == (2, "you", "import")
    assert ledger.checkpoints() == {"shop": second}


def test_a_claim_without_a_row_is_none(shop):
    assert shop.ledger.claim("nobody", "me", "server") is None


def test_advancing_moves_position_and_time(shop, ledger):
    mine = ledger.claim("shop", "me", "server")
    with shop.transaction():
        ledger.advance([Move("shop", mine.epoch, 41, 50, TIME + 1)])

    assert ledger.checkpoints()["shop"].sequence == 50
    assert ledger.checkpoints()["shop"].time == TIME + 1
    assert shop.rows("_eds_checkpoint", "time") == [("2023-11-14T22:13:20.123456790Z",)]


def test_who_was_taken_over_writes_nothing(shop, ledger, order):
    mine = ledger.claim("shop", "me", "server")
    ledger.claim("shop", "you", "server")

    with pytest.raises(TakenOver, match="you"), shop.transaction():  # noqa: PT012 - the transaction is the point
        shop.put(order, 1, id="a")
        ledger.advance([Move("shop", mine.epoch, 41, 50, TIME)])

    assert shop.rows("order") == []
    assert ledger.checkpoints()["shop"].sequence == 41


@pytest.mark.parametrize("changed", [{"seq": 30}, {"epoch": 0}, {"seq": 50}])
def test_a_restored_database_is_noticed(shop, ledger, changed):
    mine = ledger.claim("shop", "me", "server")
    bump(shop, **changed)

    with pytest.raises(PositionMoved) as caught, shop.transaction():
        ledger.advance([Move("shop", mine.epoch, 41, 50, TIME)])

    assert caught.value.found == changed.get("seq", 41)


def test_a_checkpoint_that_is_gone_stops(shop, ledger):
    mine = ledger.claim("shop", "me", "server")
    shop.run("DELETE FROM _eds_checkpoint")

    with pytest.raises(FatalError), shop.transaction():
        ledger.advance([Move("shop", mine.epoch, 41, 50, TIME)])
    with pytest.raises(FatalError):
        ledger.reclaim("shop", mine.epoch, "me")


def test_a_reclaim_bumps_the_epoch_that_is_ours(shop, ledger):
    mine = ledger.claim("shop", "me", "server")

    assert ledger.reclaim("shop", mine.epoch, "me").epoch == mine.epoch + 1


def test_a_reclaim_after_a_takeover_says_who(shop, ledger):
    mine = ledger.claim("shop", "me", "server")
    ledger.claim("shop", "you", "import")

    with pytest.raises(TakenOver, match=r"\(import\): you"):
        ledger.reclaim("shop", mine.epoch, "me")


def test_a_reclaim_on_a_restored_copy_goes_beyond_its_own_epoch(shop, ledger):
    for _ in range(5):
        mine = ledger.claim("shop", "me", "server")
    bump(shop, epoch=2, seq=30)

    again = ledger.reclaim("shop", mine.epoch, "me")

    assert (again.epoch, again.sequence) == (mine.epoch + 1, 30)


def test_position_and_rows_vanish_together(shop, ledger, order):
    mine = ledger.claim("shop", "me", "server")
    with pytest.raises(ZeroDivisionError), shop.transaction():  # noqa: PT012 - the transaction is the point
        ledger.advance([Move("shop", mine.epoch, 41, 50, TIME)])
        shop.put(order, 1, id="a")
        raise ZeroDivisionError

    assert shop.rows("order") == []
    assert ledger.checkpoints()["shop"].sequence == 41


def message(sequence=7, data=b"\x1f\x8b\x00\xff"):
    return Message(
        "dbchange.order.INSERT.shop.loc.PUBLIC.1",
        data,
        sequence,
        TIME,
        {"Nats-Msg-Id": "ä", "x": ""},
    )


def entry(id_="1", **changes):
    return Quarantined(
        id_,
        "shop",
        "order",
        "event",
        changes.pop("message", message()),
        changes.pop("reason", "because"),
        "do this",
        at="2024-01-01T00:00:00Z",
        **changes,
    )


def test_the_quarantine_keeps_the_whole_message(shop):
    one, two = entry("1", message=message(8)), entry("2", message=message(7))
    shop.ledger.quarantine([one, two])

    assert shop.ledger.quarantined() == [two, one]


def test_an_entry_that_is_there_is_replaced(shop):
    shop.ledger.quarantine([entry(reason="first")])
    shop.ledger.quarantine([entry(reason="second"), entry(reason="third")])

    assert [e.reason for e in shop.ledger.quarantined()] == ["third"]


def test_entries_are_found_marked_and_dropped(shop):
    ledger = shop.ledger
    every = [str(number) for number in range(1200)]
    ledger.quarantine([entry(id_) for id_ in every])

    assert ledger.set_quarantine_state(every[:3], "retry") == 3
    assert [e.id for e in ledger.quarantined(state="retry")] == ["0", "1", "2"]
    assert len(ledger.quarantined(ids=every[100:])) == 1100
    assert len(ledger.quarantined(most=7)) == 7
    assert [e.id for e in ledger.quarantined(state="retry", most=2)] == ["0", "1"]
    assert ledger.quarantined(ids=[]) == []
    assert ledger.drop_quarantined(every) == 1200
    assert ledger.drop_quarantined(every) == 0


def test_what_no_text_column_takes_does_not_stop_the_quarantine(shop):
    shop.ledger.quarantine([entry(reason="NUL \0 and \ud800 and 😀")])

    (found,) = shop.ledger.quarantined()
    assert found.reason == "NUL \\u0000 and \\ud800 and 😀"


def test_entries_are_read_in_parts_in_stream_order(shop):
    ledger = shop.ledger
    ledger.quarantine([entry(str(n), message=message(n)) for n in (7, 30, 200, 1000)])

    assert [e.id for e in ledger.quarantined(most=2)] == ["7", "30"]
    assert [e.id for e in ledger.quarantined(after=30, most=2)] == ["200", "1000"]
    assert ledger.quarantined(after=1000, most=2) == []


def test_an_empty_and_a_large_payload(shop):
    large = bytes(range(256)) * 20_000
    shop.ledger.quarantine([entry("a", message=message(1, b""))])
    shop.ledger.quarantine([entry("b", message=message(2, large))])

    assert [e.message.data for e in shop.ledger.quarantined()] == [b"", large]


def test_quarantine_is_undone_with_its_transaction(shop):
    with pytest.raises(ZeroDivisionError), shop.transaction():  # noqa: PT012 - the transaction is the point
        shop.ledger.quarantine([entry()])
        raise ZeroDivisionError

    assert shop.ledger.quarantined() == []


def test_a_parked_table_is_remembered_until_it_is_let_go(shop):
    ledger = shop.ledger
    parked = Parked("order", "shop", 41, "no privilege", "grant it")
    ledger.park([parked, Parked("user", "shop", 7, "gone")])
    ledger.park([Parked("order", "shop", 43, "no privilege", "grant it", resume=True)])
    ledger.park([Parked("order", "shop", 44, "no privilege", "grant it")])

    assert [(p.table, p.sequence) for p in ledger.parked()] == [
        ("order", 43),
        ("user", 7),
    ]
    states = {s.table: (s.state, s.reason) for s in ledger.statuses()}
    assert states["order"] == ("parked", "no privilege")
    assert ledger.request_resume("order") == 1
    assert [p.resume for p in ledger.parked()] == [True, False]
    ledger.unpark("order", "shop")
    assert [p.table for p in ledger.parked()] == ["user"]
    assert {s.table: s.state for s in ledger.statuses()}["order"] == "ok"


def test_freshness_adds_up_rows(shop):
    status = TableStatus("order", "shop", "ok", "", TIME, 0.25, 3, "now")
    name = ("order", "shop")
    shop.ledger.report({name: status, ("order", "other"): status})
    shop.ledger.report({name: status})
    shop.ledger.report({name: TableStatus(*name, state="parked", reason="why")})

    found = {s.company: s for s in shop.ledger.statuses()}["shop"]
    assert (found.rows, found.last_event, found.lag) == (6, TIME, 0.25)
    assert (found.state, found.reason) == ("parked", "why")


def test_a_zombie_transaction_is_waited_for_and_fenced(shop, ledger, order):
    mine = ledger.claim("shop", "me", "server")
    with shop.another() as second:
        with shop.transaction():
            ledger.advance([Move("shop", mine.epoch, 41, 50, TIME)])
            shop.put(order, 1, id="a")
        again = second.ledger.reclaim("shop", mine.epoch, "me")

        assert again.sequence == 50
        with pytest.raises(TakenOver), shop.transaction():
            ledger.advance([Move("shop", mine.epoch, 50, 60, TIME)])


def test_after_close_there_is_no_connection_but_words(shop):
    shop.close()
    shop.close()

    with pytest.raises(TransientError):
        shop.ledger.checkpoints()
    shop.open()
    assert shop.ledger.checkpoints() == {}
