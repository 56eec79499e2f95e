"""A look-up's reply, or a row, to the schema of a table."""

from __future__ import annotations

import json

import pytest

from eds_core.errors import DecodeError, TransientError
from eds_core.event import ChangeEvent, Message, Operation, Version
from eds_core.model import infer, parse_reply
from eds_core.sandbox import load_models
from eds_core.schema import ColumnType, TableSchema

MODELS = load_models()


def field(name: str, kind: str = "String", **flags: object) -> dict[str, object]:
    return {"name": name, "type": kind, **flags}


def reply(*fields: dict[str, object], **data: object) -> bytes:
    body = {"table": "t", "modelVersion": "v1", "fields": fields, **data}
    return json.dumps({"success": True, "data": body}).encode()


ID = field("id", primary_key=True)


def parsed(*fields: dict[str, object]) -> TableSchema:
    found = parse_reply(reply(*fields), "t")
    assert found is not None
    return found


def event(
    after: str, *key: str, operation: Operation = Operation.INSERT
) -> ChangeEvent:
    row = b"" if operation is Operation.DELETE else after.encode()
    message = Message("dbchange.t.INSERT.co.NONE.PUBLIC.1.e", b"", 1, 1)
    return ChangeEvent(
        "e", "t", operation, key or ("1",), Version(1), "v1", row, message
    )


def guessed(*rows: str) -> TableSchema:
    known = None
    for row in rows:
        known = infer(known, event(row))
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("kind", "flags", "expected"),
    [
        ("String", {}, ColumnType.TEXT),
        ("BigInt", {}, ColumnType.INTEGER),
        ("Int", {}, ColumnType.INTEGER),
        ("Double", {}, ColumnType.NUMBER),
        ("Float", {}, ColumnType.NUMBER),
        ("Decimal", {}, ColumnType.DECIMAL),
        ("Boolean", {}, ColumnType.BOOLEAN),
        ("Json", {}, ColumnType.JSON),
        ("Bytes", {}, ColumnType.BYTES),
        ("DateTime", {"timestampz": True}, ColumnType.TIMESTAMP),
        ("DateTime", {"timestampz": False}, ColumnType.DATETIME),
        ("OrderStatus", {"enum": True}, ColumnType.TEXT),
        ("Int", {"enum": True}, ColumnType.TEXT),
        ("String", {"list": True}, ColumnType.JSON),
        ("OrderStatus", {"enum": True, "list": True}, ColumnType.JSON),
        ("SomethingNew", {}, ColumnType.TEXT),
    ],
)
def test_types_are_translated(kind, flags, expected):
    assert parsed(ID, field("c", kind, **flags)).types["c"] is expected


def test_the_key_comes_first_and_the_rest_by_name():
    schema = parsed(field("b"), ID, field("a"))

    assert [column.name for column in schema.columns] == ["id", "a", "b"]
    assert schema.key == ("id",)
    assert (schema.name, schema.model_version, schema.inferred) == ("t", "v1", False)


def test_a_composite_key_keeps_its_order():
    schema = parsed(
        field("z", primary_key=True), field("b"), field("a", primary_key=True)
    )

    assert schema.key == ("z", "a")


@pytest.mark.parametrize("table", sorted(MODELS))
def test_every_table_of_the_service_is_understood(table):
    model = MODELS[table]
    data = json.dumps({"success": True, "data": model.describe()}).encode()
    schema = parse_reply(data, table)

    assert schema is not None
    assert schema.key == model.keys
    assert set(schema.types) == set(model.column_names)


def test_private_columns_are_left_out():
    schema = parsed(ID, field("secret", private=True), field("open", private=False))

    assert list(schema.types) == ["id", "open"]


def test_a_private_column_may_have_any_name():
    assert list(parsed(ID, field('a"b', private=True)).types) == ["id"]


def test_a_flag_may_be_null():
    flags = dict.fromkeys(("primary_key", "timestampz", "list", "enum"))
    found = parsed(ID, field("a", private=None, **flags), field("b", private=True))

    assert found.types == {"id": ColumnType.TEXT, "a": ColumnType.TEXT}


def test_a_version_that_is_not_known_is_none():
    assert parse_reply(b'{"success": false, "message": "no"}', "t") is None
    assert parse_reply(b"{}", "t") is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"success": "yes"}',
        b'{"success": true}',
        b'{"success": true, "data": null}',
        b'{"success": true, "data": {"fields": {}}}',
        b'{"success": true, "data": {"fields": [{"name": 1, "type": "Int"}]}}',
        b'{"success": true, "data": {"fields": [{"name": "id"}]}}',
        b'{"success": true, "data": ' + b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_counts_as_none(data):
    with pytest.raises(TransientError, match="the answer is none"):
        parse_reply(data, "t")


@pytest.mark.parametrize(
    "name", ['a"b', "a b", "", "é", "_eds_version", "_EDS_x", "1a", "a" * 129, "a\n"]
)
def test_names_that_are_none_are_refused(name):
    with pytest.raises(DecodeError, match="not a name"):
        parsed(ID, field(name))
    with pytest.raises(DecodeError, match="not a name"):
        guessed(json.dumps({"id": "1", name: 1}))


def test_a_table_without_a_key_is_refused():
    with pytest.raises(DecodeError, match="no primary key"):
        parsed(field("a"))
    with pytest.raises(DecodeError, match="no primary key"):
        parsed(field("a", primary_key=True, private=True), field("b"))


def test_a_column_named_twice_is_refused():
    with pytest.raises(DecodeError, match="twice"):
        parsed(ID, field("a"), field("a", "Int"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('"x"', ColumnType.TEXT),
        ("7", ColumnType.INTEGER),
        (str(2**63 - 1), ColumnType.INTEGER),
        (str(-(2**63)), ColumnType.INTEGER),
        (str(2**63), ColumnType.DECIMAL),
        ("1.5", ColumnType.DECIMAL),
        ("1E+3", ColumnType.DECIMAL),
        ("true", ColumnType.BOOLEAN),
        ("{}", ColumnType.JSON),
        ("[]", ColumnType.JSON),
    ],
)
def test_a_value_tells_its_type(value, expected):
    schema = guessed(f'{{"id": "1", "c": {value}}}')

    assert schema.types["c"] is expected
    assert schema.inferred


def test_nulls_wait_for_a_value():
    first = guessed('{"id": "1", "c": null}')
    second = guessed('{"id": "1", "c": null}', '{"id": "1", "c": 5}')

    assert list(first.types) == ["id"]
    assert second.types["c"] is ColumnType.INTEGER


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "2.5"], ColumnType.DECIMAL),
        (["1", '"x"'], ColumnType.TEXT),
        (["true", "1"], ColumnType.TEXT),
        (["{}", '"x"'], ColumnType.JSON),
        (['"x"', "{}"], ColumnType.TEXT),
        (["1", "null"], ColumnType.INTEGER),
    ],
)
def test_types_of_several_rows_are_joined(values, expected):
    schema = guessed(*(f'{{"id": "1", "c": {value}}}' for value in values))

    assert schema.types["c"] is expected


def test_a_row_that_brings_nothing_new_changes_nothing():
    first = guessed('{"id": "1", "c": 5}')

    assert infer(first, event('{"id": "1", "c": 6}')) is first
    assert infer(first, event('{"id": "1"}')) is first
    assert infer(first, event("", operation=Operation.DELETE)) is first


def test_a_column_is_never_forgotten():
    schema = guessed('{"id": "1", "a": 1}', '{"id": "1", "b": 1}')

    assert list(schema.types) == ["id", "a", "b"]


def test_a_delete_alone_tells_the_key():
    schema = infer(None, event("", operation=Operation.DELETE))

    assert schema.key == ("id",)
    assert list(schema.types) == ["id"]


def test_a_region_in_front_of_the_key_is_no_column():
    assert infer(None, event('{"id": "1"}', "region", "1")).key == ("id",)


def test_a_composite_key_is_found_by_its_values():
    schema = infer(None, event('{"a": "x", "b": "y", "c": 1}', "y", "x"))

    assert schema.key == ("b", "a")


def test_a_region_in_front_of_a_composite_key_is_no_column_of_it():
    row = '{"a": "x", "b": "y", "crdb_region": "west"}'

    assert infer(None, event(row, "west", "x", "y")).key == ("a", "b")
    assert infer(None, event(row, "x", "y")).key == ("a", "b")


def test_a_key_is_text_whatever_its_first_value_looks_like():
    schema = infer(None, event('{"id": 7}', "7"))

    assert schema.types == {"id": ColumnType.TEXT}
    assert infer(schema, event('{"id": 8}', "8")) is schema


@pytest.mark.parametrize("row", ['{"a": "x", "b": "x"}', '{"a": "y"}', "{}"])
def test_a_key_that_cannot_be_told_is_refused(row):
    with pytest.raises(DecodeError, match="cannot be told") as caught:
        infer(None, event(row, "x", "x"))

    assert "quarantine retry" in caught.value.advice


@pytest.mark.parametrize("row", ["[1]", '"x"', "{", "nul", '{"a": NaN}'])
def test_a_row_that_is_no_object_is_refused(row):
    with pytest.raises(DecodeError, match="the row"):
        infer(None, event(row))


def test_a_row_with_too_many_columns_is_refused():
    row = {"id": "1"} | {f"c{number}": number for number in range(10_000)}

    with pytest.raises(DecodeError, match="has 10001 columns"):
        guessed(json.dumps(row))


def test_rows_cannot_add_up_to_too_many_columns():
    with pytest.raises(DecodeError, match="columns"):
        guessed(
            *(
                json.dumps(
                    {"id": "1"} | {f"c{n}": 1 for n in range(start, start + 400)}
                )
                for start in (0, 400, 800)
            )
        )
