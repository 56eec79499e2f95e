"""Every token becomes its exact value, or is rejected; nothing in between."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eds_core.errors import RejectedError
from eds_core.schema import ColumnType
from eds_core.values import convert, parse_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize("kind", ColumnType)
def test_null_is_null_in_every_type(kind):
    assert convert(b"null", kind) is None


@pytest.mark.parametrize(
    ("kind", "token", "value"),
    [
        ("text", b'"a\\u0041\\n"', "aA\n"),
        ("text", '"😀"'.encode(), "😀"),
        ("text", b'"\\ud83d\\ude00"', "😀"),
        ("text", b'"\\u0000"', "\0"),
        ("text", b"1.10", "1.10"),
        ("text", b'{"a" :1}', '{"a" :1}'),
        ("text", b"true", "true"),
        ("integer", b"7", 7),
        ("integer", b"1E+3", 1000),
        ("integer", b"1.0", 1),
        ("integer", b'"7"', 7),
        ("integer", b"9223372036854775807", 2**63 - 1),
        ("integer", b"-9223372036854775808", -(2**63)),
        ("number", b"0.1", 0.1),
        ("number", b"1e-400", 0.0),
        ("number", b"-0.0", -0.0),
        ("decimal", b"1.10", "1.10"),
        ("decimal", b"1E+3", "1000"),
        ("decimal", b"1e-7", "0.0000001"),
        ("decimal", b"123456789012345678901234567890.12", None),
        ("boolean", b"true", True),
        ("boolean", b"false", False),
        ("boolean", b'"TRUE"', True),
        ("boolean", b"0", False),
        ("json", b'{"a": 1.10}', '{"a": 1.10}'),
        ("json", b'"a"', '"a"'),
        ("bytes", b'"AAE="', b"\0\1"),
        ("bytes", b'""', b""),
    ],
)
def test_a_token_becomes_its_exact_value(kind, token, value):
    expected = token.decode() if value is None else value

    assert convert(token, ColumnType(kind)) == expected


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        ("integer", b"9223372036854775808"),
        ("integer", b"-9223372036854775809"),
        ("integer", b"1.5"),
        ("integer", b"true"),
        ("integer", b'""'),
        ("integer", b'"1_000"'),
        ("integer", '"١٢"'.encode()),
        ("integer", b"[1]"),
        ("integer", b"9" * 6000),
        ("integer", b""),
        ("number", b"1e400"),
        ("number", b'"NaN"'),
        ("number", b'"Infinity"'),
        ("number", b"1e99999999999999999999"),
        ("decimal", b'"sNaN"'),
        ("decimal", b"1e9999"),
        ("decimal", b'"twelve"'),
        ("boolean", b"2"),
        ("boolean", b'"yes"'),
        ("timestamp", b'"now"'),
        ("timestamp", b'"infinity"'),
        ("timestamp", b'""'),
        ("timestamp", b"1741000000000"),
        ("timestamp", b'"2025-02-30T00:00:00Z"'),
        ("timestamp", b'"+010000-01-01T00:00:00Z"'),
        ("datetime", b'"now"'),
        ("datetime", b'"0001-01-01T00:00:00+14:00"'),
        ("text", b'"\xff"'),
        ("text", b'"\\ud800"'),
        ("text", b'"\\udc00x"'),
        ("text", b"\xff"),
        ("json", b"\xff"),
        ("bytes", b'"?"'),
        ("bytes", b'"AAE"'),
        ("bytes", b"1"),
    ],
)
def test_what_does_not_fit_is_rejected(kind, token):
    with pytest.raises(RejectedError, match=f"does not fit type {kind}"):
        convert(token, ColumnType(kind))


TOKENS = st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode())


@given(TOKENS, st.sampled_from(ColumnType))
def test_any_token_is_converted_or_rejected(token, kind):
    try:
        converted = convert(token, kind)
    except RejectedError:
        return

    assert converted is None or isinstance(converted, str | int | float | bytes)


@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_are_exact(value):
    assert convert(str(value).encode(), ColumnType.INTEGER) == value


@given(st.decimals(allow_nan=False, allow_infinity=False, places=10))
def test_decimals_are_exact(value):
    text = convert(str(value).encode(), ColumnType.DECIMAL)

    assert isinstance(text, str)
    assert Decimal(text) == value
    assert "E" not in text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_doubles_are_exact(value):
    assert convert(json.dumps(value).encode(), ColumnType.NUMBER) == value


@given(st.text())
def test_text_is_exact(value):
    assert convert(msgspec.json.encode(value), ColumnType.TEXT) == value


@given(st.binary())
def test_bytes_are_exact(value):
    token = json.dumps(base64.b64encode(value).decode()).encode()

    assert convert(token, ColumnType.BYTES) == value


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-03T11:06:40Z",
        "2025-03-03T11:06:40.1Z",
        "2025-03-03T11:06:40.123456789Z",
        "2025-03-03T11:06:40.123+02:00",
    ],
)
def test_a_point_in_time_is_kept_as_it_came(text):
    assert convert(f'"{text}"'.encode(), ColumnType.TIMESTAMP) == text


@pytest.mark.parametrize("offset", ["", "Z", "+00:00", "-00:00"])
def test_a_date_and_time_in_utc_is_kept_as_it_came(offset):
    text = f"2025-03-03T11:06:40.123456789{offset}"

    assert convert(f'"{text}"'.encode(), ColumnType.DATETIME) == text


def test_a_date_and_time_elsewhere_is_brought_to_utc():
    token = b'"2025-03-03T00:30:00.5+02:00"'

    assert convert(token, ColumnType.DATETIME) == "2025-03-02T22:30:00.500000"


@given(st.integers(0, 2**32), st.integers(-14, 14))
def test_an_offset_never_moves_a_date_and_time(seconds, hours):
    moment = datetime.fromtimestamp(seconds, timezone(timedelta(hours=hours)))
    text = convert(json.dumps(moment.isoformat()).encode(), ColumnType.DATETIME)

    assert isinstance(text, str)
    assert datetime.fromisoformat(text).replace(tzinfo=UTC) == moment


def test_parsed_numbers_never_pass_through_a_float():
    assert parse_json(b"[1.10, 1e2, 123456789012345678901]") == [
        Decimal("1.10"),
        Decimal("1E+2"),
        123456789012345678901,
    ]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"NaN",
        b"Infinity",
        b"01",
        b"1 2",
        b"'a'",
        b'"\xff"',
        b"1e9" + b"9" * 30,
        b"[" * 5000 + b"]" * 5000,
        b"9" * 5000,
    ],
)
def test_what_is_not_json_is_a_value_error(data):
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the parser's own
        parse_json(data)


def test_an_error_is_short_whatever_the_value():
    with pytest.raises(RejectedError) as caught:
        convert(b'"' + b"x" * 100_000 + b'"', ColumnType.INTEGER)

    assert len(str(caught.value)) < 200
