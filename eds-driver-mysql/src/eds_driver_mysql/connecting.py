"""From a URL to a connection whose session is as this driver needs it."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pymysql.constants import CLIENT
from sqlalchemy import URL

from eds_core.errors import ConfigError
from eds_core.urls import is_loopback

from .dbapi import USER_TIMEOUT, InfoCursor, MysqlConnection

_TIMEOUT = 10.0  # seconds, for a connection and for the server's greeting
#: The most of a statement that is sent at once, whatever the server takes.
MOST_BYTES = 16 * 1024 * 1024

_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
#: As the old server had it, whose URLs are still in use.
_TLS_WORDS: Mapping[str, str] = {
    "FALSE": "DISABLED",
    "TRUE": "VERIFY_IDENTITY",
    "SKIP-VERIFY": "REQUIRED",
    "PREFERRED": "PREFERRED",
}
#: Parameters of the old server's that change nothing here: it is as they ask for.
_WITHOUT_EFFECT = (
    *("charset", "collation", "parseTime", "loc", "multiStatements"),
    *("interpolateParams", "allowNativePasswords", "clientFoundRows"),
)
KNOWN = (
    *("ssl_mode", "ssl_ca", "ssl_cert", "ssl_key", "tls"),
    *("unix_socket", "socket", "connect_timeout", "local_infile"),
    "tcp_user_timeout",
)

#: Of every session. What is too long, too large or no value is an error and never
#: cut; what this driver writes is text in UTF-8 and moments in UTC.
SETTINGS: Mapping[str, str] = {
    "sql_mode": "STRICT_ALL_TABLES,STRICT_TRANS_TABLES,NO_ZERO_DATE,"
    "NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,"
    "NO_ENGINE_SUBSTITUTION",
    "time_zone": "+00:00",
    "default_storage_engine": "InnoDB",
    "innodb_lock_wait_timeout": "10",
    "lock_wait_timeout": "10",
    "lc_messages": "en_US",
    "sql_safe_updates": "0",
    "wait_timeout": "600",  # a server that lost us frees our rows by then
}
LIMITS = "SELECT @@max_allowed_packet, @@lower_case_table_names, @@local_infile"
#: Of MariaDB's alone: a hung EDS lets go of its rows, so that another can take over.
_MARIADB: Mapping[str, str] = {"idle_transaction_timeout": "60"}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a URL leads, and how."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    unix_socket: str
    timeout: float
    user_timeout: int  # milliseconds
    mode: str  # one of MySQL's own: DISABLED ... VERIFY_IDENTITY
    files: Mapping[str, str]  # ca, cert, key
    local_infile: bool


def parse(url: URL, shown: str) -> Place:
    """Return what *url* means. Raises ConfigError; *shown* is how it may be told."""
    given = {_spelled(name): str(value) for name, value in url.query.items()}
    if unknown := sorted(given.keys() - {*KNOWN, *_WITHOUT_EFFECT}):
        raise ConfigError(
            f"{shown} has a parameter that is not known: {', '.join(unknown)}",
            advice=f"known are {', '.join(sorted(KNOWN))}",
        )
    if not url.database:
        raise ConfigError(
            f"{shown} names no database",
            advice="it should look like mysql://user:password@host:3306/database",
        )
    unix = given.get("unix_socket", given.get("socket", ""))
    host = url.host or "localhost"
    return Place(
        host,
        url.port or 3306,
        url.database,
        url.username or "",
        str(url.password or ""),
        unix,
        _seconds(given.get("connect_timeout", str(_TIMEOUT)), shown),
        _milliseconds(given.get("tcp_user_timeout", str(USER_TIMEOUT)), shown),
        _mode(given, shown, here=bool(unix) or is_loopback(host)),
        {n: given[f"ssl_{n}"] for n in ("ca", "cert", "key") if f"ssl_{n}" in given},
        given.get("local_infile", "0").lower() in ("1", "true", "on", "yes"),
    )


def _spelled(name: str) -> str:
    """``ssl-ca`` and ``sslca`` are ``ssl_ca``, as with MySQL's own programs."""
    return re.sub(r"^ssl[-_]?(mode|ca|cert|key)$", r"ssl_\1", name).replace("-", "_")


def _seconds(text: str, shown: str) -> float:
    if re.fullmatch(r"\d{1,3}(\.\d+)?", text) and (seconds := float(text)):
        return min(seconds, _TIMEOUT)
    raise ConfigError(
        f"{shown}: connect_timeout is no number of seconds", advice="write 10"
    )


def _milliseconds(text: str, shown: str) -> int:
    if re.fullmatch(r"[1-9]\d{2,5}", text):
        return int(text)
    raise ConfigError(
        f"{shown}: tcp_user_timeout is no number of milliseconds from 100 to 999999",
        advice=f"write {USER_TIMEOUT}",
    )


def _mode(given: Mapping[str, str], shown: str, *, here: bool) -> str:
    """How TLS is used. Rows of a shop never cross a network in the clear."""
    wish = given.get("ssl_mode", given.get("tls", "")).upper()
    mode = _TLS_WORDS.get(wish, wish) or _default(given, here=here)
    if mode not in _MODES:
        raise ConfigError(
            f"{shown}: ssl_mode is none of {', '.join(_MODES)}",
            advice="write ssl_mode=VERIFY_IDENTITY and ssl_ca=/path/to/ca.pem",
        )
    if mode in ("DISABLED", "PREFERRED") and not here:
        raise ConfigError(
            f"{shown}: ssl_mode={mode} would send the shop's rows in the clear",
            advice="leave ssl_mode out (REQUIRED), or better write "
            "ssl_mode=VERIFY_IDENTITY and ssl_ca=/path/to/ca.pem",
        )
    return mode


def _default(given: Mapping[str, str], *, here: bool) -> str:
    if "ssl_ca" in given:
        return "VERIFY_IDENTITY"
    return "PREFERRED" if here else "REQUIRED"


def connect(place: Place, *, read_only: bool) -> MysqlConnection:
    """Connect to *place*; the session is set up. Raises PyMySQL's errors."""
    connection = MysqlConnection(
        host=place.host,
        port=place.port,
        user=place.user,
        password=place.password.encode(),  # as text it would be in latin-1
        database=place.database,
        unix_socket=place.unix_socket or None,
        connect_timeout=place.timeout,
        read_timeout=place.timeout,
        user_timeout=place.user_timeout,
        charset="utf8mb4",
        client_flag=CLIENT.FOUND_ROWS,  # an UPDATE to equal values is one row, too
        local_infile=place.local_infile and not read_only,
        program_name="eds",
        cursorclass=InfoCursor,
        **_tls(place),
    )
    try:
        _set_up(connection, read_only=read_only)
    except BaseException:
        connection.close()
        raise
    return connection


def _tls(place: Place) -> dict[str, Any]:
    if place.mode == "DISABLED":
        return {"ssl_disabled": True}
    if place.mode == "PREFERRED" or place.unix_socket:
        return {}
    return {"ssl": _context(place)}


def _context(place: Place) -> ssl.SSLContext:
    """Raises ConfigError for a file that cannot be used."""
    files = place.files
    try:
        context = ssl.create_default_context(cafile=files.get("ca"))
        if "cert" in files:
            context.load_cert_chain(files["cert"], files.get("key"))
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"ssl_ca, ssl_cert or ssl_key cannot be used: {error}",
            advice="name files in PEM format that EDS's user may read",
        ) from error
    context.check_hostname = place.mode == "VERIFY_IDENTITY"
    if place.mode == "REQUIRED":
        context.verify_mode = ssl.CERT_NONE
    return context


def _set_up(connection: MysqlConnection, *, read_only: bool) -> None:
    mariadb = "mariadb" in connection.server_version.lower()
    settings = {**SETTINGS, **(_MARIADB if mariadb else {})}
    words = ", ".join(f"SESSION {name} = {_value(settings[name])}" for name in settings)
    access = "READ ONLY" if read_only else "READ WRITE"
    with connection.cursor() as cursor:
        cursor.execute(f"SET {words}")
        cursor.execute(
            f"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED, {access}"
        )


def _value(text: str) -> str:
    return text if text.isdecimal() else f"'{text}'"
