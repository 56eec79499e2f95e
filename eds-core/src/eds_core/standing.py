"""How a pipeline stands: what it waits for, and what waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import EdsError, coded
from .intake import Intake
from .ledger import Parked
from .positions import Positions
from .repeats import Repeats
from .stream import Feed
from .work import Work


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something does not go on, and what to do about it.

    Not the exception itself: that would keep its batch in memory.
    """

    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """One look at a pipeline."""

    streaming: bool = False  # from ready to stopped
    trouble: Reason | None = None  # why nothing can be written, or why it ended
    nats: str = ""  # why there is no connection to NATS; empty while there is one
    companies: int = 0  # that are ours
    fetched: int = 0  # events that are here and not yet committed
    pending: int = 0  # events that the stream still holds for us
    oldest: int = 0  # NATS time of the oldest uncommitted event, ns; 0: there is none
    parked: Sequence[Parked] = ()
    nats_reconnects: int = 0
    reconnects: int = 0  # to the destination
    attempts: int = 0  # to reach the destination again, which failed
    conflicts: int = 0  # transactions that were done again at once
    freshness: float = 0.0  # seconds that a change may wait for others on purpose


class Standing:
    """What the pipeline notes down while it works, and what its parts know.

    Used in the stream's own thread.
    """

    def __init__(
        self, feed: Feed, intake: Intake, repeats: Repeats, positions: Positions
    ) -> None:
        self._feed = feed
        self._intake = intake
        self._repeats = repeats
        self._positions = positions
        self.streaming = False
        self.trouble: Reason | None = None
        self.writing: Work | None = None
        self.reconnects = 0
        self.attempts = 0

    def failed(self, error: EdsError) -> None:
        """The destination cannot be written to, or not reached again."""
        self.attempts += self.trouble is not None
        self.ended(error)

    def ended(self, error: EdsError) -> None:
        """It was *error* that ended the stream."""
        self.trouble = Reason(coded(error), error.advice)

    def recovered(self) -> None:
        self.trouble = None
        self.reconnects += 1

    def now(self, conflicts: int = 0, freshness: float = 0.0) -> State:
        """One look: a step for each company, and for each event being written."""
        writing = self.writing.changes if self.writing else ()
        return State(
            streaming=self.streaming,
            trouble=self.trouble,
            nats=self._feed.outage,
            companies=len(self._positions.held),
            fetched=self._intake.waiting + len(writing),
            pending=self._feed.pending,
            oldest=min(self._waiting_since(), default=0),
            parked=self._repeats.parked,
            nats_reconnects=self._feed.reconnects,
            reconnects=self.reconnects,
            attempts=self.attempts,
            conflicts=conflicts,
            freshness=freshness,
        )

    def _waiting_since(self) -> list[int]:
        """NATS times, the oldest among them."""
        lanes = self._intake.lanes.values()
        waiting = (entries for lane in lanes for entries in (lane.held, lane.queue))
        writing = self.writing.changes if self.writing else ()
        return [
            *(entries[0].message.time for entries in waiting if entries),
            *(event.message.time for event, _ in writing),
        ]
