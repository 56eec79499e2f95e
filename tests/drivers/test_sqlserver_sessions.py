"""What a session sends and does, seen from the wire by a stand-in."""

from __future__ import annotations

import json

import pytest

from drivers.sqlserver import driver_named, greeted
from eds_core.driver import Loaded
from eds_core.errors import RejectedError, TableError, TransientError
from eds_core.event import Message, Row, Version, VersionedKey
from eds_core.ledger import Quarantined
from eds_core.schema import Column, ColumnType, TableSchema
from eds_driver_sqlserver import columns
from servers.tds import Says

both = pytest.mark.parametrize("kind", ["microsoft", "freetds"])

TABLE = TableSchema(
    "order",
    "1",
    (Column("id", ColumnType.TEXT), Column("name", ColumnType.TEXT)),
    ("id",),
)


def catalogue(table="order"):
    """What the catalogue says of TABLE as EDS makes it."""
    texts = {"id": 900, "name": -1}
    made = [
        (table, "then", name, "nvarchar", length, 0, 0, columns.BINARY, 1252, 0, 1)
        for name, length in texts.items()
    ]
    version = (table, "then", "_eds_version", "decimal", 17, 30, 10, None, None, 0, 1)
    return [
        ("AS o", [*made, version]),
        ("i.index_id", [(1, 1, 0, "id")]),
    ]


def row(id_="a", name="x"):
    after = json.dumps({"id": id_, "name": name}, ensure_ascii=False).encode()
    return Row((id_,), Version(1), after)


@both
def test_the_settings_are_of_every_session(kind):
    with greeted(driver_named(kind)) as (driver, server):
        driver.open()

        for setting in ("XACT_ABORT ON", "LOCK_TIMEOUT 10000", "DATEFORMAT ymd"):
            assert server.saw(setting) == 1


@both
def test_a_batch_goes_in_one_round_trip_and_says_how_many_changed(kind):
    answers = [("OPENJSON", [(1, 2)]), *catalogue()]
    with greeted(driver_named(kind), answers) as (driver, server):
        assert driver.upsert(TABLE, [row("a"), row("b"), row("c")]) == 3
        assert driver.delete(TABLE, [VersionedKey(("a",), Version(2))]) == 2
        assert server.saw("INSERT INTO [dbo].[order]") == 1
        assert server.saw("INNER JOIN [dbo].[_eds_tombstone]") == 1


@both
def test_a_bulk_load_tells_inserts_from_updates(kind):
    answers = [("OPENJSON", [(1, 2)]), *catalogue()]
    with greeted(driver_named(kind), answers) as (driver, _):
        loaded = driver.bulk_load(TABLE, [row("a"), row("b"), row("c")])

    assert loaded == Loaded(inserted=1, updated=2)


@both
def test_long_parameters_are_not_cut_off(kind):
    answers = [("OPENJSON", [(1, 0)]), *catalogue()]
    with greeted(driver_named(kind), answers) as (driver, server):
        driver.upsert(TABLE, [row(name="é" * 20_000)])
        driver.ledger.quarantine(
            [
                Quarantined(
                    "1",
                    "shop",
                    "order",
                    "event",
                    Message("a.b", b"\x1f\xfe" * 20_000, 1, 1),
                    "ß" * 20_000,
                )
            ]
        )
        sent = b"".join(server.requests)

    assert sent.count("é".encode("utf-16-le")) == 20_000
    assert sent.count("ß".encode("utf-16-le")) == 20_000
    assert sent.count(b"\x1f\xfe") == 20_000


@both
def test_a_table_that_somebody_altered_is_looked_at_again(kind):
    with greeted(driver_named(kind), catalogue()) as (driver, server):
        server.answers = [("OPENJSON", [(-1, -1)]), *server.answers]
        with pytest.raises(TransientError, match="altered again and again"):
            driver.upsert(TABLE, [row()])

        assert server.saw("INNER JOIN [dbo].[order]") == 3
        assert server.saw("i.index_id") == 4


@both
def test_an_error_in_a_savepoint_undoes_no_more_than_it(kind):
    duplicate = Says(2627, "Violation of PRIMARY KEY constraint 'PK'.", 14)
    answers = [("XACT_STATE", [(1,)]), ("OPENJSON", duplicate), *catalogue()]
    with greeted(driver_named(kind), answers) as (driver, server):
        with (
            driver.transaction(),
            pytest.raises(RejectedError),
            driver.savepoint(),
        ):
            driver.upsert(TABLE, [row()])

        assert server.saw("SET XACT_ABORT OFF") == 1
        assert server.saw("SAVE TRANSACTION") == 1
        assert server.saw("ROLLBACK TRANSACTION sa_savepoint") == 1
        assert server.saw("SET XACT_ABORT ON") == 1


@both
def test_nothing_is_written_after_an_error_that_ended_the_transaction(kind):
    trigger = Says(3609, "The transaction ended in the trigger.")
    answers = [("XACT_STATE", [(0,)]), ("OPENJSON", trigger), *catalogue()]
    with (
        greeted(driver_named(kind), answers) as (driver, _),
        pytest.raises(TableError, match="ended the whole transaction"),
        driver.transaction(),
        driver.savepoint(),
    ):
        driver.upsert(TABLE, [row()])


@both
def test_an_index_that_drops_rows_in_silence_is_refused(kind):
    silent = [("i.index_id", [(2, 0, 1, "name")]), *catalogue()]
    with (
        greeted(driver_named(kind), silent) as (driver, _),
        pytest.raises(TableError, match="IGNORE_DUP_KEY") as caught,
    ):
        driver.upsert(TABLE, [row()])

    assert caught.value.table == "order"


@both
def test_a_table_of_another_case_is_not_the_same_one(kind):
    with greeted(driver_named(kind), catalogue("Order")) as (driver, _):
        assert driver.columns("order") == {}
        with pytest.raises(TableError, match="no table order"):
            driver.upsert(TABLE, [row()])


@both
def test_a_connection_that_breaks_is_made_anew(kind):
    with greeted(driver_named(kind), catalogue()) as (driver, server):
        server.answers = [("OPENJSON", None), *server.answers]
        server.drop_connections()
        with pytest.raises(TransientError):
            driver.upsert(TABLE, [row()])
        driver.open()

        assert driver.columns("order")["name"] is ColumnType.TEXT


@both
def test_a_transaction_that_the_server_ended_leaves_a_session_that_works(kind):
    duplicate = Says(2627, "Violation of PRIMARY KEY constraint 'PK'.", 14)
    with greeted(driver_named(kind), catalogue()) as (driver, server):
        server.answers = [("OPENJSON", duplicate), *server.answers]
        with pytest.raises(RejectedError), driver.transaction():  # noqa: PT012 - the transaction is the point
            server.ended_by_itself = True
            driver.upsert(TABLE, [row()])

        server.answers = [("OPENJSON", [(1, 0)]), *server.answers]
        with driver.transaction():
            assert driver.upsert(TABLE, [row()]) == 1


def test_what_freetds_cannot_roll_back_is_left_behind_with_its_connection():
    """It begins no other: what came next would be committed at once."""
    duplicate = Says(2627, "Violation of PRIMARY KEY constraint 'PK'.", 14)
    with greeted(driver_named("freetds"), catalogue()) as (driver, server):
        server.answers = [("OPENJSON", duplicate), *server.answers]
        with pytest.raises(RejectedError), driver.transaction():  # noqa: PT012 - the transaction is the point
            server.ended_by_itself = True
            driver.upsert(TABLE, [row()])
        assert not server.ended_by_itself
        assert server.saw("XACT_ABORT ON") == 0

        assert driver.columns("order")["name"] is ColumnType.TEXT
        assert server.saw("XACT_ABORT ON") == 1
