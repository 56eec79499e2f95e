"""The files of an export: each fetched, checked, delivered and noted as done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

import msgspec

from eds_core.errors import ConfigError, EdsError, ExportError
from eds_core.waiting import Backoff

from .check import Damaged, check
from .download import Download, Progress
from .folder import Folder, Unfinished
from .http import Http
from .names import with_suffix
from .patience import Patience

_NO_LIFE = 300.0  # a download without a byte for so long is given up
_TRIES = 3  # for a file that arrives damaged

_log = logging.getLogger("eds.export")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file there, its name here, and how to get an address of it."""

    remote: str
    name: str
    url: Callable[[], str]


class Files:
    """Fetches what the journal does not know as done. *wait* is in seconds.

    A crash leaves parts that are continued, and complete files that are not
    fetched again.
    """

    def __init__(
        self,
        http: Http,
        folder: Folder,
        journal: Unfinished,
        *,
        progress: Progress,
        stop: Event,
        wait: float,
    ) -> None:
        self._http = http
        self._folder = folder
        self._journal = journal
        self._progress = progress
        self._stop = stop
        self._wait = wait
        self._noting = Lock()

    def fetch_all(self, wanted: Sequence[Wanted], jobs: int) -> Sequence[Path]:
        """Fetch *jobs* at a time; one that fails does not stop the others."""
        with ThreadPoolExecutor(jobs) as pool:
            try:  # from the first one on: Ctrl-C may come before the last is begun
                futures = [pool.submit(self.fetch, one) for one in wanted]
                errors = list(_errors(futures))
            except BaseException:
                self._stop.set()
                pool.shutdown(cancel_futures=True)
                raise
        if errors:
            raise _together(errors, len(wanted))
        return [future.result() for future in futures]

    def fetch(self, wanted: Wanted) -> Path:
        """Return the complete file."""
        delivered = self._journal.done.get(wanted.remote)
        if delivered and (self._folder.path / delivered).exists():
            return self._folder.path / delivered
        part = self._folder.part(wanted.name)
        kind = self._fetch_undamaged(wanted, part)
        name = with_suffix(wanted.name, kind)
        path = self._folder.deliver(part, name, self._journal.snapshot)
        self._note(wanted.remote, name)
        self._progress.finished(wanted.name)
        return path

    def _fetch_undamaged(self, wanted: Wanted, part: Path) -> str:
        """Return the file's kind."""
        reason = ""
        for tries in range(1, _TRIES + 1):
            self._download(wanted, part).run()
            try:
                return check(part)
            except Damaged as damage:
                part.unlink()
                reason = str(damage)
                _log.warning("%s: %s (%d of %d)", wanted.name, reason, tries, _TRIES)
        raise ExportError(
            f"{wanted.name}: {reason}, {_TRIES} times",
            advice="--fresh begins a new export",
        )

    def _download(self, wanted: Wanted, part: Path) -> Download:
        return Download(
            self._http,
            wanted.url,
            part,
            name=wanted.name,
            progress=self._progress,
            patience=Patience(wanted.name, _NO_LIFE, self._stop),
            waiting=Patience(wanted.name, self._wait, self._stop, Backoff(1, 10)),
        )

    def _note(self, remote: str, name: str) -> None:
        with self._noting:
            done = {**self._journal.done, remote: name}
            self._journal = msgspec.structs.replace(self._journal, done=done)
            self._folder.remember(self._journal)


def _errors(futures: Sequence[Future[Path]]) -> Iterator[EdsError]:
    """Yield what failed for one file only; raise what concerns them all."""
    for future in as_completed(futures):
        error = future.exception()
        if isinstance(error, EdsError) and not isinstance(error, ConfigError):
            yield error
        elif error is not None:
            raise error


def _together(errors: Sequence[EdsError], count: int) -> EdsError:
    if len(errors) == 1:
        return errors[0]
    return ExportError(
        f"{len(errors)} of {count} files failed; the first: {errors[0]}",
        advice=errors[0].advice or "the same command goes on with what is missing",
    )
