"""Which table a file is of, and who writes what."""

from pathlib import Path

import pytest

from eds_core.errors import ConfigError
from eds_core.importer.files import Source
from eds_core.importer.matching import best, match
from eds_core.importer.names import Told
from eds_core.importer.plan import Item, Plan
from eds_core.importer.unpack import Limits, Member, Tape
from eds_core.schema import Column, ColumnType, TableSchema


def table(name, *columns, key=("id",)):
    names = (*key, *columns)
    return TableSchema(name, "m", tuple(Column(n, ColumnType.TEXT) for n in names), key)


ORDER = table("order", "number", "total", "customerId", "note")
CUSTOMER = table("customer", "firstName", "lastName", "note")
LINK = table("link", "note", key=("orderId", "userId"))
TWIN = table("twin", "number", "total", "customerId", "remark")
TABLES = {t.name: t for t in (ORDER, CUSTOMER, LINK)}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("id", "number", "total", "customerId", "note", "crdb_region"), ["order"]),
        (("id", "number", "total", "note"), ["order"]),
        (("id", "firstName", "lastName"), ["customer"]),
        (("orderId", "userId", "note"), ["link"]),
        (("orderId", "note"), []),
        (("id", "x", "y", "z"), []),
    ],
)
def test_a_table_is_told_by_its_columns(names, expected):
    assert best(names, TABLES.values()) == expected


def test_tables_that_are_alike_are_not_told_apart():
    names = ("id", "number", "total", "customerId")

    assert sorted(best(names, [ORDER, TWIN])) == ["order", "twin"]
    with pytest.raises(ConfigError, match="may hold any of the tables order, twin"):
        match([names], {"order": ORDER, "twin": TWIN}, "f.gz")


def test_what_alone_says_nothing_goes_with_the_rest_of_the_file():
    clear, vague = ("id", "number", "total", "customerId", "remark"), ("id", "number")
    tables = {"order": ORDER, "twin": TWIN}

    assert match([vague, clear], tables, "f") == {vague: "twin", clear: "twin"}


def test_a_file_may_hold_several_tables():
    first, second = ("id", "firstName", "lastName"), ("orderId", "userId", "note")

    assert match([first, second], TABLES, "f") == {first: "customer", second: "link"}


def test_columns_that_no_table_has_are_of_no_table():
    assert match([("name", "version", "scripts")], TABLES, "package.json") == {}


def item(schema, path, size, tape=None):
    source = Source(Path(path), path, Told(), size, Limits())
    if tape is not None:
        source.tape, source.member = tape, Member(schema.name, size)
    return Item(source, schema, None)


def names(lanes):
    return [[(i.table.name, i.source.name) for i in lane] for lane in lanes]


def test_a_table_has_one_writer_and_the_largest_begins():
    items = [item(ORDER, "a", 1), item(CUSTOMER, "b", 9), item(ORDER, "c", 2)]

    assert names(Plan(items).lanes()) == [
        [("customer", "b")],
        [("order", "a"), ("order", "c")],
    ]


def test_the_files_of_a_packed_tar_are_read_by_one_in_their_order():
    tape = Tape(Path("all.tgz"), Limits())
    items = [
        item(ORDER, "all.tgz", 1, tape),
        item(LINK, "x", 1),
        item(CUSTOMER, "all.tgz", 1, tape),
        item(ORDER, "y", 1),
    ]

    assert names(Plan(items).lanes()) == [
        [("order", "all.tgz"), ("customer", "all.tgz"), ("order", "y")],
        [("link", "x")],
    ]


def test_an_item_is_known_by_its_content_table_and_version():
    source = Source(Path("a"), "a", Told(), 1, Limits(), digest="d")
    moved = Source(Path("b"), "b", Told(), 1, Limits(), digest="d")
    other = Source(Path("a"), "a", Told(), 1, Limits(), digest="e")

    assert Item(source, ORDER, None).id == Item(moved, ORDER, None).id
    assert Item(source, ORDER, None).id != Item(other, ORDER, None).id
    assert Item(source, ORDER, None).id != Item(source, TWIN, None).id
