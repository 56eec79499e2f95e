"""A shop that works at a given rate, and what its tables must hold then.

To make an event takes longer than the server takes to write it. So a shop's day is
made once and then lived over and over, each time with later versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count, islice

from bench.events import STEP, bench_models, generate, version_of
from eds_core.sandbox import Sandbox, ShopEvent, State, fold

DAY = 40_000  # events
LONGER_THAN_A_DAY = 2 * DAY * STEP  # nanoseconds
MOST_AT_ONCE = 1000
PAUSE = 0.02


class Load:
    """Publishes changes of a bounded number of rows, for as long as one likes."""

    def __init__(self, sandbox: Sandbox, seed: int) -> None:
        self._sandbox = sandbox
        self._events = _days(list(islice(generate(seed), DAY)))
        self._decides: dict[tuple[str, tuple[str, ...]], ShopEvent] = {}
        self.count = 0
        #: The sequence of the last event in the stream.
        self.sequence = 0
        for model in bench_models().values():
            sandbox.use(model)

    async def publish(self, number: int) -> None:
        """Publish so many events, a third of them zipped, whatever NATS does."""
        events = list(islice(self._events, number))
        sequences = await self._sandbox.publish_many(events, gzip_share=0.3)
        self.sequence = max(self.sequence, *sequences)
        self.count += number
        # Versions only rise: of each row, the event made last is the one that decides.
        self._decides |= {(event.table, event.key): event for event in events}

    async def publish_for(self, seconds: float, rate: float) -> None:
        """Publish *rate* events a second; what a dead NATS held up is made good."""
        clock = asyncio.get_running_loop().time
        begun, done = clock(), 0
        while (now := clock() - begun) < seconds:
            due = min(int(now * rate) - done, MOST_AT_ONCE)
            if due <= 0:
                await asyncio.sleep(PAUSE)
                continue
            await self.publish(due)
            done += due

    def expected(self) -> State:
        """The fold of all events so far."""
        return fold(self._decides.values())


def _days(day: Sequence[ShopEvent]) -> Iterator[ShopEvent]:
    """The same day for ever; every event is a new one, later than all before it."""
    for number in count():
        for event in day:
            yield _later(event, number)


def _later(event: ShopEvent, days: int) -> ShopEvent:
    old = version_of(event)
    wall, _, counter = old.partition(".")
    new = f"{int(wall) + days * LONGER_THAN_A_DAY}.{counter}"
    payload = event.payload.replace(old.encode(), new.encode(), 1)
    return replace(event, id=f"{event.id}{days:04x}", payload=payload)
