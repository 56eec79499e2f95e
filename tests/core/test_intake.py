"""Fair batches in stream order, and positions that pass nothing unwritten."""

from __future__ import annotations

import json

import pytest

from eds_core import intake as module
from eds_core.errors import DecodeError
from eds_core.event import ChangeEvent, Message
from eds_core.intake import Intake, Taken
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.stream import Gap, Heartbeat
from eds_core.stream.credit import size_of

A, B, C = "aa", "bb", "cc"


def message(company: str, sequence: int, table="order", size=0, data=None) -> Message:
    body = {
        "operation": "INSERT",
        "table": table,
        "key": ["1"],
        "timestamp": 1,
        "after": {"id": "1", "pad": "x" * size},
    }
    text = json.dumps(body).encode() if data is None else data
    return Message(
        f"dbchange.{table}.INSERT.{company}.N.PUBLIC.1.e", text, sequence, sequence * 10
    )


def schema(table: str) -> TableSchema:
    return TableSchema(table, "", (Column("id", ColumnType.TEXT),), ("id",))


KNOWN = {table: schema(table) for table in ("order", "user", "slow")}


def known(event: ChangeEvent) -> TableSchema | None:
    return KNOWN[event.table]


def all_but(*tables: str):
    """A look-up in which these tables are still being asked for."""
    return lambda event: None if event.table in tables else KNOWN[event.table]


def intake(**positions: int) -> Intake:
    found = Intake()
    for company, after in positions.items():
        found.open_lane(company, after, after * 10)
    return found


def sequences(taken: Taken, company: str | None = None) -> list[int]:
    messages = (entry.message for entry in taken.entries)
    return [m.sequence for m in messages if company in (None, m.company)]


def test_events_leave_in_stream_order_with_their_schema():
    found = intake(aa=5)
    for sequence in (6, 9, 10):
        found.put(message(A, sequence))
    taken = found.take(known)

    assert sequences(taken) == [6, 9, 10]
    assert {entry.schema for entry in taken.entries} == {KNOWN["order"]}
    assert taken.reached == {A: (10, 100)}
    assert taken.size == sum(size_of(entry.message) for entry in taken.entries)
    assert found.take(known).entries == []


def test_nothing_new_stays_where_it_was():
    assert intake(aa=5).take(known).reached == {A: (5, 50)}


def test_what_cannot_be_decoded_goes_with_its_error():
    found = intake(aa=0)
    found.put(message(A, 1, data=b"rubbish"))
    (entry,) = found.take(known).entries

    assert entry.event is None
    assert isinstance(entry.error, DecodeError)


def test_a_table_that_is_refused_goes_with_its_error():
    def refuses(event):
        raise DecodeError("no")

    found = intake(aa=0)
    found.put(message(A, 1))
    taken = found.take(refuses)

    assert str(taken.entries[0].error) == "no"
    assert taken.reached == {A: (1, 10)}


def test_a_table_that_waits_holds_only_itself():
    found = intake(aa=0)
    for sequence, table in enumerate(("slow", "order", "slow", "user"), start=1):
        found.put(message(A, sequence, table))
    first = found.take(all_but("slow"))
    second = found.take(known)

    assert (sequences(first), sequences(second)) == ([2, 4], [1, 3])


def test_the_position_never_passes_an_event_that_is_held():
    found = intake(aa=0)
    found.put(message(A, 1))
    found.put(message(A, 4, "slow"))
    found.put(message(A, 7))
    found.put(Heartbeat(A, 9, "s"))

    assert found.take(all_but("slow")).reached == {A: (3, 40)}
    assert found.take(all_but("slow")).reached == {A: (3, 40)}
    assert found.take(known).reached == {A: (9, 70)}


def test_a_held_table_keeps_its_order_with_what_comes_later():
    found = intake(aa=0)
    found.put(message(A, 1, "slow"))
    found.take(all_but("slow"))
    found.put(message(A, 2, "slow"))
    found.take(all_but("slow"))
    found.put(message(A, 3, "slow"))

    assert sequences(found.take(known)) == [1, 2, 3]


def test_a_schema_that_comes_amid_a_batch_does_not_turn_the_order_round():
    answers = iter([None, KNOWN["slow"], KNOWN["slow"]])
    found = intake(aa=0)
    found.put(message(A, 1, "slow"))
    found.put(message(A, 2, "slow"))
    first = found.take(lambda _: next(answers))
    second = found.take(lambda _: next(answers))

    assert (sequences(first), sequences(second)) == ([], [1, 2])


def test_held_events_and_a_full_batch_keep_the_order(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    found = intake(aa=0)
    for sequence in range(1, 11):
        found.put(message(A, sequence, "slow" if sequence % 2 else "order"))
    assert sequences(found.take(all_but("slow"))) == [2, 4, 6]
    taken = [found.take(known) for _ in range(4)]

    assert [sequences(t) for t in taken] == [[1, 3, 5], [7, 8, 9], [10], []]
    assert [t.reached[A][0] for t in taken] == [6, 9, 10, 10]


def test_the_position_only_rises(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 4)
    found, reached = intake(aa=0), []
    for sequence in range(1, 61):
        found.put(message(A, sequence, ("slow", "order", "user")[sequence % 3]))
        unknown = ("slow",) if sequence % 7 else ()
        reached.append(found.take(all_but(*unknown)).reached[A][0])

    assert reached == sorted(reached)


def test_a_heartbeat_counts_only_when_nothing_is_left(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 1)
    found = intake(aa=0)
    found.put(message(A, 1))
    found.put(message(A, 2))
    found.put(Heartbeat(A, 50, "s"))

    assert found.take(known).reached == {A: (1, 10)}
    assert found.take(known).reached == {A: (50, 20)}


def test_a_message_behind_a_heartbeat_leads():
    found = intake(aa=0)
    found.put(Heartbeat(A, 50, "s"))
    found.put(message(A, 60))

    assert found.take(known).reached == {A: (60, 600)}


def test_a_gap_is_kept_to_be_told():
    found = intake(aa=0)
    found.put(Gap(A, 0, 9))

    assert found.gaps == [Gap(A, 0, 9)]
    assert found.arrived.is_set()


def test_a_batch_is_bounded_by_count(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 10)
    found = intake(aa=0)
    for sequence in range(1, 26):
        found.put(message(A, sequence))

    assert [len(found.take(known).entries) for _ in range(4)] == [10, 10, 5, 0]


def test_a_batch_is_bounded_by_bytes(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 10_000)
    found = intake(aa=0)
    for sequence in range(1, 21):
        found.put(message(A, sequence, size=2000))
    first = found.take(known)

    assert len(first.entries) == 5
    assert first.size < 10_000 + 3000


def test_an_event_larger_than_a_batch_goes_alone(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    found = intake(aa=0, bb=0)
    for company in (A, B):
        for sequence in range(1, 4):
            found.put(message(company, sequence, size=5000))
    taken = [found.take(known) for _ in range(6)]

    assert [len(t.entries) for t in taken] == [1] * 6
    assert sorted(sequences(t)[0] for t in taken) == [1, 1, 2, 2, 3, 3]


def test_a_hot_company_does_not_starve_the_others(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 30)
    found = intake(aa=0, bb=0, cc=0)
    for sequence in range(1, 1001):
        found.put(message(A, sequence))
    for sequence in range(1, 6):
        found.put(message(B, sequence))
    for sequence in range(1, 101):
        found.put(message(C, sequence))
    taken = found.take(known)
    counts = {company: len(sequences(taken, company)) for company in (A, B, C)}

    assert counts == {A: 13, B: 5, C: 12}


def test_a_full_batch_leaves_a_share_of_bytes_to_every_company(monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 20_000)
    found = intake(aa=0, bb=0)
    for sequence in range(1, 101):
        found.put(message(A, sequence, size=1000))
    for sequence in range(1, 200):
        found.put(message(B, sequence, size=1000))
    taken = found.take(known)

    assert abs(len(sequences(taken, A)) - len(sequences(taken, B))) <= 1


def test_more_companies_than_a_batch_has_room_for_all_get_their_turn(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    companies = [f"c{number}" for number in range(10)]
    found = intake(**dict.fromkeys(companies, 0))
    for company in companies:
        for sequence in (1, 2, 3):
            found.put(message(company, sequence))
    entries = []
    for _ in range(30):
        entries += found.take(known).entries

    assert len(entries) == 30
    for company in companies:
        mine = [e.message.sequence for e in entries if e.message.company == company]
        assert mine == [1, 2, 3]


def test_a_dropped_lane_tells_what_it_frees():
    found = intake(aa=0)
    put = [message(A, 1, "slow"), message(A, 2)]
    for item in put:
        found.put(item)
    found.take(all_but("slow"))

    assert found.drop_lane(A) == size_of(put[0])
    assert found.drop_lane(A) == 0


def test_a_lane_that_is_opened_again_forgets_what_was_there():
    found = intake(aa=0)
    found.put(message(A, 7))
    found.open_lane(A, 3)

    assert found.take(known).entries == []
    assert found.take(known).reached == {A: (3, 0)}


def test_each_message_is_shown_as_it_came():
    seen: list[Message] = []
    found = Intake(seen.append)
    found.open_lane(A, 0)
    found.put(message(A, 1, data=b"rubbish"))

    assert [m.data for m in seen] == [b"rubbish"]


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_nothing_is_lost_or_doubled_whatever_waits(monkeypatch, limit):
    monkeypatch.setattr(module, "MAX_EVENTS", limit)
    found, got = intake(aa=0), []
    for sequence in range(1, 101):
        found.put(message(A, sequence, ("slow", "order", "user")[sequence % 3]))
        waiting = [("slow",), ("order", "slow"), (), ("user",)][sequence % 4]
        got += sequences(found.take(all_but(*waiting)))
    for _ in range(100):
        got += sequences(found.take(known))

    assert sorted(got) == list(range(1, 101))
    for table in range(3):
        mine = [sequence for sequence in got if sequence % 3 == table]
        assert mine == sorted(mine)
