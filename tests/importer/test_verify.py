"""Differences between files and a destination are found, told and mended."""

import asyncio
from threading import Event

import pytest

from eds_core.destination import Destination, find_driver
from eds_core.event import Row, Version, VersionedKey
from eds_core.importer.files import find
from eds_core.importer.loading import Loader
from eds_core.importer.options import ImportOptions
from eds_core.importer.plan import Planner
from eds_core.importer.run import Import
from eds_core.importer.schemas import PresentSchemas
from eds_core.importer.unpack import Limits
from eds_core.importer.verify import verify
from eds_core.importer.writers import Writer
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema

SNAPSHOT = Version(1_700_000_000_000_000_000)
TYPES = {
    "id": ColumnType.TEXT,
    "name": ColumnType.TEXT,
    "total": ColumnType.DECIMAL,
    "count": ColumnType.INTEGER,
    "ratio": ColumnType.NUMBER,
    "paid": ColumnType.BOOLEAN,
    "at": ColumnType.TIMESTAMP,
    "day": ColumnType.DATETIME,
    "meta": ColumnType.JSON,
    "picture": ColumnType.BYTES,
}
ORDER = TableSchema(
    "order", "m", tuple(Column(n, t) for n, t in TYPES.items()), ("id",)
)
FULL = (
    '{"id":"1","name":"a\\u0000b","total":1.50,"count":1E+3,"ratio":0.1,"paid":true,'
    '"at":"2024-01-01T00:00:00.123456789Z","day":"2024-01-01T01:00:00+01:00",'
    '"meta":{"b":[1.0,2],"a":null,"c":12345678901234567890.12},"picture":"AAEC"}'
)
OTHER = (
    '{"id":"2","name":null,"total":"2","count":2,"ratio":1e5,"paid":0,'
    '"at":"2024-01-01T00:00:00","day":null,"meta":[],"picture":null}'
)
MANY = [f'{{"id":"x{n}","name":"n{n}"}}' for n in range(500)]
LINES = [FULL, OTHER, *MANY, '{"id":"2","name":"the last wins"}']


#: fakesnow keeps six digits of a second, and makes doubles of numbers within JSON.
FAKED = [
    line.replace("123456789Z", "123456Z").replace("12345678901234567890.12", "12.5")
    for line in LINES
]


class Scene:
    """A table that was imported from a file, and both at hand."""

    def __init__(self, driver, url, directory, lines):
        self.url = url
        self.destination = Destination(driver(url))
        self.destination.open()
        self.destination.ledger.create()
        self.destination.migrate(SchemaChange(ORDER, creates=True, adds=ORDER.columns))
        self.file = directory / "order.json"
        self.file.write_text("\n".join(lines))
        options = ImportOptions((self.file,), url, snapshot=SNAPSHOT)
        outcome = asyncio.run(Import(options).run())
        assert outcome.tally.errors == []
        assert outcome.tally.total().quarantined == 0

    def verify(self, *, repair=False):
        async def scenario():
            halt = Event()
            writer = Writer(self.destination, Loader(self.destination), halt)
            schemas = PresentSchemas(self.destination, writer.call)
            planner = Planner(schemas, (), "", SNAPSHOT)
            plan = await planner.plan(find([self.file], Limits()))
            return verify(writer, plan, (), repair=repair)

        return asyncio.run(scenario())

    def run(self, statement):
        """Execute *statement*, whose names in braces are quoted as they are here."""
        session = self.destination.driver.session
        names = {name: session.quote(name) for name in ("order", *TYPES)}
        with session.transaction():
            session.run(statement.format(**names))


@pytest.fixture(
    params=["sqlite", "postgres", "cockroach", "mariadb", "mysql", "snowflake"]
)
def scene(request, tmp_path):
    url = request.getfixturevalue(f"{request.param}_url")
    lines = FAKED if request.param == "snowflake" else LINES
    scene = Scene(find_driver(url), url, tmp_path, lines)
    yield scene
    scene.destination.close()


def test_what_an_import_has_written_is_equal_to_its_file(scene):
    assert scene.verify() == ([], 0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("SET {name} = 'spoilt' WHERE {id} = '1'", "order ['1']: name differs"),
        ("SET {total} = '1.51' WHERE {id} = '1'", "order ['1']: total differs"),
        ("SET {count} = 1001 WHERE {id} = '1'", "order ['1']: count differs"),
        ("SET {ratio} = 0.2 WHERE {id} = '1'", "order ['1']: ratio differs"),
        ("SET {name} = NULL WHERE {id} = 'x7'", "order ['x7']: name differs"),
        ("SET {meta} = '[1]' WHERE {id} = '1'", "order ['1']: meta differs"),
        (
            "SET {at} = '2024-01-01 00:00:01' WHERE {id} = '1'",
            "order ['1']: at differs",
        ),
    ],
)
def test_a_value_that_was_changed_is_found_and_mended(scene, change, told):
    scene.run(f"UPDATE {{order}} {change}")

    ((difference,), repaired) = scene.verify(repair=True)
    assert difference.rows == (told,)
    assert repaired == 1
    assert scene.verify() == ([], 0)


def test_a_row_that_is_missing_is_found_and_mended(scene):
    scene.run("DELETE FROM {order} WHERE {id} IN ('1', 'x3')")

    ((difference,), repaired) = scene.verify(repair=True)
    assert difference.count == repaired == 2
    assert set(difference.rows) == {
        "order ['1']: is missing",
        "order ['x3']: is missing",
    }
    assert scene.verify() == ([], 0)


def test_a_row_that_was_deleted_since_is_not_missing(scene):
    later = Version(SNAPSHOT.wall + 1)
    scene.destination.delete(ORDER, [VersionedKey(("1",), later)])

    assert scene.verify(repair=True) == ([], 0)


def test_a_row_that_is_newer_in_the_destination_is_right(scene):
    later = Version(SNAPSHOT.wall + 1)
    row = Row(("1",), later, b'{"id":"1","name":"changed since"}')
    scene.destination.upsert(ORDER, [row])

    assert scene.verify() == ([], 0)


def test_only_the_first_differences_are_listed_and_all_are_counted(scene):
    scene.run("UPDATE {order} SET {name} = 'spoilt'")

    ((difference,), _) = scene.verify()
    assert difference.count == 502
    assert len(difference.rows) == 20
