"""Destinations that write side by side, each in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import ParamSpec, TypeVar

from eds_core.destination import Destination
from eds_core.errors import ConfigError, TransientError
from eds_core.waiting import Backoff

from .loading import Loader

log = logging.getLogger("eds.import")

P = ParamSpec("P")
R = TypeVar("R")


class StoppedError(Exception):
    """Asked to stop, or another lane has failed."""


class Writer:
    """One destination and its thread."""

    def __init__(self, destination: Destination, loader: Loader, halt: Event) -> None:
        self.destination = destination
        self.loader = loader
        self.busy = 0  # lanes that use it
        self._halt = halt
        self._was_open = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eds-writer")

    def submit(
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[R]:
        return self._thread.submit(function, *args, **kwargs)

    async def call(
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        return await asyncio.wrap_future(self.submit(function, *args, **kwargs))

    def connect(self) -> None:
        """Connect now. Raises what the driver raises."""
        self.submit(self.loader.reopen).result()
        self._was_open = True

    def open(self) -> None:
        """Connect, however long the destination is away.

        Raises ConfigError for what the user must change, StoppedError.
        """
        self._reopen(Backoff(first=0.1, most=30))

    async def patiently(
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """``insist``, for a caller that has other things to do."""
        return await asyncio.to_thread(self.insist, function, *args, **kwargs)

    def insist(
        self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run *function* in the thread, and again while the destination is away.

        Raises StoppedError when there is no more use in it.
        """
        self.check()
        return self.settle(
            self.submit(function, *args, **kwargs), function, *args, **kwargs
        )

    def check(self) -> None:
        """Raise StoppedError when there is no more use in going on."""
        if self._halt.is_set():
            raise StoppedError

    def settle(
        self,
        first: Future[R],
        function: Callable[P, R],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R:
        """The result of *first*; a failure that may pass is tried again, for ever.

        Raises StoppedError when there is no more use in it.
        """
        backoff, future = Backoff(first=0.1, most=30), first
        while True:
            try:
                return future.result()
            except TransientError as error:
                self._wait(error, backoff)
            self._reopen(backoff)
            future = self.submit(function, *args, **kwargs)

    def _reopen(self, backoff: Backoff) -> None:
        while True:
            try:
                return self.connect()
            except ConfigError as error:
                if not self._was_open:
                    raise
                self._wait(error, backoff)
            except TransientError as error:
                self._wait(error, backoff)

    def _wait(self, error: Exception, backoff: Backoff) -> None:
        title = self.destination.title
        log.warning("%s: %s (trying again)", title, error)
        if self._halt.wait(backoff.step()):
            raise StoppedError from error

    def close(self) -> None:
        self.submit(self.destination.close).result()
        self._thread.shutdown()


class Writers:
    """As many writers as lanes can use."""

    def __init__(self, first: Writer, more: Callable[[], Writer], most: int) -> None:
        self.all = [first]
        self._more = more
        self._most = most
        self._lock = Lock()

    def take(self, epochs: Mapping[str, int]) -> Writer:
        """The one that has the least to do."""
        with self._lock:
            writer = min(self.all, key=lambda writer: writer.busy)
            most = min(self._most, writer.destination.capabilities.writers)
            if writer.busy and len(self.all) < most:
                writer = self._one_more() or writer
            writer.busy += 1
            writer.loader.epochs = epochs
        return writer

    def _one_more(self) -> Writer | None:
        """Another writer; None when the destination gives us no more connections."""
        writer = self._more()
        try:
            writer.connect()
        except (TransientError, ConfigError) as error:
            log.info("no further connection: %s", error)
            self._most = len(self.all)
            writer.close()
            return None
        self.all.append(writer)
        return writer

    def give_back(self, writer: Writer) -> None:
        with self._lock:
            writer.busy -= 1

    def close(self) -> None:
        for writer in self.all:
            writer.close()
