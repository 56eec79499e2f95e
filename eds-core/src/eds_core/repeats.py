"""What is read once more: parked tables from the stream, messages from quarantine."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from .decode import decode
from .errors import DecodeError
from .event import Message
from .failpoints import reached
from .intake import Entry, Intake, Schemas, transform
from .ledger import Parked, Quarantined
from .line import finish_event, is_line, line_event
from .positions import Positions
from .stream import Feed
from .transforms import Transforms
from .work import Work, make_work

log = logging.getLogger("eds.pipeline")

Name = tuple[str, str]  # table, company


@dataclass(slots=True)
class _Resume:
    """A parked table on its way back: read up to where the live stream stood.

    From there on the live stream writes the table again; the order in which the
    two meet does not matter, as every row is guarded by its version.
    """

    parked: Parked
    target: int
    intake: Intake
    subject: str


class Repeats:
    """Parked tables, and what has been asked to be tried again."""

    def __init__(
        self,
        feed: Feed,
        live: Intake,
        schemas: Schemas,
        transforms: Transforms | None = None,
    ) -> None:
        self._feed = feed
        self._live = live
        self._schemas = schemas
        self._transforms = transforms
        self._parked: dict[Name, Parked] = {}
        self._resumes: dict[Name, _Resume] = {}

    @property
    def parked(self) -> tuple[Parked, ...]:
        """All that are parked, also those on their way back."""
        return tuple(self._parked.values())

    @property
    def skipped(self) -> set[Name]:
        """Tables whose live events are passed over for now."""
        return self._parked.keys() - self._resumes.keys()

    def remember(self, parked: Parked) -> None:
        """*parked* is in the ledger now."""
        name = parked.table, parked.company
        self._parked[name] = parked
        if not parked.resume and (resume := self._resumes.pop(name, None)):
            self._leave_soon(resume)

    def _leave_soon(self, resume: _Resume) -> None:
        self._feed.pool.release(resume.intake.drop_lane(resume.parked.company))
        self._feed.forget(resume.subject)

    def reload(self, parked: Iterable[Parked]) -> None:
        """Believe the ledger alone: it was restored, or a commit's answer was lost.

        What was being read again begins anew with the next ``resume``.
        """
        for resume in self._resumes.values():
            self._leave_soon(resume)
        self._resumes.clear()
        self._parked = {(entry.table, entry.company): entry for entry in parked}

    @property
    def resuming(self) -> dict[Name, int]:
        """From where each table is read again that is on its way back."""
        return {name: self._parked[name].sequence for name in self._resumes}

    async def leave(self, company: str) -> None:
        """The company is no longer ours."""
        for name in [n for n in self._parked if n[1] == company]:
            del self._parked[name]
            if resume := self._resumes.pop(name, None):
                self._leave_soon(resume)

    async def resume(self, parked: Parked, positions: Positions) -> None:
        """Begin to read *parked* again, if somebody has asked for it."""
        name = parked.table, parked.company
        held = positions.held.get(parked.company)
        if not parked.resume or name in self._resumes or held is None:
            return
        reached("resume.before")
        log.info("table %s resumes at sequence %d", parked.table, parked.sequence)
        self._parked[name] = parked
        intake = Intake(arrived=self._live.arrived, transforms=self._transforms)
        intake.open_lane(parked.company, parked.sequence - 1)
        subject = self._feed.follow(
            parked.company, intake.put, after=parked.sequence - 1, table=parked.table
        )
        # What the live lane has passed over so far is what has to be read again.
        target = max(held.sequence, self._live.examined(parked.company))
        self._resumes[name] = _Resume(parked, target, intake, subject)
        reached("resume.after")

    def take(self, positions: Positions) -> tuple[Work, int] | None:
        """The next work of a table that resumes, and its size; None for now."""
        for name, resume in self._resumes.items():
            resume.intake.tell_gaps()
            taken = resume.intake.take(self._schemas)
            reached, _ = taken.reached[resume.parked.company]
            done = reached >= resume.target
            if not taken.entries and not done:
                continue
            moves = positions.touches([resume.parked.company])
            work = make_work(taken.entries, moves)
            if done:
                return replace(work, unparked=[name]), taken.size
            moved = replace(resume.parked, sequence=reached + 1)
            return replace(work, parked=[moved]), taken.size
        return None

    def finish(self, name: Name) -> None:
        """The ledger says that the table is parked no more."""
        log.info("table %s is up to date again", name[0])
        self._parked.pop(name, None)
        if resume := self._resumes.pop(name, None):
            self._leave_soon(resume)

    def replay(
        self, entries: Iterable[Quarantined], positions: Positions
    ) -> Work | None:
        """Work that tries quarantined messages again; None when there is none.

        One whose schema is still being asked for waits for the next time, one of a
        parked table until that is resumed. What is left out by now is forgotten.
        """
        mine = [
            entry
            for entry in entries
            if entry.company in positions.held
            and (entry.table, entry.company) not in self.skipped
        ]
        ready = [(q, entry) for q in mine if (entry := self._decoded(q.message))]
        if not ready:
            return None
        for q, entry in ready:
            if entry.is_left_out:
                log.info("%s (%s) is not wanted any more: forgotten", q.id, q.table)
        moves = positions.touches({q.company for q, _ in ready})
        work = make_work([entry for _, entry in ready], moves)
        settled = [q.id for q, _ in ready if q.id not in work.quarantine]
        return replace(work, replayed=settled)

    def _decoded(self, message: Message) -> Entry | None:
        entry = Entry(message)
        if self._transforms is not None and self._transforms.drops(message.table):
            return entry
        try:
            if is_line(message):
                self._read_line(entry)
            else:
                entry.event = decode(message)
                entry.schema = self._schemas(entry.event)
        except DecodeError as error:
            entry.error = error
            return entry
        if entry.schema is None:
            return None
        if self._transforms is not None:  # once more; what fails stays as it was kept
            transform(entry, self._transforms)
        return entry

    def _read_line(self, entry: Entry) -> None:
        """A line that an import could not apply, unless its schema is awaited."""
        table = self._schemas(line_event(entry.message))
        if table is not None:
            now = time.time_ns()
            entry.event, entry.schema = finish_event(entry.message, table, now)
