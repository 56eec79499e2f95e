"""An import from its start to its end. Read this file first.

    find -> plan -> fix the position -> claim -> lanes: read, write -> prune, verify

The position is fixed before the first row is written: what happens during the import
waits in the stream. The claim makes a server of the same company wait.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import create_task
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from threading import Event
from typing import TypeVar

from eds_core.claims import this_process
from eds_core.credentials import read_credentials
from eds_core.destination import Destination, find_driver
from eds_core.dryrun import DryRun
from eds_core.errors import ConfigError, TakenOver
from eds_core.failpoints import reached
from eds_core.registry import NatsSchemas
from eds_core.stream import Feed, Settings
from eds_core.transforms import find_transforms

from .files import find
from .holding import Holding
from .loading import Checker, Loader
from .options import ImportOptions, Outcome
from .outages import until_answered
from .plan import Plan, Planner
from .schemas import AskedSchemas, PresentSchemas, Schemas
from .tally import Tally
from .work import Work
from .writers import StoppedError, Writer, Writers

log = logging.getLogger("eds.import")

T = TypeVar("T")


class Import:
    """One run. ``tally`` may be looked at meanwhile."""

    def __init__(self, options: ImportOptions, plugins: Iterable[object] = ()) -> None:
        self.tally = Tally()
        self._options = options
        self._plugins = tuple(plugins)
        policy = options.policy.plugins() if options.policy is not None else ()
        self._transforms = find_transforms((*policy, *self._plugins))
        path = options.credentials
        self._credentials = None if path is None else read_credentials(path)
        self._stopping = asyncio.Event()
        self._halt = Event()
        self._first = self._writer()
        options.limits.check = self._first.check

    def _writer(self) -> Writer:
        url = self._options.url
        driver = find_driver(url)
        dry = self._options.dry_run
        made = DryRun(url, driver) if dry else driver(url)
        destination = Destination(
            made,
            self._plugins,
            actor=f"import on {this_process()}",
            schema_changes=self._options.schema_changes,
        )
        loader = (Checker if dry else Loader)(destination)
        return Writer(destination, loader, self._halt)

    def stop(self) -> None:
        """Finish what is being written, then return from ``run``."""
        self._stopping.set()
        self._halt.set()

    async def run(self) -> Outcome:
        """Import all that is there.

        Raises ConfigError when it cannot begin, FatalError when it cannot go on.
        """
        writers = Writers(self._first, self._writer, self._options.jobs)
        outcome = Outcome(self.tally)
        try:
            holding = Holding(self._options, self._credentials, self._first, self._halt)
            plan = await self._unless_stopped(self._prepare(holding))
            await self._until_done(plan, holding, writers, outcome)
        except StoppedError:
            outcome.stopped = True
        finally:
            await asyncio.to_thread(writers.close)
        return outcome

    async def _unless_stopped(self, work: Coroutine[None, None, T]) -> T:
        """The result of *work*. Raises StoppedError, and gives it up, when stopped."""
        task, stopped = create_task(work), create_task(self._stopping.wait())
        try:
            await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise StoppedError
            return task.result()
        finally:
            stopped.cancel()
            task.cancel()
            await asyncio.gather(task, stopped, return_exceptions=True)

    async def _prepare(self, holding: Holding) -> Plan:
        """All that comes before the claim; whoever is away is waited for."""
        await asyncio.to_thread(self._first.open)
        async with self._feed() as feed:
            plan = await self._plan(feed)
            reached("import.plan")
            await holding.establish(feed, plan)
        return plan

    @asynccontextmanager
    async def _feed(self) -> AsyncIterator[Feed | None]:
        if self._credentials is None:
            yield None
            return
        settings = Settings(
            servers=self._options.servers,
            credentials=self._credentials.path,
            name=f"eds-import-{self._credentials.name or 'unknown'}",
        )
        feed = await until_answered(partial(self._connected, settings))
        try:
            yield feed
        finally:
            await feed.close()

    async def _connected(self, settings: Settings) -> Feed:
        feed = Feed(settings, self._options.prefix)
        try:
            await feed.open()
        except BaseException:
            await feed.close()
            raise
        return feed

    async def _plan(self, feed: Feed | None) -> Plan:
        options = self._options
        schemas = self._schemas(feed)
        if options.policy is not None:
            await options.policy.check(schemas.get if feed is not None else None)
        found = await asyncio.to_thread(find, options.paths, options.limits)
        self.tally.unreadable = found.errors
        planner = Planner(
            schemas,
            options.tables,
            options.table,
            options.snapshot,
            guesses=feed is None,
            transforms=self._transforms,
        )
        plan = await planner.plan(found)
        if not plan.items and not found.errors:
            places = ", ".join(str(path) for path in options.paths)
            wanted = " of tables that are wanted" if found.unwanted else ""
            raise ConfigError(
                f"there are no exported files{wanted} in {places}",
                advice="name the folder or the files of an export; --table TABLE "
                "says which table a file without a telling name holds",
            )
        options.limits.used = 0  # what was only looked at does not count
        return plan

    def _schemas(self, feed: Feed | None) -> Schemas:
        if feed is not None:
            return AskedSchemas(NatsSchemas(feed))
        log.info("no --creds: tables are taken as the database has them")
        return PresentSchemas(self._first.destination, self._first.patiently)

    async def _until_done(
        self, plan: Plan, holding: Holding, writers: Writers, outcome: Outcome
    ) -> None:
        """Work under a claim; when it is lost, claim again and go on."""
        companies = self._credentials.companies if self._credentials else ()
        while True:
            epochs = await holding.claim(self.tally)
            work = Work(
                self._options,
                plan,
                writers,
                self._halt,
                companies=companies,
                epochs=epochs,
            )
            try:
                await holding.during(epochs, work.run(outcome))
            except TakenOver as taken:
                log.warning("%s", taken)
                if self._stopping.is_set():
                    raise StoppedError from taken
                self._halt.clear()
            else:
                return
