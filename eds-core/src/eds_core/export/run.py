"""An export from the request to complete files, in one go or in several."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event

from eds_core.catalogue import all_tables
from eds_core.errors import ExportError

from .api import BulkState, ExportApi
from .bulk import BulkJob
from .download import Progress
from .files import Files, Wanted
from .folder import Folder, Unfinished
from .http import Http
from .key import ApiKey
from .names import local_name

TOO_OLD = 20 * 3600.0  # an unfinished export that old is not gone on with

_log = logging.getLogger("eds.export")


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What to export from where. No *tables*: all. *wait* is in seconds."""

    api: str
    directory: Path
    tables: Sequence[str] = ()
    bulk: bool = False
    fresh: bool = False
    wait: float = 3600
    jobs: int = 4


@dataclass(frozen=True, slots=True)
class Exported:
    """The files that are there, and what of the export is not.

    *began* is when it was asked for by our clock, *snapshot* by the service's.
    *empty* are tables without files, *failed* has the service's reason by table.
    """

    paths: Sequence[Path]
    began: datetime
    snapshot: datetime | None
    empty: Sequence[str] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


def export(options: ExportOptions, key: ApiKey, progress: Progress) -> Exported:
    """Export into the options' directory; what a former call left is gone on with.

    Each file appears when it is complete, and only then.
    """
    stop = Event()
    try:
        with closing(Http()) as http, Folder(options.directory) as folder:
            api = ExportApi(options.api, key, http, stop)
            journal = _left_over(options, folder) or _begin(options, api, folder)
            files = Files(
                http, folder, journal, progress=progress, stop=stop, wait=options.wait
            )
            fetch = _fetch_bulk if options.bulk else _fetch_one
            exported = fetch(options, api, journal, files, stop)
            folder.forget()
            return exported
    except OSError as error:  # the network's are understood in http.py
        raise ExportError(
            f"cannot write {error.filename or options.directory}: {error.strerror}",
            advice="the same command goes on where it stopped",
        ) from error


def _left_over(options: ExportOptions, folder: Folder) -> Unfinished | None:
    """An export that was begun with the same request, if it can be gone on with."""
    found = folder.unfinished()
    if found is None or options.fresh or found.age() > TOO_OLD:
        return None
    wanted = (options.api, options.bulk, tuple(sorted(options.tables)))
    if wanted != (found.api, found.bulk, found.tables):
        return None
    began = f"{found.began:%Y-%m-%d %H:%M:%S} UTC"
    _log.info("going on with the export of %s; --fresh begins anew", began)
    return found


def _begin(options: ExportOptions, api: ExportApi, folder: Folder) -> Unfinished:
    if (dropped := folder.unfinished()) is not None:
        tables = ", ".join(dropped.tables) or "all tables"
        _log.info("an unfinished export of %s is dropped; its files stay", tables)
    folder.forget()
    began = datetime.now(UTC)
    if options.bulk:
        started = api.start_bulk(options.tables)
    else:
        started = api.start(options.tables or all_tables())
    journal = Unfinished(
        api=options.api,
        bulk=options.bulk,
        tables=tuple(sorted(options.tables)),
        id=started.id,
        began=began,
        snapshot=started.snapshot,
    )
    folder.remember(journal)
    _tell_begun(journal)
    return journal


def _tell_begun(journal: Unfinished) -> None:
    tables = ", ".join(journal.tables) or "all tables"
    _log.info("%s exports %s", journal.api, tables)
    if journal.snapshot is None:
        _log.warning("its answer has no date: no .snapshot is written beside the files")


def _fetch_one(
    options: ExportOptions,
    api: ExportApi,
    journal: Unfinished,
    files: Files,
    _stop: Event,
) -> Exported:
    table = options.tables[0] if len(options.tables) == 1 else None
    url = partial(api.presigned_url, journal.id)
    wanted = Wanted(journal.id, local_name(journal.id, table), url)
    return Exported([files.fetch(wanted)], journal.began, journal.snapshot)


def _fetch_bulk(
    options: ExportOptions,
    api: ExportApi,
    journal: Unfinished,
    files: Files,
    stop: Event,
) -> Exported:
    job = BulkJob(api, journal.id)
    state = job.completed(options.wait, stop)
    paths = files.fetch_all(list(job.wanted(state)), options.jobs)
    failed = _failed(state, options.tables)
    return Exported(paths, journal.began, journal.snapshot, _empty(state), failed)


def _empty(state: BulkState) -> Sequence[str]:
    return sorted(
        table
        for table, files in state.tables.items()
        if not files.urls and not files.failure()
    )


def _failed(state: BulkState, asked: Sequence[str]) -> Mapping[str, str]:
    forgotten = dict.fromkeys(asked, "the service does not mention it")
    told = {table: files.failure() for table, files in state.tables.items()}
    both = {**forgotten, **told}
    return {table: reason for table, reason in sorted(both.items()) if reason}
