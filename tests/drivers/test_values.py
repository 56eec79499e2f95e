"""Values arrive exactly, or their row is rejected: on every database."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from eds_core.errors import RejectedError
from eds_core.repair import repair
from eds_core.schema import ColumnType

TEXTS = [
    "",
    "NULL",
    "null",
    "ünïcödé",
    "😀👩‍👩‍👧‍👦",
    "שלום \u202eabc",
    'it\'s "quoted" \\ back\\slash',
    "'; DROP TABLE thing; --",
    "%s %(a)s :a ? $1 {}",
    "a\tb\r\nc\u2028",
    "\x01\x1f\x7f",
    "  spaces  ",
    "x" * 100_000,
]


def stored(shop, table_of, raw, kind, token):
    table = table_of("thing", a=kind)
    shop.prepare(table)
    row = raw(1, "x", f'{{"id":"x","a":{token}}}')
    assert shop.upsert(table, [row]) == 1
    return shop.rows("thing", "a")[0][0]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text)[:20])
def test_text_comes_as_it_was(shop, table_of, raw, text):
    for token in (json.dumps(text), json.dumps(text, ensure_ascii=False)):
        assert stored(shop, table_of, raw, ColumnType.TEXT, token) == text


@pytest.mark.parametrize(
    ("token", "text"),
    [("7", "7"), ("1.50", "1.50"), ("true", "true"), ("[1, 2]", "[1, 2]")],
)
def test_whatever_is_no_string_is_kept_in_text_as_it_was_written(
    shop, table_of, raw, token, text
):
    assert stored(shop, table_of, raw, ColumnType.TEXT, token) == text


@pytest.mark.parametrize(
    "number", [0, -1, 2**53 + 1, 2**63 - 1, -(2**63), 9_007_199_254_740_993]
)
def test_integers_are_exact(shop, table_of, raw, number):
    assert stored(shop, table_of, raw, ColumnType.INTEGER, str(number)) == number
    assert stored(shop, table_of, raw, ColumnType.INTEGER, f'"{number}"') == number


@pytest.mark.parametrize(
    "digits", ["0.1", "12345678901234567890123456789012345678", "-0.000000001", "1E+3"]
)
def test_decimals_are_exact(shop, table_of, raw, digits):
    found = stored(shop, table_of, raw, ColumnType.DECIMAL, digits)

    assert Decimal(found) == Decimal(digits)


@pytest.mark.parametrize("number", [0.1, -1.5e300, 5e-324, 1e22])
def test_doubles_are_exact(shop, table_of, raw, number):
    assert stored(shop, table_of, raw, ColumnType.NUMBER, repr(number)) == number


def test_booleans(shop, table_of, raw):
    assert stored(shop, table_of, raw, ColumnType.BOOLEAN, "true") == 1
    assert stored(shop, table_of, raw, ColumnType.BOOLEAN, "false") == 0


@pytest.mark.parametrize("kind", ColumnType)
def test_null_and_absent_are_null(shop, table_of, raw, kind):
    assert stored(shop, table_of, raw, kind, "null") is None
    assert shop.upsert(table_of("thing", a=kind), [raw(2, "x", '{"id":"x"}')]) == 1
    assert shop.rows("thing", "a") == [(None,)]


@pytest.mark.parametrize(
    "token",
    ['"text"', "1", "true", "[]", "{}", '{"a":[1,{"b":null}]}', '["\\u00e9😀", 1.5]'],
)
def test_json_is_equal(shop, table_of, raw, token):
    found = stored(shop, table_of, raw, ColumnType.JSON, token)

    value = found if shop.title == "PostgreSQL" else json.loads(found)
    assert value == json.loads(token)


def test_json_keeps_numbers_that_no_float_holds(shop, table_of, raw):
    stored(shop, table_of, raw, ColumnType.JSON, '{"n":12345678901234567890.1}')

    text = shop.text("thing", "a")
    assert "12345678901234567890.1" in text


def test_bytes_come_as_base64(shop, table_of, raw):
    assert stored(shop, table_of, raw, ColumnType.BYTES, '"AP8="') == b"\x00\xff"


def plain(moment):
    """Without the zone, and without zeros that say nothing."""
    whole, _, rest = moment.replace(" ", "T").partition(".")
    rest = rest.removesuffix("+00").removesuffix("Z").rstrip("0")
    return f"{whole.removesuffix('+00').removesuffix('Z')}.{rest}"


@pytest.mark.parametrize("kind", [ColumnType.TIMESTAMP, ColumnType.DATETIME])
@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2024-02-29T12:00:00Z",
        *(f"2024-02-29T12:00:00.{'5' * digits}Z" for digits in range(1, 7)),
    ],
)
def test_moments(shop, table_of, raw, kind, moment):
    stored(shop, table_of, raw, kind, f'"{moment}"')

    found = shop.text("thing", "a")
    assert plain(found) == plain(moment)


@pytest.mark.parametrize("kind", [ColumnType.TIMESTAMP, ColumnType.DATETIME])
def test_a_moment_may_have_nine_digits(shop, table_of, raw, kind):
    stored(shop, table_of, raw, kind, '"2024-02-29T12:00:00.123456789Z"')

    assert "12:00:00.12345" in shop.text("thing", "a")


def test_an_offset_becomes_utc_where_none_is_kept(shop, table_of, raw):
    stored(shop, table_of, raw, ColumnType.DATETIME, '"2024-01-01T00:30:00+02:00"')

    found = shop.text("thing", "a")
    assert plain(found) == "2023-12-31T22:30:00."


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        (ColumnType.INTEGER, str(2**63)),
        (ColumnType.INTEGER, "1.5"),
        (ColumnType.INTEGER, '"abc"'),
        (ColumnType.INTEGER, "[]"),
        (ColumnType.NUMBER, '"abc"'),
        (ColumnType.DECIMAL, '"abc"'),
        (ColumnType.BOOLEAN, '"perhaps"'),
        (ColumnType.BYTES, '"?"'),
        *(
            (kind, f'"{word}"')
            for kind in (ColumnType.TIMESTAMP, ColumnType.DATETIME)
            for word in ("now", "today", "tomorrow", "infinity", "epoch", "", "x")
        ),
        (ColumnType.TIMESTAMP, '"10:00 today"'),
        (ColumnType.TIMESTAMP, '"2024-13-01T00:00:00Z"'),
        (ColumnType.TIMESTAMP, "1700000000000"),
        (ColumnType.TEXT, '"\\ud800"'),
    ],
)
def test_what_does_not_fit_is_rejected(shop, table_of, raw, kind, token):
    table = table_of("thing", a=kind, b=ColumnType.TEXT)
    shop.prepare(table)
    good = raw(1, "a", '{"id":"a","b":"secret-value"}')
    bad = raw(1, "x", f'{{"id":"x","a":{token},"b":"secret-value"}}')

    with pytest.raises(RejectedError) as caught:
        shop.upsert(table, [good, bad])

    told = f"{caught.value} {caught.value.advice} {caught.value.signature}"
    assert "secret-value" not in told
    with pytest.raises(RejectedError) as again:
        shop.upsert(table, [bad])
    assert again.value.signature == caught.value.signature
    assert shop.upsert(table, [good]) == 1


def test_bytes_that_are_no_utf8_are_rejected(shop, table_of, raw):
    table = table_of("thing", a=ColumnType.TEXT)
    shop.prepare(table)

    with pytest.raises(RejectedError):
        shop.upsert(table, [raw(1, "x", b'{"id":"x","a":"\xff\xfe"}')])


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
    shop, table_of, raw, after, expected
):
    table = table_of("thing", n=ColumnType.INTEGER, a=ColumnType.TEXT)
    shop.prepare(table)
    row = raw(1, "x", after)
    mended = repair(row, table)

    assert shop.upsert(table, [mended[0] if mended else row]) == 1
    assert shop.rows("thing", "n", "a") == [expected]
