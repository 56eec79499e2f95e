"""The bulk form: the service writes files for each table, and says when it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event

from eds_core.errors import ExportError
from eds_core.waiting import Backoff

from .api import BulkState, ExportApi, TableFiles
from .files import Wanted
from .names import local_name, remote_path
from .patience import NotYet, Patience, persist

_log = logging.getLogger("eds.export")


@dataclass(frozen=True, slots=True)
class BulkJob:
    """A job of the service's, with what is asked of it."""

    api: ExportApi
    id: str

    def completed(self, wait: float, stop: Event) -> BulkState:
        """Return the job's state once it has ended, within *wait* seconds."""
        waiting = Patience("the export", wait, stop, Backoff(1, 10))
        told: list[int] = []

        def look() -> BulkState:
            state = self.api.bulk(self.id)
            _tell(state, told)
            if not state.completed:
                raise NotYet("not all tables are ready")
            return state

        return persist(look, waiting)

    def wanted(self, state: BulkState) -> Iterator[Wanted]:
        """Yield the files of the tables that did not fail."""
        taken: set[str] = set()
        for table, files in sorted(state.tables.items()):
            for address in () if files.failure() else files.urls:
                remote = remote_path(address)
                name = local_name(remote, table, taken)
                taken.add(name)
                yield Wanted(remote, name, self._addresses(table, remote, address))

    def _addresses(self, table: str, remote: str, first: str) -> Callable[[], str]:
        """Give the address that came with the state, then those of the job by then."""
        known = [first]

        def address() -> str:
            url = known.pop() if known else self._renewed(table, remote)
            return self.api.checked_file(url)

        return address

    def _renewed(self, table: str, remote: str) -> str:
        files = self.api.bulk(self.id).tables.get(table, TableFiles())
        for url in files.urls:
            if remote_path(url) == remote:
                return url
        raise ExportError(
            f"{table}: the export has this file no longer: {remote}",
            advice="--fresh begins a new export",
        )


def _tell(state: BulkState, told: list[int]) -> None:
    """Say how many tables are ready, when that is not what was said last."""
    ready = sum(files.ended for files in state.tables.values())
    if told[-1:] != [ready]:
        _log.info("%d of %d tables are ready", ready, len(state.tables))
        told.append(ready)
