"""What is done under a claim: the lanes side by side, then prune and verify."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from eds_core.failpoints import reached
from eds_core.ledger import ImportedFile

from .lanes import Lane
from .options import ImportOptions, Outcome
from .plan import Item, Plan
from .prune import prune, why_not, would_prune
from .tally import FileTally
from .verify import verify
from .writers import StoppedError, Writers

log = logging.getLogger("eds.import")


class Work:
    """One try under *epochs*; a later one goes on where it has come to.

    *companies* are those of the credentials; none: there are no credentials.
    """

    def __init__(
        self,
        options: ImportOptions,
        plan: Plan,
        writers: Writers,
        halt: Event,
        *,
        companies: Sequence[str],
        epochs: Mapping[str, int],
    ) -> None:
        self._options = options
        self._plan = plan
        self._writers = writers
        self._first = writers.all[0]
        self._halt = halt
        self._companies = companies
        self._epochs = epochs
        self._seen: set[str] = set()  # companies of the rows
        self._known: Mapping[str, ImportedFile] = {}
        self._tallies = {
            item.id: FileTally(item.source.name, item.table.name, item.source.size)
            for item in plan.items
        }

    async def run(self, outcome: Outcome) -> None:
        """Raises TakenOver, FatalError, or StoppedError when asked to stop."""
        tally = outcome.tally
        tally.files = list(self._tallies.values())
        self._known = await self._first.patiently(self._broken_off)
        await self._lanes()
        self._first.loader.epochs = self._epochs
        tally.phase = "comparing"
        if self._options.prune:
            await asyncio.to_thread(self._prune)
        if self._options.verify and not self._options.dry_run and not tally.errors:
            await asyncio.to_thread(self._verify, outcome)
        if not tally.errors:
            await asyncio.to_thread(self._first.insist, self._forget)

    def _broken_off(self) -> dict[str, ImportedFile]:
        """What an import that has not ended has done; nothing of lost tables."""
        destination = self._first.destination
        found = destination.ledger.imported_files()
        mine = [found[item.id] for item in self._plan.items if item.id in found]
        if self._options.restart:
            self._forget()
            return {}
        there = {table for table in self._plan.tables if destination.columns(table)}
        return {file.id: file for file in mine if file.table in there}

    def _forget(self) -> None:
        ids = [item.id for item in self._plan.items]
        reached("import.forget.before")
        self._first.destination.ledger.forget_files(ids)
        reached("import.forget.after")

    async def _lanes(self) -> None:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(self._options.jobs, "eds-lane") as pool:
            ends = [
                loop.run_in_executor(pool, self._lane, items)
                for items in self._plan.lanes()
            ]
            results = await asyncio.gather(*ends, return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        if errors:  # the one that explains the others, which only stopped for it
            raise min(errors, key=lambda error: isinstance(error, StoppedError))

    def _lane(self, items: list[Item]) -> None:
        if self._halt.is_set():
            raise StoppedError
        default = next(iter(self._epochs), "")
        writer = self._writers.take(self._epochs)
        lane = Lane(writer, self._halt, self._companies, default)
        try:
            lane.run(items, self._known, self._tallies)
        except BaseException:
            self._halt.set()  # the others need not go on
            raise
        finally:
            self._seen |= lane.seen
            self._writers.give_back(writer)

    def _prune(self) -> None:
        companies = self._own_companies()
        ledger = self._first.destination.ledger
        checkpoints = self._first.insist(ledger.checkpoints)
        files = self._first.insist(ledger.imported_files)
        for table in self._plan.tables:
            items = [item for item in self._plan.items if item.table.name == table]
            tallies = [self._tallies[item.id] for item in items]
            alone = len(checkpoints) <= 1
            if reason := why_not(items, tallies, companies, alone=alone):
                tallies[0].error = f"{table} is not pruned: {reason}"
                log.error("%s", tallies[0].error)
            elif self._options.dry_run:
                tallies[0].deleted = would_prune(self._first, items, companies)
            else:
                file = files[items[0].id]
                tallies[0].deleted = prune(self._first, items, companies, file)

    def _own_companies(self) -> set[str]:
        """Whose export this is: what its rows say, or the credentials of one shop."""
        own = set(self._companies)
        if len(own) == 1:
            return own
        if any(file.offset for file in self._known.values()):
            return set()  # some rows were read by an import that is over
        return self._seen & own if own else self._seen

    def _verify(self, outcome: Outcome) -> None:
        companies = self._own_companies()
        repair = self._options.repair
        found = verify(self._first, self._plan, companies, repair=repair)
        outcome.differences, outcome.repaired = found
        outcome.verified = True
