"""What changes a table is told beforehand, and remembered afterwards."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from urllib.parse import urlsplit

import psycopg
import pytest

from drivers.appended import LinesDriver
from drivers.first_contract import FirstContract
from eds_core.destination import Destination, find_driver
from eds_core.errors import TableError, TransientError
from eds_core.gate import SchemaChanges, model_of
from eds_core.ledger import Parked
from eds_core.planning import TablePlan, apply, plan
from eds_core.schema import ColumnType, TableSchema
from eds_core.sqlite import SqliteDriver
from eds_core.testing import MemoryDriver

TEXT, INTEGER = ColumnType.TEXT, ColumnType.INTEGER
EVERY = ("sqlite", "postgres", "cockroach", "mariadb", "mysql", "snowflake")
#: Where what changes a table can be undone.
IN_TRANSACTIONS = {"sqlite": True, "postgres": True, "mariadb": False, "mysql": False}
DIE = """
import os, sys
from eds_core.destination import Destination, find_driver
from eds_core.schema import Column, ColumnType, TableSchema
destination = Destination(find_driver(sys.argv[1])(sys.argv[1]), actor="who dies")
destination.open()
destination.ledger.create()
sys.addaudithook(lambda event, _: event == "eds." + sys.argv[2] and os._exit(9))
key = Column("id", ColumnType.TEXT)
destination.prepare(TableSchema("order", "1", (key,), ("id",)))
"""


@pytest.fixture(params=EVERY)
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


@contextmanager
def opened(url, *, read_only=False, driver=None, **options):
    made = (driver or find_driver(url))(url)
    made.read_only = read_only
    destination = Destination(made, **options)
    destination.open()
    try:
        yield destination
    finally:
        destination.close()


def history(destination, *names):
    """Of each step of the shop's tables, oldest first, what *names* say."""
    every = destination.ledger.schema_steps()
    steps = [step for step in every if not step.table.startswith("_eds_")]
    return [tuple(getattr(s, name) for name in names) for s in reversed(steps)]


def planned(destination, table):
    change = destination.lacking(table)
    return change and destination.driver.plan(change)


def test_what_is_told_beforehand_is_what_runs_and_is_remembered(url, table_of):
    old = table_of("order", a=INTEGER)
    new = table_of("order", a=TEXT, b=TEXT, c=ColumnType.JSON)
    told = []
    with opened(url, actor="me") as destination:
        for table in (old, new):
            told += planned(destination, table)
            destination.prepare(table)

        assert planned(destination, new) is None
        found = history(destination, "table", "outcome", "actor", "version", "error")
        (steps,) = zip(*history(destination, "statement"), strict=True)

    assert ";\n".join(told) == ";\n".join(steps)
    assert steps[0].startswith("CREATE TABLE ")
    assert len(steps) >= 3
    assert set(found) == {("order", "done", "me", version("eds-core"), "")}


def test_who_only_tells_makes_nothing(url, table_of):
    with opened(url, read_only=True) as destination:
        told = plan(destination, {"order": table_of("order", a=TEXT)})

        assert destination.columns("order") == {}
        assert [*destination.ledger.missing()] == [*told.own]
    names = [statement.split()[2] for statement in told.own]
    assert len(names) >= 8
    assert any("_eds_schema_history" in name for name in names)
    assert [t.table for t in told.changes] == ["order"]


def test_what_is_told_of_eds_own_tables_makes_them(url):
    with opened(url) as destination:
        session = destination.driver.session
        for statement in destination.ledger.missing():
            with session.altering():
                session.run(statement)

        assert [*destination.ledger.missing()] == []


def test_what_fails_is_remembered_with_its_reason_and_undone(sqlite_url, table_of):
    with opened(sqlite_url) as destination:
        destination.prepare(table_of("order", a=INTEGER))
        with destination.transaction():
            destination.driver.session.run('CREATE INDEX mine ON "order" (a)')

        for _ in range(2):  # tried again, it is one entry
            with pytest.raises(TableError):
                destination.prepare(table_of("order", a=TEXT))

        _, (outcome, error, ended) = history(destination, "outcome", "error", "ended")
        assert destination.columns("order")["a"] is INTEGER
    assert outcome == "failed"
    assert "mine" in error
    assert ended > "2026"


def test_a_step_that_is_tried_again_is_one_entry(postgres_url, table_of):
    with opened(postgres_url) as destination:
        destination.prepare(table_of("order"))
        with psycopg.connect(postgres_url) as other:
            other.execute('LOCK TABLE "order"')
            with pytest.raises(TransientError):
                destination.prepare(table_of("order", a=TEXT))
            assert history(destination, "outcome")[-1] == ("begun",)
        destination.prepare(table_of("order", a=TEXT))

        assert history(destination, "outcome") == [("done",), ("done",)]


class Late(SqliteDriver):
    """Sees each table only when it looks once more."""

    looks = 0

    def look(self, table):
        self.looks += 1
        return None if self.looks <= 2 else super().look(table)


def test_what_another_server_was_faster_with_is_no_failure(sqlite_url, table_of):
    with opened(sqlite_url) as first, opened(sqlite_url, driver=Late) as late:
        first.prepare(table_of("order"))
        late.prepare(table_of("order"))

        assert history(first, "outcome") == [("done",), ("overtaken",)]


@pytest.mark.parametrize("name", IN_TRANSACTIONS)
@pytest.mark.parametrize("point", ["migrate.begun", "migrate.step", "migrate.recorded"])
def test_a_process_that_dies_leaves_a_step_as_begun(request, name, point, table_of):
    """Then it was not done, where that can be undone; elsewhere it may be."""
    url = request.getfixturevalue(f"{name}_url")
    died = subprocess.run([sys.executable, "-c", DIE, url, point], check=False)
    assert died.returncode == 9

    with opened(url, actor="the next") as destination:
        left = history(destination, "outcome", "actor")
        there = bool(destination.columns("order"))
        destination.prepare(table_of("order"))
        found = history(destination, "outcome", "actor")

        assert destination.columns("order") == {"id": TEXT}
    assert left == [("begun", "who dies")]
    undone = point == "migrate.begun" or IN_TRANSACTIONS[name]
    assert there is not undone
    assert found == [*left, *[("done", "the next")] * undone]


def made(destination):
    """What the history says of EDS's own tables: by name, how each ended."""
    steps = destination.ledger.schema_steps()
    own = [step for step in steps if step.table.startswith("_eds_")]
    assert all(step.statement.startswith("CREATE TABLE ") for step in own)
    return {name: [s.outcome for s in own if s.table == name] for name in names(own)}


def names(steps):
    return sorted({step.table for step in steps})


def test_making_eds_own_tables_is_remembered_and_once(url):
    with opened(url, actor="me") as destination:
        told = sorted(destination.ledger.missing())
        destination.ledger.create()
        found = made(destination)
        steps = destination.ledger.schema_steps()
        destination.ledger.create()

        assert destination.ledger.schema_steps() == steps
    assert sorted(step.statement for step in steps) == told
    assert {step.actor for step in steps} == {"me"}
    assert found == {step.table: ["done"] for step in steps}
    assert "_eds_schema_history" in found


def test_a_table_of_eds_own_that_was_dropped_is_remembered_again(sqlite_url):
    with opened(sqlite_url) as destination:
        destination.ledger.create()
        with destination.transaction():
            destination.driver.session.run("DROP TABLE _eds_checkpoint")
        destination.ledger.create()

        found = made(destination)
    assert found["_eds_checkpoint"] == ["done", "done"]
    assert found["_eds_schema_history"] == ["done"]


MAKE = """
import os, sys
from eds_core.destination import Destination, find_driver
passed = 0
def count(event, _):
    global passed
    passed += event == "eds." + sys.argv[2]
    if passed == int(sys.argv[3]):
        os._exit(9)
sys.addaudithook(count)
destination = Destination(find_driver(sys.argv[1])(sys.argv[1]), actor="who dies")
destination.open()
destination.ledger.create()
"""


@pytest.mark.parametrize("name", IN_TRANSACTIONS)
@pytest.mark.parametrize("point", ["migrate.begun", "migrate.step", "migrate.recorded"])
@pytest.mark.parametrize("nth", [1, 2, 8])
def test_who_dies_while_it_makes_them_leaves_none_unrecorded(request, name, point, nth):
    url = request.getfixturevalue(f"{name}_url")
    asked = [sys.executable, "-c", MAKE, url, point, str(nth)]
    assert subprocess.run(asked, check=False).returncode == 9

    with opened(url, actor="the next") as destination:
        destination.ledger.create()
        found = made(destination)
        destination.ledger.create()

        assert made(destination) == found
        assert [*destination.ledger.missing()] == []
    own = {table.name for table in destination.driver.books.all}
    assert found.keys() == own
    assert {o for outcomes in found.values() for o in outcomes} <= {"begun", "done"}
    assert found["_eds_schema_history"] == ["done"]


@pytest.mark.parametrize("mode", [SchemaChanges.REVIEW, SchemaChanges.OFF])
def test_a_change_that_is_not_to_be_made_waits_and_is_made_by_apply(
    url, table_of, mode
):
    """Two versions of the model wait: one has what the other lacks."""
    old, new = table_of("order", a=INTEGER), table_of("order", a=TEXT, b=TEXT)
    with opened(url, actor="server", schema_changes=mode) as server:
        server.ledger.create()
        for table in (old, new, old):
            with pytest.raises(TableError) as caught:
                server.prepare(table)
        park(server, caught.value)
        assert server.columns("order") == {}
        assert set(history(server, "outcome", "actor")) == {("waiting", "server")}
        waiting = {model_of(s) for s in server.ledger.schema_steps(outcome="waiting")}
        assert waiting == {old, new}

    with opened(url, actor="apply") as person:
        found = plan(person, {})
        assert found.waiting == ["order"]
        assert apply(person, found) == []
        assert person.columns("order") == {"id": TEXT, "a": TEXT, "b": TEXT}
        assert set(history(person, "outcome", "actor")) == {("done", "apply")}
        assert [parked.resume for parked in person.ledger.parked()] == [True]
        assert not plan(person, {}).to_do
    with opened(url, schema_changes=mode) as server:
        assert server.prepare(old) is None
        assert server.prepare(new) is None


def park(destination, error):
    with destination.transaction():
        reason = f"{error} [{error.code}]"
        destination.ledger.park([Parked("order", "shop", 1, reason, error.advice)])


def test_apply_is_repeated_after_a_crash(sqlite_url, table_of):
    """It died behind the change: the table is as it should be, and still parked."""
    table = table_of("order")
    with opened(sqlite_url, schema_changes=SchemaChanges.REVIEW) as server:
        server.ledger.create()
        with pytest.raises(TableError) as caught:
            server.prepare(table)
        park(server, caught.value)
    with opened(sqlite_url) as person:
        person.prepare(table)

        found = plan(person, {})
        assert (found.to_do, found.changes) == (True, [])
        assert apply(person, found) == []
        assert [parked.resume for parked in person.ledger.parked()] == [True]


def test_a_column_that_may_have_been_renamed_is_told_before_it_is_made(url, table_of):
    """Else what `eds apply` adds is empty, beside the one that has the values."""
    table = table_of("order", number=TEXT)
    with opened(url) as person:
        person.prepare(table)
        with person.driver.session.altering():
            person.driver.session.run(
                person.driver.renaming("order", "number", "nummer")
            )

        (finding,) = plan(person, {"order": table}).renames
        assert "no column number" in finding.told
        assert "nummer; was it renamed?" in finding.told
        with person.driver.session.altering():
            person.driver.session.run(finding.paste)
        assert plan(person, {"order": table}).changes == []


def test_one_table_that_cannot_be_changed_keeps_no_other(sqlite_url, table_of):
    with opened(sqlite_url) as person:
        with person.transaction():
            person.driver.session.run('CREATE TABLE "order" (own TEXT PRIMARY KEY)')
        models = {name: table_of(name, a=TEXT) for name in ("brand", "order", "vendor")}
        found = plan(person, models)
        failed = apply(person, found)

        assert [t.table for t in found.changes if t.error] == ["order"]
        assert [t.table for t in failed] == ["order"]
        assert "primary key" in failed[0].error
        assert person.columns("brand").keys() == person.columns("vendor").keys()


def test_versions_of_a_model_with_other_keys_are_told_apart(sqlite_url, table_of):
    one = table_of("order", a=TEXT)
    other = TableSchema("order", "2", one.columns, ("id", "a"))
    with opened(sqlite_url, schema_changes=SchemaChanges.REVIEW) as server:
        server.ledger.create()
        with pytest.raises(TableError):
            server.prepare(one)

        (found,) = plan(server, {"order": other}).changes

    assert "has the key (id, a) in one version of its model" in found.error


def test_a_driver_of_the_first_contract_tells_no_statements(tmp_path, table_of):
    table, review = table_of("order", a=TEXT), SchemaChanges.REVIEW
    with opened(
        f"frozen://{tmp_path}", driver=FirstContract, schema_changes=review
    ) as server:
        server.ledger.create()
        with pytest.raises(TableError) as caught:
            server.prepare(table)
        park(server, caught.value)

        (found,) = plan(server, {}).changes
        assert (str(found.change), found.statements) == ("create table order", None)
        assert apply(server, plan(server, {})) == []
        assert server.columns("order") == {"id": TEXT, "a": TEXT}


def test_where_nothing_is_remembered_the_shop_has_to_be_asked(table_of):
    table, review = table_of("order", a=TEXT), SchemaChanges.REVIEW
    with opened("memory://a", driver=MemoryDriver, schema_changes=review) as server:
        with pytest.raises(TableError) as caught:
            server.prepare(table)
        park(server, caught.value)

        (unknown,) = plan(server, {}).changes
        assert "--creds" in unknown.advice
        assert [t.error for t in apply(server, plan(server, {}))] == [unknown.error]
        assert not server.ledger.parked()[0].resume
        assert apply(server, plan(server, {"order": table})) == []
        assert server.columns("order") == {"id": TEXT, "a": TEXT}
        assert [parked.resume for parked in server.ledger.parked()] == [True]


def test_a_driver_that_appends_remembers_in_its_state(tmp_path, table_of):
    url = f"lines://{tmp_path}?state={tmp_path}/state.db"
    table = table_of("order", a=TEXT)
    with opened(url, driver=LinesDriver, actor="me") as destination:
        (found,) = plan(destination, {"order": table}).changes
        destination.prepare(table)

        assert found == TablePlan("order", found.change, None)
        assert history(destination, "outcome", "actor") == [("done", "me")]


def test_what_was_done_by_hand_and_not_parked_waits_until_apply(sqlite_url, table_of):
    """As for an import, which parks nothing."""
    table = table_of("order")
    with opened(sqlite_url, schema_changes=SchemaChanges.REVIEW) as load:
        load.ledger.create()
        with pytest.raises(TableError):
            load.prepare(table)
    with opened(sqlite_url) as person:
        person.prepare(table)
        found = plan(person, {})
        assert (found.waiting, found.changes) == (["order"], [])
        assert apply(person, found) == []
        assert not plan(person, {}).to_do


def test_what_waits_is_no_more_when_the_table_has_caught_up(sqlite_url, table_of):
    """A person ran the SQL, and `eds resume`."""
    table = table_of("order")
    with opened(sqlite_url, schema_changes=SchemaChanges.OFF) as server:
        server.ledger.create()
        with pytest.raises(TableError, match="--schema-changes is off") as caught:
            server.prepare(table)
        park(server, caught.value)
        assert "--except order" in caught.value.advice
        with server.transaction():
            server.ledger.unpark("order", "shop")

        assert history(server, "outcome") == []


def test_off_names_the_option_that_does_without_new_columns(sqlite_url, table_of):
    with opened(sqlite_url, schema_changes=SchemaChanges.OFF) as server:
        server.ledger.create()
        server.migrate(server.lacking(table_of("order")))
        with pytest.raises(TableError) as caught:
            server.prepare(table_of("order", a=TEXT, b=TEXT))

    assert caught.value.advice.endswith("--exclude-column order.a,order.b")


def test_who_may_not_is_told_what_to_grant(own_postgres, table_of):
    place = urlsplit(own_postgres.new_database())
    url = place._replace(netloc=f"planner:x@127.0.0.1:{own_postgres.port}").geturl()
    own_postgres.execute("DROP ROLE IF EXISTS {}", "planner")
    own_postgres.execute("CREATE ROLE {} LOGIN PASSWORD 'x'", "planner")

    with opened(url, read_only=True) as destination:
        found = plan(destination, {"order": table_of("order")})

    own_postgres.execute("DROP ROLE {}", "planner")
    assert [f.paste for f in found.privileges] == [
        'GRANT CREATE ON SCHEMA "public" TO "planner"'
    ]
