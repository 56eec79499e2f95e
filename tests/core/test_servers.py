"""The fixtures that start real servers do what other tests rely on."""

from __future__ import annotations

import socket
from pathlib import Path

import psycopg
import pytest

import required
import servers
from servers import PostgresServer

IN_TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"

NEEDS_A_SERVER = """
import pytest

def test_that_needs_a_server():
    pytest.skip("none here: set EDS_TEST_POSTGRES_URL")

def test_skipped_for_another_reason():
    pytest.skip("not on this system")
"""


def value(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def test_free_port_can_be_listened_on():
    port = servers.free_port()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))


def test_a_new_database_is_empty_and_its_users_own(postgres_url: str):
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE TABLE public.t (id text)")

    assert value(postgres_url, "SELECT count(*) FROM t") == 0


def test_databases_are_separate(postgres: PostgresServer):
    one, other = postgres.new_database(), postgres.new_database()

    with psycopg.connect(one) as connection:
        connection.execute("CREATE TABLE t (id text)")

    assert value(one, "SELECT to_regclass('t')::text") == "t"
    assert value(other, "SELECT to_regclass('t')::text") is None


def test_tls_is_in_use_when_it_is_required(own_postgres: servers.OwnPostgres):
    url = f"{own_postgres.new_database()}?sslmode=require"

    assert value(url, IN_TLS) is True


def test_the_certificate_stands_up_to_verification(own_postgres: servers.OwnPostgres):
    authority = own_postgres.ca_file
    url = f"{own_postgres.new_database()}?sslmode=verify-full&sslrootcert={authority}"

    assert value(url, IN_TLS) is True


def test_the_password_is_asked_for(own_postgres: servers.OwnPostgres):
    url = own_postgres.new_database().replace("secret%40word", "another")

    with pytest.raises(psycopg.OperationalError, match="password authentication"):
        psycopg.connect(url)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_stopped_server_comes_back_with_its_rows(
    own_postgres: servers.OwnPostgres, mode: str
):
    url = own_postgres.new_database()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")

    own_postgres.stop(mode)
    own_postgres.stop(mode)  # twice is fine
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    own_postgres.start()
    own_postgres.start()

    assert value(url, "SELECT count(*) FROM t") == 1


def test_a_sqlite_url_names_an_absolute_path(sqlite_url: str, tmp_path: Path):
    assert sqlite_url == f"sqlite:////{str(tmp_path).lstrip('/')}/shop.db"


def test_a_skip_is_a_skip_when_nothing_is_required(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv(required.VARIABLE, raising=False)

    assert outcomes(pytester) == {"skipped": 2}


def test_a_skip_for_want_of_a_required_server_is_a_failure(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(required.VARIABLE, "nats, Postgres")

    assert outcomes(pytester) == {"failed": 1, "skipped": 1}


def outcomes(pytester: pytest.Pytester) -> dict[str, int]:
    pytester.makepyfile(NEEDS_A_SERVER)
    return pytester.runpytest_inprocess("-p", "required").parseoutcomes()
