"""Real database servers for tests: our own, thrown away, or ones that are given."""

from .host import free_port, unprivileged_user
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
from .sqlserver import GIVEN_SQLSERVER, NO_SQLSERVER, SqlServer, sqlserver

__all__ = [
    "GIVEN_POSTGRES",
    "GIVEN_SQLSERVER",
    "NO_POSTGRES",
    "NO_SQLSERVER",
    "PASSWORD",
    "OwnPostgres",
    "PostgresServer",
    "SqlServer",
    "free_port",
    "new_home",
    "postgres",
    "postgres_programs",
    "sqlserver",
    "unprivileged_user",
]
