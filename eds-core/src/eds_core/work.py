"""One transaction's worth of changes, made from entries. Pure.

Work can be narrowed and made again: without an event that proved bad, without a
company that was lost, without a table that is parked. What was coalesced away by
a bad event so comes back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import msgspec
from msgspec.structs import astuple

from .batch import Batch, Run
from .errors import DecodeError, EdsError, RejectedError, coded
from .event import ChangeEvent, Key, Message, shown
from .intake import Entry
from .ledger import Move, Parked, Quarantined
from .schema import TableSchema

Change = tuple[ChangeEvent, TableSchema]


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be written, and the steps of the checkpoints that go with it."""

    changes: Sequence[Change]
    moves: Mapping[str, Move]
    quarantine: Mapping[str, Quarantined] = field(default_factory=dict)
    parked: Sequence[Parked] = ()  # rows of the ledger to be written
    unparked: Sequence[tuple[str, str]] = ()  # (table, company) caught up
    replayed: Sequence[str] = ()  # quarantine entries that this work settles
    resuming: Mapping[tuple[str, str], int] = field(default_factory=dict)  # from where

    def without_company(self, company: str) -> Work:
        changes = [c for c in self.changes if c[0].message.company != company]
        left = {str(event.message.sequence) for event, _ in changes}
        return replace(
            self,
            changes=changes,
            replayed=[entry for entry in self.replayed if entry in left],
            moves={k: v for k, v in self.moves.items() if k != company},
            quarantine={
                k: v for k, v in self.quarantine.items() if v.company != company
            },
            parked=[p for p in self.parked if p.company != company],
            unparked=[u for u in self.unparked if u[1] != company],
        )

    def without_table(self, table: str, error: EdsError) -> Work:
        """Park *table* at the first of its events, per company.

        One that is being read again already is parked where that has come to. What
        comes from the quarantine returns to it: the stream may no longer have it.
        """
        mine = [event.message for event, _ in self.changes if event.table == table]
        if self.replayed:
            return self.without_events({m.sequence: error for m in mine})
        first: dict[str, int] = {}
        for message in mine:
            company, sequence = message.company, message.sequence
            known = first.get(company, self.resuming.get((table, company), sequence))
            first[company] = min(sequence, known)
        parked = [
            Parked(table, company, sequence, coded(error), error.advice)
            for company, sequence in sorted(first.items())
        ]
        return replace(
            self,
            changes=[c for c in self.changes if c[0].table != table],
            parked=[
                *(p for p in self.parked if p.table != table or p.company not in first),
                *parked,
            ],
            unparked=[u for u in self.unparked if u[0] != table or u[1] not in first],
        )

    def without_events(self, bad: Mapping[int, EdsError]) -> Work:
        """Put the events with these sequences into quarantine."""
        entries = {
            (q := quarantined(event.message, error, event)).id: q
            for event, _ in self.changes
            if (error := bad.get(event.message.sequence)) is not None
        }
        return replace(
            self,
            changes=[c for c in self.changes if c[0].message.sequence not in bad],
            quarantine={**self.quarantine, **entries},
            replayed=[i for i in self.replayed if i not in entries],
        )


def quarantined(
    message: Message, error: EdsError, event: ChangeEvent | None = None
) -> Quarantined:
    """The quarantine's entry for *message*: what, why, and what to do."""
    return Quarantined(
        id=str(message.sequence),
        company=message.company,
        table=event.table if event else message.table,
        event_id=event.id if event else message.id,
        message=message,
        reason=coded(error),
        advice=error.advice,
    )


def make_work(
    entries: Iterable[Entry],
    moves: Mapping[str, Move],
    skip: Iterable[tuple[str, str]] = (),
) -> Work:
    """Sort *entries* into changes and quarantine; pass over (table, company)s."""
    skipped = frozenset(skip)
    changes: list[Change] = []
    bad: dict[str, Quarantined] = {}
    for entry in entries:
        event, message = entry.event, entry.message
        if event and skipped and (event.table, message.company) in skipped:
            continue
        if entry.error is not None:
            bad[str(message.sequence)] = quarantined(message, entry.error, event)
        elif event is not None and entry.schema is not None:
            changes.append((event, entry.schema))
    return Work(changes, moves, bad)


def coalesce(work: Work) -> tuple[Work, Batch]:
    """Reduce *work* to the last word per key, and quarantine what cannot be.

    An event whose key does not fit its table, or does not agree with its own row,
    is left out and the rest is made again.
    """
    while True:
        batch, bad = Batch(), dict[int, EdsError]()
        for event, table in work.changes:
            try:
                batch.add(event, table)
            except DecodeError as error:
                bad[event.message.sequence] = error
        for runs in batch.runs.values():
            for run in runs:
                bad.update(disagreeing(run))
        if not bad:
            return work, batch
        work = work.without_events(bad | _hidden(work, bad))


def _hidden(work: Work, bad: Mapping[int, EdsError]) -> dict[int, EdsError]:
    """Events behind the *bad* ones that disagree too: all at once, not one by one."""
    rows = {
        (event.table, tuple(event.raw_key))
        for event, _ in work.changes
        if event.message.sequence in bad
    }
    found: dict[int, EdsError] = {}
    readers: dict[TableSchema, KeyReader] = {}
    for event, table in work.changes:
        if (event.table, tuple(event.raw_key)) not in rows or event.deletes:
            continue
        if event.message.sequence in bad:
            continue
        reader = readers.get(table) or readers.setdefault(table, KeyReader(table))
        error = reader.check(event.key(table), event.after)
        if error is not None:
            found[event.message.sequence] = error
    return found


def disagreeing(run: Run) -> dict[int, EdsError]:
    """Rows whose own key columns say something else than the event's key."""
    reader = KeyReader(run.table)
    bad: dict[int, EdsError] = {}
    for key, event in run.written:
        if (error := reader.check(key, event.after)) is not None:
            bad[event.message.sequence] = error
    return bad


class KeyReader:
    """Reads just the key columns out of rows of one table."""

    def __init__(self, table: TableSchema) -> None:
        self._table = table
        self._decode = _key_decoder(table.key).decode

    def check(self, key: Key, after: bytes | msgspec.Raw) -> EdsError | None:
        """Say in what the row *after* disagrees with its *key*, or None."""
        try:
            values = astuple(self._decode(after))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            return RejectedError(f"the row is not valid JSON: {error}")
        if values == key:
            return None
        found = tuple(map(_text, values))
        return None if found == key else self._differs(key, found)

    def _differs(self, key: Key, found: tuple[str | None, ...]) -> EdsError:
        columns = ", ".join(self._table.key)
        return DecodeError(
            f"the event's key {shown(key)} and its row's {columns} "
            f"{shown(found)} do not agree"
        )


@lru_cache(maxsize=512)  # making one costs more than decoding 100 rows
def _key_decoder(key: Key) -> msgspec.json.Decoder[msgspec.Struct]:
    names = [f"k{index}" for index in range(len(key))]
    struct = msgspec.defstruct(
        "Key",
        [(name, object, None) for name in names],
        rename=dict(zip(names, key, strict=True)),
        gc=False,
    )
    return msgspec.json.Decoder(struct)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) or value is None else str(value)
