"""Real database servers for tests: our own, thrown away, or ones that are given."""

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
    NO_POSTGRES,
    PASSWORD,
    OwnPostgres,
    PostgresServer,
    new_home,
    postgres,
    postgres_programs,
)

__all__ = [
    "GIVEN_MARIADB",
    "GIVEN_MYSQL",
    "GIVEN_POSTGRES",
    "NO_MARIADB",
    "NO_MYSQL",
    "NO_POSTGRES",
    "PASSWORD",
    "MysqlServer",
    "OwnMysql",
    "OwnPostgres",
    "PostgresServer",
    "free_port",
    "mysql",
    "new_home",
    "postgres",
    "postgres_programs",
    "unprivileged_user",
]
