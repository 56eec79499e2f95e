"""What is CockroachDB's own: what it refuses, its conflicts, who hands over to it."""

from __future__ import annotations

import pytest

from eds_core import destination as destinations
from eds_core.destination import Destination, open_destination
from eds_core.dryrun import DryRun
from eds_core.errors import (
    ConfigError,
    ConflictError,
    OtherDriver,
    PositionMoved,
    RejectedError,
    TableError,
    TransientError,
)
from eds_core.event import (
    ChangeEvent,
    Message,
    Operation,
    Version,
    VersionedKey,
)
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import ColumnType, SchemaChange
from eds_core.work import Work
from eds_core.writer import Writer
from eds_driver_cockroach import CockroachDriver
from eds_driver_cockroach.connecting import parse
from eds_driver_postgres import PostgresDriver

TEXT = ColumnType.TEXT
FIRST = Checkpoint("shop", 41, 1, "a", "s", "p")


@pytest.fixture
def faults(cockroach, roach):
    """What the stand-in shall get wrong, from the test's own statements on."""
    if cockroach.faults is None:
        pytest.skip("a real CockroachDB fails when it likes")
    cockroach.faults.forget()
    return cockroach.faults


@pytest.fixture
def postgresql_url(cockroach_url):
    return cockroach_url.replace("cockroachdb://", "postgresql://", 1)


def test_the_guides_own_url_reaches_cockroachdb(postgresql_url, table_of, row):
    destination = open_destination(postgresql_url)
    table = table_of("order", a=TEXT)
    destination.ledger.create()
    destination.prepare(table)

    assert isinstance(destination.driver, CockroachDriver)
    assert destination.title == "CockroachDB"
    assert destination.upsert(table, [row(table, 1, id="a")]) == 1
    destination.close()
    destination.open()
    assert destination.columns("order") == {"id": TEXT, "a": TEXT}
    destination.close()


def test_a_dry_run_stays_dry_when_it_is_handed_over(postgresql_url, table_of, row):
    destination = Destination(DryRun(postgresql_url, PostgresDriver))
    ledger = destination.ledger
    destination.open()
    table = table_of("order", a=TEXT)
    destination.prepare(table)
    destination.upsert(table, [row(table, 1, id="a")])

    assert ledger.checkpoints() == {}
    destination.close()
    with_hands = open_destination(postgresql_url)
    assert with_hands.columns("order") == {}
    with_hands.close()


def test_without_its_driver_the_package_is_named(postgresql_url, monkeypatch):
    def only_postgres(*, group, name=None):
        found = real(group=group)
        names = {n for n in found.names if "cockroach" not in n}
        return found.select(name=name) if name in names else type(found)()

    real = destinations.entry_points
    monkeypatch.setattr(destinations, "entry_points", only_postgres)

    with pytest.raises(ConfigError, match="is CockroachDB") as caught:
        open_destination(postgresql_url)

    assert caught.value.advice == "pip install eds-driver-cockroach"


def test_postgresqls_driver_alone_does_not_write_to_it(postgresql_url):
    with pytest.raises(OtherDriver, match="CockroachDB") as caught:
        PostgresDriver(postgresql_url).open()

    assert caught.value.url.startswith("cockroachdb+postgresql://")


def test_cockroachdb_is_not_looked_for_in_postgresql(postgres_url):
    driver = CockroachDriver(postgres_url.replace("postgresql", "cockroachdb", 1))

    with pytest.raises(ConfigError, match="not CockroachDB") as caught:
        driver.open()
    assert "postgresql://" in caught.value.advice


def test_the_port_is_cockroachdbs_own():
    assert parse("cockroachdb://root@localhost/test")["port"] == "26257"
    assert parse("cockroach://root@localhost:7/test")["port"] == "7"


def test_what_was_found_behind_postgresqls_port_is_looked_for_there():
    assert "port" not in parse("cockroachdb+postgresql://root@localhost/test")


@pytest.mark.parametrize(
    "url", ["cockroachdb://u:hid%zzden@h/db", "cockroach://u:hidden@h:port/db"]
)
def test_a_malformed_url_is_refused_without_its_password(url):
    with pytest.raises(ConfigError) as caught:
        CockroachDriver(url)

    told = f"{caught.value} {caught.value.advice}"
    assert "hid" not in told
    assert "den@" not in told


def test_nothing_that_cockroachdb_refuses_is_asked_of_it(faults, roach, table_of, row):
    narrow = table_of("thing", **{f"a_{kind}": kind for kind in ColumnType})
    roach.prepare(narrow)
    roach.prepare(table_of("thing", a_integer=TEXT, more=TEXT))
    roach.ledger.establish(FIRST)
    mine = roach.ledger.claim("shop", "me", "server")
    with roach.transaction():
        roach.ledger.advance([Move("shop", mine.epoch, 41, 42, 2)])
        roach.put(narrow, 1, id="a")
        with roach.savepoint():
            roach.drop(narrow, 2, "a")
    roach.close()
    roach.open()

    assert faults.refused == []


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("CREATE TEMP TABLE t (a int)", "0A000"),
        ("SET CONSTRAINTS ALL IMMEDIATE", "0A000"),
        ("SET jit = off", "42704"),
        ("COPY thing FROM STDIN", "42501"),
        ("SELECT (ARRAY[1, 2])[1:2]", "0A000"),
    ],
)
def test_the_stand_in_refuses_what_cockroachdb_refuses(faults, roach, statement, code):
    with pytest.raises(TableError, match=code):
        roach.run(statement)

    assert faults.refused == [statement]


def test_the_stand_in_refuses_schema_changes_within_transactions(faults, roach):
    with pytest.raises(TableError), roach.transaction():
        roach.driver.session.run("CREATE TABLE t (a int)")

    assert len(faults.refused) == 1


def test_tables_are_changed_outside_of_transactions(faults, roach, table_of):
    roach.prepare(table_of("thing", a=TEXT))
    roach.prepare(table_of("thing", a=TEXT, b=TEXT, c=TEXT))

    words = [s.split()[0] for s in faults.statements]
    changes = [n for n, word in enumerate(words) if word in {"CREATE", "ALTER"}]
    assert len(changes) == 3
    assert all(words[n - 1] != "BEGIN" for n in changes)


def test_large_batches_are_cut_well_below_the_limit(faults, roach, table_of, row):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    rows = [row(table, 1, id=str(n), a="x" * 900_000) for n in range(12)]

    assert roach.upsert(table, rows) == 12
    assert 1_000_000 < faults.largest < 5 * 1024 * 1024


def test_many_rows_come_by_bulk_load_in_small_transactions(roach, table_of, row):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)

    rows = (row(table, 1, id=str(n)) for n in range(1_200))
    assert roach.bulk_load(table, rows).inserted == 1_200


@pytest.mark.parametrize("where", ["INSERT INTO", "commit"])
def test_a_write_of_its_own_is_done_again_after_a_conflict(
    faults, roach, table_of, where
):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    (faults.fail_commit if where == "commit" else lambda: faults.fail(where))()

    assert roach.put(table, 1, id="a") == 1
    assert roach.rows("thing", "id") == [("a",)]


def test_within_a_transaction_a_conflict_undoes_all_of_it(faults, roach, table_of):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    faults.fail("jsonb_array_elements")

    with pytest.raises(ConflictError), roach.transaction():
        roach.put(table, 1, id="a")

    assert roach.rows("thing", "id") == []
    assert roach.put(table, 1, id="a") == 1


def test_a_batch_is_written_again_after_a_conflict(faults, roach, table_of):
    table = table_of("thing", a=TEXT)
    roach.ledger.establish(FIRST)
    mine = roach.ledger.claim("shop", "me", "server")
    message = Message("dbchange.thing.UPDATE.shop.loc.PUBLIC.1", b"", 42, 2)
    event = ChangeEvent(
        "e", "thing", Operation.UPDATE, ["a"], Version(1), "1", b'{"id":"a"}', message
    )
    work = Work([(event, table)], {"shop": Move("shop", mine.epoch, 41, 42, 2)})
    faults.fail("jsonb_array_elements", times=2)
    faults.fail("UPDATE .*_eds_checkpoint")

    written = Writer(roach).write(work)

    assert written.rows == {"thing": 1}
    assert roach.rows("thing", "id") == [("a",)]
    found = roach.ledger.checkpoints()["shop"]
    assert (found.sequence, found.epoch) == (42, mine.epoch)


def test_positions_are_claimed_again_after_conflicts(faults, roach):
    roach.ledger.establish(FIRST)
    faults.fail_commit(times=3)
    mine = roach.ledger.claim("shop", "me", "server")
    faults.fail_commit(times=2)
    again = roach.ledger.reclaim("shop", mine.epoch, "me")

    assert (mine.epoch, again.epoch) == (1, 2)


def test_tables_are_made_again_after_conflicts(faults, roach, table_of):
    faults.fail("CREATE TABLE", times=2)
    roach.prepare(table_of("thing", a=TEXT))

    assert roach.driver.columns("thing") == {"id": TEXT, "a": TEXT}


def test_conflicts_that_do_not_end_are_left_to_the_pipeline(faults, roach):
    roach.ledger.establish(FIRST)
    faults.fail_commit(times=100)

    with pytest.raises(TransientError):
        roach.ledger.claim("shop", "me", "server")


def test_a_commit_that_nobody_knows_of_is_found_by_the_checkpoint(
    faults, roach, table_of
):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    roach.ledger.establish(FIRST)
    mine = roach.ledger.claim("shop", "me", "server")
    faults.lose_answer()
    with pytest.raises(TransientError) as caught, roach.transaction():  # noqa: PT012 - the transaction is the point
        roach.ledger.advance([Move("shop", mine.epoch, 41, 42, 2)])
        roach.put(table, 1, id="a")
    assert not isinstance(caught.value, ConflictError)

    assert roach.ledger.reclaim("shop", mine.epoch, "me").sequence == 42
    with pytest.raises(PositionMoved), roach.transaction():
        roach.ledger.advance([Move("shop", mine.epoch + 1, 41, 42, 2)])
    assert roach.rows("thing", "id") == [("a",)]


def test_a_schema_change_that_was_undone_parks_the_table(faults, roach, table_of):
    roach.prepare(table_of("thing", a=TEXT))
    faults.fail("ALTER TABLE", code="XXA00", told="schema change aborted")

    with pytest.raises(TableError, match="aborted"):
        roach.prepare(table_of("thing", a=TEXT, b=TEXT))


def test_a_type_that_may_not_be_altered_is_left_to_people(faults, roach, table_of):
    roach.prepare(table_of("thing", a=ColumnType.INTEGER))
    faults.fail("ALTER COLUMN", code="0A000", told="only supported experimentally")

    with pytest.raises(TableError, match="experimentally") as caught:
        roach.prepare(table_of("thing", a=TEXT))

    pasted = caught.value.advice.removeprefix("run: ").split("; ")[1]
    roach.run(pasted)
    assert roach.driver.columns("thing")["a"] is TEXT


def test_a_table_of_the_old_server_keeps_its_types(roach, table_of, raw):
    roach.run(
        'CREATE TABLE "order" (id varchar(3) PRIMARY KEY, tags text[], n numeric(6,2), '
        "i int4, d date, t timestamp(3))"
    )
    table = table_of(
        "order",
        tags=ColumnType.JSON,
        n=ColumnType.DECIMAL,
        i=ColumnType.INTEGER,
        d=TEXT,
        t=ColumnType.DATETIME,
    )
    roach.prepare(table)
    after = '{"id":"a","tags":["x","y,z","\\"q\\"",null,1],"n":1.25,"i":5,'
    after += '"d":"2024-01-01T00:00:00Z","t":"2024-01-01T02:00:00.1235+02:00"}'

    assert roach.upsert(table, [raw(1, "a", after)]) == 1
    ((tags, d),) = roach.rows("order", "tags", "d")
    assert tags == ["x", "y,z", '"q"', None, "1"]
    assert str(d) == "2024-01-01"
    for bad in ('{"id":"abcd"}', '{"id":"b","i":2147483648}', '{"id":"b","d":"now"}'):
        with pytest.raises(RejectedError):
            roach.upsert(table, [raw(2, "b", bad)])
    assert roach.upsert(table, [raw(2, "a", '{"id":"a","tags":null}')]) == 1


def test_half_of_a_surrogate_pair_is_not_sent(faults, roach, table_of, raw):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    whole = raw(1, "a", r'{"id":"a","a":"\ud83d\ude00 \\ud83d"}')

    assert roach.upsert(table, [whole]) == 1
    assert roach.rows("thing", "a") == [("😀 \\ud83d",)]
    faults.forget()
    with pytest.raises(RejectedError):
        roach.upsert(table, [raw(1, "b", r'{"id":"b","a":"\ud83d"}')])
    assert not any("INSERT" in s for s in faults.statements)


def test_deletions_of_many_keys_are_two_statements(faults, roach, table_of):
    table = table_of("thing", a=TEXT)
    roach.prepare(table)
    roach.put(table, 1, id="7")
    faults.forget()
    keys = [VersionedKey((str(n),), Version(2)) for n in range(400)]

    assert roach.delete(table, keys) == 1
    assert sum("jsonb_array_elements" in s for s in faults.statements) == 2


def test_a_session_frees_what_it_holds(roach):
    shown = {
        name: roach.value(f"SHOW {name}")
        for name in ("lock_timeout", "idle_in_transaction_session_timeout")
    }

    assert set(shown.values()) <= {"10s", "1min", "10000", "60000", "00:00:10"}


def test_a_dry_run_cannot_write(cockroach_url, table_of):
    driver = CockroachDriver(cockroach_url)
    driver.read_only = True
    driver.open()

    with pytest.raises(TransientError, match=r"read.only"):
        driver.migrate(SchemaChange(table_of("thing"), creates=True))
    driver.close()
