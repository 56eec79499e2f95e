"""What the constants of the stream are good for: each changed, beside all as it is.

Nobody has to tune anything: batches grow with what waits. These are the bounds that
they grow to, and what is under way from NATS. Each way is a server that catches up on
the same stream as in `stream`, with one of them changed before it starts.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from bench import stream
from bench.report import report
from bench.rounds import paired, speed_ratio

AS_IT_IS = "as it is"


def batches(events: int) -> str:
    return (
        "import eds_core.intake as intake\n"
        f"intake.MAX_EVENTS, intake.MAX_BYTES = {events}, {events} * 4096"
    )


CHANGES = {
    **{f"batches of {n:,} events": batches(n) for n in (100, 500, 2_000, 8_000)},
    "4 MiB under way": (
        "from eds_core.stream.credit import Pool\n"
        "Pool.__init__.__defaults__ = (4 << 20, 1)"
    ),
    "pulls of 100 messages": (
        "import eds_core.stream.credit as credit\ncredit._MESSAGES = 100"
    ),
    "nats-py's own reader": (
        "from functools import partial\n"
        "import eds_core.server as server\n"
        "server.Settings = partial(server.Settings, fast=False)"
    ),
}


def add_options(parser: argparse.ArgumentParser) -> None:
    stream.add_options(parser)


async def run(options: argparse.Namespace) -> None:
    await compare("tuning", CHANGES, options)


async def compare(
    name: str, changes: Mapping[str, str], options: argparse.Namespace
) -> None:
    """Catch up with each of *changes*, in turn with EDS as it is."""
    async with stream.racing(options) as race:
        ways = {way: partial(race.eds, change) for way, change in changes.items()}
        runs = await paired(options.runs, {AS_IT_IS: race.eds, **ways})
    as_it_is = runs[AS_IT_IS]
    found = {f"{way} / {AS_IT_IS}": speed_ratio(runs[way], as_it_is) for way in changes}
    report(name, options, runs, found, race.facts())
    race.check()
