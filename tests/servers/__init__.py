"""Real database servers for tests: our own, thrown away, or ones that are given."""

from .cockroach import CockroachServer, cockroach
from .host import free_port, unprivileged_user
from .mysql import (
    GIVEN_MARIADB,
    GIVEN_MYSQL,
    NO_MARIADB,
    NO_MYSQL,
    MysqlServer,
    OwnMysql,
    mysql,
)
from .postgres import (
    GIVEN_POSTGRES,
    NO_NEWEST,
    NO_POSTGRES,
    PASSWORD,
    OwnPostgres,
    PostgresServer,
    new_home,
    newest_postgres,
    postgres,
    postgres_programs,
)
from .snowflake import (
    NO_SNOWFLAKE,
    OwnSnowflake,
    SnowflakeServer,
    snowflake,
)
from .sqlserver import GIVEN_SQLSERVER, NO_SQLSERVER, SqlServer, sqlserver

__all__ = [
    "GIVEN_MARIADB",
    "GIVEN_MYSQL",
    "GIVEN_POSTGRES",
    "GIVEN_SQLSERVER",
    "NO_MARIADB",
    "NO_MYSQL",
    "NO_NEWEST",
    "NO_POSTGRES",
    "NO_SNOWFLAKE",
    "NO_SQLSERVER",
    "PASSWORD",
    "CockroachServer",
    "MysqlServer",
    "OwnMysql",
    "OwnPostgres",
    "OwnSnowflake",
    "PostgresServer",
    "SnowflakeServer",
    "SqlServer",
    "cockroach",
    "free_port",
    "mysql",
    "new_home",
    "newest_postgres",
    "postgres",
    "postgres_programs",
    "snowflake",
    "sqlserver",
    "unprivileged_user",
]
