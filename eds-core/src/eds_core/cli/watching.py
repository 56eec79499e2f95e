"""``--live``: how the server is doing, on the terminal that it runs in."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.live import Live

from eds_core.console import logged_above
from eds_core.live import view
from eds_core.pulse import Pulse
from eds_core.server import Exit, Server, ServerOptions, spare_the_collector

_EVERY = 0.5  # seconds between two frames


def serve_and_show(options: ServerOptions, plugins: Sequence[object]) -> Exit:
    """Run a server to its end, below what it logs a view of it."""
    spare_the_collector()
    return asyncio.run(_run(options, plugins))


async def _run(options: ServerOptions, plugins: Sequence[object]) -> Exit:
    pulses = [Pulse() for _ in options.urls]
    server = Server(options, plugins, observers=pulses)
    # A log that goes to a file stays there.
    with Live(auto_refresh=False, redirect_stderr=sys.stderr.isatty()) as live:
        live.console.show_cursor()  # who is killed cannot put it back
        showing = asyncio.create_task(_show(live, server, pulses))
        try:
            with logged_above():
                return await server.run()
        finally:
            showing.cancel()
            await asyncio.gather(showing, return_exceptions=True)
            live.update(_frame(server, pulses), refresh=True)


async def _show(live: Live, server: Server, pulses: Sequence[Pulse]) -> None:
    while True:
        # Drawn elsewhere: a terminal may be slow, or held by Ctrl-S.
        frame = _frame(server, pulses)
        await asyncio.to_thread(live.update, frame, refresh=True)
        await asyncio.sleep(_EVERY)


def _frame(server: Server, pulses: Sequence[Pulse]) -> RenderableType:
    """All destinations, one below the other; none while the server starts."""
    return Group(
        *(
            view(pulse, each.name, [f"{r.text}. {r.advice}" for r in each.reasons])
            for pulse, each in zip(pulses, server.snapshot.views, strict=False)
        )
    )
