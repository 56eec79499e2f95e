"""Whatever the order, the repetitions and the batches: the same table."""

from __future__ import annotations

import json
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eds_core.batch import Batch
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.schema import Column, ColumnType, TableSchema

TABLE = TableSchema(
    "order",
    "1",
    (
        Column("id", ColumnType.TEXT),
        Column("name", ColumnType.TEXT),
        Column("total", ColumnType.INTEGER),
    ),
    ("id",),
)

versions = st.builds(
    Version, st.sampled_from([7, 99, 100, 10**18, 10**18 + 1]), st.integers(0, 11)
)
rows = st.fixed_dictionaries(
    {"id": st.sampled_from("abc")},
    optional={
        "name": st.none() | st.text("ab'\"\\", max_size=3),
        "total": st.none() | st.integers(-(2**63), 2**63 - 1),
        "private": st.just(1),
    },
)


@dataclass(frozen=True)
class Deed:
    version: Version
    row: dict[str, object]
    deletes: bool


@st.composite
def histories(draw):
    """Events of distinct versions, and a way that they may come in."""
    deeds = [
        Deed(version, draw(rows), deletes=draw(st.booleans()))
        for version in draw(st.lists(versions, unique=True, max_size=12))
    ]
    again = draw(st.lists(st.sampled_from(deeds), max_size=6)) if deeds else []
    arrival = draw(st.permutations([*deeds, *again]))
    cuts = draw(st.lists(st.booleans(), min_size=len(arrival), max_size=len(arrival)))
    return deeds, arrival, cuts


def fold(deeds):
    """What the table has to be, by the definition."""
    table = {}
    for deed in sorted(deeds, key=lambda deed: deed.version):
        key = deed.row["id"]
        if deed.deletes:
            table.pop(key, None)
        else:
            table[key] = (key, deed.row.get("name"), deed.row.get("total"))
    return sorted(table.values())


def as_event(deed):
    operation = Operation.DELETE if deed.deletes else Operation.UPDATE
    after = b"" if deed.deletes else json.dumps(deed.row).encode()
    message = Message("dbchange.order.UPDATE.shop.loc.PUBLIC.1", b"", 1, 1)
    key = [deed.row["id"]]
    return ChangeEvent("e", "order", operation, key, deed.version, "1", after, message)


def write(shop, batch):
    with shop.transaction():
        for run in batch.runs.get("order", []):
            shop.delete(run.table, run.deletes)
            shop.upsert(run.table, run.upserts)


def check(shop, history):
    deeds, arrival, cuts = history
    batch = Batch()
    for deed, cut in zip(arrival, cuts, strict=True):
        batch.add(as_event(deed), TABLE)
        if cut:
            write(shop, batch)
            batch = Batch()
    write(shop, batch)

    assert shop.rows("order", "id", "name", "total") == fold(deeds)
    shop.run('DELETE FROM "order"', "DELETE FROM _eds_tombstone")


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_sqlite_equals_the_fold(sqlite, history):
    sqlite.prepare(TABLE)

    check(sqlite, history)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_the_portable_statements_equal_the_fold(portable, history):
    portable.prepare(TABLE)

    check(portable, history)


@settings(
    max_examples=80,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_postgresql_equals_the_fold(postgresql, history):
    postgresql.prepare(TABLE)

    check(postgresql, history)


@settings(
    max_examples=60,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # shrinking takes minutes here
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(history=histories())
def test_mysql_and_mariadb_equal_the_fold(mysqls, history):
    mysqls.prepare(TABLE)

    check(mysqls, history)
