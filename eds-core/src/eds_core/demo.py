"""Run the whole system on this machine: a sandbox shop, the real server, a database."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .destination import Destination, find_driver
from .driver import hookimpl
from .errors import ConfigError
from .plugins import BatchReport
from .sandbox import Sandbox, State
from .server import Exit, Server, ServerOptions

_WINDOW = 5.0  # seconds over which rates and latencies are shown
_FIRST, _MOST = 0.5, 0.99  # the percentiles shown
_AT_ONCE = 0.5  # seconds of the shop's work between two looks at Ctrl-C
_LATE = 30.0  # seconds to wait for the last events


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


@dataclass(frozen=True, slots=True)
class Summary:
    """How a demo ended."""

    exit: Exit
    published: int
    pulse: Pulse
    seconds: float
    expected: dict[str, int] = field(default_factory=dict)  # rows by table, the shop's
    #: Rows by table, the database's; None where rows cannot be counted.
    found: dict[str, int] | None = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the database is as the shop; what cannot be compared got all."""
        if self.found is None:
            return self.pulse.events >= self.published and not self.pulse.quarantined
        return self.expected == self.found


@dataclass(frozen=True, slots=True)
class DemoOptions:
    directory: Path
    url: str
    events: int | None = None
    rate: float = 50.0
    seed: int = 1


async def run_demo(
    options: DemoOptions, pulse: Pulse, on_ready: Callable[[], None]
) -> Summary:
    """Start everything, let the shop work, stop, and compare."""
    async with Sandbox(options.directory, seed=options.seed) as sandbox:
        ready = asyncio.Event()
        server = Server(
            ServerOptions(
                credentials=sandbox.credentials,
                urls=(options.url,),
                servers=(sandbox.url,),
            ),
            [pulse],
            ready.set,
            signals=False,  # the shop has to close first
        )
        serving = asyncio.create_task(server.run())
        await _either(serving, asyncio.create_task(ready.wait()))
        on_ready()
        pulse.started = time.monotonic()
        published = await _work(sandbox, options, pulse, serving)
        seconds = time.monotonic() - pulse.started
        server.stop()
        code = await serving
        expected = _counts(sandbox.shop.state())
        found = await asyncio.to_thread(_rows, options.url, [*expected])
        return Summary(code, published, pulse, seconds, expected, found)


async def _work(
    sandbox: Sandbox, options: DemoOptions, pulse: Pulse, serving: asyncio.Task[Exit]
) -> int:
    """Let the shop publish; return how many events, once all are written."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    published, left = 0, options.events
    while left != 0 and not stop.is_set() and not serving.done():
        count = max(1, int(options.rate * _AT_ONCE))
        count = count if left is None else min(count, left)
        published += await sandbox.run_shop(options.rate, count, remember=False)
        left = None if left is None else left - count
    await pulse.reach(published, _LATE)
    return published


async def _either(serving: asyncio.Task[Exit], other: asyncio.Task[object]) -> None:
    """Wait for *other*, or for the server to end; its failure is raised."""
    await asyncio.wait([serving, other], return_when=asyncio.FIRST_COMPLETED)
    if serving.done() and serving.exception() is not None:
        other.cancel()
        serving.result()


def _counts(state: State) -> dict[str, int]:
    return {table: len(rows) for table, rows in sorted(state.items()) if rows}


def _rows(url: str, tables: list[str]) -> dict[str, int] | None:
    """How many rows each of *tables* has; None where nobody can tell."""
    destination = Destination(find_driver(url)(url))
    destination.open()
    try:
        counts = {table: destination.driver.count(table) for table in tables}
    except ConfigError:
        return None
    finally:
        destination.close()
    return {table: count for table, count in counts.items() if count}
