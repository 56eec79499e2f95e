"""One line of an export: a row, its version, and how the quarantine keeps it."""

import pytest

from eds_core.errors import DecodeError
from eds_core.event import Version
from eds_core.line import (
    LineReader,
    finish_event,
    is_line,
    line_event,
    line_message,
    nanoseconds,
    own_version,
    parse_line,
    place_of,
)
from eds_core.schema import Column, ColumnType, TableSchema

NOW = 1_800_000_000_000_000_000
SNAPSHOT = Version(1_700_000_000_000_000_000)
LINK = TableSchema(
    "link",
    "m1",
    tuple(Column(name, ColumnType.TEXT) for name in ("a", "b", "note", "other")),
    ("a", "b"),
)


def read(reader, text, snapshot=SNAPSHOT):
    line = text.encode()
    return reader.read(line, parse_line(line), snapshot, NOW)


def test_a_line_is_a_row_with_the_bytes_it_came_as():
    text = '{"b": 2, "a":"x", "note":"1.50", "other":null, "more":{}}'
    schema, row = read(LineReader(LINK), text)

    assert schema is LINK
    assert (row.key, row.version, row.after) == (("x", "2"), SNAPSHOT, text.encode())


def test_each_set_of_columns_is_one_schema_whatever_their_order():
    reader = LineReader(LINK)
    first, _ = read(reader, '{"a":"1","b":"1","note":"n"}')
    second, _ = read(reader, '{"note":"n","x":1,"b":"1","a":"1"}')
    third, _ = read(reader, '{"a":"1","b":"1"}')

    assert first is second
    assert [c.name for c in first.columns] == ["a", "b", "note"]
    assert [c.name for c in third.columns] == ["a", "b"]
    assert len({LINK.model_version, first.model_version, third.model_version}) == 3


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a":', "not valid JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a":"\xff"}', "not in UTF-8: byte 6"),
        (b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deep"),
    ],
)
def test_what_is_no_row_is_told_without_its_content(line, reason):
    with pytest.raises(DecodeError, match=reason):
        parse_line(line)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"a":"1"}', "no value for its key column b"),
        ('{"a":"1","b":null}', "no value for its key column b"),
        ('{"a":"1","b":1.5}', "an unusable value for its key column b"),
        ('{"a":"1","b":true}', "an unusable value for its key column b"),
    ],
)
def test_a_row_without_its_key_is_refused(text, reason):
    with pytest.raises(DecodeError, match=reason):
        read(LineReader(LINK), text)


@pytest.mark.parametrize(
    ("text", "wall"),
    [
        (
            '{"meta":{"version":1700000000123},"updatedDate":"2020-01-01"}',
            1700000000123,
        ),
        (
            '{"meta":{"version":9900000000123},"updatedDate":"2020-01-01"}',
            1577836800000,
        ),
        ('{"meta":{},"updatedDate":null,"createdDate":"2020-01-01"}', 1577836800000),
        ('{"meta":"x","updatedDate":"soon"}', 0),
        ("{}", 0),
    ],
)
def test_a_row_tells_a_lower_bound_of_its_version(text, wall):
    assert own_version(parse_line(text.encode()), NOW) == Version(wall * 1_000_000)


def test_a_moment_is_never_read_as_later_than_it_is():
    assert nanoseconds("2024-01-01T00:00:00.123456999Z") == 1_704_067_200_123_456_000
    assert nanoseconds("2024-01-01T01:00:00+01:00") == 1_704_067_200_000_000_000


def kept(data, version=SNAPSHOT):
    return line_message(
        "link", "c1", data, file="x/link.json", number=7, version=version
    )


def test_a_line_is_kept_whole_with_its_place():
    message = kept(b'{"broken')

    assert is_line(message)
    assert message.data == b'{"broken'
    assert (message.table, message.company) == ("link", "c1")
    assert place_of(message) == "x/link.json line 7"


def test_a_kept_lines_sequence_is_its_own_and_no_streams():
    assert kept(b"1").sequence == kept(b"1").sequence != kept(b"2").sequence
    assert 1 << 62 <= kept(b"1").sequence < 1 << 63


def test_a_kept_line_becomes_a_change_again():
    message = kept(b'{"a":"1","b":"2","note":"n"}')
    event, schema = finish_event(message, LINK, NOW)

    assert event.key(schema) == ("1", "2")
    assert event.version == SNAPSHOT
    assert [c.name for c in schema.columns] == ["a", "b", "note"]


def test_a_kept_line_without_a_snapshot_tells_its_own_version():
    message = kept(b'{"a":"1","b":"2","updatedDate":"2020-01-01"}', None)

    assert finish_event(message, LINK, NOW)[0].version == Version(1577836800 * 10**9)


def test_a_kept_line_that_is_still_broken_stays_so():
    with pytest.raises(DecodeError, match="not valid JSON"):
        line_event(kept(b'{"broken'))
