"""What imports need of a destination: who runs one, how far it is, reading back."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest

from eds_core.errors import FatalError, TakenOver
from eds_core.event import Version
from eds_core.ledger import Checkpoint, ImportedFile
from eds_core.schema import ColumnType
from eds_core.values import parse_json

HERE = Checkpoint("c1", 7, 0, "account", "stream", "")


@pytest.fixture
def held(shop):
    """The epochs of an import of one company."""
    shop.ledger.establish(HERE)
    found = shop.ledger.claim("c1", "me", "import")
    return {"c1": found.epoch}


def test_claiming_with_the_role_import_gives_the_first_sign_of_life(shop, held):
    (beat,) = shop.ledger.heartbeats()

    assert (beat.company, beat.owner) == ("c1", "me")
    assert abs(beat.age) < 30


def test_before_anything_was_made_nobody_imports(shop):
    shop.run("DROP TABLE _eds_heartbeat", "DROP TABLE _eds_import")

    assert shop.ledger.heartbeats() == []
    assert shop.ledger.imported_files() == {}


def test_a_sign_of_life_is_dated_by_the_destinations_clock(shop, held):
    shop.run("UPDATE _eds_heartbeat SET at = '2020-01-01T00:00:00+00:00'")
    assert shop.ledger.heartbeats()[0].age > 1e6

    shop.ledger.beat(held)

    assert shop.ledger.heartbeats()[0].age < 30


def test_who_lets_go_gives_no_more_signs_of_life(shop, held):
    shop.ledger.release(held)

    assert shop.ledger.heartbeats() == []


def test_a_server_that_claims_ends_the_import(shop, held):
    shop.ledger.claim("c1", "server", "server")

    assert shop.ledger.heartbeats() == []
    with pytest.raises(TakenOver), shop.transaction():
        shop.ledger.hold(held)
    with pytest.raises(TakenOver):
        shop.ledger.beat(held)


def test_letting_go_of_what_another_import_has_taken_leaves_it_alone(shop, held):
    shop.ledger.claim("c1", "another", "import")
    shop.ledger.release(held)

    assert [beat.owner for beat in shop.ledger.heartbeats()] == ["another"]


def test_a_checkpoint_that_is_gone_stops_an_import(shop, held):
    shop.run("DELETE FROM _eds_checkpoint")

    with pytest.raises(FatalError, match="is gone"), shop.transaction():
        shop.ledger.hold(held)


def test_a_company_that_is_held_cannot_be_claimed_before_the_end(postgresql):
    shop = postgresql
    shop.ledger.establish(HERE)
    held = {"c1": shop.ledger.claim("c1", "me", "import").epoch}
    with shop.another() as other:
        other.run("SET lock_timeout = '100ms'")
        with shop.transaction():
            shop.ledger.hold(held)
            with pytest.raises(Exception, match="lock timeout"):
                other.ledger.claim("c1", "another", "server")
        assert other.ledger.claim("c1", "another", "server").epoch == held["c1"] + 1


def test_two_writers_of_one_import_do_not_wait_for_each_other(postgresql):
    shop = postgresql
    shop.ledger.establish(HERE)
    held = {"c1": shop.ledger.claim("c1", "me", "import").epoch}
    with shop.another() as other:
        other.run("SET lock_timeout = '100ms'")
        with shop.transaction(), other.transaction():
            shop.ledger.hold(held)
            other.ledger.hold(held)


def test_how_far_a_file_is_stands_or_falls_with_its_rows(shop, order, row):
    file = ImportedFile(
        "f1", "order", "order.json", 100, 3, read=3, inserted=1, updated=2, deleted=4
    )
    with suppress(ZeroDivisionError), shop.transaction():
        shop.bulk_load(order, [row(order, 1, id="1")])
        shop.ledger.record_file(file)
        raise ZeroDivisionError
    assert shop.ledger.imported_files() == {}
    assert shop.rows("order") == []

    for known in (file, replace(file, offset=200, line=9, done=True)):
        with shop.transaction():
            shop.bulk_load(order, [row(order, 1, id="1")])
            shop.ledger.record_file(known)
        assert shop.ledger.imported_files() == {"f1": known}

    shop.ledger.forget_files(["f1"])
    assert shop.ledger.imported_files() == {}


def test_rows_are_read_back_page_by_page_in_the_order_of_their_keys(
    shop, table_of, row
):
    table = table_of("link", key=("a", "b"), note=ColumnType.TEXT)
    shop.prepare(table)
    keys = [(a, b) for a in ("1", "2", "é") for b in ("x", "y'z", "%s")]
    shop.upsert(table, [row(table, 5, a=a, b=b, note=a + b) for a, b in sorted(keys)])
    found, after = [], None
    while page := shop.driver.read(table, after, 2):
        assert len(page) <= 2
        found += page
        after = page[-1].key

    assert sorted(r.key for r in found) == sorted(keys)
    assert {r.key: r.get("note", ColumnType.TEXT) for r in found} == {
        (a, b): a + b for a, b in keys
    }
    assert {r.version for r in found} == {Version(5)}


def test_what_is_read_back_has_every_digit(shop, table_of, raw):
    types = {
        "text": ColumnType.TEXT,
        "big": ColumnType.INTEGER,
        "price": ColumnType.DECIMAL,
        "ratio": ColumnType.NUMBER,
        "yes": ColumnType.BOOLEAN,
        "at": ColumnType.TIMESTAMP,
        "json": ColumnType.JSON,
        "picture": ColumnType.BYTES,
        "nothing": ColumnType.TEXT,
    }
    table = table_of("thing", **types)
    shop.prepare(table)
    after = (
        '{"id":"1","text":"Zoë \\"\\u2028","big":9007199254740993,'
        '"price":12345678901234567890.12,"ratio":0.1,"yes":true,'
        '"at":"2024-01-01T00:00:00.123456Z","json":{"a":[1,12345678901234567890.5]},'
        '"picture":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMA=="'
        "}"
    )
    shop.upsert(table, [raw(1_700_000_000_123_456_789, "1", after)])
    (found,) = shop.driver.read(table, None, 10)

    assert found.version == Version(1_700_000_000_123_456_789)
    exact = ("text", "big", "price", "ratio", "yes", "picture", "nothing")
    wanted = raw(1, "1", after)
    for name in exact:
        assert found.get(name, types[name]) == wanted.get(name, types[name]), name
    assert parse_json(found.get("json", ColumnType.JSON)) == parse_json(
        wanted.get("json", ColumnType.JSON)
    )
    assert "00:00:00.123456" in found.get("at", ColumnType.TIMESTAMP)


def test_a_row_without_a_version_is_read_as_the_oldest(shop, order):
    shop.run("INSERT INTO \"order\" (id, name) VALUES ('1', 'x')")

    assert [r.version for r in shop.driver.read(order, None, 10)] == [Version(0)]


def test_of_a_table_that_is_not_there_nothing_is_read(shop, table_of):
    assert shop.driver.read(table_of("nowhere"), None, 10) == []
    assert shop.driver.key("nowhere") == ()


def test_the_key_of_a_table_comes_in_the_order_of_its_columns(shop, table_of):
    shop.prepare(table_of("link", key=("b", "a"), note=ColumnType.TEXT))

    assert shop.driver.key("link") == ("b", "a")


def test_deletions_are_remembered_by_key(shop, order):
    for number in range(3):
        shop.drop(order, 10 + number, str(number))
    keys = [(str(number),) for number in range(1, 600)]

    assert shop.driver.deleted(order, keys) == {
        ("1",): Version(11),
        ("2",): Version(12),
    }


def test_rows_of_an_old_server_are_found_by_their_key(shop, table_of, row):
    table = table_of("link", key=("a", "b"), note=ColumnType.TEXT)
    shop.prepare(table)
    assert shop.driver.unversioned(table) == []
    shop.upsert(table, [row(table, 5, a="1", b="1", note="new")])
    shop.run("INSERT INTO link (a, b, note) VALUES ('1', '2', 'old'), ('2', '2', 'x')")
    keys = [("1", str(number)) for number in range(500)]

    assert len(shop.driver.unversioned(table)) == 1
    (found,) = shop.driver.unversioned(table, keys)
    assert found.key == ("1", "2")
    assert found.get("note", ColumnType.TEXT) == "old"
