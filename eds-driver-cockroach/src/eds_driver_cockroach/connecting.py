"""From a URL to a session of CockroachDB's, set up for EDS."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from psycopg import sql
from psycopg.crdb import CrdbConnection
from psycopg.types.string import TextLoader

from eds_core.errors import ConfigError
from eds_driver_postgres.connecting import crdb_version, parse_as

Connection = CrdbConnection[Any]

_SCHEME = re.compile(r"^(cockroach(db)?|postgres(ql)?)(\+\w+)?://", re.IGNORECASE)
#: Found behind a postgresql:// URL, and so at libpq's own default port.
_HANDED_OVER = re.compile(r"^\w+\+postgresql://", re.IGNORECASE)
_PORT = "26257"

#: The statements of this driver are known to this version, and not before it.
_OLDEST = (22, 2)

#: Of every session; each is known to CockroachDB since before that version.
SETTINGS: Mapping[str, str] = {
    "extra_float_digits": "3",  # a float as text says which float it was
    # A hung EDS lets go of its rows, so that another one can take over.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "10s",
    "timezone": "UTC",
}


def parse(url: str) -> dict[str, Any]:
    """Return what libpq makes of *url*, and our defaults. Raises ConfigError."""
    given = parse_as(
        "CockroachDB", "cockroachdb://user:password@host:26257/database", url, _SCHEME
    )
    default = {} if _HANDED_OVER.match(url) else {"port": _PORT}
    return {**default, **given}


def connect(parameters: Mapping[str, Any], *, read_only: bool) -> Connection:
    """Connect as *parameters* say. No statement is prepared.

    CockroachDB caches plans by the statement's text, and what is prepared breaks
    when its table is altered.
    """
    connection = CrdbConnection.connect(
        **parameters, prepare_threshold=None, autocommit=True
    )
    try:
        _check_version(connection)
        settings = {
            **SETTINGS,
            "default_transaction_read_only": "on" if read_only else "off",
        }
        connection.execute(_set_all(settings))
        connection.autocommit = False
        # As text: read as floats, the numbers in it would not be what they are.
        connection.adapters.register_loader("jsonb", TextLoader)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: Connection) -> None:
    version = crdb_version(connection)
    if not version:
        raise ConfigError(
            "this server is not CockroachDB",
            advice="write postgresql:// instead of cockroachdb://",
        )
    found = re.search(r"\bv(\d+)\.(\d+)", version)
    if found and (int(found[1]), int(found[2])) < _OLDEST:
        raise ConfigError(
            f"CockroachDB {found[0]} is too old for EDS",
            advice="upgrade the cluster to v{}.{} or newer".format(*_OLDEST),
        )


def _set_all(settings: Mapping[str, str]) -> sql.Composed:
    each = (
        sql.SQL("SET {} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in settings.items()
    )
    return sql.SQL("; ").join(each)
