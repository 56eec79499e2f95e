"""What EDS remembers in a destination: positions, quarantine, table states.

The contract only; ``sql.ledger`` keeps it in any SQL database.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import Literal

from .errors import FatalError
from .event import Message

Role = Literal["server", "import"]
#: How a step of a table's change stands. What a dead process has left as begun was not
#: done where tables change in transactions, and elsewhere it may have been.
Outcome = Literal["waiting", "begun", "done", "failed", "overtaken"]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to *sequence*, everything of *company* is in this destination."""

    company: str
    sequence: int
    time: int  # NATS time of the last message covered, nanoseconds since 1970
    account: str
    stream: str
    prefix: str
    epoch: int = 0
    owner: str = ""
    role: Role = "server"
    #: When it moved or was claimed, ISO 8601 in UTC; for people, not compared.
    updated: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Move:
    """A step of one company's checkpoint, owned under *epoch*."""

    company: str
    epoch: int
    old: int
    new: int
    time: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A message that could not be applied, kept whole."""

    id: str
    company: str
    table: str
    event_id: str
    message: Message
    reason: str
    advice: str = ""
    state: Literal["quarantined", "retry"] = "quarantined"
    at: str = ""  # when, ISO 8601 in UTC


@dataclass(frozen=True, slots=True)
class QuarantineGroup:
    """Quarantined messages of one table that have one reason."""

    company: str
    table: str
    state: str
    reason: str
    advice: str
    count: int
    first: str  # when the first and the last of them came, ISO 8601 in UTC
    last: str


@dataclass(frozen=True, slots=True)
class Parked:
    """A table left out from *sequence* on, to be read again from the stream."""

    table: str
    company: str
    sequence: int  # the first one not applied
    reason: str
    advice: str = ""
    resume: bool = False  # `eds resume` has asked for it


@dataclass(frozen=True, slots=True)
class TableStatus:
    """How fresh a table is."""

    table: str
    company: str
    state: str = "ok"
    reason: str = ""
    last_event: int = 0  # NATS time of the newest event applied, nanoseconds
    lag: float = 0.0  # seconds from publishing to commit, at the last commit
    rows: int = 0  # rows written and deleted since the table was first seen
    updated: str = ""


@dataclass(frozen=True, slots=True)
class SchemaStep:
    """Statements that change one of the shop's tables, as one step: run, or waiting."""

    id: str
    table: str
    statement: str  # several of them with a semicolon between
    outcome: Outcome
    actor: str = ""  # who: server, import or apply, and where
    version: str = ""  # of eds-core
    at: str = ""  # when it began, or has begun to wait, ISO 8601 in UTC
    ended: str = ""  # as well
    error: str = ""
    model: str = ""  # of one that waits: what the table has to hold, as JSON


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An import's sign of life."""

    company: str
    owner: str
    age: float  # seconds since the last one, by the destination's own clock


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """How far one file of an import has come."""

    id: str  # what its content, its table and its version are told by
    table: str
    name: str
    offset: int = 0  # bytes of the unpacked file that are in the destination
    line: int = 0  # as many lines
    done: bool = False
    read: int = 0  # rows
    inserted: int = 0
    updated: int = 0
    quarantined: int = 0
    deleted: int = 0  # rows of its table that it does not have


def _group(entries: Sequence[Quarantined]) -> QuarantineGroup:
    one, times = entries[0], [entry.at for entry in entries]
    return QuarantineGroup(
        one.company,
        one.table,
        one.state,
        one.reason,
        one.advice,
        len(times),
        min(times),
        max(times),
    )


def row_gone(company: str) -> FatalError:
    """The checkpoint of *company* was deleted by somebody."""
    return FatalError(
        f"the checkpoint of company {company} is gone from _eds_checkpoint",
        advice="restore the table; without it EDS cannot know where to go on",
        code="E2008",
    )


class Ledger(ABC):
    """Positions, quarantine and table states, in the destination itself.

    ``claim``, ``reclaim`` and ``establish`` are transactions of their own. The
    other writes belong to the transaction that is open, so that they stand or
    fall with the rows. Used from the driver's one thread.
    """

    @abstractmethod
    def create(self) -> None:
        """Make the ``_eds_`` tables. Tables that exist are no error."""

    @abstractmethod
    def checkpoints(self) -> dict[str, Checkpoint]:
        """Every company's checkpoint; empty when nothing was ever written.

        Changes nothing, and needs no ``create`` before it.
        """

    @abstractmethod
    def establish(self, checkpoint: Checkpoint) -> None:
        """Commit a company's first position. A row that exists is left alone."""

    @abstractmethod
    def claim(self, company: str, owner: str, role: Role) -> Checkpoint | None:
        """Become the one writer of *company*: epoch + 1. None without a row."""

    @abstractmethod
    def reclaim(self, company: str, epoch: int, owner: str) -> Checkpoint:
        """After a lost connection: epoch + 1 where the epoch is still ours.

        Waits for our own zombie transaction and fences it. Raises TakenOver when
        the epoch is higher; claims anew when it is lower (a restored copy).
        FatalError when the row is gone.
        """

    @abstractmethod
    def advance(self, moves: Sequence[Move]) -> None:
        """Compare-and-set each checkpoint, in the order given.

        The first statement of a transaction. Raises TakenOver, PositionMoved, or
        FatalError when a row is gone; then nothing may be written.
        """

    @abstractmethod
    def quarantine(self, entries: Sequence[Quarantined]) -> None:
        """Keep *entries*; one that is there already (same id) is replaced."""

    @abstractmethod
    def quarantined(
        self,
        *,
        ids: Iterable[str] | None = None,
        state: str | None = None,
        after: int = -1,
        most: int | None = None,
    ) -> list[Quarantined]:
        """Entries in stream order; empty when there is no quarantine yet.

        At *most* so many of those behind the sequence *after*: they hold messages.
        """

    def quarantine_groups(self) -> list[QuarantineGroup]:
        """The quarantine by table and reason, without the messages; changes nothing."""
        kind = attrgetter("company", "table", "state", "reason", "advice")
        groups = groupby(sorted(self.quarantined(), key=kind), key=kind)
        return [_group([*entries]) for _, entries in groups]

    @abstractmethod
    def set_quarantine_state(self, ids: Iterable[str], state: str) -> int:
        """Mark entries, in a transaction of its own; return how many there were."""

    @abstractmethod
    def drop_quarantined(self, ids: Iterable[str]) -> int:
        """Forget entries; return how many there were."""

    @abstractmethod
    def park(self, entries: Sequence[Parked]) -> None:
        """Park tables, or move the position of parked ones (same table, company).

        Only an entry that resumes moves it forward; parked again while it resumes,
        a table keeps the earlier position.
        """

    @abstractmethod
    def unpark(self, table: str, company: str) -> None:
        """The table is up to the checkpoint again."""

    @abstractmethod
    def parked(self) -> list[Parked]:
        """All parked tables; empty when there are none or nothing exists yet."""

    @abstractmethod
    def request_resume(self, table: str) -> int:
        """Ask the writer to continue *table*; return how many rows were parked."""

    @abstractmethod
    def report(self, statuses: Mapping[tuple[str, str], TableStatus]) -> None:
        """Record freshness by (table, company); ``rows`` are added to what is there."""

    @abstractmethod
    def statuses(self) -> list[TableStatus]:
        """Every table's freshness."""

    def missing(self) -> Sequence[str]:
        """The statements that ``create`` would run now, as far as it can be told."""
        return ()

    def schema_steps(
        self, *, outcome: Outcome | None = None, most: int | None = None
    ) -> list[SchemaStep]:
        """What was done to the shop's tables or waits, newest first; changes nothing.

        Of all outcomes, or of one; at *most* so many.
        """
        del outcome, most
        return []

    def record_step(self, step: SchemaStep) -> None:
        """Keep *step*; one that is there already (same id) is replaced."""
        del step

    def forget_waiting(self, table: str) -> None:
        """Nothing waits for *table* any more."""
        del table

    def hold(self, epochs: Mapping[str, int]) -> None:
        """See that each company is ours under its epoch, and stays so.

        The first statement of an import's transaction; nobody can claim one of them
        before its end. Raises TakenOver, or FatalError when a row is gone.
        """
        del epochs

    def beat(self, epochs: Mapping[str, int]) -> None:
        """Give a sign of life of an import, in a transaction of its own.

        Claiming with the role import gives the first. Raises what ``hold`` does.
        """
        del epochs

    def release(self, epochs: Mapping[str, int]) -> None:
        """The import has ended: the companies that are still ours are free."""
        del epochs

    def heartbeats(self) -> list[Heartbeat]:
        """The imports that have not ended, alive or not; changes nothing."""
        return []

    def imported_files(self) -> dict[str, ImportedFile]:
        """The files of imports that have not ended, by id."""
        return {}

    def record_file(self, file: ImportedFile) -> None:
        """Remember how far *file* has come, in the transaction that is open."""
        del file

    def forget_files(self, ids: Iterable[str]) -> None:
        """The import has ended; begun again, it would read the files anew."""
        del ids
