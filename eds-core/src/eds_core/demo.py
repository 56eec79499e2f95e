"""Run the whole system on this machine: a sandbox shop, the real server, a database."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .destination import Destination, find_driver
from .errors import ConfigError
from .health import HealthOptions
from .pulse import Pulse
from .sandbox import Sandbox, State
from .server import Exit, Server, ServerOptions

_AT_ONCE = 0.5  # seconds of the shop's work between two looks at Ctrl-C
_LATE = 30.0  # seconds to wait for the last events


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
    options: DemoOptions, pulse: Pulse, on_ready: Callable[[str], None]
) -> Summary:
    """Start everything, let the shop work, stop, and compare.

    *on_ready* is called once, with the address of the status page.
    """
    async with Sandbox(options.directory, seed=options.seed) as sandbox:
        ready = asyncio.Event()
        server = Server(
            ServerOptions(
                credentials=sandbox.credentials,
                urls=(options.url,),
                servers=(sandbox.url,),
                health=HealthOptions(port=0),
            ),
            [pulse],
            ready.set,
            signals=False,  # the shop has to close first
        )
        serving = asyncio.create_task(server.run())
        await _either(serving, asyncio.create_task(ready.wait()))
        on_ready(server.status_page)
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
