"""From the stream into one destination. Read this file first.

    feed -> intake (decoded on arrival) -> work -> writer: rows + checkpoint, commit

The checkpoint in the transaction of the rows is the acknowledgement. No timer
makes a lone event wait: what has been decoded is written; meanwhile the next batch
gathers. Only a driver with ``freshness`` lets events wait, and is bothered less.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import ParamSpec, TypeVar

from .claims import Claims, Identity
from .companies import Companies
from .destination import Destination
from .errors import (
    ConfigError,
    EdsError,
    FatalError,
    PositionMoved,
    TableError,
    TakenOver,
    TransientError,
    forget_frames,
    told,
)
from .event import Message
from .gate import Waiting
from .gathering import Gathering
from .intake import Intake, Taken
from .ledger import Move, Quarantined
from .plugins import BatchReport
from .policy import Ask
from .registry import LATEST, NatsSchemas, Registry
from .repeats import Repeats
from .standing import Standing, State
from .stream import Feed
from .transforms import Transforms
from .unexpected import unexpected
from .waiting import Backoff
from .work import Work, make_work
from .writer import Writer, Written

log = logging.getLogger("eds.pipeline")
_quarantine_log = logging.getLogger("eds.quarantine")  # these lines quote rows

P = ParamSpec("P")
R = TypeVar("R")

_CHORES_EVERY = 2.0  # seconds: retries and resumes asked for, another owner
_RETRIES = 500  # messages out of the quarantine that are tried again at once
_IDLE_MOVE_EVERY = 60.0  # seconds: the checkpoint follows an idle stream

# Nothing can be written for now. A TableError that comes so far is about EDS's own
# tables: one of the shop's is parked instead.
_OUTAGES = (TransientError, TableError)


@dataclass(frozen=True, slots=True)
class Options:
    """What the user chose for this server."""

    identity: Identity
    companies: tuple[str, ...]
    look_back: timedelta | None = None
    watch: Callable[[Message], None] | None = None
    transforms: Transforms | None = None
    check: Callable[[Ask], Awaitable[None]] | None = None  # of names, at the start


class _StoppedError(Exception):
    """Asked to stop while waiting for the destination."""


class Pipeline:
    """Keeps one destination equal to the stream."""

    def __init__(self, destination: Destination, feed: Feed, options: Options) -> None:
        self._destination = destination
        self._feed = feed
        self._options = options
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eds-writer")
        self._writer = Writer(destination)
        transforms = options.transforms
        self._intake = Intake(options.watch, transforms=transforms)
        self._schemas = NatsSchemas(feed)
        self._registry = Registry(self._schemas, self._schema_came)
        self._repeats = Repeats(feed, self._intake, self._registry.get, transforms)
        claims = Claims(feed, destination, options.identity, self._call)
        self._companies = Companies(feed, self._intake, claims, self._repeats)
        self._positions = claims.positions
        self._standing = Standing(feed, self._intake, self._repeats, self._positions)
        self._stop = asyncio.Event()
        self._gathering = Gathering(destination.freshness)
        self._chores_every = max(_CHORES_EVERY, destination.freshness)
        self._idle_move_every = _IDLE_MOVE_EVERY * max(1.0, destination.freshness)
        self._next_chores = 0.0
        self._waiting = Waiting()
        self._retried = 0  # the sequence that retries have come to
        self._retrying = False  # some may wait for a schema
        self._next_idle_move = time.monotonic() + self._idle_move_every

    def stop(self) -> None:
        """Write what is being written or gathered, then return from ``run``."""
        self._stop.set()
        self._intake.arrived.set()

    def state(self) -> State:
        """How it stands; to be asked for in the stream's own thread."""
        return self._standing.now(self._writer.conflicts, self._destination.freshness)

    async def run(self, ready: Callable[[], None]) -> None:
        """Stream until stopped; call *ready* once everything is in place.

        Raises TakenOver when no company is left, FatalError and ConfigError when
        only a person can help, TransientError only before it is ready.
        """
        try:
            await self._start()
            self._standing.streaming = True
            ready()
            await self._stream()
        except _StoppedError:
            log.warning("stopped while waiting; nothing is lost, the position stays")
        except EdsError as error:
            self._standing.ended(error)
            raise
        except Exception as error:  # ours, or a driver's: the other destinations go on
            self._standing.ended(found := unexpected(error))
            raise found from error
        finally:
            self._standing.streaming = False
            await self._close()

    async def _start(self) -> None:
        await self._call(self._destination.open)
        await self._feed.open()
        if self._options.check is not None:
            await self._options.check(partial(self._schemas.fetch, version=LATEST))
        await self._companies.take_all(self._options.companies, self._options.look_back)
        await self._reload()

    async def _stream(self) -> None:
        while not self._stop.is_set():
            if self._feed.failed.done():
                self._feed.failed.result()
            self._intake.arrived.clear()
            if not await self._step():
                await self._wait()
        if self._destination.freshness:  # what was made to wait shall not wait on
            await self._commit_taken(self._intake.take(self._registry.get))

    async def _step(self) -> bool:
        """Write one batch, or do one chore; False when there is nothing to do."""
        self._intake.tell_gaps()
        await self._commit_taken(taken := self._take())
        again = self._repeats.take(self._positions)
        if again is not None:
            await self._commit(*again)
        chores = time.monotonic() >= self._next_chores
        if chores:
            await self._chores()
        return bool(taken.entries or again or chores)

    def _take(self) -> Taken:
        """What is to be written now; nothing while events may wait for others."""
        intake, size = self._intake, self._feed.pool.buffered
        if self._gathering.due(intake.waiting, size, overdue=intake.holds):
            return intake.take(self._registry.get)
        self._registry.foresee(intake.met())
        return Taken()

    async def _commit_taken(self, taken: Taken) -> None:
        moves = self._moves(taken)
        if taken.entries or moves:
            work = make_work(taken.entries, moves, self._repeats.skipped)
            work = replace(work, resuming=self._repeats.resuming)
            await self._commit(work, taken.size)

    def _moves(self, taken: Taken) -> dict[str, Move]:
        """Of the companies that *taken* is from; once a minute of idle ones, too.

        Each costs a statement, and there may be hundreds of companies. Idle is also
        who had nothing but what is left out.
        """
        all_moves = self._positions.moves(taken.reached)
        due = time.monotonic() >= self._next_idle_move
        if due:
            self._next_idle_move = time.monotonic() + self._idle_move_every
        return {
            company: move
            for company, move in all_moves.items()
            if company in taken.companies or (due and move.new > move.old)
        }

    async def _wait(self) -> None:
        """Until something arrives, or a wait is over, or chores are due."""
        until = min(self._next_chores, self._gathering.until)
        try:
            async with asyncio.timeout(until - time.monotonic()):
                await self._intake.arrived.wait()
        except TimeoutError:
            return

    async def _commit(self, work: Work, size: int) -> None:
        """Write *work*, however long it takes, and free its *size* bytes."""
        self._standing.writing = work
        try:
            written = await self._write(work)
            if written is not None:
                self._committed(written, size)
        finally:
            self._standing.writing = None
            self._feed.pool.release(size)

    async def _write(self, work: Work) -> Written | None:
        backoff = Backoff(first=0.1, most=30)
        while work.moves:
            try:
                return await self._call(self._writer.write, work)
            except TakenOver as taken:
                await self._companies.give_up(taken)
                work = work.without_company(taken.company)
            except PositionMoved as moved:
                log.warning("%s", told(moved))
                await self._start_again(moved.company)
                work = work.without_company(moved.company)
            except _OUTAGES as error:
                work = await self._recover(work, error, backoff)
            # An exception holds its whole batch, in circles; megabytes of bytes are
            # few objects, so the collector would not come by itself.
            gc.collect()
        return None

    async def _recover(self, work: Work, error: EdsError, backoff: Backoff) -> Work:
        """Wait, connect and claim again; return what is still to be written."""
        self._standing.failed(error)
        self._destination.batch_failed(error)
        log.warning("%s: %s (trying again)", self._destination.title, told(error))
        forget_frames(error)
        while True:
            await self._pause(backoff.step())
            try:
                await self._call(self._reopen)
                work = await self._companies.reclaim_all(work)
                await self._reload()
            except (*_OUTAGES, ConfigError) as again:
                self._standing.failed(again)
                log.warning(
                    "%s: %s (trying again)", self._destination.title, told(again)
                )
            else:
                self._standing.recovered()
                log.info("%s: connected again", self._destination.title)
                return work

    def _reopen(self) -> None:
        self._destination.close()
        self._destination.open()
        self._destination.ledger.create()  # a user may have dropped some of it
        self._writer.forget()

    async def _start_again(self, company: str) -> None:
        try:
            await self._companies.claim_again(company)
            await self._reload()
        except _OUTAGES as error:
            nothing = Work(changes=(), moves={})
            await self._recover(nothing, error, Backoff(first=0.1, most=30))

    async def _reload(self) -> None:
        """Learn from the ledger which tables are parked."""
        self._repeats.reload(await self._call(self._destination.ledger.parked))

    def _committed(self, written: Written, size: int) -> None:
        work = written.work
        self._positions.committed(work.moves)
        for parked in work.parked:
            self._repeats.remember(parked)
        for name in work.unparked:
            self._repeats.finish(name)
        for entry in work.quarantine.values():
            told = entry.id, entry.table, entry.reason
            _quarantine_log.warning("quarantined %s (%s): %s", *told)
        if work.quarantine:
            self._destination.quarantined([*work.quarantine.values()])
        self._report(written, size)

    def _report(self, written: Written, size: int) -> None:
        work, now = written.work, time.time_ns()
        if not work.changes and not work.quarantine:
            return
        log.debug(
            "%d events written in %.1f ms", len(work.changes), written.seconds * 1000
        )
        latencies = tuple((now - e.message.time) / 1e9 for e, _ in work.changes)
        self._destination.batch_written(
            BatchReport(
                events=len(work.changes) + len(work.quarantine),
                bytes=size,
                seconds=written.seconds,
                rows=written.rows,
                tables=written.tables,
                quarantined=len(work.quarantine),
                latencies=() if work.replayed else latencies,
                pending=self._feed.pending,
            )
        )

    async def _chores(self) -> None:
        """What is asked of the one writer through the ledger, and who owns it."""
        self._next_chores = time.monotonic() + self._chores_every
        ledger = self._destination.ledger
        try:
            await self._companies.check_owner()
            if await self._companies.take_back():
                await self._reload()
            parked = await self._call(ledger.parked)
            self._waiting.tell(each for each in parked if not each.resume)
            for each in parked:
                await self._repeats.resume(each, self._positions)
            retries = await self._call(self._retries)
            self._retrying = bool(retries)
            work = self._repeats.replay(retries, self._positions)
            await self._call(self._writer.report)
        except _OUTAGES as error:
            nothing = Work(changes=(), moves={})
            await self._recover(nothing, error, Backoff(first=0.1, most=30))
            return
        if work is not None:
            await self._commit(work, 0)

    def _retries(self) -> list[Quarantined]:
        """The next messages to be tried again; behind the last of them, from the start.

        Those that have to wait so do not keep the ones behind them.
        """
        after, most = self._retried, _RETRIES
        found = self._destination.ledger.quarantined(
            state="retry", after=after, most=most
        )
        self._retried = found[-1].message.sequence if len(found) == most else 0
        if self._retried:
            self._next_chores = 0  # there may be more
        return found

    def _schema_came(self) -> None:
        """What has waited for it need not wait any longer."""
        if self._retrying:
            self._next_chores = 0
        self._intake.arrived.set()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
        raise _StoppedError

    async def _call(
        self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> R:
        """Run *function* in the destination's one thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._thread, lambda: function(*args, **kwargs)
        )

    async def _close(self) -> None:
        await self._registry.close()
        await self._feed.close()
        try:
            await self._call(self._writer.report)
        except (*_OUTAGES, FatalError) as error:
            log.debug("freshness not written: %s", error)
        await self._call(self._destination.close)
        self._thread.shutdown()
