"""A TCP proxy between a driver and its server, which does harm when told to."""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum, auto
from threading import Lock, Thread

_CHUNK = 65_536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: no farewell
_LOOK = 0.02  # seconds between looks at whether a held connection goes on
_SO_ATTACH_FILTER = 26  # Linux; Python has no name for it
_DROP = struct.pack("HBBI", 6, 0, 0, 0)  # BPF: return 0 bytes of each packet


class Harm(Enum):
    """What becomes of the bytes that come next."""

    NONE = auto()
    CUT_REQUEST = auto()  # the client's next words never arrive
    CUT_ANSWER = auto()  # they arrive, and the answer does not
    SILENCE = auto()  # nothing arrives any more, and nobody says so
    SILENT_SERVER = auto()  # half open: only what the server says is lost
    HOLD = auto()  # nothing arrives until it is healed; nothing is lost
    HOLD_ANSWER = auto()  # as HOLD, but only what the server says


class _Link:
    """One client's connection, and the proxy's own to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client = client
        self.server = server
        self.harm = Harm.NONE  # on this connection only
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

    ``harm``, ``delay`` and ``rate`` may be set at any time, by any thread.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = self._listening.getsockname()
        self.harm = Harm.NONE
        #: Seconds by which each piece of data is late.
        self.delay = 0.0
        #: Bytes per second in each direction of each connection; 0: no limit.
        self.rate = 0
        #: What is cut by a harm is reset: no farewell.
        self.resets = False
        #: New connections are taken, and closed at once.
        self.refuses = False
        self._triggers: list[tuple[Harm, list[bytes]]] = []
        self._links: list[_Link] = []
        self._vanished: list[_Link] = []
        self._lock = Lock()
        self._accepting = Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def cut(self, *, reset: bool = False) -> None:
        """End all connections now; *reset*: without a farewell."""
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.close(reset=reset)

    def harm_at(self, harm: Harm, *words: bytes) -> None:
        """Do *harm* to a connection from when its client says the last of *words*.

        They have to come one after the other, each in one piece and not encrypted.
        Once per call.
        """
        self._triggers.append((harm, [*words]))

    @property
    def triggers_left(self) -> int:
        """How many calls of ``harm_at`` have not come true yet."""
        return len(self._triggers)

    def vanish(self) -> None:
        """From now on, packets of the connections there are never arrive.

        Neither end is told, nothing is acknowledged: as if a cable was pulled or a
        firewall had forgotten them. New connections work. Linux only.
        """
        with self._lock:
            links, self._links = self._links, []
        for link in links:
            link.harm = Harm.SILENCE  # what is read already goes no further
            for end in (link.client, link.server):
                _drop_packets(end)
        self._vanished.extend(links)  # closed, they would say farewell

    def heal(self) -> None:
        """Do no harm any more; what has vanished or was cut stays so."""
        self._triggers.clear()
        with self._lock:
            for link in self._links:
                link.harm = Harm.NONE
        self.harm, self.delay, self.rate = Harm.NONE, 0.0, 0
        self.refuses = self.resets = False

    def close(self) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(5)
        self.cut()
        for link in self._vanished:
            link.close()

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
            while data := source.recv(self._most):
                if to_server:
                    self._pull_triggers(link, data)
                time.sleep(self.delay + (len(data) / self.rate if self.rate else 0))
                while self._harm(link) in _HOLDS[to_server]:
                    time.sleep(_LOOK)
                if self._harm(link) is _CUTS[to_server]:
                    link.close(reset=self.resets)
                    break
                if self._harm(link) not in _SWALLOWS[to_server]:
                    target.sendall(data)
        link.close()

    @property
    def _most(self) -> int:
        """Slow connections are so in small pieces."""
        return max(1, min(_CHUNK, self.rate // 10)) if self.rate else _CHUNK

    def _pull_triggers(self, link: _Link, data: bytes) -> None:
        for trigger in [*self._triggers]:
            harm, words = trigger
            while words and words[0] in data:
                del words[0]
            if not words:
                self._triggers.remove(trigger)
                link.harm = harm
                return

    def _harm(self, link: _Link) -> Harm:
        return self.harm if link.harm is Harm.NONE else link.harm


#: What is done to what goes to the client, and to what goes to the server.
_CUTS = (Harm.CUT_ANSWER, Harm.CUT_REQUEST)
_HOLDS = ((Harm.HOLD, Harm.HOLD_ANSWER), (Harm.HOLD,))
_SWALLOWS = ((Harm.SILENCE, Harm.SILENT_SERVER), (Harm.SILENCE,))


def _drop_packets(end: socket.socket) -> None:
    """Have the kernel throw away what comes, before anything acknowledges it."""
    program = ctypes.create_string_buffer(_DROP, len(_DROP))
    described = struct.pack("HP", 1, ctypes.addressof(program))
    with suppress(OSError):  # it was closed meanwhile
        end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


@contextmanager
def proxy(host: str, port: int) -> Iterator[Proxy]:
    """A proxy to *host* and *port* that is closed in the end."""
    between = Proxy(host, port)
    try:
        yield between
    finally:
        between.close()
