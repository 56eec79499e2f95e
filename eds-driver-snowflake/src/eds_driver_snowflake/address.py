"""From a URL to what a session needs to know. Pure: nothing is opened here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from eds_core.durations import parse_freshness
from eds_core.errors import ConfigError
from eds_core.sql.placement import PREFIX
from eds_core.urls import parameters, redact, without_parameters

EXAMPLE = "snowflake://user:password@account/database/schema?warehouse=WAREHOUSE"
KNOWN = (
    "account",
    "client_session_keep_alive",
    "freshness",
    "private_key_env",
    "private_key_path",
    "private_key_passphrase_env",
    "protocol",
    "role",
    "warehouse",
)
#: Seconds; a warehouse that is woken is paid for a minute.
FRESHNESS = 60.0
_SNOWFLAKE = (".snowflakecomputing.com", ".snowflakecomputing.cn")
_ACCOUNT = re.compile(r"[A-Za-z0-9][\w.-]*")


@dataclass(frozen=True, slots=True)
class Address:
    """Where, as whom, and how often."""

    account: str
    user: str
    database: str
    schema: str
    host: str = ""  # empty: the connector makes it from the account
    port: int | None = None
    protocol: str = "https"
    warehouse: str = ""
    role: str = ""
    freshness: float = FRESHNESS
    password: str = field(default="", repr=False)
    private_key_path: str = ""
    private_key_env: str = ""
    private_key_passphrase_env: str = ""


def parse(url: str) -> Address:
    """Read *url*. Raises ConfigError, whose text holds no secret."""
    try:
        parts = urlsplit(url)
        port, given = parts.port, parameters(without_parameters(url, [PREFIX]))
        names = [unquote(name) for name in parts.path.split("/") if name]
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        host = parts.hostname or ""
    except ValueError:
        raise _wrong(url, "is not a Snowflake URL") from None  # it may hold a secret
    if unknown := sorted(given.keys() - set(KNOWN)):
        raise ConfigError(
            f"{redact(url)} has a parameter that EDS does not know: {unknown[0]}",
            advice=f"known are {', '.join(KNOWN)}",
        )
    _check(url, host, user, names)
    account, elsewhere, protocol = _place(url, host, port, given)
    return Address(
        account,
        user,
        names[0],
        names[1],
        elsewhere,
        port,
        protocol,
        given.get("warehouse", ""),
        given.get("role", ""),
        parse_freshness(given.get("freshness"), FRESHNESS),
        password,
        given.get("private_key_path", ""),
        given.get("private_key_env", ""),
        given.get("private_key_passphrase_env", ""),
    )


def _check(url: str, host: str, user: str, names: list[str]) -> None:
    if not _ACCOUNT.fullmatch(host):
        raise _wrong(url, "names no account")
    if not user:
        raise _wrong(url, "names no user")
    if len(names) != 2:  # noqa: PLR2004 - a database and a schema
        raise _wrong(url, "does not name a database and a schema")


def _place(
    url: str, host: str, port: int | None, given: Mapping[str, str]
) -> tuple[str, str, str]:
    """The account, the host of one that is not at Snowflake's own, the protocol."""
    protocol = given.get("protocol", "https")
    if protocol not in ("https", "http"):
        raise _wrong(url, "has a protocol that is neither https nor http")
    if protocol == "http" and host not in ("localhost", "127.0.0.1"):
        raise _wrong(url, "would send a password unencrypted")
    named = host.endswith(_SNOWFLAKE)
    if not named and port is None and "account" not in given:
        return host, "", protocol
    account = given.get("account", host.partition(".")[0])
    return account, host, protocol


def _wrong(url: str, what: str) -> ConfigError:
    return ConfigError(
        f"{redact(url)} {what}",
        advice=f"it should look like {EXAMPLE}; "
        "in a password write %40 for @, %2F for /, %3A for :, %25 for %",
    )
