"""An HTTP server for a JSON API and its files, which can be told to behave badly."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: a status, what it says, and headers besides the usual ones."""

    status: int
    body: bytes | Mapping[str, object] = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that has come in."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Faults:
    """How the API behaves badly. May be changed at any time.

    A queue is used up from the left, one entry for each request that it concerns.
    """

    replies: deque[Reply] = field(default_factory=deque)
    """What the API answers instead."""
    refused: deque[Reply] = field(default_factory=deque)
    """What the storage answers instead."""
    not_yet: int = 0
    """So many looks at a file or a job find it unfinished."""
    cuts: deque[int] = field(default_factory=deque)
    """Downloads break off after so many bytes."""
    damaged: int = 0
    """So many downloads have a wrong byte."""
    pause: float = 0
    """Seconds of rest between the chunks of a download."""
    chunk: int = 64 * 1024
    lifetime: float = 900
    """Seconds for which an address is good."""
    uses: int | None = None
    """How many requests an address is good for."""
    ranges: bool = True
    """Whether a download may begin in the middle."""
    announced: bool = True
    """Whether a download's length is."""
    late: float = 0
    """Seconds before the API answers, after it has done what it was asked for."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Tables of a bulk export that fail, and why."""
    date: Callable[[], float] | None = time.time
    """The clock of the answers; without one they have no date."""


class Service(Protocol):
    """What stands behind a server."""

    faults: Faults
    asked: list[Asked]

    def answer(self, asked: Asked, body: Mapping[str, object]) -> Reply: ...

    def stored(self, name: str, signature: str) -> Path | Reply: ...


class Server(ThreadingHTTPServer):
    """On a free port of the loopback address; each request has its thread."""

    daemon_threads = True

    def __init__(self, service: Service) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients may hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        self._answer_api()

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if not url.path.startswith("/files/"):
            self._answer_api()
            return
        self._note(b"")
        name = unquote(url.path.removeprefix("/files/"))
        refused = self._faults.refused
        found = (
            refused.popleft()
            if refused
            else self.server.service.stored(name, url.query.rpartition("=")[2])
        )
        if isinstance(found, Reply):
            self._reply(found)
        else:
            self._send_file(found.read_bytes())

    def date_time_string(self, timestamp: float | None = None) -> str:
        clock = self._faults.date or time.time
        return super().date_time_string(clock() if timestamp is None else timestamp)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
        """Say nothing: `asked` has it all."""

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "Date" or self._faults.date is not None:
            super().send_header(keyword, value)

    @property
    def _faults(self) -> Faults:
        return self.server.service.faults

    def _note(self, body: bytes) -> Asked:
        url = urlsplit(self.path)
        asked = Asked(self.command, url.path, dict(self.headers.items()), body)
        self.server.service.asked.append(asked)
        return asked

    def _answer_api(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        asked = self._note(body)
        replies = self._faults.replies
        reply = (
            replies.popleft()
            if replies
            else self.server.service.answer(asked, json.loads(body or b"{}"))
        )
        time.sleep(self._faults.late)
        self._reply(reply)

    def _reply(self, reply: Reply) -> None:
        body = reply.body if isinstance(reply.body, bytes) else _json(reply.body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("X-Request-Id", f"request-{len(self.server.service.asked)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send_file(self, data: bytes) -> None:
        tag = f'"{hashlib.sha256(data).hexdigest()[:16]}"'
        start = self._start(tag)
        if start > 0 and start >= len(data):
            self._reply(Reply(416, headers={"Content-Range": f"bytes */{len(data)}"}))
            return
        self.send_response(206 if start else 200)
        if start:
            place = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send_header("Content-Range", place)
        self.send_header("ETag", tag)
        if self._faults.announced:
            self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Connection", "close")
        self.end_headers()
        self._send(self._damaged(data)[start:])

    def _start(self, tag: str) -> int:
        """Where the client wants the file to begin."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", tag) == tag
        return int(match[1]) if match and same and self._faults.ranges else 0

    def _damaged(self, data: bytes) -> bytes:
        if self._faults.damaged <= 0:
            return data
        self._faults.damaged -= 1
        middle = len(data) // 2
        return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]

    def _send(self, data: bytes) -> None:
        cuts = self._faults.cuts
        for chunk in _chunks(data[: cuts.popleft()] if cuts else data, self._faults):
            self.wfile.write(chunk)
            self.wfile.flush()
            time.sleep(self._faults.pause)
        self.close_connection = True


def _chunks(data: bytes, faults: Faults) -> Iterator[bytes]:
    for start in range(0, len(data), faults.chunk):
        yield data[start : start + faults.chunk]


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value).encode()
