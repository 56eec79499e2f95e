"""When what has arrived is written: at once, or gathered to spare the destination."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .intake import MAX_BYTES, MAX_EVENTS


class Gathering:
    """Lets changes wait for others, but none for longer than *seconds*."""

    def __init__(
        self, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._clock = clock
        self._since: float | None = None  # when the first that waits was seen

    def due(self, events: int, size: int, *, overdue: bool = False) -> bool:
        """Say whether so many *events* of so many bytes shall be written now.

        *overdue* ones have had their wait already, and were held up.
        """
        now = self._clock()
        if events and self._since is None:
            self._since = now
        full = events >= MAX_EVENTS or size >= MAX_BYTES
        if events and not full and not overdue and now < self.until:
            return False
        self._since = None
        return True

    @property
    def until(self) -> float:
        """When, by the clock, the wait of the first is over."""
        return math.inf if self._since is None else self._since + self._seconds
