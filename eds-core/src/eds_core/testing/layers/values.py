"""Layer 4, values: stored exactly, or replaced as documented, or rejected."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from eds_core.errors import RejectedError
from eds_core.event import Row
from eds_core.repair import repair
from eds_core.schema import ColumnType, TableSchema
from eds_core.testing.matrix import CASES, Case
from eds_core.testing.outcome import Deviation, Outcome
from eds_core.testing.shop import Shop, raw_row, unique
from eds_core.testing.suite import Suite

_LONG = 10_000
SECRET = "secret-value"  # noqa: S105 - what must not be told by an error


class Values(Suite):
    """Each case of the matrix, written as the server writes it."""

    @pytest.fixture
    def steady(self, conformance_shop: Shop) -> Shop:
        """One connection for all of these, as they are so many."""
        return conformance_shop

    @pytest.fixture
    def value_table(self, steady: Shop) -> Callable[[ColumnType], TableSchema]:
        """A table with *a* of a given type and a text *b*, made when first needed."""

        def table(kind: ColumnType) -> TableSchema:
            made = steady.traces.by_type
            if kind not in made:
                made[kind] = steady.table(a=kind, b=ColumnType.TEXT)
            return made[kind]

        return table

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
    def test_a_value_is_kept_as_documented(
        self,
        steady: Shop,
        value_table: Callable[[ColumnType], TableSchema],
        case: Case,
        record_property: Callable[[str, object], None],
    ) -> None:
        deviation = self.values.get(case.label)
        found, value = became(steady, value_table(case.kind), case)
        record_property("value", [case.label, str(found)])

        if deviation is None:
            assert (found, value) == (case.expected, case.value)
        else:
            assert (found, value) == (deviation.outcome, meant(case, deviation))

    def test_deviations_are_of_cases_that_exist(self) -> None:
        labels = {case.label for case in CASES}

        assert set(self.values) - labels == set()
        assert [d for d in self.values.values() if not d.words.strip()] == []

    @pytest.mark.parametrize(
        "case",
        [case for case in CASES if case.expected is Outcome.REJECTED],
        ids=lambda case: case.label,
    )
    def test_what_is_rejected_is_not_told(
        self,
        steady: Shop,
        value_table: Callable[[ColumnType], TableSchema],
        case: Case,
    ) -> None:
        """A rejection names the column and never the steady's values."""
        if case.label in self.values:
            pytest.skip(self.values[case.label].words)
        table, one, two = value_table(case.kind), unique(), unique()
        good = raw_row(1, one, f'{{"id":"{one}","b":"{SECRET}"}}')
        bad = raw_row(1, two, f'{{"id":"{two}","a":{case.token},"b":"{SECRET}"}}')

        with pytest.raises(RejectedError) as caught:
            steady.upsert(table, [good, bad])

        told = f"{caught.value} {caught.value.advice} {caught.value.signature}"
        assert SECRET not in told
        with pytest.raises(RejectedError) as again:
            steady.upsert(table, [bad])
        assert again.value.signature == caught.value.signature
        assert steady.upsert(table, [good]) == 1

    @pytest.mark.parametrize("kind", ColumnType)
    def test_a_value_that_is_absent_is_null(
        self, steady: Shop, kind: ColumnType
    ) -> None:
        table = steady.table(a=kind)

        assert steady.upsert(table, [raw_row(1, "x", '{"id":"x"}')]) == 1
        assert steady.rows(table, "a") == [(None,)]

    def test_bytes_that_are_no_utf8_are_rejected(self, steady: Shop) -> None:
        table = steady.table(a=ColumnType.TEXT)

        with pytest.raises(RejectedError):
            steady.upsert(table, [raw_row(1, "x", b'{"id":"x","a":"\xff\xfe"}')])

    @pytest.mark.parametrize(
        ("after", "expected"),
        [
            ('{"id":"x","n":1E+3,"a":"b"}', (1000, "b")),
            ('{"id":"x","n":1.0,"a":"b"}', (1, "b")),
            ('{"id":"x","n":"2.00","a":"b"}', (2, "b")),
            ('{"id":"x","n":1,"a":"b\\u0000c"}', (1, "bc")),
            ('{"id":"x","n":1,"a":"b\\\\u0000c"}', (1, "b\\u0000c")),
            ('{"id":"x","n":1,"a":"b","other":"\\u0000"}', (1, "b")),
            ('{"id":"x","n":1,"a":"b","\\u0000":1}', (1, "b")),
        ],
    )
    def test_what_is_legal_on_the_wire_is_written_when_repaired(
        self, steady: Shop, after: str, expected: tuple[object, ...]
    ) -> None:
        table = steady.table(n=ColumnType.INTEGER, a=ColumnType.TEXT)
        row = raw_row(1, "x", after)
        mended = repair(row, table)

        assert steady.upsert(table, [mended[0] if mended else row]) == 1
        assert steady.rows(table, "n", "a") == [expected]


def meant(case: Case, deviation: Deviation) -> object:
    """What is read back when a driver deviates as it says."""
    if deviation.outcome is Outcome.EXACT:
        return case.value
    return deviation.stored  # nothing, where it is rejected


def became(shop: Shop, table: TableSchema, case: Case) -> tuple[Outcome, object]:
    """Write the case as the server does: once as it is, then repaired."""
    key = unique()
    row = raw_row(1, key, f'{{"id":"{key}","a":{case.token}}}')
    if not written(shop, table, row):
        return Outcome.REJECTED, None
    value = dict(shop.rows(table, "id", "a"))[key]
    if len(case.token) > _LONG:  # else the next ones read it, too
        shop.remove(table, 2, key)
    exact = value == case.value and case.expected is not Outcome.REJECTED
    return (Outcome.EXACT if exact else Outcome.REPLACED), value


def written(shop: Shop, table: TableSchema, row: Row) -> bool:
    try:
        shop.upsert(table, [row])
    except RejectedError:
        mended = repair(row, table, shop.driver.columns(table.name))
        if mended is None:
            return False
        try:
            shop.upsert(table, [mended[0]])
        except RejectedError:
            return False
    return True
