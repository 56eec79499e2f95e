"""Keeps a server running through a soak, and watches each of its processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from threading import Lock

from bench.machine import EdsServer
from bench.watch import Life

LOOK_EVERY = 1.0  # seconds


class Keeper:
    """Keeps the server process running, as systemd would; each life is watched.

    One that finds no NATS or database when it starts ends, and is begun again.
    """

    def __init__(self, begin: Callable[[int], EdsServer]) -> None:
        self._begin = begin
        self.lives: list[Life] = []
        self.refused = 0  # starts that came to nothing
        self._changing = Lock()  # the process may be ended on purpose just now
        self._start()

    def _start(self) -> None:
        self._server = self._begin(len(self.lives)).__enter__()
        self.lives.append(Life(self._server.pid))

    def send(self, number: signal.Signals) -> None:
        self._server.send(number)

    def check(self) -> None:
        """Raise when it has ended by itself, but for one that was never ready."""
        if not self._changing.acquire(blocking=False):
            return
        try:
            if self._server.ended and not self._server.ready:
                self.refused += 1
                self._start()
            self._server.check()
        finally:
            self._changing.release()

    def crash(self) -> None:
        with self._changing:
            self._server.kill()
            self._start()

    def restart(self) -> None:
        with self._changing:
            self._end()
            self._start()

    def stop(self) -> None:
        with self._changing:
            self._end()

    def _end(self) -> None:
        ready = self._server.ready
        if (code := self._server.stop()) and ready:
            raise RuntimeError(f"the server was stopped and ended with {code}")

    def kill(self) -> None:
        self._server.kill()

    async def watch(self) -> None:
        while True:
            self.lives[-1].look()
            await asyncio.sleep(LOOK_EVERY)
            self.check()
