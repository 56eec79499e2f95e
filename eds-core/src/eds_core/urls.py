"""URLs as users write them: shown without secrets, read by parameter. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import unquote_plus

_MASK = "***"
_SECRET = re.compile("pass|pwd|token|secret|key|credential", re.IGNORECASE)
#: A parameter of a URL, with all that a driver may take for its value.
_PARAMETER = re.compile(r"([?&])([^=?&;\s]+)=('[^']*'|[^&\s]*)")
#: One among words, as in a DBAPI's own notation.
_WORD = re.compile(r"(^|[;\s])([^=?&;\s]+)=('[^']*'|[^&;\s]*)")
#: Parameters whose values may be seen, without ``_`` and ``-``. Any other may hold a
#: secret, whatever it is called.
_NAMES = """
    schema tableprefix state freshness
    applicationname appname connecttimeout database dbname driver host hostaddr port
    socket unixsocket user username charset collation clientencoding tcpusertimeout
    keepalives keepalivesidle keepalivesinterval keepalivescount targetsessionattrs
    loadbalancehosts channelbinding gssencmode localinfile parsetime loc cluster
    ssl tls sslmode sslca sslcert sslcrl sslrootcert sslnegotiation encrypt
    trustservercertificate trustedconnection servercertificate certificate
    hostnameincertificate serverspn multisubnetfailover instance authentication
    account warehouse role protocol clientsessionkeepalive
    region endpoint mode timeout
"""
_HARMLESS = frozenset(_NAMES.split())
#: Without user and password: nothing, a host, hosts with ports, a socket's path.
_HOSTS = re.compile(r"[\w.,\-%]*(:\d+[\w.,:\-]*)?|[\w.\-%]*\[[\w:.%]*\](:\d+)?")


def redact(url: str) -> str:
    """Return *url*, or a sentence that holds one, with password and secrets masked.

    Never raises: of a malformed URL it masks rather more than less.
    """
    scheme, separator, rest = url.partition("://")
    if separator:
        return f"{scheme}://{_without_secret_parameters(_without_password(rest))}"
    # Without @ it may be any words that hold a colon.
    shown = _without_password(url) if "@" in url else url
    return _without_secret_parameters(shown)


def is_redacted(url: str) -> bool:
    """Whether *url* is what ``redact`` has made of one, and leads nowhere."""
    return f":{_MASK}@" in url or f"={_MASK}" in url


def place_of(url: str) -> str:
    """Where *url* leads: without user, password and parameters, as it may be shown."""
    scheme, separator, rest = redact(url).partition("://")
    return f"{scheme}{separator}{rest.partition('?')[0].rpartition('@')[2]}"


def _without_password(rest: str) -> str:
    """Mask what lies between the first colon and the last @, or the end.

    A password that nobody percent-encoded may hold any of ``@/?#``; and the @ behind
    it may have been forgotten.
    """
    before, _, query = rest.partition("?")
    elsewhere = "@" in before or ("@" in query and "=" not in query.partition("@")[0])
    if not elsewhere and _HOSTS.fullmatch(re.split("[/#]", before)[0]):
        return rest  # what @ there is, is a parameter's
    if "@" not in rest:
        name, colon, _ = rest.partition(":")
        return f"{name}{colon}{_MASK if colon else ''}"
    user, at, place = rest.rpartition("@")
    name, colon, _ = user.partition(":")
    return f"{name}{colon}{_MASK if colon else ''}{at}{place}"


def _without_secret_parameters(rest: str) -> str:
    return _WORD.sub(_masked_word, _PARAMETER.sub(_masked, rest))


def _masked(match: re.Match[str]) -> str:
    start, name, value = match.groups()
    plain = re.sub("[-_ ]", "", unquote_plus(name)).lower()
    if plain in _HARMLESS and not re.search("[;=#]", value):
        return match[0]
    return f"{start}{name}={_MASK}"


def _masked_word(match: re.Match[str]) -> str:
    start, name, _ = match.groups()
    secret = _SECRET.search(unquote_plus(name))
    return f"{start}{name}={_MASK}" if secret else match[0]


def is_loopback(host: str) -> bool:
    """Say whether *host* is this machine, by its name or address alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def parameters(url: str) -> dict[str, str]:
    """Return the query parameters of *url*, decoded; of equal names the last."""
    return dict(_pairs(_query(url)))


def without_parameters(url: str, names: Iterable[str]) -> str:
    """Return *url* without the query parameters *names*, the rest as it was."""
    unwanted = set(names)
    kept = [part for part in _parts(_query(url)) if _pair(part)[0] not in unwanted]
    place, _, _ = url.partition("?")
    return f"{place}?{'&'.join(kept)}" if kept else place


def _query(url: str) -> str:
    return url.partition("?")[2]


def _parts(query: str) -> list[str]:
    return [part for part in query.split("&") if part]


def _pairs(query: str) -> list[tuple[str, str]]:
    return [_pair(part) for part in _parts(query)]


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return unquote_plus(name), unquote_plus(value)
