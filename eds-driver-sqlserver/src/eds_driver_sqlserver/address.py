"""A URL of SQL Server's, read: where to connect, as whom, and how safely. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from eds_core.errors import ConfigError
from eds_core.sql.placement import PREFIX
from eds_core.urls import is_loopback, parameters, redact, without_parameters

EXAMPLE = "sqlserver://user:password@host:1433/database"
PORT = 1433

_YES = frozenset({"yes", "true", "1", "mandatory", "on"})
_NO = frozenset({"no", "false", "0", "optional", "off", "disable"})

#: What may follow the ``?``, and what ODBC calls it where it is passed on as it is.
KNOWN: Mapping[str, str] = {
    "applicationname": "APP",
    "appname": "APP",
    "authentication": "Authentication",
    "certificate": "ServerCertificate",
    "connecttimeout": "",
    "database": "",
    "driver": "",
    "encrypt": "",
    "hostnameincertificate": "HostNameInCertificate",
    "instance": "",
    "multisubnetfailover": "MultiSubnetFailover",
    "schema": "",
    "servercertificate": "ServerCertificate",
    "serverspn": "ServerSPN",
    "trustedconnection": "Trusted_Connection",
    "trustservercertificate": "",
}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a database is, and what the URL says about the way there."""

    host: str
    port: int | None
    database: str
    user: str
    password: str
    instance: str
    schema: str
    driver: str
    encrypt: str  # yes, no or strict
    trusts: bool  # the server's certificate is not checked
    timeout: int  # seconds for a connection
    others: Mapping[str, str]

    def __repr__(self) -> str:  # never the password
        return f"Address({self.host}:{self.port}/{self.database})"

    @property
    def is_loopback(self) -> bool:
        return _is_here(self.host)


def read(url: str) -> Address:
    """Take *url* apart. Raises ConfigError, which never holds the password."""
    split, port = _split(url)
    given = _parameters(url)
    path = unquote(split.path).strip("/")
    # As go-mssqldb has it, a path beside database= is the instance.
    database = given.get("database") or path
    instance = given.get("instance") or (path if "database" in given else "")
    host = split.hostname or ""
    if not host or not database:
        wanting = "host" if not host else "database"
        raise _wrong(url, f"names no {wanting}")
    if port is None and not instance:
        port = PORT
    return Address(
        host=host,
        port=port,
        database=database,
        user=unquote(split.username or ""),
        password=unquote(split.password or ""),
        instance=instance,
        schema=given.get("schema", ""),
        driver=given.get("driver", ""),
        encrypt=_encrypt(url, given, host),
        trusts=_trusts(url, given, host),
        timeout=_timeout(url, given),
        others={
            KNOWN[name]: value for name, value in given.items() if KNOWN[name] and value
        },
    )


def _split(url: str) -> tuple[SplitResult, int | None]:
    """Raises ConfigError instead of whatever urllib says: it may hold the password."""
    if any(character < " " for character in url):
        raise _wrong(url, "has a control character")
    try:
        split = urlsplit(url)
        port = split.port
    except ValueError:
        raise _wrong(url, "is not a URL of SQL Server, or its port is none") from None
    return split, port


def _parameters(url: str) -> dict[str, str]:
    """By name in lower case, whether it is written with ``_``, spaces or neither."""
    given = parameters(without_parameters(url, [PREFIX]))
    found = {re.sub(r"[_ ]", "", k).lower(): v for k, v in given.items()}
    if unknown := sorted(found.keys() - KNOWN.keys()):
        raise ConfigError(
            f"{redact(url)} has a parameter that is not known: {unknown[0][:60]}",
            advice="the README of eds-driver-sqlserver lists all parameters",
        )
    return found


def _encrypt(url: str, given: Mapping[str, str], host: str) -> str:
    said = given.get("encrypt", "yes").lower()
    if said in _YES:
        return "yes"
    if said == "strict":
        return "strict"
    if said not in _NO:
        raise _wrong(url, "has an encrypt= that is none of yes, no, strict")
    if not _is_here(host):
        raise ConfigError(
            f"{redact(url)} would send the shop's data in plain text to {host}",
            advice="leave encrypt= out; for a certificate that nobody signed there is "
            "trust_server_certificate=yes",
        )
    return "no"


def _trusts(url: str, given: Mapping[str, str], host: str) -> bool:
    said = given.get("trustservercertificate", "").lower()
    if not said:
        # On this machine nobody is in between, and few have a signed certificate.
        named = {"hostnameincertificate", "certificate", "servercertificate"}
        return _is_here(host) and not named & given.keys()
    if said not in _YES | _NO:
        raise _wrong(url, "has a trust_server_certificate= that is neither yes nor no")
    return said in _YES


def _timeout(url: str, given: Mapping[str, str]) -> int:
    said = given.get("connecttimeout", "8")
    if not said.isdecimal() or not 0 < int(said) <= 60:  # noqa: PLR2004 - a minute
        raise _wrong(url, "has a connect_timeout= that is not 1 to 60 seconds")
    return int(said)


def _is_here(host: str) -> bool:
    return host.lower() in {"(local)", "."} or is_loopback(host)


def _wrong(url: str, words: str) -> ConfigError:
    return ConfigError(
        f"{redact(url)} {words}",
        advice=f"it should look like {EXAMPLE}; "
        "in a password write %40 for @, %2F for /, %3A for :, %23 for #, %25 for %",
    )
