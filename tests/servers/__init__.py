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
from .snowflake import (
    NO_SNOWFLAKE,
    OwnSnowflake,
    SnowflakeServer,
    snowflake,
)

__all__ = [
    "GIVEN_POSTGRES",
    "NO_POSTGRES",
    "NO_SNOWFLAKE",
    "PASSWORD",
    "OwnPostgres",
    "OwnSnowflake",
    "PostgresServer",
    "SnowflakeServer",
    "free_port",
    "new_home",
    "postgres",
    "postgres_programs",
    "snowflake",
    "unprivileged_user",
]
