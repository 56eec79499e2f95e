"""MySQL and MariaDB: values are kept whole or rejected, never cut, never told."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from eds_core.errors import RejectedError
from eds_core.schema import Column, ColumnType, TableSchema

TEXT = ColumnType.TEXT


@pytest.fixture
def thing(mysqls, table_of):
    table = table_of("thing", a=TEXT)
    mysqls.prepare(table)
    return table


@pytest.mark.parametrize(
    "digits",
    ["9" * 40, "0." + "3" * 25, "-" + "9" * 40 + "." + "9" * 25, "1E-25", "1.50"],
)
def test_decimals_of_forty_and_twentyfive_digits(mysqls, table_of, raw, digits):
    table = table_of("thing", a=ColumnType.DECIMAL)
    mysqls.prepare(table)
    mysqls.upsert(table, [raw(1, "x", f'{{"id":"x","a":{digits}}}')])

    same = mysqls.value(f"SELECT a = CAST('{digits}' AS DECIMAL(65,25)) FROM thing")
    assert same == 1


@pytest.mark.parametrize("digits", ["9" * 41, "0." + "3" * 26, "1E-26", "1e999"])
def test_a_decimal_that_would_be_rounded_is_rejected(mysqls, table_of, raw, digits):
    table = table_of("thing", a=ColumnType.DECIMAL)
    mysqls.prepare(table)

    with pytest.raises(RejectedError):
        mysqls.upsert(table, [raw(1, "x", f'{{"id":"x","a":{digits}}}')])


@pytest.mark.parametrize(
    ("moment", "kept"),
    [
        ("2024-02-29T12:00:00.1234564Z", "2024-02-29 12:00:00.123456"),
        ("2024-02-29T12:00:00.1234567Z", "2024-02-29 12:00:00.123457"),
        ("2024-12-31T23:59:59.9999999Z", "2025-01-01 00:00:00.000000"),
        ("2024-02-29T12:00:00+05:30", "2024-02-29 06:30:00.000000"),
        ("2024-02-29", "2024-02-29 00:00:00.000000"),
        ("1969-12-31T23:59:59Z", "1969-12-31 23:59:59.000000"),
    ],
)
def test_moments_are_kept_to_the_microsecond(mysqls, table_of, moment, kept):
    table = table_of("thing", a=ColumnType.TIMESTAMP)
    mysqls.prepare(table)
    mysqls.put(table, 1, id="x", a=moment)

    assert mysqls.text("thing", "a") == kept


@pytest.mark.parametrize(
    "moment",
    ["0000-00-00T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.9999999Z"],
)
def test_moments_that_are_none_are_rejected(mysqls, table_of, moment):
    table = table_of("thing", a=ColumnType.TIMESTAMP)
    mysqls.prepare(table)

    with pytest.raises(RejectedError):
        mysqls.put(table, 1, id="x", a=moment)


@settings(
    max_examples=150,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    text=st.text(max_size=20) | st.text("'\\\"%_\n\r\0\x1a;-/*`", max_size=12),
    mode=st.sampled_from(["", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "ANSI"]),
)
def test_any_text_arrives_in_any_sql_mode(mysqls, text, mode):
    kinds = {"a": TEXT, "j": ColumnType.JSON, "b": ColumnType.BYTES}
    columns = tuple(Column(name, kind) for name, kind in {"id": TEXT, **kinds}.items())
    table = TableSchema("thing", "1", columns, ("id",))
    mysqls.prepare(table)
    mysqls.driver.session.run(f"SET sql_mode = 'STRICT_ALL_TABLES,{mode}'")
    mysqls.put(table, 1, id=text, a=text, j={"t": text})

    ((id_, a, j),) = mysqls.rows("thing", "id", "a", "j")
    assert (id_, a, json.loads(j)) == (text, text, {"t": text})
    assert mysqls.drop(table, 1, text) == 1


def test_a_batch_longer_than_a_packet_goes_in_parts(mysqls, thing, row):
    mysqls.driver._writer.most = 20_000
    rows = [row(thing, 1, id=str(n), a="x" * 5_000) for n in range(10)]

    assert mysqls.upsert(thing, rows) == 10
    assert len(mysqls.rows("thing")) == 10


def test_a_row_longer_than_a_packet_is_rejected(mysqls, thing, row):
    large = row(thing, 1, id="x", a="x" * (17 * 1024 * 1024))

    with pytest.raises(RejectedError, match="max_allowed_packet") as caught:
        mysqls.upsert(thing, [row(thing, 1, id="a"), large])

    assert "max_allowed_packet" in caught.value.advice
    assert mysqls.put(thing, 1, id="a") == 1


def test_messages_hold_no_values(mysqls, table_of, raw):
    mysqls.run(
        "CREATE TABLE thing (id VARCHAR(40) PRIMARY KEY, a VARCHAR(12), n INT, "
        "d DATE, e ENUM('x'))"
    )
    table = table_of("thing", a=TEXT, n=TEXT, d=TEXT, e=TEXT)
    mysqls.prepare(table)
    mysqls.run("CREATE UNIQUE INDEX mine ON thing (d)")
    mysqls.put(table, 1, id="x", d="2024-01-02")
    secrets = {"a": "secret of one's own", "n": "secret", "e": "secret"}
    secrets["d"] = "2024-01-02"

    for name, value in secrets.items():
        with pytest.raises(RejectedError) as caught:
            mysqls.put(table, 1, id="y", **{name: value})
        told = f"{caught.value} {caught.value.signature}"
        assert "secret" not in told
        assert "2024" not in told
        assert caught.value.signature.endswith((f" {name}", " mine"))
