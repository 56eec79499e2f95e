"""From an address to a connection: which ODBC driver there is, and how it is asked."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import Any

from sqlalchemy import LargeBinary

from eds_core.errors import ConfigError

from .address import PORT, Address

#: ODBC's type of a parameter, its size and its scale.
Size = tuple[int, int, int]

#: In the order of preference.
MICROSOFT = ("ODBC Driver 18 for SQL Server", "ODBC Driver 17 for SQL Server")
FREETDS = "FreeTDS"
_DATETIMEOFFSET = -155  # SQL Server's own ODBC type, which pyodbc does not read
_OFFSET = Struct("<hHHHHHIhh")
_CHARACTERS = (1 << 30) - 1  # of an nvarchar(max)
_PROBE = 1.0  # seconds
_PLAIN = re.compile(r"[\w.,:\\/-]+").fullmatch

INSTALL = (
    "install Microsoft's ODBC driver: on Debian and Ubuntu `apt-get install "
    "msodbcsql18 unixodbc` after adding Microsoft's package source "
    "(https://learn.microsoft.com/sql/connect/odbc/download-odbc-driver-for-sql-server)"
    "; or the free FreeTDS: `apt-get install tdsodbc unixodbc`"
)

#: Of every session. Nothing depends on a language, or on what the database has set.
SETTINGS = (
    "SET LANGUAGE us_english",
    "SET DATEFORMAT ymd",
    "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ANSI_NULL_DFLT_ON ON",
    "SET ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON",
    "SET NUMERIC_ROUNDABORT OFF",
    "SET CURSOR_CLOSE_ON_COMMIT OFF",
    "SET NOCOUNT OFF",
    "SET ROWCOUNT 0",
    "SET TEXTSIZE 2147483647",
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET LOCK_TIMEOUT 10000",
    # What fails takes its transaction with it; ``savepoint`` lifts this.
    "SET XACT_ABORT ON",
)


def odbc() -> Any:
    """Import pyodbc. Raises ConfigError where unixODBC is not installed."""
    try:
        import pyodbc
    except ImportError as error:
        raise ConfigError(
            f"ODBC is not installed on this machine: {error}", advice=INSTALL
        ) from error
    # ODBC's pool would give back a connection that the server has given up.
    pyodbc.pooling = False
    return pyodbc


def choose(wanted: str, installed: Sequence[str]) -> str:
    """Return the ODBC driver to use, a name or a file's path. Raises ConfigError."""
    if wanted:
        if "/" in wanted or "\\" in wanted or wanted in installed:
            return wanted
        raise ConfigError(
            f"there is no ODBC driver {wanted!r} here; installed: "
            f"{', '.join(installed) or 'none'}",
            advice="correct driver= in the URL, or leave it out",
        )
    for name in MICROSOFT:
        if name in installed:
            return name
    for name in installed:
        if name.lower() == FREETDS.lower():
            return name
    raise ConfigError("no ODBC driver for SQL Server is installed", advice=INSTALL)


def chosen(address: Address) -> str:
    """Return the ODBC driver that *address* is reached by. Raises ConfigError."""
    return choose(address.driver, odbc().drivers())


def is_freetds(driver: str) -> bool:
    return "freetds" in driver.lower() or "tdsodbc" in driver.lower()


def string(address: Address, driver: str) -> str:
    """Return ODBC's connection string. Nothing in it may be shown."""
    own = _freetds(address) if is_freetds(driver) else _microsoft(address)
    logs_in = {"UID": address.user, "PWD": address.password} if address.user else {}
    every = {
        "DRIVER": driver,
        **own,
        "DATABASE": address.database,
        "APP": "eds",
        **logs_in,
        **address.others,
    }
    braced = _braced_for_freetds if is_freetds(driver) else _braced
    # FreeTDS takes the last brace for a part of the value where no semicolon follows.
    return "".join(f"{name}={braced(value)};" for name, value in every.items())


def _microsoft(address: Address) -> Mapping[str, str]:
    server = address.host
    if address.instance and address.port is None:
        server = f"{server}\\{address.instance}"
    if address.port is not None:
        server = f"{server},{address.port}"
    return {
        "SERVER": f"tcp:{server}",
        "Encrypt": address.encrypt,
        "TrustServerCertificate": "yes" if address.trusts else "no",
        "ConnectRetryCount": "0",  # a session made anew would lack its settings
    }


def _freetds(address: Address) -> Mapping[str, str]:
    if not address.trusts and address.encrypt != "no":
        raise ConfigError(
            "FreeTDS cannot be told to check the server's certificate",
            advice=f"{INSTALL}. Or, in a network that is yours alone, add "
            "trust_server_certificate=yes to the URL",
        )
    instance = address.instance if address.port is None else ""
    server = f"{address.host}\\{instance}" if instance else address.host
    port = {} if instance else {"PORT": str(address.port or PORT)}
    return {
        "SERVER": server,
        **port,
        "TDS_Version": "7.4",
        "ClientCharset": "UTF-8",
        "Encryption": "off" if address.encrypt == "no" else "require",
    }


def _braced(value: str) -> str:
    return value if _PLAIN(value) else "{" + value.replace("}", "}}") + "}"


def _braced_for_freetds(value: str) -> str:
    """FreeTDS reads as far as ``};``, and knows no way to say it."""
    if "};" in value:
        raise ConfigError(
            "FreeTDS cannot be given a password or a name with }; in it",
            advice=f"change it, or {INSTALL}",
        )
    return value if _PLAIN(value) else "{" + value + "}"


def connect(address: Address) -> Any:
    """Connect, within the address' timeout."""
    pyodbc, driver = odbc(), chosen(address)
    asked = string(address, driver)
    try:
        return pyodbc.connect(asked, timeout=address.timeout, autocommit=False)
    except pyodbc.Error as error:
        if "Can't open lib" not in str(error):
            raise
    raise ConfigError(
        f"the ODBC driver {driver} cannot be loaded",
        advice=f"correct driver= in the URL, or {INSTALL}",
    )


def read_exactly(connection: Any) -> None:
    """Have points in time read as they are; SQLAlchemy's own way drops a digit."""
    connection.add_output_converter(_DATETIMEOFFSET, moment)


def large_text(connection: Any) -> Size:
    """What makes a parameter an nvarchar(max): FreeTDS would cut it off else."""
    pyodbc = odbc()
    if is_freetds(connection.getinfo(pyodbc.SQL_DRIVER_NAME)):
        return int(pyodbc.SQL_WLONGVARCHAR), _CHARACTERS, 0
    return int(pyodbc.SQL_WVARCHAR), 0, 0


def keep_whole(sizes: dict[Any, Any], *_: object) -> None:
    """Correct what SQLAlchemy says of large parameters, for FreeTDS.

    It takes a size of 0 for 4,000 characters or 8,000 bytes, and cuts off the rest.
    """
    pyodbc = odbc()
    for parameter, size in sizes.items():
        if isinstance(parameter.type, LargeBinary):
            sizes[parameter] = pyodbc.SQL_LONGVARBINARY, 2 * _CHARACTERS, 0
        elif isinstance(size, tuple) and not size[1]:
            sizes[parameter] = pyodbc.SQL_WLONGVARCHAR, _CHARACTERS, 0


def moment(data: bytes) -> str:
    """Read SQL Server's datetimeoffset as text: Python's own lacks the last digit."""
    *date, nanoseconds, hours, minutes = _OFFSET.unpack(data)
    year, month, day, hour, minute, second = date
    sign = "-" if hours < 0 or minutes < 0 else "+"
    return (
        f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        f".{nanoseconds // 100:07}{sign}{abs(hours):02}:{abs(minutes):02}"
    )


def why_not(address: Address) -> str:
    """Say why nobody answers, where ODBC says no more than that nobody did."""
    if address.port is None:
        return ""
    try:
        with socket.create_connection((address.host, address.port), _PROBE):
            why = "something listens there, and does not answer as SQL Server does"
    except OSError as error:
        why = re.sub(r"^\[[^]]*\] ", "", str(error))
    return f": {why}"
