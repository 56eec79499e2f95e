"""Watches the pipelines once a second, and lets others look."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from eds_core.errors import ConfigError, told
from eds_core.standing import State
from eds_core.urls import is_loopback

from .http import HttpServer
from .meter import Meter, Recent
from .options import HealthOptions
from .pages import Pages
from .problems import Problems
from .snapshot import Sample, Snapshot, View
from .summary import Minutes

log = logging.getLogger("eds.health")

_EVERY = 1.0  # seconds between two looks
_SHOWN = 300  # looks in the chart


class Health:
    """One meter per destination, and the server that shows what they read.

    The stream's own thread only collects how the pipelines stand; sums are done in
    a thread of their own, and requests are answered in others.
    """

    def __init__(
        self,
        options: HealthOptions | None,
        destinations: Sequence[tuple[str, str]],
    ) -> None:
        """*destinations*: what each is called, without secrets, and its title.

        Without *options* nobody can look; a line each minute is logged all the same.
        """
        self._options = options
        self._destinations = destinations
        self.meters = [Meter() for _ in destinations]
        self._problems = Problems()
        self._samples: deque[Sample] = deque(maxlen=_SHOWN)
        self._minutes = Minutes(time.time())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eds-health")
        self._http: HttpServer | None = None
        self._failed = False  # and it was said
        self._beat = self._last = time.monotonic()
        self.expires = math.inf  # when the credentials do, seconds since 1970
        self.snapshot = Snapshot(time.time(), time.time())

    @property
    def silent(self) -> float:
        """Seconds since the stream's thread gave its last sign of life."""
        return time.monotonic() - self._beat

    @property
    def url(self) -> str:
        """Where it listens; empty when it does not."""
        return self._http.url if self._http else ""

    def __enter__(self) -> Self:
        """Listen. An address that nobody asked for may be in use: the stream goes on.

        Raises ConfigError when it was asked for.
        """
        if self._options is not None:
            self._listen(self._options)
        return self

    def _listen(self, options: HealthOptions) -> None:
        pages = Pages(self, local=is_loopback(options.host))
        try:
            self._http = HttpServer(pages, options.host, options.port)
        except ConfigError as error:
            if options.asked:
                raise
            log.warning("no status page: %s", told(error))
        else:
            logging.getLogger("eds").addHandler(self._problems)
            log.info("health, metrics and a status page: %s", self.url)

    def __exit__(self, *_: object) -> None:
        logging.getLogger("eds").removeHandler(self._problems)
        if self._http is not None:
            self._http.close()
        self._thread.shutdown()

    async def watch(self, states: Callable[[], Sequence[State]]) -> None:
        """Look once a second, until cancelled."""
        while True:
            self._beat = time.monotonic()
            await self._look_aside(states)
            await asyncio.sleep(_EVERY)

    async def _look_aside(self, states: Callable[[], Sequence[State]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._thread, self._look, states())
        except Exception:  # the stream goes on without a view of it
            if not self._failed:
                log.exception("the status page cannot be brought up to date")
            self._failed = True

    def _look(self, states: Sequence[State]) -> None:
        """Do the sums, and put up a new snapshot."""
        now, seconds = time.time(), time.monotonic() - self._last
        self._last += seconds
        read = [meter.read() for meter in self.meters]
        self._samples.append(_sample(now, seconds, [recent for _, recent in read]))
        self.snapshot = found = Snapshot(
            now,
            self.snapshot.started,
            [
                View(name, title, state, totals)
                for (name, title), state, (totals, _) in zip(
                    self._destinations, states, read, strict=True
                )
            ],
            tuple(self._samples),
            self._problems.latest(),
            self.expires,
        )
        self._minutes.look(found.views, now)


def _sample(now: float, seconds: float, recent: Sequence[Recent]) -> Sample:
    rate = sum(each.events for each in recent) / max(seconds, 0.001)
    latencies = sorted(value for each in recent for value in each.latencies)
    if not latencies:
        return Sample(now, rate)
    last = len(latencies) - 1
    return Sample(now, rate, latencies[last // 2], latencies[last * 99 // 100])
