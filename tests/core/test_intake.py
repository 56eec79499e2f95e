"""Events in stream order, and positions that pass nothing unwritten."""

from __future__ import annotations

import gzip

from core.intakes import KNOWN, A, all_but, intake, known, message, sequences
from eds_core import intake as module
from eds_core.errors import DecodeError
from eds_core.event import Message
from eds_core.intake import Intake
from eds_core.stream import Gap, Heartbeat


def test_events_leave_in_stream_order_with_their_schema():
    found = intake(aa=5)
    for sequence in (6, 9, 10):
        found.put([message(A, sequence)])
    taken = found.take(known)

    assert sequences(taken) == [6, 9, 10]
    assert {entry.schema for entry in taken.entries} == {KNOWN["order"]}
    assert taken.reached == {A: (10, 100)}
    assert taken.size == sum(entry.message.size for entry in taken.entries)
    assert found.take(known).entries == []


def test_nothing_new_stays_where_it_was():
    assert intake(aa=5).take(known).reached == {A: (5, 50)}


def test_what_is_packed_counts_as_large_as_it_becomes():
    """Else a few packed megabytes of the pool would be gigabytes of memory."""
    found = intake(aa=0)
    plain = message(A, 1, size=100_000)
    packed = message(A, 2, data=gzip.compress(message(A, 2, size=100_000).data))
    for item in (plain, packed):
        found.put([item])

    assert len(packed.data) < 1000
    assert plain.size - packed.size < 1000
    assert found.take(known).size == plain.size + packed.size


def test_what_cannot_be_decoded_goes_with_its_error():
    found = intake(aa=0)
    found.put([message(A, 1, data=b"rubbish")])
    (entry,) = found.take(known).entries

    assert entry.event is None
    assert isinstance(entry.error, DecodeError)


def test_a_table_that_is_refused_goes_with_its_error():
    def refuses(event):
        raise DecodeError("no")

    found = intake(aa=0)
    found.put([message(A, 1)])
    taken = found.take(refuses)

    assert str(taken.entries[0].error) == "no"
    assert taken.reached == {A: (1, 10)}


def test_a_table_that_waits_holds_only_itself():
    found = intake(aa=0)
    for sequence, table in enumerate(("slow", "order", "slow", "user"), start=1):
        found.put([message(A, sequence, table)])
    first = found.take(all_but("slow"))
    second = found.take(known)

    assert (sequences(first), sequences(second)) == ([2, 4], [1, 3])


def test_the_position_never_passes_an_event_that_is_held():
    found = intake(aa=0)
    found.put([message(A, 1)])
    found.put([message(A, 4, "slow")])
    found.put([message(A, 7)])
    found.put([Heartbeat(A, 9, "s")])

    assert found.take(all_but("slow")).reached == {A: (3, 40)}
    assert found.take(all_but("slow")).reached == {A: (3, 40)}
    assert found.take(known).reached == {A: (9, 70)}


def test_a_held_table_keeps_its_order_with_what_comes_later():
    found = intake(aa=0)
    found.put([message(A, 1, "slow")])
    found.take(all_but("slow"))
    found.put([message(A, 2, "slow")])
    found.take(all_but("slow"))
    found.put([message(A, 3, "slow")])

    assert sequences(found.take(known)) == [1, 2, 3]


def test_a_schema_that_comes_amid_a_batch_does_not_turn_the_order_round():
    answers = iter([None, KNOWN["slow"], KNOWN["slow"]])
    found = intake(aa=0)
    found.put([message(A, 1, "slow")])
    found.put([message(A, 2, "slow")])
    first = found.take(lambda _: next(answers))
    second = found.take(lambda _: next(answers))

    assert (sequences(first), sequences(second)) == ([], [1, 2])


def test_held_events_and_a_full_batch_keep_the_order(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 3)
    found = intake(aa=0)
    for sequence in range(1, 11):
        found.put([message(A, sequence, "slow" if sequence % 2 else "order")])
    assert sequences(found.take(all_but("slow"))) == [2, 4, 6]
    taken = [found.take(known) for _ in range(4)]

    assert [sequences(t) for t in taken] == [[1, 3, 5], [7, 8, 9], [10], []]
    assert [t.reached[A][0] for t in taken] == [6, 9, 10, 10]


def test_the_position_only_rises(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 4)
    found, reached = intake(aa=0), []
    for sequence in range(1, 61):
        found.put([message(A, sequence, ("slow", "order", "user")[sequence % 3])])
        unknown = ("slow",) if sequence % 7 else ()
        reached.append(found.take(all_but(*unknown)).reached[A][0])

    assert reached == sorted(reached)


def test_a_heartbeat_counts_only_when_nothing_is_left(monkeypatch):
    monkeypatch.setattr(module, "MAX_EVENTS", 1)
    found = intake(aa=0)
    found.put([message(A, 1)])
    found.put([message(A, 2)])
    found.put([Heartbeat(A, 50, "s")])

    assert found.take(known).reached == {A: (1, 10)}
    assert found.take(known).reached == {A: (50, 20)}


def test_a_message_behind_a_heartbeat_leads():
    found = intake(aa=0)
    found.put([Heartbeat(A, 50, "s")])
    found.put([message(A, 60)])

    assert found.take(known).reached == {A: (60, 600)}


def test_a_gap_is_kept_to_be_told():
    found = intake(aa=0)
    found.put([Gap(A, 0, 9)])

    assert found.gaps == [Gap(A, 0, 9)]
    assert found.arrived.is_set()


def test_a_dropped_lane_tells_what_it_frees():
    found = intake(aa=0)
    put = [message(A, 1, "slow"), message(A, 2)]
    for item in put:
        found.put([item])
    found.take(all_but("slow"))

    assert found.drop_lane(A) == put[0].size
    assert found.drop_lane(A) == 0


def test_a_lane_that_is_opened_again_forgets_what_was_there():
    found = intake(aa=0)
    found.put([message(A, 7)])
    found.open_lane(A, 3)

    assert found.take(known).entries == []
    assert found.take(known).reached == {A: (3, 0)}


def test_each_message_is_shown_as_it_came():
    seen: list[Message] = []
    found = Intake(seen.append)
    found.open_lane(A, 0)
    found.put([message(A, 1, data=b"rubbish")])
    found.take(known)

    assert [m.data for m in seen] == [b"rubbish"]
