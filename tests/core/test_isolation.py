"""Finding the rows at fault in a rejected list."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import RejectedError, TableError
from eds_core.event import Row, Version
from eds_core.isolation import ALIKE, Isolation


class Table:
    """A table in memory that rejects some rows and undoes a failed savepoint."""

    def __init__(self, rejects: Callable[[Row, Table], str | None]) -> None:
        self.rows: dict[str, Row] = {}
        self._rejects = rejects
        self.calls = 0

    def write(self, rows: Sequence[Row]) -> int:
        self.calls += 1
        for row in rows:
            if reason := self._rejects(row, self):
                raise RejectedError(reason, signature=reason)
            self.rows[row.key[0]] = row
        return len(rows)

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        before = dict(self.rows)
        try:
            yield
        except RejectedError:
            self.rows = before
            raise


def row(number: int, after: bytes = b"{}") -> Row:
    return Row((f"{number:04d}",), Version(1, number), after)


def isolate(
    table: Table,
    rows: Sequence[Row],
    mend: Callable[[Row], Row | None] = lambda _: None,
) -> Isolation[Row]:
    isolation = Isolation[Row](table.write, table.savepoint, mend)
    isolation.run(rows, lambda item: item.version.logical)
    return isolation


@given(st.sets(st.integers(0, 60), max_size=ALIKE - 1), st.integers(1, 61))
def test_all_rows_but_the_bad_ones_are_written(bad: set[int], count: int):
    table = Table(lambda r, _: f"bad {r.key}" if r.version.logical in bad else None)
    rows = [row(number) for number in range(count)]

    isolation = isolate(table, rows)

    good = {r.key[0] for r in rows if r.version.logical not in bad}
    assert good == set(table.rows)
    rejected = [item.version.logical for item, _ in isolation.rejected]
    assert sorted(bad & set(range(count))) == sorted(rejected)


def test_a_table_that_rejects_everything_alike_is_at_fault():
    table = Table(lambda _r, _t: "no such type")

    with pytest.raises(TableError, match="no such type"):
        isolate(table, [row(number) for number in range(2000)])

    assert table.calls < 200


def test_many_bad_rows_alike_in_front_of_good_ones_do_not_blame_the_table():
    table = Table(lambda r, _: "alike" if r.version.logical < 50 else None)

    isolation = isolate(table, [row(number) for number in range(1000)])

    assert len(isolation.rejected) == 50
    assert len(table.rows) == 950


def test_a_batch_smaller_than_that_goes_to_quarantine_row_by_row():
    table = Table(lambda _r, _t: "alike")

    isolation = isolate(table, [row(number) for number in range(ALIKE - 1)])

    assert len(isolation.rejected) == ALIKE - 1


def test_a_unique_value_given_up_later_in_the_batch_can_be_taken():
    holders = {"x": "0002"}

    def rejects(item: Row, table: Table) -> str | None:
        if item.key[0] == "0002":
            holders.pop("x", None)
        if item.key[0] == "0001" and "x" in holders:
            return "unique x"
        return None

    isolation = isolate(Table(rejects), [row(1), row(2)])

    assert isolation.rejected == []


def test_a_mended_row_is_written_instead():
    table = Table(lambda r, _: "NUL" if r.after == b"bad" else None)

    isolation = isolate(
        table,
        [row(1), row(2, b"bad"), row(3)],
        lambda item: Row(item.key, item.version, b"good"),
    )

    assert table.rows["0002"].after == b"good"
    assert len(isolation.mended) == 1
    assert isolation.rejected == []


def test_a_rejection_that_is_kept_holds_no_row_but_its_own():
    """Thousands may be kept, and a traceback holds what each frame held."""
    table = Table(lambda r, _: f"bad {r.key}" if r.version.logical % 2 else None)

    isolation = isolate(table, [row(number) for number in range(20)])

    errors = [error for _, error in isolation.rejected]
    assert len(errors) == 10
    assert {e.__traceback__ for e in errors} == {None}
    assert {e.__context__ for e in errors} == {None}
