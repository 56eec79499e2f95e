"""Names are checked; a difference adds and widens, and never takes away."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import DecodeError
from eds_core.schema import (
    Column,
    ColumnType,
    SchemaChange,
    TableSchema,
    check_name,
    diff,
    widened,
)

TEXT, INTEGER, DECIMAL = ColumnType.TEXT, ColumnType.INTEGER, ColumnType.DECIMAL
TYPES = st.sampled_from(ColumnType)
NUMBERS = st.sampled_from([INTEGER, ColumnType.NUMBER, DECIMAL])
NAMES = st.from_regex(r"[a-z][a-z0-9]{0,5}", fullmatch=True)
COLUMNS = st.dictionaries(NAMES, TYPES, max_size=6)


def table(*columns: tuple[str, ColumnType], key=("id",)) -> TableSchema:
    found = (Column("id", TEXT), *(Column(*column) for column in columns))
    return TableSchema("customer", "v1", found, key)


@pytest.mark.parametrize("name", ["a", "_x", "customer", "Order2", "a" * 128, "eds"])
def test_letters_digits_and_underscores_make_a_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "1a",
        "a b",
        "a-b",
        "a.b",
        'a"b',
        "a]b",
        "a`b",
        "a;",
        "a\n",
        "\na",
        "a\x00",
        "é",
        "a" * 129,
        "\ud800",
        "a*",
        "a>",
        "_eds_version",
        "_EDS_x",
        "x' OR 1=1 --",
    ],
)
def test_hostile_names_are_refused(name):
    with pytest.raises(DecodeError, match="is not a name"):
        check_name(name)


def test_an_error_over_a_name_is_short_and_printable():
    with pytest.raises(DecodeError) as caught:
        check_name("\0\ud800" * 10_000)

    assert len(str(caught.value)) < 1000
    assert str(caught.value).isprintable()


def test_a_table_without_a_key_is_refused():
    with pytest.raises(DecodeError, match="no primary key"):
        table(key=())


def test_a_key_outside_of_the_columns_is_refused():
    with pytest.raises(DecodeError, match=r"\['other'\] of customer are unknown"):
        table(key=("id", "other"))


def test_a_hostile_column_is_refused():
    with pytest.raises(DecodeError, match="is not a name"):
        table(("a; drop table b", TEXT))


def test_a_column_named_twice_is_refused():
    with pytest.raises(DecodeError, match="names a column twice"):
        table(("a", TEXT), ("a", INTEGER))


def test_a_key_column_named_twice_is_refused():
    with pytest.raises(DecodeError, match="names a column twice"):
        table(key=("id", "id"))


def test_values_are_the_columns_besides_the_key():
    assert table(("a", TEXT)).values == (Column("a", TEXT),)


def test_a_table_that_is_absent_is_created_whole():
    wanted = table(("a", TEXT))

    assert diff(wanted, {}) == SchemaChange(wanted, creates=True, adds=wanted.columns)


def test_a_table_that_holds_everything_needs_nothing():
    assert diff(table(("a", INTEGER)), {"id": TEXT, "a": INTEGER, "own": TEXT}) is None


def test_what_is_absent_is_added():
    wanted = table(("a", INTEGER))

    assert diff(wanted, {"id": TEXT}) == SchemaChange(
        wanted, adds=(Column("a", INTEGER),)
    )


def test_what_is_too_narrow_is_widened():
    wanted = table(("a", DECIMAL))

    assert diff(wanted, {"id": TEXT, "a": INTEGER}) == SchemaChange(
        wanted, widens=(Column("a", DECIMAL),)
    )


def test_a_type_that_eds_did_not_choose_is_left_as_it_is():
    assert diff(table(("a", DECIMAL)), {"id": None, "a": None}) is None


def test_a_change_says_what_it_does():
    change = SchemaChange(
        table(), adds=(Column("a", TEXT),), widens=(Column("b", DECIMAL),)
    )

    assert str(change) == "alter table customer: add a text, widen b to decimal"
    assert str(diff(table(), {})) == "create table customer"


@given(COLUMNS, COLUMNS)
def test_after_a_change_nothing_is_lacking(wanted, present):
    wanted_table = table(*((n, t) for n, t in wanted.items() if n != "id"))
    before: dict[str, ColumnType | None] = {"id": TEXT, **present}

    change = diff(wanted_table, before) or SchemaChange(wanted_table)
    after = before | {c.name: c.type for c in (*change.adds, *change.widens)}

    assert diff(wanted_table, after) is None
    assert before.keys() <= after.keys()


@given(TYPES, TYPES)
def test_widening_is_done_once(present, wanted):
    wide = widened(present, wanted)

    assert widened(wide, present) is wide
    assert widened(wide, wanted) is wide


@given(NUMBERS, NUMBERS)
def test_two_kinds_of_numbers_are_kept_as_numbers(one, other):
    assert widened(one, other) in {one, DECIMAL}


def test_integers_and_doubles_need_decimals_to_be_exact():
    assert widened(ColumnType.INTEGER, ColumnType.NUMBER) is DECIMAL
    assert Decimal(2**53 + 1) != Decimal(float(2**53 + 1))
