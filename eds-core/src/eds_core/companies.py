"""The companies that are ours: read into their lanes, given up, taken again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from .claims import Claims
from .errors import PositionMoved, TakenOver, TransientError
from .intake import Intake
from .ledger import Checkpoint
from .positions import Positions
from .repeats import Repeats
from .stream import Feed
from .work import Work

log = logging.getLogger("eds.pipeline")

_READ_WITHIN = 10.0  # seconds from one company to the next, at the start


class Companies:
    """Keeps claim, lane and consumer of each company together."""

    def __init__(
        self, feed: Feed, intake: Intake, claims: Claims, repeats: Repeats
    ) -> None:
        self._feed = feed
        self._intake = intake
        self._claims = claims
        self._repeats = repeats
        self._subjects: dict[str, str] = {}
        self._waiting: set[str] = set()  # an import has them; then they are ours again

    @property
    def positions(self) -> Positions:
        return self._claims.positions

    async def take_all(
        self, companies: Sequence[str], look_back: timedelta | None
    ) -> None:
        """Claim every company and read it from where it stands.

        One that is being imported is waited for.
        """
        await self._claims.establish_all(companies, look_back)
        imports = await self._claims.imports()
        for company in companies:
            if company in imports:
                self._wait(company, imports[company].owner)
            else:
                self._follow(await self._claims.claim(company))
        await self._all_are_read()

    def _wait(self, company: str, owner: str) -> None:
        log.info("company %s waits for the end of its import by %s", company, owner)
        self._waiting.add(company)

    async def take_back(self) -> bool:
        """Claim what is no longer being imported; say whether there was any."""
        if not self._waiting:
            return False
        ended = sorted(self._waiting - (await self._claims.imports()).keys())
        for company in ended:
            await self.claim_again(company)
            self._waiting.discard(company)
            log.info("company %s: the import has ended; going on", company)
        return bool(ended)

    def _follow(self, checkpoint: Checkpoint) -> None:
        """Read a company from its checkpoint on; forget what came before."""
        company, after = checkpoint.company, checkpoint.sequence
        self._feed.pool.release(self._intake.drop_lane(company))
        self._intake.open_lane(company, after, checkpoint.time)
        self._subjects[company] = self._feed.follow(
            company, self._intake.put, after=after, time=checkpoint.time
        )

    async def _all_are_read(self) -> None:
        for subject in self._subjects.values():
            await self._is_read(subject)

    async def _is_read(self, subject: str) -> None:
        reading = asyncio.create_task(self._feed.ready(subject))
        futures: set[asyncio.Future[None]] = {reading, self._feed.failed}
        try:
            await asyncio.wait(
                futures, timeout=_READ_WITHIN, return_when=asyncio.FIRST_COMPLETED
            )
            if self._feed.failed.done():
                self._feed.failed.result()
            if not reading.done():
                raise TransientError(
                    f"NATS made no consumers within {_READ_WITHIN:g} s",
                    advice="the messages before this one say what it answered",
                )
        finally:
            reading.cancel()

    async def claim_again(self, company: str) -> None:
        """The checkpoint is not where we left it: go on from where it is."""
        self._follow(await self._claims.claim(company))

    async def reclaim_all(self, work: Work) -> Work:
        """Claim all companies anew; return what of *work* is still to be written.

        The commit may have happened and its answer been lost: then the checkpoint
        is where *work* would have brought it.
        """
        for lost in work.moves.keys() - self.positions.held.keys():
            work = work.without_company(lost)  # given up in an earlier try
        for company, held in [*self.positions.held.items()]:
            before, move = held.sequence, work.moves.get(company)
            try:
                found = await self._claims.reclaim(company)
            except TakenOver as taken:
                await self.give_up(taken)
                work = work.without_company(company)
                continue
            if found.sequence == before:
                continue
            if move is None or found.sequence != move.new:
                log.warning("%s", PositionMoved(company, found.sequence, before))
                self._follow(found)
            work = work.without_company(company)
        return replace(work, moves=self.positions.renewed(work.moves))

    async def check_owner(self) -> None:
        """An idle server learns here that another has taken over."""
        for taken in await self._claims.lost():
            await self.give_up(taken)

    async def give_up(self, taken: TakenOver) -> None:
        """Leave a company to its new owner; without any left, TakenOver is raised.

        An import gives it back when it has ended.
        """
        company = taken.company
        if taken.role == "import":
            self._wait(company, taken.owner)
        else:
            log.error("%s", taken)
        self.positions.give_up(company)
        await self._feed.leave(self._subjects.pop(company))
        self._feed.pool.release(self._intake.drop_lane(company))
        await self._repeats.leave(company)
        if not self.positions.held and not self._waiting:
            raise taken
