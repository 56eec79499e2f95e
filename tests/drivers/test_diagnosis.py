"""What a driver says of its database; what it tells to paste does help."""

from __future__ import annotations

import re
import threading
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from drivers.first_contract import FirstContract
from drivers.sqlserver import driver_named, greeted
from eds_core.destination import Destination, find_driver
from eds_core.driver import hookimpl
from eds_core.findings import Finding, Verdict, looked
from eds_core.gate import SchemaChanges
from eds_core.ledger import TableStatus
from eds_core.schema import ColumnType
from eds_core.testing import MemoryDriver

TEXT = ColumnType.TEXT
EVERY = ("sqlite", "postgres", "cockroach", "mariadb", "mysql", "snowflake")
#: What each has to say a word about, when all is well.
ABOUT = {
    "sqlite": {"file", "disk"},
    "postgres": {"version", "disk", "encoding", "encryption", "privileges", "locks"},
    "cockroach": {"version", "encryption", "privileges"},
    "mariadb": {"version", "disk", "collation", "local_infile", "encryption"},
    "mysql": {"version", "disk", "collation", "local_infile", "encryption"},
    "snowflake": {"version", "warehouse", "privileges", "freshness"},
}


@pytest.fixture
def url(request):
    return request.getfixturevalue(f"{request.param}_url")


def diagnosed(url, models=(), mode=SchemaChanges.AUTO):
    """What `eds doctor` gets from the driver."""
    destination = Destination(find_driver(url)(url), schema_changes=mode)
    destination.driver.read_only = True
    destination.open()
    try:
        return destination.diagnose({model.name: model for model in models})
    finally:
        destination.close()


def wrong(findings):
    return [finding for finding in findings if finding.verdict is Verdict.WRONG]


def written(url, *tables):
    """A database that EDS has been to, with *tables*."""
    destination = Destination(find_driver(url)(url))
    destination.open()
    destination.ledger.create()
    for table in tables:
        destination.prepare(table)
    return destination


@pytest.mark.parametrize("name", EVERY)
def test_a_driver_gives_its_own_checks_and_leaves_nothing_behind(
    request, name, table_of
):
    url = request.getfixturevalue(f"{name}_url")
    order = table_of("order", a=TEXT)

    before = diagnosed(url)
    written(url, order).close()
    after = diagnosed(url, [order])

    assert wrong(before) == wrong(after) == []
    assert ABOUT[name] <= {finding.about for finding in after}
    told = {finding.about: finding.told for finding in before}
    assert told["own tables"] == "there are none yet: the server makes them"
    assert "1 tables have the columns" in " ".join(f.told for f in after)
    assert "ecret" not in str(after)


@pytest.mark.parametrize("name", EVERY)
def test_prefixes_by_which_two_tables_have_one_name_are_found(request, name):
    """The one's y_order is the other's order, of which no catalogue knows."""
    url = request.getfixturevalue(f"{name}_url")
    at = f"{url}{'&' if '?' in url else '?'}table_prefix="
    for prefix, table in (("x_", "brand"), ("x_y_", "order"), ("z_", "y_order")):
        met = {(table, "shop"): TableStatus(table, "shop")}
        shop = written(f"{at}{prefix}")
        with shop.transaction():
            shop.ledger.report(met)
        shop.close()
    before = diagnosed(f"{at}x_")
    shop = written(f"{at}x_")
    with shop.transaction():
        shop.ledger.report({("y_order", "shop"): TableStatus("y_order", "shop")})
    shop.close()

    (one,), (other,) = wrong(diagnosed(f"{at}x_")), wrong(diagnosed(f"{at}x_y_"))

    assert wrong(before) == wrong(diagnosed(f"{at}z_")) == []
    assert one.about == other.about == "prefixes"
    assert "with table_prefix=x_y_ writes here" in one.told
    assert "x_y_order is a table of both" in one.told
    assert "with table_prefix=x_ writes here" in other.told


@pytest.mark.parametrize("server", ["own_mariadb", "own_mysql"])
def test_who_only_writes_rows_lacks_nothing_where_others_make_the_tables(
    request, server, table_of
):
    own = request.getfixturevalue(server)
    owned = own.new_database()
    name = urlsplit(owned).path.removeprefix("/")
    few = "SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES"
    own.execute(
        "CREATE USER IF NOT EXISTS 'rows'@'%' IDENTIFIED BY 'x'",
        f"GRANT {few} ON `{name}`.* TO 'rows'@'%'",
    )
    url = f"mysql://rows:x@127.0.0.1:{own.port}/{name}"

    (early,) = wrong(diagnosed(url, mode=SchemaChanges.OFF))
    written(owned, table_of("order", a=TEXT)).close()

    assert "missing: CREATE on database" in early.told
    assert wrong(diagnosed(url, mode=SchemaChanges.OFF)) == []
    assert wrong(diagnosed(url, mode=SchemaChanges.REVIEW)) == []
    (auto,) = wrong(diagnosed(url))
    assert "missing: CREATE, ALTER on database" in auto.told
    own.execute("DROP USER 'rows'@'%'")


def test_a_file_that_is_not_there_is_not_made(sqlite_url, tmp_path):
    found = diagnosed(sqlite_url)

    assert "is not there yet" in found[0].told
    assert not list(tmp_path.iterdir())


def test_old_drivers_have_nothing_to_say_and_plugins_may(tmp_path):
    class Plugin:
        @hookimpl
        def diagnose(self):
            return [Finding("mine", "is well")]

    old = Destination(FirstContract(f"frozen://{tmp_path}"))
    memory = Destination(MemoryDriver("memory://diagnosed"), [Plugin()])

    assert old.diagnose({}) == []
    assert [finding.told for finding in memory.diagnose({})] == ["is well"]


def test_the_grants_to_paste_help_on_postgres(own_postgres, table_of):
    owned = own_postgres.new_database()
    name = urlsplit(owned).path.removeprefix("/")
    url = f"postgresql://lacking:x@127.0.0.1:{own_postgres.port}/{name}"
    admin = urlsplit(own_postgres.admin_url)._replace(path=f"/{name}").geturl()
    written(owned, table_of("order", a=TEXT)).close()
    own_postgres.execute("DROP ROLE IF EXISTS {}", "lacking")
    own_postgres.execute("CREATE ROLE {} LOGIN PASSWORD 'x'", "lacking")

    found = wrong(diagnosed(url))
    with psycopg.connect(admin, autocommit=True) as connection:
        for finding in found:
            connection.execute(finding.paste)

    assert {finding.about for finding in found} == {"privileges"}
    assert 'GRANT CREATE ON SCHEMA "public" TO "lacking"' in [f.paste for f in found]
    assert any('ALTER TABLE "public"."order" OWNER' in f.paste for f in found)
    assert wrong(diagnosed(url)) == []
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute('DROP OWNED BY "lacking" CASCADE')
        connection.execute('DROP ROLE "lacking"')


@pytest.mark.parametrize("server", ["own_mariadb", "own_mysql"])
def test_the_grant_to_paste_helps_on_mysql_and_mariadb(request, server):
    own = request.getfixturevalue(server)
    name = urlsplit(own.new_database()).path.removeprefix("/")
    own.execute(
        "DROP USER IF EXISTS 'lacking'@'%'",
        "CREATE USER 'lacking'@'%' IDENTIFIED BY 'x'",
        f"GRANT SELECT, INSERT ON {name}.* TO 'lacking'@'%'",
    )
    url = f"mysql://lacking:x@127.0.0.1:{own.port}/{name}"

    (found,) = wrong(diagnosed(url))
    own.execute(found.paste)
    then = wrong(diagnosed(url))
    own.execute("DROP USER 'lacking'@'%'")

    assert "missing: UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY" in found.told
    assert found.paste.startswith("GRANT UPDATE, DELETE, CREATE, ALTER, ")
    assert then == []


def test_a_role_that_may_have_the_privileges_is_a_note(own_mariadb):
    name = urlsplit(own_mariadb.new_database()).path.removeprefix("/")
    own_mariadb.execute(
        "DROP USER IF EXISTS 'lacking'@'%'",
        "DROP ROLE IF EXISTS writers",
        "CREATE ROLE writers",
        f"GRANT ALL ON {name}.* TO writers",
        "CREATE USER 'lacking'@'%' IDENTIFIED BY 'x'",
        "GRANT writers TO 'lacking'@'%'",
        "SET DEFAULT ROLE writers FOR 'lacking'@'%'",
    )

    found = diagnosed(f"mysql://lacking:x@127.0.0.1:{own_mariadb.port}/{name}")
    own_mariadb.execute("DROP USER 'lacking'@'%'", "DROP ROLE writers")

    assert wrong(found) == []
    (note,) = [f for f in found if f.about == "privileges"]
    assert "the role writers may have them" in note.told


def test_the_statement_to_paste_frees_a_locked_table(own_postgres, table_of):
    url = own_postgres.new_database()
    written(url, table_of("order", a=TEXT)).close()
    holder = psycopg.connect(url, application_name="a report")
    holder.execute('LOCK TABLE "order" IN EXCLUSIVE MODE')

    (found,) = wrong(diagnosed(url))
    with psycopg.connect(own_postgres.admin_url, autocommit=True) as connection:
        connection.execute(found.paste)

    assert re.search("table order is locked since .* a report", found.told)
    assert wrong(diagnosed(url)) == []
    holder.close()


def test_rows_that_are_held_are_told_on_mariadb(own_mariadb, table_of, row):
    url = own_mariadb.new_database()
    table = table_of("order", a=TEXT)
    destination = written(url, table)
    destination.upsert(table, [row(table, 1, id="a")])
    destination.close()
    name = urlsplit(url).path.removeprefix("/")
    holder = own_mariadb.administrator()
    for statement in ("BEGIN", f"SELECT * FROM {name}.`order` FOR UPDATE"):
        holder.cursor().execute(statement)
    own_mariadb.execute("GRANT PROCESS ON *.* TO 'eds'@'%'")

    told = threading.Event()
    found = []
    while not found and not told.wait(0.5):  # they count when held for 5 s
        found = [f for f in diagnosed(url) if f.about == "locks" and f.paste]
    own_mariadb.execute(found[0].paste)

    with pytest.raises(pymysql.Error):
        holder.cursor().execute("SELECT 1")
    assert re.search(r"thread \d+ holds \d+ rows", found[0].told)
    own_mariadb.execute("REVOKE PROCESS ON *.* FROM 'eds'@'%'")


@pytest.mark.parametrize("name", ["sqlite", "postgres", "mariadb"])
def test_the_statement_to_paste_gives_a_renamed_column_its_name_back(
    request, name, table_of
):
    url = request.getfixturevalue(f"{name}_url")
    table = table_of("order", number=TEXT, total=ColumnType.INTEGER)
    shop = written(url, table)
    session = shop.driver.session
    with session.altering():
        session.run(shop.driver.renaming("order", "number", "nummer"))

    (found,) = [f for f in diagnosed(url, [table]) if f.about == "columns"]
    with session.altering():
        session.run(found.paste)

    assert found.verdict is Verdict.WRONG
    assert "no column number" in found.told
    assert "nummer; was it renamed?" in found.told
    assert shop.columns("order")["number"] is TEXT
    shop.close()


def test_a_column_of_the_users_own_is_a_note(sqlite_url, table_of):
    table = table_of("order", a=TEXT)
    shop = written(sqlite_url, table)
    with shop.driver.session.altering():
        shop.driver.session.run('ALTER TABLE "order" ADD mine TEXT')
    shop.close()

    (found,) = [f for f in diagnosed(sqlite_url, [table]) if f.about == "columns"]

    assert found.verdict is Verdict.NOTE
    assert "mine" in found.told


@pytest.mark.parametrize("kind", ["microsoft", "freetds"])
def test_sql_server_is_looked_at_in_its_own_words(kind):
    """By a stand-in: the statements are read, the answers are made up."""
    answers = [
        ("SERVERPROPERTY", [("15.0.4", 4, "READ_ONLY", "Latin1_General_CI_AS", 150)]),
        ("sys.database_files", [(6 << 20,)]),
        ("HAS_PERMS_BY_NAME", [("eds writer", 0, 1, 1, 1, 0, 0)]),
    ]
    with greeted(driver_named(kind), answers) as (driver, _):
        found = [*looked(driver.checks())]

    read_only, privileges = (finding.paste for finding in wrong(found))
    assert read_only == "ALTER DATABASE CURRENT SET READ_WRITE"
    assert privileges == (
        "GRANT CREATE TABLE TO [eds writer]; "
        "GRANT UPDATE, DELETE ON SCHEMA::[dbo] TO [eds writer]"
    )
    told = {finding.about: finding.told for finding in found}
    assert "15.0.4" in told["version"]
    assert told["edition"].startswith("Express: 6 MiB of the 10 GiB")
    assert "stays on this machine" in told["encryption"]
    renaming = driver.renaming("order", "it's", "new")
    assert renaming == "EXEC sp_rename N'[dbo].[order].[it''s]', N'new', 'COLUMN'"
