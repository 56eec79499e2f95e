"""Versions order events; rows keep their bytes; keys come from the wire."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import DecodeError, RejectedError
from eds_core.event import ChangeEvent, Message, Operation, Row, Version
from eds_core.schema import Column, ColumnType, TableSchema

VERSIONS = st.builds(Version, st.integers(0, 10**19 - 1), st.integers(0, 10**10 - 1))

ID = Column("id", ColumnType.TEXT)
REGION = Column("region", ColumnType.TEXT)
CUSTOMER = TableSchema("customer", "v1", (ID,), ("id",))
PAIR = TableSchema("pair", "v1", (REGION, ID), ("region", "id"))


def row(after: bytes) -> Row:
    return Row(("c1",), Version(1), after)


def event(*key: str, after: bytes = b"{}") -> ChangeEvent:
    message = Message("dbchange.customer.INSERT.co", b"secret", 1, 1)
    insert = Operation.INSERT
    return ChangeEvent("e1", "customer", insert, key, Version(1), "", after, message)


def test_a_version_is_the_pair_of_the_sources_clock():
    version = Version.parse("1720732611708587506.0000000012")

    assert version == Version(1720732611708587506, 12)


def test_a_version_without_a_counter_has_counter_zero():
    assert Version.parse("1720732611708587506") == Version(1720732611708587506, 0)


def test_versions_that_a_double_cannot_tell_apart_differ():
    older = Version.parse("1720732611708587506.0000000000")
    newer = Version.parse("1720732611708587506.0000000001")

    assert older < newer
    assert float(str(older)) == float(str(newer))


def test_the_counter_counts_and_is_no_fraction():
    assert Version.parse("5.9") < Version.parse("5.10")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "1.",
        ".1",
        "-1",
        "+1",
        " 1",
        "1\n",
        "1e3",
        "1_0",
        "1.2.3",
        "٣",
        "²",
        "1" * 20,
        "1." + "1" * 11,
        "1.-1",
        "nan",
        "0x1",
        "1,2",
    ],
)
def test_what_is_not_two_numbers_is_no_version(text):
    with pytest.raises(DecodeError, match="is not a version"):
        Version.parse(text)


def test_an_error_over_a_version_is_short_and_printable():
    with pytest.raises(DecodeError) as caught:
        Version.parse("\0" * 100_000)

    assert len(str(caught.value)) < 500
    assert str(caught.value).isprintable()


def test_milliseconds_are_a_version_among_the_others():
    version = Version.from_milliseconds(1_720_732_611_708)

    assert version < Version.parse("1720732611708587506.0000000000")
    assert version > Version.parse("1720732611707999999.0000000000")


@pytest.mark.parametrize("milliseconds", [-1, 10**13, 10**400])
def test_milliseconds_of_another_unit_are_no_version(milliseconds):
    with pytest.raises(DecodeError, match="is not a version"):
        Version.from_milliseconds(milliseconds)


@given(VERSIONS)
def test_a_version_survives_being_written_and_read(version):
    assert Version.parse(str(version)) == version


COUNTERS = st.integers(0, 9) | st.integers(0, 10**10 - 1)


@given(st.lists(st.builds(Version, st.integers(0, 10**19 - 1), COUNTERS)))
def test_many_versions_are_read_as_each_of_them(versions):
    assert Version.parse_all([str(version) for version in versions]) == versions


@given(st.lists(st.text("12.0,", max_size=30), min_size=1))
@pytest.mark.parametrize("odd", ["1.0000000000,2.0000000000", "", "1", "0.0000000001"])
def test_odd_texts_among_versions_are_what_they_are_alone(odd, texts):
    texts = [*texts, odd, "1720732611708587506.0000000000"]

    assert each_or_none(Version.parse_all, texts) == each_or_none(one_by_one, texts)


def one_by_one(texts):
    return [Version.parse(text) for text in texts]


def each_or_none(read, texts):
    try:
        return read(texts)
    except DecodeError:
        return None


@given(VERSIONS, VERSIONS)
def test_the_form_for_text_columns_orders_as_versions_do(one, other):
    assert (one < other) == (one.sortable < other.sortable)


@given(VERSIONS, VERSIONS)
def test_the_form_for_numeric_columns_orders_as_versions_do(one, other):
    assert (one < other) == (Decimal(str(one)) < Decimal(str(other)))


def test_a_row_keeps_the_tokens_as_they_came():
    tokens = row(b'{"a" : 1.10 , "b":"x\\u0041","c": null}').tokens

    assert {name: bytes(token) for name, token in tokens.items()} == {
        "a": b"1.10",
        "b": b'"x\\u0041"',
        "c": b"null",
    }


def test_a_rows_values_are_exact():
    values = row(b'{"a":1.10,"b":123456789012345678901234567890}').values

    assert str(values["a"]) == "1.10"
    assert values["b"] == 123456789012345678901234567890


def test_an_absent_column_is_null():
    assert row(b"{}").get("name", ColumnType.TEXT) is None


def test_a_column_is_converted_by_its_type():
    assert row(b'{"n":1E+3}').get("n", ColumnType.INTEGER) == 1000


def test_a_value_that_does_not_fit_names_its_column():
    with pytest.raises(RejectedError, match="column age of type integer") as caught:
        row(b'{"age":"old"}').get("age", ColumnType.INTEGER)

    assert caught.value.signature == "value for column age of type integer"


@pytest.mark.parametrize("after", [b"", b"[]", b"{", b'{"a":}', b'{"\xff":1}'])
def test_a_row_that_is_no_object_is_rejected(after):
    with pytest.raises(RejectedError):
        _ = row(after).tokens


def test_a_row_nested_too_deep_is_rejected():
    with pytest.raises(RejectedError):
        _ = row(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}").values


def test_a_row_and_an_event_show_no_values():
    secret = b'{"email":"ada@example.com"}'
    shown = f"{row(secret)} {event('c1', after=secret)} {event('c1').message}"

    assert "ada@" not in shown
    assert "secret" not in shown


def test_a_key_is_as_many_values_as_the_table_needs():
    assert event("c1").key(CUSTOMER) == ("c1",)
    assert event("v1", "c1").key(PAIR) == ("v1", "c1")


def test_a_region_in_front_of_a_key_is_left_out():
    assert event("gcp-us-west1", "c1").key(CUSTOMER) == ("c1",)
    assert event("gcp-us-west1", "v1", "c1").key(PAIR) == ("v1", "c1")


def test_a_key_that_is_too_short_is_no_key():
    with pytest.raises(DecodeError, match="has 1 values, table pair needs 2"):
        event("c1").key(PAIR)


def test_the_subject_says_table_and_company():
    message = Message("dbchange.order.INSERT.co1.NONE.PUBLIC.1.e1", b"", 1, 1)

    assert (message.table, message.company) == ("order", "co1")


@pytest.mark.parametrize("subject", ["", "dbchange"])
def test_a_short_subject_says_nothing(subject):
    message = Message(subject, b"", 1, 1)

    assert (message.table, message.company) == ("", "")


def test_headers_are_found_whatever_their_case():
    message = Message("s", b"", 1, 1, {"NATS-MSG-ID": "m1"})

    assert message.id == "m1"
    assert message.header("absent") == ""
