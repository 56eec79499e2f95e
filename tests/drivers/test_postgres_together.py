"""Verbs that do not wait for each other: what they did shows later."""

from __future__ import annotations

import pytest

from eds_core.errors import RejectedError, TransientError
from eds_core.schema import ColumnType

TEXT = ColumnType.TEXT


@pytest.fixture
def tables(postgresql, table_of):
    found = [table_of(name, name=TEXT) for name in ("order", "label")]
    for table in found:
        postgresql.prepare(table)
    return found


def names(shop):
    return [shop.rows(table, "id", "name") for table in ("order", "label")]


def test_what_was_changed_is_told_at_the_end(postgresql, tables):
    order, label = tables
    postgresql.put(order, 1, id="gone", name="x")
    with postgresql.transaction(), postgresql.driver.together() as changed:
        assert postgresql.put(order, 1, id="a", name="1") == 0
        assert postgresql.put(label, 1, id="b", name="2") == 0
        assert postgresql.put(order, 1, id="c", name="3") == 0
        assert postgresql.drop(order, 2, "gone") == 0
        assert changed == {}

    assert changed == {"order": 3, "label": 1}
    assert names(postgresql) == [[("a", "1"), ("c", "3")], [("b", "2")]]
    assert postgresql.put(label, 1, id="d", name="4") == 1  # and the next one waits


def test_what_one_gets_wrong_undoes_all(postgresql, tables):
    order, label = tables
    postgresql.run("CREATE UNIQUE INDEX own ON label (name)")
    postgresql.put(label, 1, id="a", name="taken")

    def write():
        with postgresql.transaction(), postgresql.driver.together():
            postgresql.put(order, 1, id="a", name="1")
            postgresql.put(label, 1, id="b", name="taken")
            postgresql.put(order, 1, id="b", name="2")

    with pytest.raises(RejectedError, match="own"):
        write()

    assert names(postgresql) == [[], [("a", "taken")]]
    assert postgresql.put(order, 1, id="a", name="1") == 1


def test_a_connection_that_is_lost_on_the_way(postgresql, tables):
    order, label = tables
    pid = postgresql.value("SELECT pg_backend_pid()")

    def write(other):
        with postgresql.transaction(), postgresql.driver.together():
            postgresql.put(order, 1, id="a", name="1")
            other.value(f"SELECT pg_terminate_backend({pid})")
            postgresql.put(label, 1, id="b", name="2")

    with postgresql.another() as other, pytest.raises(TransientError):
        write(other)

    postgresql.driver.open()
    assert names(postgresql) == [[], []]
