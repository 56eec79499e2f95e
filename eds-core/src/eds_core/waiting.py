"""Waiting longer each time, with jitter, so that many do not return at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import TypeVar

R = TypeVar("R")


class Backoff:
    """Doubling waits from *first* to *most* seconds, each between half and whole."""

    def __init__(self, first: float, most: float) -> None:
        self._first = first
        self._most = most
        self._next = first

    def step(self) -> float:
        """The next wait in seconds."""
        seconds = self._next
        self._next = min(self._most, self._next * 2)
        return seconds * random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret

    def reset(self) -> None:
        self._next = self._first

    async def wait(self) -> None:
        await asyncio.sleep(self.step())


def again(
    work: Callable[[], R],
    after: type[Exception],
    times: int = 8,
    tell: Callable[[], None] = lambda: None,
) -> R:
    """Do *work* until it does not raise *after*; at last let that through.

    Waits more than a second in all, in the thread of the caller. *tell* is called
    before each new try.
    """
    backoff = Backoff(first=0.01, most=1)
    for _ in range(times - 1):
        try:
            return work()
        except after:
            time.sleep(backoff.step())
            tell()
    return work()
