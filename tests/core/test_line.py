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
    return reader.read(line, snapshot, NOW)[:2]


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


def test_lines_are_read_alike_whatever_shape_the_one_before_them_had():
    texts = [
        '{"a":"1","b":"1","note":"n","other":"o"}',
        '{"other":"o","more":[1],"note":"n","b":2,"a":"1"}',
        *['{"a":"1","b":"1","note":"n"}'] * 3,
        '{"a":"1","b":"1","note":"n","other":null}',
        *['{"b":"1","a":"1"}'] * 3,
        '{"a":"1","b":"1","note":"n"}',
        *['{"b":"\\u00e9","a":"x\\"y","a":"1"}'] * 2,
        '{"a":"1","b":"1","note":"n","other":"o","companyId":"c1"}',
    ]
    reader = LineReader(LINK)
    for text in texts * 2:
        line = text.encode()
        found = reader.read(line, SNAPSHOT, NOW)
        assert found is not None
        schema, row, company = found
        plain, same, its = LineReader(LINK).take(line, parse_line(line), SNAPSHOT, NOW)
        assert (schema.columns, company) == (plain.columns, its)
        assert (row.key, row.version, row.after) == (same.key, same.version, line)


def test_cells_are_a_rows_tokens_by_the_types_of_its_columns():
    kinds = {
        "id": ColumnType.TEXT,
        "total": ColumnType.INTEGER,
        "name": ColumnType.TEXT,
        "labels": ColumnType.JSON,
    }
    columns = tuple(Column(name, kind) for name, kind in kinds.items())
    reader = LineReader(TableSchema("order", "m1", columns, ("id",)), cells=True)
    text = '{"labels": ["a", {}], "id":"1","x":2,"name":"n\\"","total":null}'
    fewer = '{"id":"1","total":5}'
    rows = [read(reader, line)[1] for line in [text] * 3 + [fewer] * 3]

    assert rows[2].cells == b'\x1e\t"1"\t"n\\""\t\x1e\tnull\t\x1e\t["a", {}]\t\x1e'
    assert rows[5].cells == b'\x1e\t"1"\t\x1e\t5\t\x1e'
    assert {row.cells for row in rows} <= {b"", rows[2].cells, rows[5].cells}


def test_a_row_tells_its_version_whatever_its_shape():
    reader = LineReader(LINK)
    for note in ("", ',"note":"n","other":"o"', ',"note":"n"', ',"note":"n"', ""):
        text = f'{{"a":"1","b":"1"{note},"meta":{{"version":1700000000001}}}}'
        _, row = read(reader, text, snapshot=None)
        assert row.version == Version(1_700_000_000_001_000_000)


def test_the_company_is_each_rows_own():
    reader = LineReader(LINK)
    rest = '"a":"1","b":"1","note":"n","other":"o"'
    texts = ['"c1"', '"c1"', '"c2"', "null", "7", '"\\u0063\\u0031"', '"c1"']
    lines = [f'{{"companyId":{text},{rest}}}' for text in texts]
    found = [reader.read(line.encode(), SNAPSHOT, NOW) for line in lines]

    assert [company for _, _, company in found] == [
        "c1",
        "c1",
        "c2",
        "",
        "",
        "c1",
        "c1",
    ]


def test_very_many_sets_of_columns_are_read(monkeypatch):
    monkeypatch.setattr("eds_core.line._MOST_SHAPES", 2)
    reader = LineReader(LINK)
    for more in ('"note":1', '"other":1', '"note":1,"other":1', '"x":1') * 2:
        for _ in range(3):
            schema, row = read(reader, f'{{"a":"1","b":"2",{more}}}')
            assert row.key == ("1", "2")
            names = {c.name for c in schema.columns}
            assert names == {"a", "b", *{"note", "other"} & set(parse_line(row.after))}


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
