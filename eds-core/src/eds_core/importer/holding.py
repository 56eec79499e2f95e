"""Whose rows an import may write: the position fixed, the claim, signs of life."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from datetime import timedelta
from functools import partial
from threading import Event

from eds_core.claims import Claims, Identity, identity_of, this_process
from eds_core.credentials import Credentials
from eds_core.errors import TakenOver, TransientError
from eds_core.failpoints import reached
from eds_core.stream import Feed

from .options import ImportOptions
from .outages import until_answered
from .plan import Plan
from .tally import Tally
from .writers import StoppedError, Writer

log = logging.getLogger("eds.import")

_BEAT_EVERY = 5.0  # seconds
_STREAM_KEEPS = timedelta(hours=168)
_MARGIN = timedelta(hours=1)  # clocks differ, and events are published late
_LOOK_EVERY = 1.0  # seconds, while another import runs


class Holding:
    """The companies of an import, taken and held until it ends."""

    def __init__(
        self,
        options: ImportOptions,
        credentials: Credentials | None,
        writer: Writer,
        halt: Event,
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._writer = writer
        self._halt = halt
        self._companies: tuple[str, ...] = ()

    def _claims(self, feed: Feed | None) -> Claims:
        if self._credentials is None:
            identity = Identity(this_process(), "", "", "", lambda _: (), "import")
        else:
            identity = identity_of(self._credentials, self._options.prefix, "import")
        return Claims(feed, self._writer.destination, identity, self._writer.patiently)

    async def establish(self, feed: Feed | None, plan: Plan) -> None:
        """Fix the position where there is none: before the first row is written.

        It lies before the export, so that what came after it is read as well.
        Without credentials, all companies that the destination knows are taken.
        """
        claims = self._claims(feed)
        if self._credentials is not None:
            self._companies = self._credentials.companies
            look_back = self._options.look_back
            new = set(self._companies) - set(await claims.known())
            if new and look_back is None:
                look_back = _before(plan)
            await until_answered(
                partial(claims.establish_all, self._companies, look_back)
            )
            return
        if not await claims.known():
            log.warning(
                "this database has no position yet: what changes between the export "
                "and the server's first start is missed without --creds"
            )

    async def claim(self, tally: Tally) -> dict[str, int]:
        """Become the one writer, when no other import is; the epochs."""
        claims = self._claims(None)
        if self._credentials is None:
            self._companies = tuple(await claims.known())
        while live := (await claims.imports()).keys() & set(self._companies):
            if not tally.phase:
                tally.phase = "waiting for another import"
                log.info("waiting for another import of %s", ", ".join(sorted(live)))
            await asyncio.sleep(_LOOK_EVERY)
            if self._halt.is_set():
                raise StoppedError
        tally.phase = ""
        companies = sorted(self._companies)
        return {name: (await claims.claim(name)).epoch for name in companies}

    async def during(
        self, epochs: Mapping[str, int], work: Coroutine[None, None, None]
    ) -> None:
        """Give signs of life while *work* goes on, then let go.

        Raises TakenOver when somebody else has claimed a company.
        """
        task = asyncio.ensure_future(work)
        ledger = self._writer.destination.ledger
        try:
            while not (await asyncio.wait([task], timeout=_BEAT_EVERY))[0]:
                with suppress(TransientError):  # the work notices it as well
                    await self._writer.call(ledger.beat, epochs)
                    await self._check_new(epochs)
        except BaseException:
            self._halt.set()
            await asyncio.gather(task, return_exceptions=True)
            raise
        finally:
            reached("import.release.before")
            with suppress(TransientError):  # the claim goes stale by itself
                await self._writer.call(ledger.release, epochs)
            reached("import.release.after")
        await task

    async def _check_new(self, epochs: Mapping[str, int]) -> None:
        """A server that starts for the first time meanwhile has to wait as well."""
        if self._credentials is not None:
            return
        ledger = self._writer.destination.ledger
        for company, found in (await self._writer.call(ledger.checkpoints)).items():
            if company not in epochs:
                raise TakenOver(company, found.owner, found.role)


def _before(plan: Plan) -> timedelta:
    """How long ago the oldest of the exports was surely not yet made.

    To read too much of the stream costs time only: rows are guarded.
    """
    known = [item.snapshot.wall for item in plan.items if item.snapshot is not None]
    if len(known) < len(plan.items):
        log.info("the export's time is not known: the stream is read from its start")
        return _STREAM_KEEPS
    age = timedelta(seconds=(time.time_ns() - min(known)) / 1e9)
    if age > _STREAM_KEEPS:
        log.warning(
            "the export is older than what the stream keeps: changes between the two "
            "are missed. Ask for a new export, and import it with --prune"
        )
    return min(max(age, timedelta(0)) + _MARGIN, _STREAM_KEEPS)
