"""One transaction's worth of work, and what is left of it without the bad parts."""

from __future__ import annotations

import json
import time

import pytest

from eds_core.errors import DecodeError, RejectedError, TableError
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.freshness import Freshness
from eds_core.intake import Entry
from eds_core.ledger import Move, Parked
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.work import KeyReader, Work, coalesce, make_work

A, B = "aa", "bb"
DELETE, INSERT = Operation.DELETE, Operation.INSERT


def table(name="order", *key: str) -> TableSchema:
    names = key or ("id",)
    columns = tuple(Column(column, ColumnType.TEXT) for column in (*names, "v"))
    return TableSchema(name, "v1", columns, names)


TABLES = {name: table(name) for name in ("order", "user")}


def event(
    sequence: int, key="1", row_key=None, *, name="order", company=A, deletes=False
) -> ChangeEvent:
    """An event at *sequence*, whose row says that its key is *row_key*."""
    row = {"id": key if row_key is None else row_key, "v": sequence}
    message = Message(f"dbchange.{name}.X.{company}.N.PUBLIC.1.e", b"", sequence, 1)
    return ChangeEvent(
        f"e{sequence}",
        name,
        DELETE if deletes else INSERT,
        [key],
        Version(sequence),
        "v1",
        b"" if deletes else json.dumps(row).encode(),
        message,
    )


def work(*events: ChangeEvent, **fields: object) -> Work:
    moves = {company: Move(company, 1, 0, 99, 1) for company in (A, B)}
    entries = [Entry(e.message, e, schema=TABLES[e.table]) for e in events]
    made = make_work(entries, moves)
    return Work(made.changes, moves, **fields)


def left(found: Work) -> list[int]:
    return [e.message.sequence for e, _ in found.changes]


def written(found: Work) -> list[tuple[str, int]]:
    """Keys and versions that coalescing leaves to be written."""
    _, batch = coalesce(found)
    return [
        (row.key[0], row.version.wall)
        for runs in batch.runs.values()
        for run in runs
        for row in run.upserts
    ]


def test_entries_are_sorted_into_changes_and_quarantine():
    good, bad = event(1), event(2)
    entries = [
        Entry(good.message, good, schema=TABLES["order"]),
        Entry(bad.message, bad, error=DecodeError("odd")),
        Entry(Message(f"dbchange.x.X.{B}", b"", 3, 1), error=DecodeError("odder")),
    ]
    made = make_work(entries, {})

    assert left(made) == [1]
    assert list(made.quarantine) == ["2", "3"]
    assert made.quarantine["2"].event_id == "e2"
    assert (made.quarantine["3"].company, made.quarantine["3"].table) == (B, "x")
    assert made.quarantine["3"].reason == "odder [E4001]"


def test_skipped_tables_are_passed_over_errors_and_all():
    bad = event(2)
    entries = [
        Entry(bad.message, bad, error=DecodeError("odd")),
        *(
            Entry(e.message, e, schema=TABLES[e.table])
            for e in (event(1), event(3, company=B), event(4, name="user"))
        ),
    ]
    made = make_work(entries, {}, skip=[("order", A)])

    assert left(made) == [3, 4]
    assert made.quarantine == {}


def test_a_row_that_denies_its_key_is_quarantined():
    found, _ = coalesce(work(event(1, "1", row_key="2"), event(2, "5")))

    assert left(found) == [2]
    assert "do not agree" in found.quarantine["1"].reason


def test_what_a_bad_event_had_coalesced_away_comes_back():
    before = work(event(1), event(2), event(3, row_key="9"))

    assert written(before) == [("1", 2)]
    assert list(coalesce(before)[0].quarantine) == ["3"]


def test_a_deletion_before_a_bad_row_stays():
    found, batch = coalesce(work(event(1, deletes=True), event(2, row_key="9")))
    (run,) = batch.runs["order"]

    assert left(found) == [1]
    assert [delete.key for delete in run.deletes] == [("1",)]
    assert run.upserts == []


def test_a_bad_row_that_something_newer_replaces_does_not_matter():
    found, _ = coalesce(work(event(1, row_key="9"), event(2)))

    assert found.quarantine == {}


def test_a_key_with_too_few_values_is_quarantined():
    pair = table("order", "id", "part")
    change = event(1)
    found, batch = coalesce(Work([(change, pair)], {}))

    assert list(found.quarantine) == ["1"]
    assert batch.runs == {}


def test_a_row_that_is_no_json_is_quarantined():
    change = event(1)
    odd = ChangeEvent(
        "e1",
        "order",
        INSERT,
        ["1"],
        change.version,
        "v1",
        b'{"id": "1", "v": }',
        change.message,
    )
    found, _ = coalesce(Work([(odd, TABLES["order"])], {}))

    assert "not valid JSON" in found.quarantine["1"].reason


@pytest.mark.parametrize(
    ("after", "key", "agrees"),
    [
        ('{"id": "x"}', ("x",), True),
        ('{"id": 5}', ("5",), True),
        ('{"id": 12345678901234567890123}', ("12345678901234567890123",), True),
        ('{"id": null}', ("x",), False),
        ("{}", ("x",), False),
        ('{"id": "x "}', ("x",), False),
        ('{"id": "X"}', ("x",), False),
        ('{"\\u0069d": "x"}', ("x",), True),
        ('{"id": "y", "id": "x"}', ("x",), True),
        ('{"id": ["x"]}', ("x",), False),
    ],
)
def test_a_key_agrees_to_the_letter(after, key, agrees):
    change = event(1)
    row = ChangeEvent(
        "e1", "order", INSERT, key, Version(1), "v1", after.encode(), change.message
    )
    found, _ = coalesce(Work([(row, TABLES["order"])], {}))

    assert (found.quarantine == {}) is agrees


def test_a_composite_key_is_compared_as_a_whole():
    reader = KeyReader(table("order", "a", "b"))

    assert reader.check(("1", "2"), b'{"b": "2", "a": "1"}') is None
    assert reader.check(("1", "2"), b'{"b": "1", "a": "2"}')


def test_many_bad_events_of_one_key_do_not_take_for_ever():
    count = 3000
    events = [event(n, row_key="9") for n in range(1, count + 1)]
    began = time.monotonic()
    found, _ = coalesce(work(event(0), *events))

    assert left(found) == [0]
    assert len(found.quarantine) == count
    assert time.monotonic() - began < 3


def test_without_events_they_are_in_quarantine_and_not_settled():
    found = work(event(1), event(2), replayed=["1", "2"])
    found = found.without_events({2: RejectedError("too long", advice="widen it")})

    assert left(found) == [1]
    assert found.replayed == ["1"]
    entry = found.quarantine["2"]
    assert (entry.reason, entry.advice, entry.table) == (
        "too long [E2003]",
        "widen it",
        "order",
    )


def test_without_a_company_nothing_of_it_is_left():
    mine, other = event(1), event(2, company=B)
    found = work(mine, other, event(3), event(4, company=B))
    found = found.without_events({3: DecodeError("x"), 4: DecodeError("y")})
    found = Work(
        found.changes,
        found.moves,
        found.quarantine,
        [Parked("order", A, 1, ""), Parked("order", B, 1, "")],
        [("user", A), ("user", B)],
    ).without_company(A)

    assert left(found) == [2]
    assert list(found.moves) == [B]
    assert list(found.quarantine) == ["4"]
    assert [parked.company for parked in found.parked] == [B]
    assert found.unparked == [("user", B)]


def test_without_a_table_it_is_parked_at_its_first_event_per_company():
    found = work(
        event(5), event(3), event(4, company=B), event(2, name="user"), event(9)
    )
    found = found.without_table("order", TableError("no privilege", advice="grant it"))

    assert left(found) == [2]
    assert found.parked == [
        Parked("order", A, 3, "no privilege [E2004]", "grant it"),
        Parked("order", B, 4, "no privilege [E2004]", "grant it"),
    ]


def test_a_table_that_fails_while_it_resumes_is_parked_anew():
    found = work(
        event(7),
        parked=[Parked("order", A, 9, ""), Parked("user", A, 2, "")],
        unparked=[("order", A)],
    )
    found = found.without_table("order", TableError("still none"))

    assert {(p.table, p.sequence) for p in found.parked} == {("user", 2), ("order", 7)}
    assert found.unparked == []


def test_parking_one_companys_table_keeps_what_was_said_of_another():
    found = work(event(7), parked=[Parked("order", B, 9, "")])
    found = found.without_table("order", TableError("no"))

    assert {(p.company, p.sequence) for p in found.parked} == {(A, 7), (B, 9)}


def test_a_table_that_fails_while_it_is_read_again_is_parked_where_that_has_come_to():
    found = work(event(70), event(71), resuming={("order", A): 40})

    found = found.without_table("order", TableError("no"))

    assert [(p.company, p.sequence) for p in found.parked] == [(A, 40)]


def test_what_comes_from_the_quarantine_returns_to_it_when_its_table_fails():
    found = work(event(7), replayed=["7"])

    found = found.without_table("order", TableError("no"))

    assert [*found.quarantine] == ["7"]
    assert not found.replayed
    assert not found.parked


def test_a_company_that_is_lost_keeps_its_entries_in_the_quarantine():
    found = work(event(7), event(8, company=B), replayed=["7", "8"])

    assert found.without_company(A).replayed == ["8"]


def test_what_is_read_again_of_a_table_that_resumes_counts_for_its_freshness():
    events = [event(sequence) for sequence in (4, 5)]
    one = work(*events, parked=[Parked("order", A, 6, "", resume=True)])

    (found,) = Freshness().due(one).values()

    assert (found.state, found.rows) == ("resuming", 2)
    assert found.last_event == max(e.message.time for e in events)
