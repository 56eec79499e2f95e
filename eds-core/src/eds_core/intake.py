"""What has come from the stream and is not yet written: decoded, in order, counted.

Messages are decoded as they arrive, while the destination is busy with the last
batch. Each company has a lane; a lane's events leave it in stream order, except
that events of a table whose schema is still being asked for wait for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

import msgspec

from .decode import decode, decode_usual
from .errors import DecodeError
from .event import ChangeEvent, Message
from .failpoints import reached
from .schema import TableSchema
from .stream import Gap, Heartbeat
from .stream.consumer import Item
from .transforms import Transforms, not_kept, with_data, with_row

log = logging.getLogger("eds.stream")

#: One batch holds at most so many events and bytes.
MAX_EVENTS = 5_000
MAX_BYTES = 16 * 1024 * 1024  # half of what may be under way, see stream.credit

_MODEL = attrgetter("table", "model_version")

Schemas = Callable[[ChangeEvent], TableSchema | None]


class Entry(msgspec.Struct, gc=False, eq=False):
    """A message and what it holds: an event, or the reason why not."""

    message: Message
    event: ChangeEvent | None = None
    error: DecodeError | None = None
    schema: TableSchema | None = None

    @property
    def is_left_out(self) -> bool:
        """Whether it is passed over: nothing of it is wanted."""
        return self.event is None and self.error is None


@dataclass(slots=True)
class Taken:
    """What one batch is made of, and how far it brings each company."""

    entries: list[Entry] = field(default_factory=list)
    companies: set[str] = field(default_factory=set)  # that wanted entries are of
    reached: dict[str, tuple[int, int]] = field(default_factory=dict)  # sequence, time
    size: int = 0


def transform(entry: Entry, transforms: Transforms) -> None:
    """Make of *entry* what plugins want of it. Raises ConfigError.

    A row that is not wanted leaves an entry that is left out.
    """
    event, schema = entry.event, entry.schema
    if entry.error is not None or event is None or schema is None:
        return
    known = transforms.of(schema)
    try:
        entry.event = event = known.event(event)
    except DecodeError as error:
        entry.error = error
        return
    entry.schema = known.table
    if event is not None:
        entry.message = event.message


def _withhold(entry: Entry, error: DecodeError) -> None:
    """Keep of *entry* the reason alone: it may hold what nobody could take out."""
    entry.error = not_kept(error)
    if entry.event is None:
        entry.message = with_data(entry.message, b"")
    else:
        entry.event = with_row(entry.event, b"")
        entry.message = entry.event.message


class Lane:
    """One company's entries that are not yet written."""

    def __init__(self, after: int, time: int = 0) -> None:
        self.queue: deque[Entry] = deque()
        self.held: deque[Entry] = deque()  # in front of the queue, schema awaited
        self.passed = (after, time)  # everything up to here was examined
        self.heartbeat = after  # everything up to here has been handed on

    def __len__(self) -> int:
        return len(self.queue) + len(self.held)

    def take(self, taken: Taken, schemas: Schemas, events: int, size: int) -> None:
        """Move at most *events* and about *size* bytes into *taken*."""
        blocked: set[str] = set()
        waiting, self.held = self.held, deque()
        limit = len(taken.entries) + events, taken.size + size
        for entry in self._examined(waiting, taken, limit):
            if self._must_wait(entry, schemas, blocked):
                self.held.append(entry)
            else:
                taken.entries.append(entry)
                taken.size += entry.message.size
        self.held.extend(waiting)

    def _examined(
        self, waiting: deque[Entry], taken: Taken, limit: tuple[int, int]
    ) -> Iterator[Entry]:
        (most, size), entries, queue = limit, taken.entries, self.queue
        last = None
        while len(entries) < most and taken.size < size:
            if waiting:
                yield waiting.popleft()
            elif queue:
                last = queue.popleft()
                yield last
            else:
                break
        if last is not None:
            self.passed = last.message.sequence, last.message.time

    @staticmethod
    def _must_wait(entry: Entry, schemas: Schemas, blocked: set[str]) -> bool:
        """Whether *entry* waits for a schema, or behind one of its table that does."""
        event = entry.event
        if event is None:
            return False
        if event.table in blocked:
            return True
        try:
            entry.schema = schemas(event)
        except DecodeError as error:
            entry.error = error
            return False
        if entry.schema is None:
            blocked.add(event.table)
        return entry.schema is None

    @property
    def reached(self) -> tuple[int, int]:
        """Up to here nothing is left in this lane: sequence and NATS time."""
        if self.held:
            first = self.held[0].message
            return first.sequence - 1, min(first.time, self.passed[1] or first.time)
        if not self.queue and self.heartbeat > self.passed[0]:
            return self.heartbeat, self.passed[1]
        return self.passed


class Intake:
    """The lanes of all companies, and fair batches out of them."""

    def __init__(
        self,
        watch: Callable[[Message], None] | None = None,
        arrived: asyncio.Event | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        self.lanes: dict[str, Lane] = {}
        self.arrived = arrived or asyncio.Event()
        self.gaps: list[Gap] = []
        self._met: dict[tuple[str, str], ChangeEvent] = {}
        self._watch = watch  # sees each message that is taken (--dump-dir)
        self._transforms = transforms

    def open_lane(self, company: str, after: int, time: int = 0) -> None:
        """Expect *company*'s messages behind *after*; forget what was there."""
        self.lanes[company] = Lane(after, time)

    def drop_lane(self, company: str) -> int:
        """Forget *company*; return how many bytes that frees."""
        lane = self.lanes.pop(company, None)
        if lane is None:
            return 0
        return sum(e.message.size for e in (*lane.held, *lane.queue))

    @property
    def waiting(self) -> int:
        """How many messages are not yet taken."""
        return sum(map(len, self.lanes.values()))

    def met(self) -> list[ChangeEvent]:
        """An event of each table and model version that came since the last call."""
        events = [*self._met.values()]
        self._met.clear()
        return events

    @property
    def holds(self) -> bool:
        """Whether some were to be taken and could not: their schema is awaited."""
        return any(lane.held for lane in self.lanes.values())

    def examined(self, company: str) -> int:
        """The sequence up to which this company's messages have left, or wait."""
        lane = self.lanes.get(company)
        return 0 if lane is None else lane.passed[0]

    def tell_gaps(self) -> None:
        """Say what the stream no longer holds; it is never skipped in silence."""
        while self.gaps:
            gap = self.gaps.pop()
            log.error(
                "up to %d events (of all companies) before sequence %d are gone from "
                "the stream: company %s was away for too long. An import with --prune "
                "heals this.",
                gap.missing,
                gap.first,
                gap.company,
            )

    def put(self, items: Sequence[Item]) -> None:
        """Take what the stream hands on at once, all of it of one company."""
        lane = self.lanes[items[0].company]
        reached("decode.before")
        messages: list[Message] = []
        for item in items:
            match item:
                case Message():
                    messages.append(item)
                case Heartbeat():
                    lane.heartbeat = item.sequence
                case Gap():
                    self.gaps.append(item)
        lane.queue.extend(self._entries(messages))
        reached("decode.after")
        self.arrived.set()

    def _entries(self, messages: Sequence[Message]) -> Iterable[Entry]:
        """What *messages* hold; one by one only if one of them is odd."""
        drops = self._transforms.drops if self._transforms else None
        if drops is None or not any(drops(message.table) for message in messages):
            events = decode_usual(messages)
            if events is not None:
                self._met.update(zip(map(_MODEL, events), events, strict=True))
                return map(Entry, messages, events)
        return map(self._entry, messages)

    def _entry(self, message: Message) -> Entry:
        entry = Entry(message)
        if self._transforms is not None and self._transforms.drops(message.table):
            return entry
        try:
            entry.event = event = decode(message)
            if (grown := len(event.after) - len(message.data)) > 0:
                message.size += grown
            self._met[_MODEL(event)] = event
        except DecodeError as error:
            entry.error = error
        return entry

    def take(self, schemas: Schemas) -> Taken:
        """A batch: a fair share of every lane, in stream order within each."""
        taken = Taken()
        self._met.clear()
        lanes = [(name, lane) for name, lane in sorted(self.lanes.items()) if lane]
        for left, (name, lane) in zip(
            range(len(lanes), 0, -1), sorted(lanes, key=_length), strict=True
        ):
            before = len(taken.entries)
            events = (MAX_EVENTS - before) // left
            lane.take(
                taken, schemas, max(1, events), (MAX_BYTES - taken.size) // left + 1
            )
            if len(taken.entries) > before:
                taken.companies.add(name)
        taken.reached = {name: lane.reached for name, lane in self.lanes.items()}
        if self._transforms is not None:
            self._transform(taken.entries, self._transforms)
            wanted = (entry for entry in taken.entries if not entry.is_left_out)
            taken.companies = {entry.message.company for entry in wanted}
        if self._watch is not None:
            for entry in taken.entries:
                if not entry.is_left_out:
                    self._watch(entry.message)
        return taken

    @staticmethod
    def _transform(entries: Iterable[Entry], transforms: Transforms) -> None:
        """Before anybody else sees them. Their sizes are counted as they came."""
        for entry in entries:
            transform(entry, transforms)
            if entry.error is not None and transforms.changes:
                _withhold(entry, entry.error)


def _length(lane: tuple[str, Lane]) -> int:
    return len(lane[1])
