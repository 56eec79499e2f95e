"""A schema and a table prefix in the URL: two EDS in one database, apart."""

from __future__ import annotations

import re

import pytest

from eds_core.destination import find_driver, open_destination
from eds_core.errors import ConfigError, TableError
from eds_core.event import Message, Row, Version, VersionedKey
from eds_core.ledger import Checkpoint, Parked, Quarantined
from eds_core.schema import Column, ColumnType, TableSchema
from eds_core.sql.placement import Placement, placement_of, without_placement

COLUMNS = (
    Column("id", ColumnType.TEXT),
    Column("name", ColumnType.TEXT),
    Column("size", ColumnType.INTEGER),
)
LABEL = TableSchema("label", "1", COLUMNS, ("id",))
WIDER = TableSchema("label", "2", (*COLUMNS, Column("note", ColumnType.JSON)), ("id",))


@pytest.fixture(
    params=["sqlite", "postgres", "cockroach", "mariadb", "mysql", "snowflake"]
)
def url(request):
    """The URL of an empty database, of each kind that there is here."""
    name = "sqlite_url" if request.param == "sqlite" else f"{request.param}_url"
    return request.getfixturevalue(name)


@pytest.fixture
def sqlite_url(tmp_path):
    return f"sqlite:///{tmp_path / 'shop.db'}"


def with_parameter(url, parameter):
    return f"{url}{'&' if '?' in url else '?'}{parameter}"


def row(key, name, version):
    return Row(
        (key,),
        Version(version),
        b'{"id":"%b","name":"%b","size":3}' % (key.encode(), name.encode()),
    )


class Place:
    """One EDS in a database, and what it finds there."""

    def __init__(self, url):
        self.destination = open_destination(url)
        self.destination.ledger.create()

    def write(self, *rows, table=LABEL):
        self.destination.prepare(table)
        with self.destination.transaction():
            self.destination.upsert(table, rows)

    def delete(self, key, version):
        with self.destination.transaction():
            self.destination.delete(LABEL, [VersionedKey((key,), Version(version))])

    def names(self, table=LABEL):
        rows = self.destination.driver.read(table, None, 100)
        return {row.key[0]: row.get("name", ColumnType.TEXT) for row in rows}


def both(url):
    return Place(with_parameter(url, "table_prefix=a_")), Place(url)


def test_two_prefixes_in_one_database_do_not_touch_each_other(url):
    prefixed, plain = both(url)
    prefixed.write(row("1", "prefixed", 10), row("2", "prefixed", 10))
    plain.write(row("1", "plain", 20))
    prefixed.delete("1", 30)

    assert prefixed.names() == {"2": "prefixed"}
    assert plain.names() == {"1": "plain"}
    plain.write(row("1", "again", 21))  # the tombstone is the other's
    prefixed.write(row("1", "stale", 21))
    assert prefixed.names() == {"2": "prefixed"}
    assert plain.names() == {"1": "again"}
    assert plain.destination.driver.deleted(LABEL, [("1",)]) == {}
    assert prefixed.destination.driver.deleted(LABEL, [("1",)]) == {("1",): Version(30)}


def test_all_that_is_asked_about_a_table_is_about_the_prefixed_one(url):
    prefixed, plain = both(url)
    driver = prefixed.destination.driver
    plain.write(row("1", "plain", 20))

    assert driver.columns("label") == {}
    assert driver.count("label") == 0
    assert driver.key("label") == ()
    assert driver.adopted("label")
    prefixed.destination.prepare(LABEL)
    loaded = prefixed.destination.bulk_load(LABEL, iter([row("3", "bulk", 5)]))
    prefixed.write(row("4", "wider", 6), table=WIDER)

    assert loaded.inserted == 1
    assert set(driver.columns("label")) == {"id", "name", "size", "note"}
    assert set(plain.destination.driver.columns("label")) == {"id", "name", "size"}
    assert driver.count("label") == 2
    assert driver.key("label") == ("id",)
    assert driver.adopted("label")
    assert driver.unversioned(LABEL) == []
    assert plain.destination.driver.count("label") == 1


def test_positions_quarantine_and_parked_tables_are_each_ones_own(url):
    prefixed, plain = both(url)
    for place, number in ((prefixed, 5), (plain, 7)):
        ledger = place.destination.ledger
        ledger.establish(Checkpoint("c", number, 1, "account", "stream", ""))
        ledger.claim("c", f"owner {number}", "server")
        with place.destination.transaction():
            ledger.park([Parked("label", "c", number, "why", "do")])
            message = Message("subject", b"{}", number, 1, {})
            ledger.quarantine(
                [Quarantined(f"id{number}", "c", "label", "e", message, "r", "a")]
            )

    for place, number in ((prefixed, 5), (plain, 7)):
        ledger = place.destination.ledger
        assert ledger.checkpoints()["c"].sequence == number
        assert ledger.checkpoints()["c"].epoch == 1
        assert [entry.id for entry in ledger.quarantined()] == [f"id{number}"]
        assert [(e.table, e.sequence) for e in ledger.parked()] == [("label", number)]
    assert prefixed.destination.ledger.request_resume("label") == 1
    assert not plain.destination.ledger.parked()[0].resume


def test_an_error_names_the_shops_table_and_advises_about_the_real_one(url):
    prefixed, _ = both(url)
    with pytest.raises(TableError) as caught, prefixed.destination.transaction():
        prefixed.destination.upsert(LABEL, [row("1", "x", 1)])

    assert caught.value.table == "label"
    assert "a_label" in str(caught.value)


@pytest.mark.parametrize("kind", ["postgres", "cockroach"])
def test_a_schema_of_ones_own(request, kind):
    url = request.getfixturevalue(f"{kind}_url")
    execute(request, kind, url, 'CREATE SCHEMA "Shop two"')
    there = Place(with_parameter(url, "schema=Shop%20two"))
    plain = Place(url)
    there.write(row("1", "there", 10), row("2", "there", 10))
    plain.write(row("1", "plain", 20))
    there.delete("2", 11)

    assert there.names() == {"1": "there"}
    assert plain.names() == {"1": "plain"}
    assert there.destination.ledger.checkpoints() == {}
    found = [f for f in there.destination.diagnose({}) if f.about == "privileges"]
    assert [f.told for f in found] == ["all that EDS needs are there"]


@pytest.mark.parametrize("kind", ["postgres", "cockroach"])
def test_a_schema_that_is_not_there_is_told_with_what_makes_it(request, kind):
    url = request.getfixturevalue(f"{kind}_url")
    with pytest.raises(ConfigError, match="no schema nowhere") as caught:
        open_destination(with_parameter(url, "schema=nowhere"))
    assert 'CREATE SCHEMA "nowhere"' in caught.value.advice


@pytest.mark.parametrize("kind", ["sqlite", "mariadb"])
def test_a_database_without_schemas_takes_none(request, kind):
    url = request.getfixturevalue(f"{kind}_url")
    with pytest.raises(ConfigError, match="has no schemas"):
        open_destination(with_parameter(url, "schema=shop"))


def execute(request, kind, url, statement):
    driver = open_destination(url).driver
    try:
        with driver.session.altering():
            driver.session.run(statement)
    finally:
        driver.close()


@pytest.mark.parametrize(
    "prefix", ["A_", "1_", "a-", "_eds_", "_eds", "a%20", "x" * 31, "ord", "customer_"]
)
def test_a_prefix_that_could_be_mistaken_is_refused(prefix):
    with pytest.raises(ConfigError, match="table_prefix"):
        placement_of(f"postgresql://u:secret@h/d?table_prefix={prefix}")


def test_what_places_tables_is_taken_out_of_the_url():
    url = "postgresql://u:p@h/d?schema=s&sslmode=disable&table_prefix=shop_"
    assert placement_of(url) == Placement("s", "shop_")
    assert without_placement(url) == "postgresql://u:p@h/d?sslmode=disable"
    assert placement_of("sqlite:///x.db") == Placement()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////tmp/x.db",
        "postgresql://u:p@h/d",
        "cockroachdb://u:p@h/d",
        "mysql://u:p@h/d",
        "sqlserver://u:p@h/d",
        "snowflake://u:p@a-b/d/s",
    ],
)
def test_no_statement_names_a_table_without_its_prefix(url):
    driver = find_driver(url)(with_parameter(url, "table_prefix=a_"))
    statements = {**driver.script(WIDER), **driver.script_books()}
    text = "\n".join(statements.values())
    quoted = r"[\"'`\[]label[\"'`\]]"

    assert "a_label" in text
    assert "a__eds_tombstone" in text
    assert re.findall(rf"(?<!a_)\b_eds_tombstone|{quoted}", text) == []
    assert [
        name for name in driver.script_books() if not name.startswith("a__eds_")
    ] == []
