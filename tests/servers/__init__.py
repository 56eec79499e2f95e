"""Real database servers for tests: our own, thrown away, or ones that are given."""

from .cockroach import CockroachServer, cockroach
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

__all__ = [
    "GIVEN_POSTGRES",
    "NO_POSTGRES",
    "PASSWORD",
    "CockroachServer",
    "OwnPostgres",
    "PostgresServer",
    "cockroach",
    "free_port",
    "new_home",
    "postgres",
    "postgres_programs",
    "unprivileged_user",
]
