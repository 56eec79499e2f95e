"""One HTTP request: what came of it, or why it may be tried again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib.metadata import version
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3
from urllib3.exceptions import (
    HTTPError,
    LocationValueError,
    NewConnectionError,
    ProxyError,
    SSLError,
)
from urllib3.exceptions import TimeoutError as SlowError
from urllib3.util import Timeout, make_headers

from eds_core.errors import ConfigError, ExportError

from .address import is_local, shown
from .patience import Again

CHUNK = 64 * 1024
TOO_MUCH = 64 * 1024 * 1024  # of an answer that is to be understood

#: Answers after which the same request may succeed.
_LATER = frozenset((408, 425, 429, 500, 502, 503, 504))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, whole. *headers* are read without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Body:
    """What a server is saying; read it once."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes as they are stored and as they come; at a break, raise Again.

        Fewer bytes than announced are a break.
        """
        with _understood():
            while chunk := self._response.read1(CHUNK, decode_content=False):
                yield chunk

    def text(self, most: int) -> bytes:
        with _understood():
            return self._response.read(most, decode_content=True)


class Http:
    """Asks once and follows nothing: redirects and refusals are the caller's.

    May be used by several threads.
    """

    def __init__(self, *, connect: float = 15, read: float = 60) -> None:
        self._timeout = Timeout(connect=connect, read=read)
        self._agent = {"User-Agent": f"eds/{version('eds-core')}"}
        self._pools: dict[str, urllib3.PoolManager] = {}

    def close(self) -> None:
        for pool in self._pools.values():
            pool.clear()

    def ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """Return the whole answer; raises Again when it may be asked once more."""
        with self._request(method, url, headers, body) as response:
            data = Body(response).text(TOO_MUCH)
            raise_if_later(response.status, response.headers)
            return Answer(response.status, response.headers, data)

    @contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[Body]:
        """Open what is at *url*, in the form in which it is stored there."""
        # Storage that keeps files gzipped would unpack them for everybody else,
        # and cannot continue those in the middle.
        with self._request("GET", url, {"Accept-Encoding": "gzip", **headers}) as body:
            yield Body(body)

    @contextmanager
    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        with _understood():
            response = self._pool(url).request(
                method,
                url,
                headers={**self._agent, **headers},
                body=body,
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        try:
            yield response
        finally:
            response.close()  # what was not read is not waited for

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = _proxy(url)
        if proxy not in self._pools:
            self._pools[proxy] = _new_pool(proxy)
        return self._pools[proxy]


def raise_if_later(status: int, headers: Mapping[str, str]) -> None:
    """Raises Again for an answer that is a matter of time."""
    if status in _LATER:
        said = {429: "the rate limit is reached (429)"}.get(status, f"answer {status}")
        raise Again(said, retry_after(headers))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How many seconds the server wants to be left alone."""
    text = headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        then = parsedate_to_datetime(text)
        now = parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (then - now).total_seconds())
    except (ValueError, TypeError):
        return None


@contextmanager
def _understood() -> Iterator[None]:
    """Turn what can go wrong on the way into Again, without any address."""
    try:
        yield
    except SSLError as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            raise ConfigError(
                "the server's certificate cannot be verified",
                advice="behind a proxy that looks into TLS, name its certificate "
                "with SSL_CERT_FILE",
            ) from error
        raise Again("TLS failed") from error
    except ProxyError as error:
        raise Again("the proxy does not let us through") from error
    except NewConnectionError as error:
        raise Again("no connection") from error
    except SlowError as error:
        raise Again("no answer in time") from error
    except LocationValueError:  # its text has the address, and that a signature
        raise ExportError("the server gave an address that is none") from None
    except (HTTPError, HTTPException, OSError) as error:
        raise Again("the connection broke") from error


def _proxy(url: str) -> str:
    """The proxy that the environment names for *url*; empty for none."""
    parts = urlsplit(url)
    if is_local(url) or proxy_bypass(parts.hostname or ""):
        return ""
    return getproxies().get(parts.scheme, "")


def _new_pool(proxy: str) -> urllib3.PoolManager:
    if not proxy:
        return urllib3.PoolManager(maxsize=16)
    user, at, _ = urlsplit(proxy).netloc.rpartition("@")
    headers = make_headers(proxy_basic_auth=user) if at else None
    try:
        return urllib3.ProxyManager(proxy, proxy_headers=headers, maxsize=16)
    except HTTPError:
        raise ConfigError(f"the proxy {shown(proxy)} is not usable") from None
