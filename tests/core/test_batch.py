"""A coalesced batch is worth as much as its events, one by one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.batch import Batch, Run
from eds_core.errors import DecodeError
from eds_core.event import ChangeEvent, Message, Operation, Row, Version, VersionedKey
from eds_core.schema import Column, ColumnType, TableSchema


def model(version: str, *columns: str) -> TableSchema:
    found = tuple(Column(name, ColumnType.TEXT) for name in ("id", *columns))
    return TableSchema("customer", version, found, ("id",))


OLD = model("old", "a")
NEW = model("new", "a", "b")
NARROW = model("narrow", "b")
MODELS = {table.model_version: table for table in (OLD, NEW, NARROW)}
PAIR = TableSchema("pair", "", NEW.columns, ("id", "a"))
UPDATE, DELETE = Operation.UPDATE, Operation.DELETE


def change(
    operation: Operation, key: str, version: int, value: str = "", table=NEW
) -> ChangeEvent:
    """An event whose row has *value* in every column."""
    after = {c.name: value for c in table.values} | {"id": key, "private": "x"}
    return ChangeEvent(
        f"e{version}",
        table.name,
        operation,
        [key],
        Version(version),
        table.model_version,
        b"" if operation is DELETE else json.dumps(after).encode(),
        Message(f"dbchange.{table.name}", b"", 1, 1),
    )


class Destination:
    """What every driver promises, in a few lines: the guard and tombstones."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, ...], tuple[Version, dict[str, object]]] = {}
        self.tombstones: dict[tuple[str, ...], Version] = {}

    def upsert(self, table: TableSchema, rows: Iterable[Row]) -> None:
        for row in rows:
            found, columns = self.rows.get(row.key, (row.version, {}))
            if row.version >= max(found, self.tombstones.get(row.key, found)):
                written = {c.name: row.values.get(c.name) for c in table.columns}
                self.rows[row.key] = row.version, columns | written

    def delete(self, keys: Iterable[VersionedKey]) -> None:
        for key, version in keys:
            if key in self.rows and self.rows[key][0] <= version:
                del self.rows[key]
            self.tombstones[key] = max(version, self.tombstones.get(key, version))

    def write(self, run: Run) -> None:
        self.delete(run.deletes)
        self.upsert(run.table, run.upserts)

    @property
    def state(self) -> object:
        filled = {
            key: (version, {k: v for k, v in columns.items() if v is not None})
            for key, (version, columns) in self.rows.items()
        }
        return filled, self.tombstones


def one_by_one(events: Iterable[ChangeEvent], into: Destination) -> Destination:
    for event in events:
        table = MODELS[event.model_version]
        key = event.key(table)
        if event.deletes:
            into.delete([VersionedKey(key, event.version)])
        else:
            into.upsert(table, [Row(key, event.version, event.after)])
    return into


def coalesced(batches: Iterable[Sequence[ChangeEvent]], into: Destination):
    for events in batches:
        for run in runs(events):
            into.write(run)
    return into


def runs(events: Iterable[ChangeEvent]) -> list[Run]:
    batch = Batch()
    for event in events:
        batch.add(event, MODELS[event.model_version])
    return batch.runs.get("customer", [])


def cut(events: Sequence[ChangeEvent], at: Iterable[int]) -> list[list[ChangeEvent]]:
    places = [0, *sorted(place % (len(events) + 1) for place in at), len(events)]
    return [list(events[start:end]) for start, end in pairwise(places)]


def by_model(events: Iterable[ChangeEvent]) -> list[list[ChangeEvent]]:
    found: list[list[ChangeEvent]] = []
    for event in events:
        if not found or found[-1][0].model_version != event.model_version:
            found.append([])
        found[-1].append(event)
    return found


def in_version_order(events: Iterable[ChangeEvent]) -> list[ChangeEvent]:
    """Equal versions stay in stream order."""
    return sorted(events, key=lambda event: event.version)


def rising(events: Sequence[ChangeEvent]) -> list[ChangeEvent]:
    """The same changes, each newer than the one before it."""
    return [
        change(e.operation, e.raw_key[0], n, f"v{n}", MODELS[e.model_version])
        for n, e in enumerate(events)
    ]


OPERATIONS = st.sampled_from([UPDATE, UPDATE, DELETE])
KEYS = st.sampled_from("xyz")
# Few versions, so that many are equal; every row's value is its own.
CHANGES = st.lists(
    st.tuples(OPERATIONS, KEYS, st.integers(0, 6), st.sampled_from([*MODELS.values()]))
).map(
    lambda found: [
        change(operation, key, version, f"{n}", table)
        for n, (operation, key, version, table) in enumerate(found)
    ]
)
CUTS = st.lists(st.integers(0, 50), max_size=5)
ONE_MODEL = CHANGES.map(
    lambda events: [
        change(e.operation, e.raw_key[0], e.version.wall, f"{n}")
        for n, e in enumerate(events)
    ]
)


@given(before=CHANGES, events=CHANGES, cuts=CUTS)
def test_a_coalesced_batch_equals_its_events_in_version_order(before, events, cuts):
    expected, found = (one_by_one(before, Destination()) for _ in range(2))
    for batch in cut(events, cuts):
        for part in by_model(batch):
            one_by_one(in_version_order(part), expected)

    coalesced(cut(events, cuts), found)

    assert found.state == expected.state


@given(before=ONE_MODEL, events=ONE_MODEL, cuts=CUTS)
def test_under_one_model_it_equals_its_events_in_stream_order(before, events, cuts):
    expected, found = (one_by_one(before, Destination()) for _ in range(2))

    one_by_one(events, expected)
    coalesced(cut(events, cuts), found)

    assert found.state == expected.state


@given(events=CHANGES.map(rising), cuts=CUTS)
def test_a_stream_of_rising_versions_is_cut_anywhere_with_one_result(events, cuts):
    expected = one_by_one(events, Destination())

    assert coalesced(cut(events, cuts), Destination()).state == expected.state


@given(events=CHANGES.map(rising), start=st.integers(0), cuts=CUTS)
def test_a_replay_from_anywhere_changes_nothing(events, start, cuts):
    expected = one_by_one(events, Destination())
    found = one_by_one(events, Destination())

    coalesced(cut(events[start:], cuts), found)

    assert found.state == expected.state


@given(events=ONE_MODEL.map(rising), cuts=CUTS, data=st.data())
def test_any_permutation_with_duplicates_gives_the_same_table(events, cuts, data):
    again = data.draw(st.lists(st.sampled_from(events)) if events else st.just([]))
    shuffled = data.draw(st.permutations(events + again))

    expected = one_by_one(events, Destination())
    found = coalesced(cut(shuffled, cuts), Destination())

    assert found.state == expected.state


@given(events=CHANGES)
def test_a_run_has_at_most_one_delete_and_one_upsert_per_key_sorted(events):
    for run in runs(events):
        deleted = [key for key, _ in run.deletes]
        written = [row.key for row in run.upserts]

        assert deleted == sorted(set(deleted))
        assert written == sorted(set(written))


@given(events=CHANGES)
def test_every_key_left_leads_back_to_its_event(events):
    for run in runs(events):
        left = dict(run.deletes) | {row.key: row.version for row in run.upserts}
        for key, version in left.items():
            assert run.event(key).version == version


@given(events=CHANGES)
def test_rows_and_deletions_carry_their_events(events):
    for run in runs(events):
        for item in (*run.deletes, *run.upserts):
            assert item.event in events
            assert item.event.key(run.table) == item.key
            assert item.event.version == item.version
        assert all(item.event.deletes for item in run.deletes)
        assert not any(item.event.deletes for item in run.upserts)


def test_what_an_import_deletes_or_writes_came_with_no_event():
    assert VersionedKey(("x",), Version(1)).event is None
    assert Row(("x",), Version(1), b"{}").event is None


def test_what_lies_before_a_delete_is_left_out_but_not_the_delete():
    (run,) = runs([change(UPDATE, "x", 1), change(DELETE, "x", 2)])

    assert run.deletes == [VersionedKey(("x",), Version(2))]
    assert run.upserts == []


def test_a_delete_stays_before_the_row_that_follows_it():
    (run,) = runs([change(DELETE, "x", 2), change(UPDATE, "x", 3)])

    assert run.deletes == [VersionedKey(("x",), Version(2))]
    assert [row.version for row in run.upserts] == [Version(3)]


def test_of_equal_versions_the_later_in_the_stream_wins():
    (run,) = runs([change(UPDATE, "x", 1, "first"), change(UPDATE, "x", 1, "later")])

    assert [row.values["a"] for row in run.upserts] == ["later"]


def test_of_an_equal_row_and_delete_the_later_in_the_stream_wins():
    (gone,) = runs([change(UPDATE, "x", 1), change(DELETE, "x", 1)])
    (back,) = runs([change(DELETE, "x", 1), change(UPDATE, "x", 1)])

    assert gone.upserts == []
    assert len(back.upserts) == 1


def test_a_run_ends_where_the_model_changes():
    tables = [OLD, OLD, NEW, OLD]
    events = [change(UPDATE, "x", n, table=table) for n, table in enumerate(tables)]

    assert [run.table for run in runs(events)] == [OLD, NEW, OLD]


def test_each_table_has_its_own_runs():
    batch = Batch()
    batch.add(change(UPDATE, "x", 1), NEW)
    order = TableSchema("order", "", NEW.columns, ("id",))
    batch.add(change(UPDATE, "x", 1, table=order), order)
    batch.add(change(UPDATE, "x", 2), NEW)

    assert [len(found) for found in batch.runs.values()] == [1, 1]


def test_a_key_that_does_not_fit_leaves_the_batch_as_it_was():
    batch = Batch()

    with pytest.raises(DecodeError):
        batch.add(change(UPDATE, "x", 1), PAIR)

    assert batch.runs == {}
