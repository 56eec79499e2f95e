"""What is said when there is no connection; what rights EDS needs."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

import servers
from eds_core.errors import ConfigError, TableError, TransientError
from eds_core.ledger import Checkpoint, Move
from eds_core.schema import ColumnType
from eds_driver_postgres import PostgresDriver

TEXT = ColumnType.TEXT


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("postgresql://u:hid%zzden@h/db", "invalid percent-encoded token"),
        ("postgresql://u:hidden@h/db?pool_max_conns=3", "pool_max_conns"),
        ("postgresql://u:hidden@[h/db", "not a PostgreSQL URL"),
        ("postgresql://u:hidden@h:port/db", "no valid port"),
        ("postgresql://u:hidden@h:70000/db", "no valid port"),
        ("postgresql://u:hid\0den@h/db", "no valid port"),
        ("postgres//u:hidden@h/db", "not a PostgreSQL URL"),
    ],
)
def test_a_malformed_url_is_refused_without_its_password(url, words):
    with pytest.raises(ConfigError, match=words) as caught:
        PostgresDriver(url)

    told = f"{caught.value} {caught.value.advice} {caught.value.__cause__}"
    assert "hid" not in told
    assert "den@" not in told


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_every_scheme_connects(postgres_url, scheme):
    driver = PostgresDriver(postgres_url.replace("postgresql", scheme, 1))
    driver.open()
    driver.close()


def test_nothing_listens(postgres_url):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        driver = PostgresDriver(
            f"postgresql://u:hidden@127.0.0.1:{taken.getsockname()[1]}/x"
        )
        with pytest.raises(TransientError, match="refused") as caught:
            driver.open()

    assert "hidden" not in str(caught.value)
    assert caught.value.advice
    driver.close()


def test_no_answer_is_given_up_after_the_timeout():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        url = f"postgresql://u:hidden@127.0.0.1:{port}/x?connect_timeout=2"

        with pytest.raises(TransientError, match="timeout"):
            PostgresDriver(url).open()


def test_a_host_that_is_unknown_may_be_known_later():
    with pytest.raises(TransientError, match=r"nowhere\.invalid"):
        PostgresDriver("postgresql://u@nowhere.invalid/x").open()


@pytest.fixture
def own_url(own_postgres: servers.OwnPostgres) -> str:
    return own_postgres.new_database()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("eds:secret%40word", "eds:hidden"), "password authentication failed"),
        (("eds:secret%40word", "nobody:hidden"), "password authentication failed"),
        (("/eds_test_", "/hidden_"), 'database "hidden_'),
    ],
)
def test_who_may_not_enter_is_told_what_to_correct(own_url, change, words):
    driver = PostgresDriver(own_url.replace(*change))

    with pytest.raises(ConfigError, match=words) as caught:
        driver.open()

    assert "secret" not in str(caught.value)
    assert ":hidden" not in str(caught.value)
    assert caught.value.advice
    assert "\n" not in str(caught.value)


def test_no_right_to_connect_is_told(own_postgres, own_url):
    name = urlsplit(own_url).path.removeprefix("/")
    own_postgres.execute("REVOKE CONNECT ON DATABASE {} FROM public", name)
    own_postgres.execute("ALTER DATABASE {} OWNER TO postgres", name)

    with pytest.raises(ConfigError, match="permission denied") as caught:
        PostgresDriver(own_url).open()
    assert "GRANT CONNECT" in caught.value.advice


def test_tls_is_checked_as_libpq_does(own_postgres, own_url):
    strict = f"{own_url}?sslmode=verify-full&sslrootcert={own_postgres.ca_file}"
    driver = PostgresDriver(strict)
    driver.open()
    driver.close()

    other = Path(servers.__file__)
    for wrong in (
        f"{own_url}?sslmode=verify-full&sslrootcert={other}",
        f"{own_url}?sslmode=verify-full&sslrootcert=/missing.pem",
        f"{own_url}?sslmode=sometimes",
    ):
        with pytest.raises(ConfigError) as caught:
            PostgresDriver(wrong).open()
        assert "ssl" in f"{caught.value} {caught.value.advice}"


def test_a_stopped_server_is_transient_and_heals(own_postgres, own_url, table_of):
    driver = PostgresDriver(own_url)
    driver.open()
    own_postgres.stop("immediate")
    with pytest.raises(TransientError):
        driver.columns("order")
    with pytest.raises(TransientError):
        driver.open()
    own_postgres.start()

    driver.open()
    assert driver.columns("order") == {}
    driver.close()


def grants() -> list[str]:
    """The statements that the README tells people to run."""
    place = Path(__file__).parents[2] / "eds-driver-postgres" / "README.md"
    (block,) = re.findall(
        r"<!-- grants -->\s*```sql\n(.*?)```", place.read_text(), re.DOTALL
    )
    return [line for line in re.sub(r"--.*", "", block).split(";") if line.strip()]


def test_the_readmes_grants_are_all_that_eds_needs(own_postgres, table_of):
    name = urlsplit(own_postgres.new_database()).path.removeprefix("/")
    own_postgres.execute("ALTER DATABASE {} OWNER TO postgres", name)
    own_postgres.execute("DROP ROLE IF EXISTS eds_writer")
    admin = own_postgres.admin_url.replace("/postgres", f"/{name}", 2).replace(
        f"//{name}", "//postgres"
    )
    run_as_admin(admin, [line.replace("shop", name) for line in grants()])
    url = own_postgres.url(name).replace("eds:secret%40word", "eds_writer:change-me")
    driver = PostgresDriver(url)
    driver.open()
    driver.ledger.create()
    driver.ledger.establish(Checkpoint("shop", 1, 1, "a", "s", "p"))
    mine = driver.ledger.claim("shop", "me", "server")
    assert mine is not None
    with driver.transaction():
        driver.ledger.advance([Move("shop", mine.epoch, 1, 2, 2)])
    driver.close()
    run_as_admin(admin, ["DROP OWNED BY eds_writer", "DROP ROLE eds_writer"])


def run_as_admin(url: str, statements: list[str]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def test_a_missing_privilege_parks_the_table(own_postgres, own_url, table_of, row):
    own_postgres.execute("DROP ROLE IF EXISTS reader")
    own_postgres.execute("CREATE ROLE reader LOGIN PASSWORD 'x'")
    table = table_of("order", a=TEXT)
    owner = PostgresDriver(own_url)
    owner.open()
    owner.ledger.create()
    owner.ledger.ensure(owner.books.tombstone)
    with owner.transaction():
        owner.session.run('CREATE TABLE "order" (id text PRIMARY KEY, a text)')
        owner.session.run('ALTER TABLE "order" ADD _eds_version numeric(30,10)')
        owner.session.run("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    driver = PostgresDriver(own_url.replace("eds:secret%40word", "reader:x"))
    driver.open()

    with pytest.raises(TableError, match="permission denied") as caught:
        driver.upsert(table, [row(table, 1, id="a")])

    assert "grant" in caught.value.advice
    driver.close()
    with owner.transaction():
        owner.session.run("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reader")
    owner.close()
    own_postgres.execute("DROP ROLE reader")
