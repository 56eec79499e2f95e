"""The addresses of NATS servers: which are spoken to how, and what is told of them."""

from __future__ import annotations

from urllib.parse import urlsplit

from eds_core.errors import ConfigError
from eds_core.urls import is_loopback, redact

_SCHEMES = ("nats", "tls")


def check_scheme(server: str) -> None:
    """Raises ConfigError for what is not a NATS server's address."""
    scheme, separator, _ = server.partition("://")
    try:
        needs_tls(server)
    except ValueError:
        raise _no_address(server) from None  # it may hold a password
    if separator and scheme not in _SCHEMES:
        raise _no_address(server)


def _no_address(server: str) -> ConfigError:
    return ConfigError(
        f"{shown(server)} is not the address of a NATS server",
        advice="it is a host, or begins with nats:// or tls://",
        code="E3010",
    )


def needs_tls(server: str) -> bool:
    """Whether *server* may only be spoken to over TLS."""
    url = urlsplit(server if "://" in server else f"nats://{server}")
    return url.scheme == "tls" or not is_loopback(url.hostname or "")


def shown(server: str) -> str:
    """The server's address without a user or password."""
    scheme, separator, rest = redact(server).rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
