"""What goes to OPENJSON is exact, or its row is rejected."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import RejectedError
from eds_core.event import Row, Version, VersionedKey
from eds_core.repair import repair
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql.tables import match
from eds_driver_sqlserver import SqlServerDriver
from eds_driver_sqlserver.columns import BINARY, TYPES, column
from eds_driver_sqlserver.connecting import moment
from eds_driver_sqlserver.payload import Payload
from eds_driver_sqlserver.tokens import fit

LATIN = "varchar({}) COLLATE SQL_Latin1_General_CP1_CI_AS"


def fitted(declared, token, kind=ColumnType.TEXT, *, codec="", in_key=False):
    made = fit(column("c", declared, None, codec=codec), kind, in_key=in_key)
    return made(token if isinstance(token, bytes) else token.encode()).decode()


def own(kind, token):
    return fitted(TYPES[kind], token, kind)


@pytest.mark.parametrize(
    ("kind", "token", "expected"),
    [
        (ColumnType.TEXT, '"a\\u00e9\\"b"', '"a\\u00e9\\"b"'),
        (ColumnType.TEXT, "1.50", '"1.50"'),
        (ColumnType.TEXT, "[1, 2]", '"[1, 2]"'),
        (ColumnType.TEXT, "null", "null"),
        (ColumnType.JSON, '"text"', '"\\"text\\""'),
        (ColumnType.JSON, "1", '"1"'),
        (ColumnType.JSON, '{"a": [null]}', '"{\\"a\\": [null]}"'),
        (ColumnType.INTEGER, "9007199254740993", "9007199254740993"),
        (ColumnType.INTEGER, "-9223372036854775808", "-9223372036854775808"),
        (ColumnType.INTEGER, '"12"', "12"),
        (ColumnType.INTEGER, "1E+3", "1000"),
        (ColumnType.DECIMAL, "9223372036854775807", '"9223372036854775807"'),
        (ColumnType.DECIMAL, "-0.0000000000000000001", '"-0.0000000000000000001"'),
        (ColumnType.DECIMAL, "1E+3", '"1000"'),
        (ColumnType.DECIMAL, "1.50", '"1.5"'),
        (ColumnType.NUMBER, "0.1", "0.1"),
        (ColumnType.NUMBER, "-1.5e300", "-1.5e+300"),
        (ColumnType.BOOLEAN, "true", "true"),
        (ColumnType.BOOLEAN, '"0"', "false"),
        (ColumnType.BYTES, '"AP8="', '"00ff"'),
    ],
)
def test_values_of_every_type(kind, token, expected):
    assert own(kind, token) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00.0000000+00:00"),
        ("2024-02-29T12:00:00.123456789Z", "2024-02-29T12:00:00.1234567+00:00"),
        ("2024-02-29T12:00:00.5+02:00", "2024-02-29T12:00:00.5000000+02:00"),
        ("2024-02-29 12:00:00", "2024-02-29T12:00:00.0000000+00:00"),
        ("2024-02-29", "2024-02-29T00:00:00.0000000+00:00"),
        ("2024-02-29T12:00:00+18:00", "2024-02-28T18:00:00.0000000+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.0000000+00:00"),
        ("9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999+00:00"),
    ],
)
def test_a_point_in_time_keeps_seven_digits_and_its_offset(said, expected):
    assert own(ColumnType.TIMESTAMP, f'"{said}"') == f'"{expected}"'


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("2024-01-01T00:30:00.1234567+02:00", "2023-12-31T22:30:00.1234567"),
        ("2024-01-01T00:30:00Z", "2024-01-01T00:30:00.0000000"),
        ("2024-01-01T00:30:00", "2024-01-01T00:30:00.0000000"),
    ],
)
def test_a_date_and_time_is_in_utc(said, expected):
    assert own(ColumnType.DATETIME, f'"{said}"') == f'"{expected}"'


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        (ColumnType.TEXT, '"a\\u0000b"'),
        (ColumnType.TEXT, '"\\ud800"'),
        (ColumnType.TEXT, b'"\xff"'),
        (ColumnType.INTEGER, "9223372036854775808"),
        (ColumnType.INTEGER, "1.5"),
        (ColumnType.DECIMAL, "12345678901234567890"),
        (ColumnType.DECIMAL, "0.00000000000000000001"),
        (ColumnType.NUMBER, "5e-324"),
        (ColumnType.NUMBER, "1e400"),
        (ColumnType.BOOLEAN, '"perhaps"'),
        (ColumnType.BYTES, '"?"'),
        *(
            (kind, token)
            for kind in (ColumnType.TIMESTAMP, ColumnType.DATETIME)
            for token in ('"now"', '""', '"2024-13-01T00:00:00Z"', "1700000000000")
        ),
        (ColumnType.TIMESTAMP, '"0001-01-01T00:00:00+05:00"'),
    ],
)
def test_what_does_not_fit_is_rejected(kind, token):
    with pytest.raises(RejectedError) as caught:
        own(kind, token)

    assert caught.value.signature.startswith("value for column c")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("declared", "codec", "token", "words"),
    [
        ("nvarchar(3)", "", '"abcd"', "more than 3"),
        ("nvarchar(3)", "", '"ab😀"', "more than 3"),
        (LATIN.format(3), "cp1252", '"abcd"', "more than 3"),
        (LATIN.format(3), "cp1252", '"日"', "ALTER it to nvarchar"),
        ("varchar(3)", "utf-8", '"äö"', "more than 3"),
        ("int", "", "2147483648", "between"),
        ("decimal(18,0)", "", "1.5", "behind"),
        ("money", "", "1.23456", "behind"),
        ("uniqueidentifier", "", '"x"', "no UUID"),
        ("varbinary(1)", "", '"AAEC"', "more than 1 bytes"),
    ],
)
def test_a_users_own_column_cuts_nothing_off(declared, codec, token, words):
    with pytest.raises(RejectedError, match=words):
        fitted(declared, token, codec=codec)


def test_a_narrow_column_takes_what_its_code_page_has():
    assert fitted(LATIN.format(3), '"äöü"', codec="cp1252") == '"äöü"'
    assert fitted("nvarchar(500)", '"2024-01-01T00:00:00Z"', ColumnType.TIMESTAMP) == (
        '"2024-01-01T00:00:00Z"'
    )


@pytest.mark.parametrize("token", ['"a "', '"a\\u0020"', '" "', "null"])
def test_a_key_that_would_be_equal_to_another_is_refused(token):
    with pytest.raises(RejectedError):
        fitted(f"nvarchar(450) COLLATE {BINARY}", token, in_key=True)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6))
def test_a_decimal_is_the_same_number_or_none(number):
    token = str(number)
    try:
        found = json.loads(own(ColumnType.DECIMAL, token))
    except RejectedError:
        assert abs(number) >= 10**19
    else:
        assert Decimal(found) == number
        assert "E" not in found


@given(st.datetimes(), st.integers(0, 9_999_999))
def test_a_moment_is_the_same_moment(when, fraction):
    said = f"{when.replace(microsecond=0).isoformat()}.{fraction:07}Z"
    found = json.loads(own(ColumnType.TIMESTAMP, json.dumps(said)))

    assert found == said.replace("Z", "+00:00")
    assert datetime.fromisoformat(found) == datetime.fromisoformat(said)


@given(st.text())
def test_any_text_is_the_same_or_rejected(text):
    token = json.dumps(text)
    try:
        assert json.loads(own(ColumnType.TEXT, token)) == text
    except RejectedError:
        assert "\0" in text


TABLE = TableSchema(
    "order",
    "1",
    (Column("id", ColumnType.TEXT), Column("total", ColumnType.INTEGER)),
    ("id",),
)


@pytest.fixture
def payload():
    driver = SqlServerDriver("sqlserver://u:p@h/db")
    return Payload(match(TABLE, driver.as_made(TABLE)))


def test_rows_are_arrays_in_the_order_of_the_columns(payload):
    rows = [
        Row(("a",), Version(5, 9), b'{"total": 7, "private": 1, "id": "a"}'),
        Row(("b",), Version(5, 10), b'{"id": "b"}'),
    ]

    (part,) = payload.rows(rows)

    assert json.loads(part) == [
        ['["a"]', "5.0000000009", "a", 7],
        ['["b"]', "5.0000000010", "b", None],
    ]


def test_keys_are_arrays_too(payload):
    (part,) = payload.keys([VersionedKey(("😀",), Version(1))])

    assert json.loads(part) == [['["😀"]', "1.0000000000", "😀"]]


def test_large_rows_go_in_parts(payload):
    table = TableSchema(
        "t", "1", (*TABLE.columns, Column("a", ColumnType.TEXT)), ("id",)
    )
    driver = SqlServerDriver("sqlserver://u:p@h/db")
    made = Payload(match(table, driver.as_made(table)))
    large = b'{"id": "a", "a": "%b"}' % (b"x" * 5_000_000)
    parts = [*made.rows([Row(("a",), Version(1), large)] * 3)]

    assert [len(json.loads(part)) for part in parts] == [1, 1, 1]
    assert [*payload.rows([])] == []


def test_a_key_too_long_for_a_tombstone_is_rejected(payload):
    with pytest.raises(RejectedError, match="more than 640"):
        [*payload.keys([VersionedKey(("k" * 700,), Version(1))])]


def test_nul_is_taken_out_when_the_row_is_repaired(payload):
    table = TableSchema(
        "t", "1", (*TABLE.columns, Column("a", ColumnType.TEXT)), ("id",)
    )
    driver = SqlServerDriver("sqlserver://u:p@h/db")
    made = Payload(match(table, driver.as_made(table)))
    row = Row(("x",), Version(1), b'{"id":"x","total":1.0,"a":"b\\u0000c"}')

    with pytest.raises(RejectedError):
        [*made.rows([row])]
    mended, _ = repair(row, table)
    (part,) = made.rows([mended])
    assert json.loads(part)[0][2:] == ["x", 1, "bc"]


def test_all_seven_digits_are_read():
    data = pack("<hHHHHHIhh", 2024, 2, 29, 12, 0, 1, 123_456_700, -5, -30)

    assert moment(data) == "2024-02-29T12:00:01.1234567-05:30"
