"""Positions, quarantine and table states in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, cast

from eds_core.errors import PositionMoved, TakenOver
from eds_core.ledger import (
    Checkpoint,
    Ledger,
    Move,
    Parked,
    Quarantined,
    Role,
    TableStatus,
    row_gone,
)

from .store import Session, State


class MemoryLedger(Ledger):
    """The contract in its shortest form."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._roles: dict[str, Role] = {}

    def create(self) -> None:
        """Nothing to make: there are no tables of EDS's own."""

    def checkpoints(self) -> dict[str, Checkpoint]:
        return dict(self._session.state.checkpoints)

    def establish(self, checkpoint: Checkpoint) -> None:
        with self._session.transaction() as state:
            state.checkpoints.setdefault(checkpoint.company, checkpoint)

    def claim(self, company: str, owner: str, role: Role) -> Checkpoint | None:
        self._roles[company] = role
        with self._session.transaction() as state:
            if (found := state.checkpoints.get(company)) is None:
                return None
            return self._take(state, found, found.epoch + 1, owner)

    def reclaim(self, company: str, epoch: int, owner: str) -> Checkpoint:
        with self._session.transaction() as state:
            if (found := state.checkpoints.get(company)) is None:
                raise row_gone(company)
            if found.epoch > epoch:
                raise TakenOver(company, found.owner, found.role)
            return self._take(state, found, epoch + 1, owner)

    def _take(
        self, state: State, found: Checkpoint, epoch: int, owner: str
    ) -> Checkpoint:
        role = self._roles.get(found.company, "server")
        taken = replace(found, epoch=epoch, owner=owner, role=role)
        state.checkpoints[found.company] = taken
        return taken

    def advance(self, moves: Sequence[Move]) -> None:
        with self._session.joined() as state:
            for move in moves:
                found = state.checkpoints.get(move.company)
                if found is None:
                    raise row_gone(move.company)
                if found.epoch > move.epoch:
                    raise TakenOver(move.company, found.owner, found.role)
                if (found.epoch, found.sequence) != (move.epoch, move.old):
                    raise PositionMoved(move.company, found.sequence, move.old)
                moved = replace(found, sequence=move.new, time=move.time)
                state.checkpoints[move.company] = moved

    def quarantine(self, entries: Sequence[Quarantined]) -> None:
        with self._session.joined() as state:
            state.quarantine |= {entry.id: _readable(entry) for entry in entries}

    def quarantined(
        self,
        *,
        ids: Iterable[str] | None = None,
        state: str | None = None,
        after: int = -1,
        most: int | None = None,
    ) -> list[Quarantined]:
        wanted = None if ids is None else set(ids)
        found = [
            entry
            for entry in self._session.state.quarantine.values()
            if (wanted is None or entry.id in wanted)
            and state in (None, entry.state)
            and entry.message.sequence > after
        ]
        found.sort(key=lambda entry: (entry.message.sequence, entry.id))
        return found[:most]

    def set_quarantine_state(self, ids: Iterable[str], state: str) -> int:
        said = cast(Literal["quarantined", "retry"], state)
        with self._session.transaction() as own:
            known = own.quarantine.keys() & set(ids)
            for id_ in known:
                own.quarantine[id_] = replace(own.quarantine[id_], state=said)
            return len(known)

    def drop_quarantined(self, ids: Iterable[str]) -> int:
        with self._session.joined() as state:
            known = state.quarantine.keys() & set(ids)
            for id_ in known:
                del state.quarantine[id_]
            return len(known)

    def park(self, entries: Sequence[Parked]) -> None:
        with self._session.joined() as state:
            for entry in entries:
                place = entry.table, entry.company
                known = state.parked.get(place)
                first = entry.sequence
                if known is not None and not entry.resume:
                    first = min(first, known.sequence)
                state.parked[place] = replace(entry, sequence=first)
                _set_state(state, place, "parked", entry.reason)

    def unpark(self, table: str, company: str) -> None:
        with self._session.joined() as state:
            state.parked.pop((table, company), None)
            _set_state(state, (table, company), "ok", "")

    def parked(self) -> list[Parked]:
        return [entry for _, entry in sorted(self._session.state.parked.items())]

    def request_resume(self, table: str) -> int:
        with self._session.joined() as state:
            known = [place for place in state.parked if place[0] == table]
            for place in known:
                state.parked[place] = replace(state.parked[place], resume=True)
            return len(known)

    def report(self, statuses: Mapping[tuple[str, str], TableStatus]) -> None:
        with self._session.joined() as state:
            for place, new in statuses.items():
                old = state.statuses.get(place, TableStatus(*place))
                timed = new if new.last_event else old
                state.statuses[place] = replace(
                    new,
                    table=place[0],
                    company=place[1],
                    rows=old.rows + new.rows,
                    last_event=timed.last_event,
                    lag=timed.lag,
                )

    def statuses(self) -> list[TableStatus]:
        return [status for _, status in sorted(self._session.state.statuses.items())]


def _set_state(
    state: State, place: tuple[str, str], said: Literal["ok", "parked"], reason: str
) -> None:
    known = state.statuses.get(place, TableStatus(*place))
    state.statuses[place] = replace(known, state=said, reason=reason)


def _readable(entry: Quarantined) -> Quarantined:
    """With a reason that can be shown anywhere."""
    whole = entry.reason.encode("utf-8", "backslashreplace").decode()
    return replace(entry, reason=whole.replace("\0", "\\u0000"))
