"""What is being written, as it goes: rates, latencies, rows by table."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress

from .driver import hookimpl
from .plugins import BatchReport

_WINDOW = 5.0  # seconds over which rates and latencies are shown


class Pulse:
    """Watches what the server writes, for the live view and the summary."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.events = 0
        self.batches = 0
        self.quarantined = 0
        self.pending = 0
        self.rows: Counter[str] = Counter()  # changed, by table
        self.latencies: deque[float] = deque(maxlen=100_000)
        self._beat = asyncio.Event()
        self._recent: deque[tuple[float, int, tuple[float, ...]]] = deque()

    @hookimpl
    def batch_written(self, report: BatchReport) -> None:
        self.events += report.events
        self.batches += 1
        self.quarantined += report.quarantined
        self.pending = report.pending
        self.rows.update(report.rows)
        self.latencies.extend(report.latencies)
        self._recent.append((time.monotonic(), report.events, report.latencies))
        self._beat.set()

    @property
    def rate(self) -> float:
        """Events per second over the last seconds."""
        self._forget()
        window = min(_WINDOW, time.monotonic() - self.started)
        return sum(count for _, count, _ in self._recent) / max(window, 0.1)

    def latency(self, share: float, *, recent: bool = True) -> float | None:
        """Seconds from publishing to commit that *share* of the events stay below."""
        self._forget()
        values = (
            sorted(value for _, _, some in self._recent for value in some)
            if recent
            else sorted(self.latencies)
        )
        return (
            values[min(len(values) - 1, int(len(values) * share))] if values else None
        )

    async def reach(self, events: int, seconds: float) -> None:
        """Wait until so many events are written, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.events < events:
                    self._beat.clear()
                    await self._beat.wait()

    def _forget(self) -> None:
        while self._recent and self._recent[0][0] < time.monotonic() - _WINDOW:
            self._recent.popleft()
