"""What is answered to whom. Nothing here changes anything."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Protocol

from eds_core.urls import is_loopback

from .metrics import CONTENT_TYPE, render
from .snapshot import Snapshot
from .status import status

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

_TEXT = "text/plain; charset=utf-8"
_ALWAYS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; *body* goes out as it is."""

    status: str
    body: bytes
    type: str = _TEXT
    headers: Mapping[str, str] = field(default_factory=dict)


class Source(Protocol):
    """Where answers come from."""

    @property
    def snapshot(self) -> Snapshot: ...

    @property
    def silent(self) -> float:
        """Seconds since the stream's thread gave its last sign of life."""


_DEAD_AFTER = 60.0  # seconds


class Pages:
    """The WSGI application."""

    def __init__(self, source: Source, *, local: bool) -> None:
        """*local*: only programs of this machine reach it, so be sure they mean to."""
        self._source = source
        self._local = local
        self._rendered: Rendered | None = None
        self._page = _Page()
        self._routes: Mapping[str, Callable[[], Answer]] = {
            "/": lambda: self._page.answer,
            "/status.json": lambda: self._now.status,
            "/metrics": lambda: self._now.metrics,
            "/livez": lambda: self._dead or Answer("200 OK", b"alive\n"),
            "/readyz": lambda: self._dead or self._now.ready,
            "/status/health": lambda: Answer("200 OK", b"OK\n"),
        }

    def __call__(
        self, environ: WSGIEnvironment, start: StartResponse
    ) -> Iterable[bytes]:
        answer = self._answer(environ)
        headers = {
            "Content-Type": answer.type,
            "Content-Length": str(len(answer.body)),
            **dict(_ALWAYS),
            **answer.headers,
        }
        start(answer.status, list(headers.items()))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body]

    def _answer(self, environ: WSGIEnvironment) -> Answer:
        if self._local and not _is_local(environ.get("HTTP_HOST", "localhost")):
            return Answer("421 Misdirected Request", b"ask for localhost\n")
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            allow = {"Allow": "GET, HEAD"}
            return Answer("405 Method Not Allowed", b"read only\n", headers=allow)
        route = self._routes.get(environ.get("PATH_INFO", ""))
        return route() if route else Answer("404 Not Found", b"no such page\n")

    @property
    def _now(self) -> Rendered:
        """Each snapshot is put into words once, however many ask."""
        snapshot, rendered = self._source.snapshot, self._rendered
        if rendered is None or rendered.snapshot is not snapshot:
            self._rendered = rendered = Rendered(snapshot)
        return rendered

    @property
    def _dead(self) -> Answer | None:
        if (silent := self._source.silent) <= _DEAD_AFTER:
            return None
        told = f"no sign of life from the stream's thread for {silent:.0f} s\n"
        return Answer("503 Service Unavailable", told.encode())


class Rendered:
    """The answers that one snapshot gives, each made when it is first asked for."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    @cached_property
    def status(self) -> Answer:
        body = json.dumps(status(self.snapshot), separators=(",", ":")).encode()
        return Answer("200 OK", body, "application/json")

    @cached_property
    def metrics(self) -> Answer:
        return Answer("200 OK", render(self.snapshot), CONTENT_TYPE)

    @cached_property
    def ready(self) -> Answer:
        reasons = self.snapshot.reasons
        if not reasons:
            return Answer("200 OK", b"ready\n")
        lines = [f"{r.text}. {r.advice}".rstrip(". ") for r in reasons]
        told = "".join(f"{' '.join(line.split())}\n" for line in lines)
        return Answer("503 Service Unavailable", told.encode("utf-8", "replace"))


class _Page:
    """The status page; its own script and style are all that a browser may run."""

    @cached_property
    def answer(self) -> Answer:
        text = files(__package__).joinpath("page.html").read_text("utf-8")
        policy = "; ".join(
            (
                "default-src 'none'",
                f"script-src {_hash_of('script', text)}",
                f"style-src {_hash_of('style', text)}",
                "connect-src 'self'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
                "require-trusted-types-for 'script'",
            )
        )
        headers = {"Content-Security-Policy": policy}
        return Answer("200 OK", text.encode(), "text/html; charset=utf-8", headers)


def _hash_of(tag: str, text: str) -> str:
    """What the policy calls the one element *tag* of the page."""
    (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _is_local(host: str) -> bool:
    """Whether *host* is an address, or a name that no stranger can point at us.

    Else a page from elsewhere could read this one, by a name of its own that leads
    to 127.0.0.1.
    """
    name = re.sub(r":\d*$", "", host)
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return is_loopback(name)
    return True
