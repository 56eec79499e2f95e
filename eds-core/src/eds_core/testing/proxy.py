"""A TCP proxy between a driver and its server, which does harm when told to."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Lock, Thread

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no farewell


class Harm(Enum):
    """What becomes of the bytes that come next."""

    NONE = auto()
    CUT_REQUEST = auto()  # the client's next words never arrive
    CUT_ANSWER = auto()  # they arrive, and the answer does not
    SILENCE = auto()  # nothing arrives any more, and nobody says so
    SILENT_SERVER = auto()  # half open: only what the server says is lost


class _Link:
    """One client's connection, and the proxy's own to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self._closing = Lock()

    def close(self, *, reset: bool = False) -> None:
        if not self._closing.acquire(blocking=False):
            return  # the first word counts: a reset says no farewell after all
        for end in (self.client, self.server):
            with suppress(OSError):
                if reset:
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                # Wakes who reads; only a full shutdown says farewell.
                end.shutdown(socket.SHUT_RD if reset else socket.SHUT_RDWR)
            with suppress(OSError):
                end.close()


class Proxy:
    """Listens on a port of this host, and passes on what comes to *host* and *port*.

    ``harm`` and ``delay`` may be set at any time, by any thread.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listening.getsockname()
        self.harm = Harm.NONE
        #: Seconds by which each piece of data is late.
        self.delay = 0.0
        #: New connections are taken, and closed at once.
        self.refuses = False
        self._links: list[_Link] = []
        self._lock = Lock()
        self._accepting = Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self, *, reset: bool = False) -> None:
        """End all connections now; *reset*: without a farewell."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.close(reset=reset)

    def heal(self) -> None:
        """Do no harm any more."""
        self.harm, self.delay, self.refuses = Harm.NONE, 0.0, False

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(5)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            if self.refuses:
                client.close()
                continue
            self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target, timeout=10)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        link = _Link(client, server)
        with self._lock:
            self._links.append(link)
        for ends in ((client, server, True), (server, client, False)):
            Thread(target=self._pump, args=(link, *ends), daemon=True).start()

    def _pump(
        self,
        link: _Link,
        source: socket.socket,
        target: socket.socket,
        to_server: bool,
    ) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                time.sleep(self.delay)
                if self._cuts(to_server):
                    break
                if not self._swallows(to_server):
                    target.sendall(data)
        link.close()

    def _cuts(self, to_server: bool) -> bool:
        fatal = Harm.CUT_REQUEST if to_server else Harm.CUT_ANSWER
        return self.harm is fatal

    def _swallows(self, to_server: bool) -> bool:
        return self.harm is Harm.SILENCE or (
            self.harm is Harm.SILENT_SERVER and not to_server
        )


@contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy to *host* and *port* that is closed in the end."""
    between = Proxy(host, port)
    try:
        yield between
    finally:
        between.close()
