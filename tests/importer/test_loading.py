"""A chunk stands or falls as a whole, and only for who holds the companies."""

import json
from contextlib import contextmanager
from dataclasses import replace

import pytest

from eds_core.destination import Destination
from eds_core.errors import TakenOver, TransientError
from eds_core.event import Row, Version
from eds_core.importer.chunks import Chunk
from eds_core.importer.loading import Checker, Loader
from eds_core.importer.reading import Line
from eds_core.ledger import Checkpoint, ImportedFile, Quarantined
from eds_core.line import line_message
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sqlite import SqliteDriver
from eds_driver_postgres import PostgresDriver

LABEL = TableSchema(
    "label",
    "m",
    (Column("id", ColumnType.TEXT), Column("total", ColumnType.INTEGER)),
    ("id",),
)
FILE = ImportedFile("f1", "label", "label.json")


@pytest.fixture(params=["sqlite", "postgres"])
def shop(request):
    driver = {"sqlite": SqliteDriver, "postgres": PostgresDriver}[request.param]
    shop = opened(driver(request.getfixturevalue(f"{request.param}_url")))
    yield shop
    shop.close()


def opened(driver):
    shop = Destination(driver)
    shop.open()
    shop.ledger.create()
    shop.ledger.establish(Checkpoint("c1", 1, 0, "a", "s", ""))
    return shop


@pytest.fixture
def loader(shop):
    return claimed(shop)


def claimed(shop):
    loader = Loader(shop)
    loader.epochs = {"c1": shop.ledger.claim("c1", "me", "import").epoch}
    loader.prepare(LABEL)
    return loader


def chunk(**totals):
    made = Chunk()
    for number, (key, total) in enumerate(totals.items(), start=1):
        data = json.dumps({"id": key, "total": total}).encode()
        line = Line(data, number, number * 10)
        made.passed(line, counts=True)
        made.add(LABEL, Row((key,), Version(5), data), line)
    return made


def explain(key, error):
    message = line_message("label", "c1", b"{}", file="f", number=1, version=None)
    return Quarantined(
        str(message.sequence), "c1", "label", "", message, f"{key[0]}: {error}"
    )


def keys(shop):
    return [row.key[0] for row in shop.driver.read(LABEL, None, 100)]


def test_rows_and_progress_are_written_together(shop, loader):
    loaded = loader.load(chunk(a=1, b=2), FILE, explain)

    assert (loaded.file.inserted, loaded.bad) == (2, [])
    assert keys(shop) == ["a", "b"]
    assert shop.ledger.imported_files()["f1"] == loaded.file


def test_a_commit_whose_answer_was_lost_is_counted_once(sqlite_url):
    shop = opened(Deaf(sqlite_url))
    loader = claimed(shop)
    shop.driver.deaf = True
    with pytest.raises(TransientError):
        loader.load(chunk(a=1, b=2), moved(FILE, 20), explain)

    loaded = loader.load(chunk(a=1, b=2), moved(FILE, 20), explain)

    assert (loaded.file.inserted, loaded.file.updated) == (2, 0)
    assert shop.ledger.imported_files()["f1"] == loaded.file
    shop.close()


def test_a_deletion_whose_answer_was_lost_is_counted_once(sqlite_url):
    shop = opened(Deaf(sqlite_url))
    loader = claimed(shop)
    file = loader.load(chunk(a=1, b=2), moved(FILE, 20), explain).file
    shop.driver.deaf = True
    with pytest.raises(TransientError):
        loader.delete(LABEL, [("a",)], Version(9), file)

    assert loader.delete(LABEL, [("a",)], Version(9), file).deleted == 1
    assert keys(shop) == ["b"]
    shop.close()


class Deaf(SqliteDriver):
    """Does not hear that a commit has happened, once it is ``deaf``."""

    deaf = False

    @contextmanager
    def transaction(self):
        with super().transaction():
            yield
        deaf, self.deaf = self.deaf, False
        if deaf:
            raise TransientError("the connection was lost")


def moved(file, offset):
    return replace(file, offset=offset)


def test_inserts_and_updates_are_told_apart_by_file(shop, loader):
    first = loader.load(chunk(a=1, b=2), FILE, explain).file
    second = loader.load(chunk(b=3, c=4), replace(FILE, id="f2"), explain).file

    assert (first.inserted, first.updated) == (2, 0)
    assert (second.inserted, second.updated) == (1, 1)


def test_who_has_lost_the_companies_writes_nothing(shop, loader):
    shop.ledger.claim("c1", "another", "server")

    with pytest.raises(TakenOver, match="another"):
        loader.load(chunk(a=1), FILE, explain)
    assert keys(shop) == []
    assert shop.ledger.imported_files() == {}


def test_the_row_that_is_rejected_is_kept_and_the_others_are_in(shop, loader):
    loaded = loader.load(chunk(a=1, b="no number", c=3), FILE, explain)

    assert loaded.file.inserted == 2
    assert keys(shop) == ["a", "c"]
    (entry,) = shop.ledger.quarantined()
    assert entry.reason.startswith("b: ")
    assert shop.ledger.imported_files()["f1"].quarantined == 1


def test_what_is_legal_on_the_wire_is_mended(shop, loader):
    made = Chunk()
    line = Line(b'{"id":"a","total":1E+3}', 1, 10)
    made.add(LABEL, Row(("a",), Version(5), line.data), line)

    assert loader.load(made, FILE, explain).bad == []
    (row,) = shop.driver.read(LABEL, None, 10)
    assert row.get("total", ColumnType.INTEGER) == 1000


def test_a_check_finds_what_would_be_rejected_and_writes_nothing(shop, loader):
    checker = Checker(shop)
    loaded = checker.load(chunk(a=1, b="no number"), FILE, explain)

    assert (loaded.file.inserted, len(loaded.bad)) == (1, 1)
    assert keys(shop) == []
