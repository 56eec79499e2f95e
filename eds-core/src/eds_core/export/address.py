"""Which addresses a key or a shop's rows may travel to and from. Pure."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from eds_core.errors import ConfigError
from eds_core.urls import is_loopback


def checked_api(url: str) -> str:
    """Return the API's base address without a slash at the end, or ConfigError."""
    parts = _split(url)
    if parts is None or parts.username or parts.query or parts.fragment:
        raise ConfigError(
            "the API's address is not a plain one",
            advice="it is like https://api.shopmonkey.cloud, without user or query",
        )
    if not is_secured(url):
        raise ConfigError(
            f"{shown(url)} would send the API key in clear text",
            advice="take an address that begins with https://",
        )
    return url.rstrip("/")


def is_secured(url: str) -> bool:
    """Whether *url* is spoken to over TLS, or does not leave this machine."""
    parts = _split(url)
    return parts is not None and (parts.scheme == "https" or is_local(url))


def may_follow(teller: str, url: str) -> bool:
    """Whether the server at *teller* may send us to *url*.

    Not to what listens on this machine, unless it is on this machine itself.
    """
    return is_secured(url) and (not is_local(url) or is_local(teller))


def is_local(url: str) -> bool:
    parts = _split(url)
    return is_loopback((parts.hostname if parts else None) or "")


def shown(url: str) -> str:
    """*url* without what may be a secret in it: a user, a query, a signature."""
    parts = _split(url)
    if parts is None:
        return "an address that is none"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        usable = parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        return None
    return parts if usable and parts.scheme in ("https", "http") else None
