"""How everything stands at one moment. Made once a second, never changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from eds_core.standing import Reason, State

from .meter import Totals
from .problems import Problem


@dataclass(frozen=True, slots=True)
class Sample:
    """One second of the chart."""

    at: float  # seconds since 1970
    rate: float  # events per second
    half: float | None = None  # seconds that half of the events needed at most
    most: float | None = None  # that 99 of 100 needed at most


@dataclass(frozen=True, slots=True)
class View:
    """One destination."""

    name: str
    title: str
    state: State = field(default_factory=State)
    totals: Totals = field(default_factory=Totals)

    @property
    def reasons(self) -> list[Reason]:
        """Why it is not ready; empty when it is."""
        found, state, who = [], self.state, f"{self.title} ({self.name})"
        if (trouble := state.trouble) is not None:
            what = "cannot be written to" if state.streaming else "has stopped"
            found.append(Reason(f"{who} {what}: {trouble.text}", trouble.advice))
        elif not state.streaming:
            found.append(Reason(f"{who} is not streaming"))
        if state.streaming and state.nats:
            found.append(Reason(f"no connection to NATS: {state.nats}", _NATS))
        return found

    @property
    def behind(self) -> int:
        """Events that are not yet committed, as far as is known."""
        return self.state.fetched + self.state.pending

    def lag(self, now: float) -> float:
        """Seconds since the oldest event that is not yet committed was published."""
        since = self.state.oldest
        if not since and self.state.pending:  # still in the stream: no younger than
            since = max((t.last_event for t in self.totals.tables.values()), default=0)
        return max(0.0, now - since / 1e9) if since else 0.0


_NATS = (
    "EDS tries again for ever; if it lasts, check the network and the firewall "
    "(outgoing TCP port 4222)"
)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All of it."""

    at: float  # seconds since 1970
    started: float
    views: Sequence[View] = ()
    samples: Sequence[Sample] = ()
    problems: Sequence[Problem] = ()
    expires: float = math.inf  # when the credentials do, seconds since 1970

    @property
    def reasons(self) -> list[Reason]:
        """Why EDS is not ready; empty when it is. What all destinations say, once."""
        found = [reason for view in self.views for reason in view.reasons]
        return list(dict.fromkeys(found)) if self.views else [Reason("starting")]

    @property
    def behind(self) -> int:
        return max((view.behind for view in self.views), default=0)

    @property
    def lag(self) -> float:
        """Of the destination that is furthest behind, in seconds."""
        return max((view.lag(self.at) for view in self.views), default=0.0)
