"""A line each minute in the place of one for each event."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from .meter import Totals
from .snapshot import View

log = logging.getLogger("eds")

_EVERY = 60.0  # seconds


class Minutes:
    """Says what each destination was given in the last minute, if there was any."""

    def __init__(self, now: float) -> None:
        self._next = now + _EVERY
        self._before: dict[str, Totals] = {}

    def look(self, views: Sequence[View], now: float) -> None:
        """To be called more often than once a minute, with the time of day."""
        if now < self._next:
            return
        self._next = now + _EVERY
        for view in views:
            before = self._before.get(view.name, Totals())
            if line := describe(view, before, now):
                log.info("%s%s", f"{view.name}: " if len(views) > 1 else "", line)
            self._before[view.name] = view.totals


def describe(view: View, before: Totals, now: float) -> str:
    """One line; empty when nothing was written and nothing waits."""
    totals = view.totals
    events = totals.events - before.events
    if not events and not view.behind:
        return ""
    parts = [f"{events:,} events in the last minute"]
    for share, words in ((0.5, "half"), (0.99, "99 of 100")):
        if within := totals.latency.within(share, before.latency):
            parts.append(f"{words} {within}")
    quarantined = totals.quarantined.total() - before.quarantined.total()
    if quarantined:
        parts.append(f"{quarantined:,} quarantined")
    if view.behind:
        parts.append(f"{view.behind:,} waiting, the oldest for {view.lag(now):.0f} s")
    return ", ".join(parts)
