"""What every test may ask for. Servers are in ``servers``, and start once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import servers

pytest_plugins = ["pytester", "required", "survives", "browser"]

# No test takes its options from a file of whoever runs it.
os.environ["EDS_CONFIG"] = os.devnull

settings.register_profile("dev", settings.get_profile("default"))
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=False,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if "CI" in os.environ else "dev")


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.PostgresServer]:
    """A PostgreSQL server for the whole run; each test makes its own database."""
    with servers.postgres() as server:
        if server is None:
            pytest.skip(servers.NO_POSTGRES)
        yield server


@pytest.fixture(scope="session")
def newest_postgres() -> Iterator[servers.PostgresServer]:
    """A server of the newest PostgreSQL, from a wheel."""
    with servers.newest_postgres() as server:
        if server is None:
            pytest.skip(servers.NO_NEWEST)
        yield server


@pytest.fixture
def postgres_url(postgres: servers.PostgresServer) -> str:
    """The URL of an empty PostgreSQL database."""
    postgres.start()
    return postgres.new_database()


@pytest.fixture
def own_postgres(postgres: servers.PostgresServer) -> servers.OwnPostgres:
    """The same server, for tests that stop it or look at its files."""
    if not isinstance(postgres, servers.OwnPostgres):
        pytest.skip("the PostgreSQL server that was given is not ours to stop")
    postgres.start()
    return postgres


@pytest.fixture(scope="session")
def sqlserver() -> Iterator[servers.SqlServer]:
    """A SQL Server for the whole run; each test makes its own database."""
    with servers.sqlserver() as server:
        if server is None:
            pytest.skip(servers.NO_SQLSERVER)
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[servers.MysqlServer]:
    """A MariaDB server for the whole run; each test makes its own database."""
    with servers.mysql("mariadb") as server:
        if server is None:
            pytest.skip(servers.NO_MARIADB)
        yield server


@pytest.fixture(scope="session")
def cockroach(request: pytest.FixtureRequest) -> Iterator[servers.CockroachServer]:
    """The CockroachDB that is given, else its stand-in on PostgreSQL."""
    with servers.cockroach(lambda: request.getfixturevalue("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def snowflake() -> Iterator[servers.SnowflakeServer]:
    """A Snowflake for the whole run; each test has a schema of its own."""
    with servers.snowflake() as server:
        if server is None:
            pytest.skip(servers.NO_SNOWFLAKE)
        yield server


@pytest.fixture(scope="session")
def mysql() -> Iterator[servers.MysqlServer]:
    """A MySQL server (not MariaDB) for the whole run."""
    with servers.mysql("mysql") as server:
        if server is None:
            pytest.skip(servers.NO_MYSQL)
        yield server


@pytest.fixture
def sqlserver_url(sqlserver: servers.SqlServer) -> Iterator[str]:
    """The URL of an empty SQL Server database, which is dropped afterwards."""
    yield sqlserver.new_database()
    sqlserver.drop_databases()


@pytest.fixture
def cockroach_url(cockroach: servers.CockroachServer) -> str:
    """The URL of an empty CockroachDB database."""
    return cockroach.new_database()


@pytest.fixture
def snowflake_url(snowflake: servers.SnowflakeServer) -> str:
    """The URL of an empty schema; what is written goes there at once."""
    return snowflake.new_schema()


@pytest.fixture
def mariadb_url(mariadb: servers.MysqlServer) -> Iterator[str]:
    """The URL of an empty MariaDB database."""
    mariadb.start()
    yield mariadb.new_database()
    mariadb.drop_databases()


@pytest.fixture
def mysql_url(mysql: servers.MysqlServer) -> Iterator[str]:
    """The URL of an empty MySQL database."""
    mysql.start()
    yield mysql.new_database()
    mysql.drop_databases()


@pytest.fixture
def own_mariadb(mariadb: servers.MysqlServer) -> servers.OwnMysql:
    """The same server, for tests that stop it or make users on it."""
    if not isinstance(mariadb, servers.OwnMysql):
        pytest.skip("the MariaDB server that was given is not ours to change")
    mariadb.start()
    return mariadb


@pytest.fixture
def own_mysql(mysql: servers.MysqlServer) -> servers.OwnMysql:
    """The same server, for tests that stop it or make users on it."""
    if not isinstance(mysql, servers.OwnMysql):
        pytest.skip("the MySQL server that was given is not ours to change")
    mysql.start()
    return mysql


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of a SQLite file that does not exist yet."""
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty destination, of each kind in turn."""
    found: str = request.getfixturevalue(f"{request.param}_url")
    return found
