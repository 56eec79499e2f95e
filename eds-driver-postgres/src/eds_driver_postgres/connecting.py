"""From a URL to a connection, and what it means when there is none."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from eds_core.errors import ConfigError, OtherDriver
from eds_core.sql import without_placement
from eds_core.sql.errors import LOST, UNKNOWN, Fault, first_sentence
from eds_core.urls import is_loopback, redact

Connection = psycopg.Connection[Any]

#: Selects the driver for CockroachDB; the rest of the URL means what it meant here.
_OVER = "cockroachdb+postgresql://"
_SCHEME = re.compile(r"^postgres(ql)?(\+\w+)?://", re.IGNORECASE)

#: libpq's parameters where the URL does not say otherwise. A peer that is gone
#: without a word is noticed within a minute.
_DEFAULTS: Mapping[str, str] = {
    "application_name": "eds",
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

#: Of every session. Rows are found by their key and nothing else, so a plan that
#: reads whole tables is never meant, however small they were when it was made.
SETTINGS: Mapping[str, str] = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, YMD",
    "default_transaction_isolation": "read committed",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_seqscan": "off",
    # A hung EDS lets go of its rows, so that another one can take over.
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
    "lock_timeout": "10s",
    "plan_cache_mode": "force_generic_plan",
    "timezone": "UTC",
}

_CONNECTING = re.compile(
    "connection failed|connection is bad|connection to server|connection attempts"
)

#: What servers and libpq say when there is no connection, and no code with it.
_WORDS: tuple[tuple[str, str, str], ...] = (
    # A server that dies in the middle of a TLS connection says it like this.
    (r"(?i)\beof\b|closed the connection|reset by peer|broken pipe", LOST, ""),
    (r"database .* does not exist", "3D000", ""),
    (
        r"permission denied for database",
        "42501",
        "GRANT CONNECT ON DATABASE ... TO ...",
    ),
    (r"the database system is|terminating connection", "57P03", ""),
    (r"too many clients|too many connections|connection slots", "53300", ""),
    (
        "but SSL was required",
        "TLS00",
        "switch TLS on at the server; on a network of your own, write sslmode=disable",
    ),
    (
        r"certificate|SSL|TLS|sslmode",
        "TLS00",
        "check sslmode, sslrootcert and the host against the server's certificate",
    ),
    (
        r"pg_hba\.conf",
        "28000",
        "let the server's pg_hba.conf admit this user from this host",
    ),
    (r"password|role .* does not exist|not permitted to log in|authent", "28P01", ""),
    (r"^invalid|unrecognized configuration|invalid value", UNKNOWN, ""),
)


def parse(url: str) -> dict[str, Any]:
    """Return what libpq makes of *url*, and our defaults. Raises ConfigError."""
    example = "postgresql://user:password@host:5432/database"
    return parse_as("PostgreSQL", example, url, _SCHEME)


def parse_as(
    title: str, example: str, url: str, scheme: re.Pattern[str]
) -> dict[str, Any]:
    """``parse`` for a database that speaks the same protocol by another *scheme*."""
    try:
        plain = scheme.sub("postgresql://", without_placement(url), count=1)
        given = conninfo_to_dict(plain)
    except (psycopg.Error, UnicodeError) as error:
        raise ConfigError(
            f"{redact(url)} is not a {title} URL: {_reason(str(error))}",
            advice=f"it should look like {example}; "
            "in a password write %40 for @, %2F for /, %3A for :, %25 for %",
        ) from None  # the cause may hold the password
    _check_ports(url, str(given.get("port") or ""))
    return {**_DEFAULTS, **_encryption(given), **given}


def _encryption(given: Mapping[str, Any]) -> dict[str, str]:
    """TLS wherever the way leads off this machine, unless the user says otherwise.

    By libpq's own default whoever is on the way may say that there is no TLS, and is
    then told the password. On this machine nobody is on the way, and encrypting takes
    both ends a tenth of their time: there it is used where the server insists.
    """
    said = {
        name: given.get(name) or os.environ.get(f"PG{name.upper()}", "")
        for name in ("host", "hostaddr", "service", "sslmode", "sslrootcert")
    }
    hosts = (said["hostaddr"] or said["host"]).split(",")
    if said["sslmode"] or said["service"]:
        return {}
    if all(map(_is_here, hosts)):
        return {} if said["sslrootcert"] else {"sslmode": "allow"}
    return {"sslmode": "verify-full" if said["sslrootcert"] else "require"}


def _is_here(host: str) -> bool:
    """Nothing, a socket's path, or an address of this machine."""
    return not host or host.startswith(("/", "@")) or is_loopback(host)


def _check_ports(url: str, ports: str) -> None:
    for port in filter(None, ports.split(",")):
        if not port.isdecimal() or not 0 < int(port) < 1 << 16:
            raise ConfigError(
                f"{redact(url)} has no valid port",
                advice="a port is a number, such as 5432",
            )


def _reason(text: str) -> str:
    """What libpq dislikes; of what it quotes, only the name of a parameter."""
    first = text.strip().splitlines()[0]
    return first if first.startswith("invalid URI query par") else first.split('"')[0]


def connect(url: str, parameters: Mapping[str, Any], *, read_only: bool) -> Connection:
    """Connect as *parameters* of *url* say; statements are prepared when first used.

    Raises OtherDriver when the server is CockroachDB.
    """
    connection = psycopg.connect(**parameters, prepare_threshold=0)
    try:
        _check_kind(connection, url)
        _set_up(connection, read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_kind(connection: Connection, url: str) -> None:
    if crdb_version(connection):
        raise OtherDriver(
            f"the server of {redact(url)} is CockroachDB",
            url=_SCHEME.sub(_OVER, url, count=1),
        )


def crdb_version(connection: Connection) -> str:
    """What CockroachDB says of its version; nothing where it is another server."""
    if told := connection.info.parameter_status("crdb_version"):
        return told
    # A pooler between may keep that to itself.
    row = connection.execute("SELECT version()").fetchone()
    version = str(row[0]) if row else ""
    return version if version.startswith("CockroachDB") else ""


def _set_up(connection: Connection, read_only: bool) -> None:
    connection.prepared_max = 1000  # a few per table and model version
    settings = dict(SETTINGS)
    if read_only:  # else as the user has it
        settings["default_transaction_read_only"] = "on"
    calls = ", ".join(["set_config(%s, %s, false)"] * len(settings))
    words = [word for setting in settings.items() for word in setting]
    connection.execute(f"SELECT {calls}", words)
    connection.commit()


def read_fault(error: BaseException) -> Fault:
    """Reduce an exception of psycopg's to what may be shown."""
    if not isinstance(error, psycopg.Error):
        return Fault(UNKNOWN, first_sentence(str(error)))
    if error.sqlstate is None:
        return _without_code(error)
    said = error.diag
    text = first_sentence(said.message_primary or str(error))
    names = said.constraint_name or said.column_name or ""
    return Fault(error.sqlstate, text, names)


def _without_code(error: psycopg.Error) -> Fault:
    if isinstance(error, psycopg.DataError):  # psycopg itself refuses a value
        return Fault("22021", first_sentence(str(error)))
    text = _last_words(str(error))
    if _CONNECTING.search(str(error)):
        for pattern, code, advice in _WORDS:
            if re.search(pattern, text):
                return Fault(code, text, advice=advice)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Fault(LOST, text)
    return Fault(UNKNOWN, first_sentence(text))


def _last_words(text: str) -> str:
    """The server's own words of an error that says where it comes from."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = next((line for line in lines if "FATAL" in line), lines[0] if lines else "")
    return re.sub(r"^.* failed: |^connection is bad: |FATAL:\s+", "", told)
