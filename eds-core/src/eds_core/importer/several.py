"""Imports into several destinations side by side, until all have ended."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from eds_core.credentials import read_credentials
from eds_core.errors import EdsError, told
from eds_core.urls import redact

from .options import ImportOptions, Outcome
from .run import Import
from .tally import Tally

log = logging.getLogger("eds.import")

_MANY = 50_000  # objects between two searches for cycles


class Imports:
    """One for each of *several*: a destination that is away holds no other.

    Raises ConfigError for a URL or credentials that nothing can be done with.
    """

    def __init__(
        self, several: Sequence[ImportOptions], plugins: Iterable[object] = ()
    ) -> None:
        plugins = tuple(plugins)
        self._several = several
        self._imports = [Import(options, plugins) for options in several]

    @property
    def tallies(self) -> list[tuple[str, Tally]]:
        """How far each has come, by the destination's URL as it may be shown."""
        pairs = zip(self._several, self._imports, strict=True)
        return [(redact(options.url), one.tally) for options, one in pairs]

    async def run(self) -> list[Outcome | EdsError]:
        """How each has ended, in their order."""
        self._warn()
        with suppress(NotImplementedError):  # Windows
            self._on_signals()
        with _rare_collections():
            return await asyncio.gather(*map(self._one, self._several, self._imports))

    async def _one(self, options: ImportOptions, running: Import) -> Outcome | EdsError:
        try:
            return await running.run()
        except EdsError as error:
            if len(self._several) > 1:  # the others go on, and are told of last
                log.error("%s: %s", redact(options.url), told(error))  # noqa: TRY400 - a sentence
            return error

    def _warn(self) -> None:
        """Credentials may be near their end."""
        for path in dict.fromkeys(options.credentials for options in self._several):
            if path is not None:
                for warning in read_credentials(path).warnings(datetime.now(UTC)):
                    log.warning("%s", warning)

    def _on_signals(self) -> None:
        loop = asyncio.get_running_loop()
        numbers = signal.SIGINT, signal.SIGTERM

        def stop(number: signal.Signals) -> None:
            log.info("%s: finishing what is being written", number.name)
            for other in numbers:  # a second one ends at once, as a crash does
                loop.remove_signal_handler(other)
                signal.signal(other, signal.SIG_DFL)
            for running in self._imports:
                running.stop()

        for number in numbers:
            loop.add_signal_handler(number, stop, number)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Rows come by the thousand and hold no cycles: look for these less often."""
    first, *others = gc.get_threshold()
    gc.set_threshold(max(first, _MANY), *others)
    try:
        yield
    finally:
        gc.set_threshold(first, *others)
