"""A session with Snowflake, set up as EDS needs it."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Self

from snowflake.connector import SnowflakeConnection
from snowflake.connector.cursor import SnowflakeCursor

from .address import Address
from .keys import proof

#: Of every session, whatever the account or the user has by default.
SETTINGS: Mapping[str, str | int | bool] = {
    # What is not inside of BEGIN and COMMIT leaves no transaction behind.
    "AUTOCOMMIT": True,
    "TRANSACTION_ABORT_ON_ERROR": False,
    # A statement of a client that is gone ends by itself, and so lets go of locks.
    "ABORT_DETACHED_QUERY": True,
    "LOCK_TIMEOUT": 60,
    "STATEMENT_TIMEOUT_IN_SECONDS": 3600,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": 600,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    "ERROR_ON_NONDETERMINISTIC_MERGE": True,
    "TIMEZONE": "UTC",
    "TIMESTAMP_INPUT_FORMAT": "AUTO",
    "DATE_INPUT_FORMAT": "AUTO",
    "TIME_INPUT_FORMAT": "AUTO",
}
#: Begins a transaction; the only statement that does.
BEGIN = "BEGIN TRANSACTION"
#: Tells EDS's statements in the query history; an account may not allow it.
TAG = "ALTER SESSION SET QUERY_TAG = 'eds'"

_TIMEOUTS: Mapping[str, int] = {
    "connect_timeout": 10,
    "login_timeout": 20,
    "request_timeout": 60,
    "retry_timeout": 120,  # of one request: Snowflake answers within 45 seconds
    "logout_total_timeout_seconds": 5,
    # Six attempts, for a hiccup; EDS itself tries again for as long as it takes.
    "retry_backoff_cap_ms": 2000,
}
_TALKATIVE = ("snowflake", "sqlalchemy.engine.Engine")


class Cursor(SnowflakeCursor):
    """Notes when a transaction begins."""

    def execute(self, operation: str, *args: Any, **options: Any) -> Self:
        super().execute(operation, *args, **options)
        if operation == BEGIN and isinstance(self.connection, Connection):
            self.connection.begun = True
        return self


class Connection(SnowflakeConnection):
    """Ends what was begun, and nothing else: each statement is a round trip."""

    begun = False

    def cursor(self, cursor_class: Any = None) -> Any:
        return super().cursor(cursor_class or Cursor)

    def commit(self) -> None:
        self._end(super().commit)

    def rollback(self) -> None:
        self._end(super().rollback)

    def _end(self, how: Callable[[], None]) -> None:
        begun, self.begun = self.begun, False
        if begun:
            how()


def connect(address: Address) -> Connection:
    """Log in. Raises ConfigError without a password or key, else the connector's."""
    quiet()
    options: dict[str, Any] = {
        "account": address.account,
        "user": address.user,
        "database": address.database,
        "schema": address.schema,
        "warehouse": address.warehouse or None,
        "role": address.role or None,
        "host": address.host or None,
        "port": address.port,
        "protocol": address.protocol,
        "application": "EDS",
        "paramstyle": "qmark",
        "session_parameters": dict(SETTINGS),
        "client_session_keep_alive": True,
        "client_store_temporary_credential": False,
        "enable_server_session_keep_alive_auto_detection": False,
        "auto_cleanup": False,
        **_TIMEOUTS,
        **proof(address),
    }
    return Connection(**options)


def quiet() -> None:
    """The connector tells of each request; people want to hear of what fails.

    With ``--verbose`` its warnings are told, and no less: they may name values.
    """
    verbose = logging.getLogger("eds").isEnabledFor(logging.DEBUG)
    for name in _TALKATIVE:
        level = logging.WARNING if verbose else logging.CRITICAL
        logging.getLogger(name).setLevel(level)
    # It warns of its own future, and asks clouds' metadata services where it runs.
    warnings.filterwarnings("ignore", category=FutureWarning, module="snowflake")
    os.environ.setdefault("SNOWFLAKE_DISABLE_PLATFORM_DETECTION", "true")
