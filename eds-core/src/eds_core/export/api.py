"""The export API: what is asked of it, and what its answers mean."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from threading import Event
from typing import NoReturn, TypeVar
from urllib.parse import quote

import msgspec

from eds_core.catalogue import all_tables, near_matches
from eds_core.errors import ConfigError, ExportError

from .address import may_follow, shown
from .http import Answer, Http
from .key import ApiKey
from .patience import NotYet, Patience, persist

#: How much the clocks of the service's web server and of its database may differ,
#: and how far back the database may read. Too early a snapshot costs nothing.
MARGIN = timedelta(seconds=10)
_PATIENCE = 120.0
_LONGEST = 300  # of a text of the server's that is passed on

_FINE = frozenset((200, 201, 202))

T = TypeVar("T")


class _Reply(msgspec.Struct):
    success: bool = True
    message: str | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _FileName(msgspec.Struct):
    fileName: str  # noqa: N815 - the wire's word


class _Url(msgspec.Struct):
    url: str


class _JobId(msgspec.Struct):
    jobId: str  # noqa: N815 - the wire's word


class TableFiles(msgspec.Struct, frozen=True):
    """How far one table of a bulk export is, and where its files are."""

    status: str = ""
    error: str = ""
    urls: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.status != "Pending"

    def failure(self) -> str | None:
        """Why there are no files of a job that has ended; None if there are all."""
        if self.status == "Completed":
            return None
        return self.error or f"its status is {self.status or 'unknown'}"


class BulkState(msgspec.Struct, frozen=True):
    """How far a bulk export is."""

    completed: bool = False
    tables: dict[str, TableFiles] = {}


@dataclass(frozen=True, slots=True)
class Started:
    """An export that was asked for: a file's name or a job's id.

    No row of it was read before *snapshot*, by the service's clock.
    """

    id: str
    snapshot: datetime | None


class ExportApi:
    """Speaks for one key. What may work later is tried again; the rest is told."""

    def __init__(self, url: str, key: ApiKey, http: Http, stop: Event) -> None:
        self._url = url
        self._key = key
        self._http = http
        self._stop = stop

    def start(self, tables: Sequence[str]) -> Started:
        """Ask for one file with all *tables*."""
        path, began = "/v3/export", time.monotonic()
        answer = self._ask("POST", path, {"tables": list(tables)})
        self._check_start(path, answer, tables)
        return Started(
            self._data(path, answer, _FileName).fileName, since(answer, began)
        )

    def start_bulk(self, tables: Sequence[str]) -> Started:
        """Ask for files of each of *tables*; of all, if there are none."""
        path, began = "/v3/export/bulk", time.monotonic()
        body = {"tables": list(tables)} if tables else {}
        answer = self._ask("POST", path, body)
        self._check_start(path, answer, tables)
        return Started(self._data(path, answer, _JobId).jobId, since(answer, began))

    def presigned_url(self, file: str) -> str:
        """Return an address of *file* that needs no key; raises NotYet."""
        path = "/v3/export/presigned_url"
        answer = self._ask("POST", path, {"fileName": file})
        if answer.status in (404, 409):
            raise NotYet("the file is not there yet")
        return self.checked_file(self._data(path, answer, _Url).url)

    def checked_file(self, url: str) -> str:
        """Return *url*, from where rows may be fetched; ExportError if they may not."""
        if not may_follow(self._url, url):
            raise ExportError(
                "the API wants a file fetched in clear text, or from this machine: "
                f"{shown(url)}"
            )
        return url

    def bulk(self, job: str) -> BulkState:
        path = f"/v3/export/bulk/{quote(job, safe='')}"
        answer = self._ask("GET", path, None)
        if answer.status == HTTPStatus.NOT_FOUND:
            raise ExportError(
                f"the service does not know this export: {self._told(path, answer)}",
                advice="--fresh begins a new export",
            )
        return self._data(path, answer, BulkState)

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None) -> Answer:
        def once() -> Answer:
            headers = {"Authorization": self._key.authorization()}
            data = None
            if body is not None:
                headers["Content-Type"] = "application/json"
                data = msgspec.json.encode(body)
            return self._http.ask(method, self._url + path, headers, data)

        return persist(once, Patience(f"{method} {path}", _PATIENCE, self._stop))

    def _check_start(self, path: str, answer: Answer, tables: Sequence[str]) -> None:
        if answer.status in (400, 422):
            self._refuse_tables(path, answer, tables)

    def _refuse_tables(
        self, path: str, answer: Answer, tables: Sequence[str]
    ) -> NoReturn:
        known = all_tables()
        unknown = [table for table in tables if table not in known]
        raise ConfigError(
            f"the API refuses the export: {self._told(path, answer)}",
            advice=_suggestion(unknown, known),
        )

    def _data(self, path: str, answer: Answer, kind: type[T]) -> T:
        if answer.status in (401, 403):
            raise ConfigError(
                f"the API does not accept the key: {self._told(path, answer)}",
                advice="look at SM_APIKEY: is it complete, of this shop, not revoked, "
                f"and allowed to export? It was shown to {self._url}",
                code="E6003",
            )
        if answer.status not in _FINE:
            raise ExportError(
                f"the API does not answer as it should: {self._told(path, answer)}",
                advice=f"is {self._url} the address of the API?",
            )
        try:
            reply = msgspec.json.decode(answer.body, type=_Reply)
            if not reply.success:
                raise ExportError(
                    f"the API could not do it: {self._told(path, answer)}"
                )
            return msgspec.json.decode(reply.data, type=kind)
        except msgspec.MsgspecError as error:
            raise ExportError(
                f"{path}: the answer is not what the export API says ({error})",
                advice=f"is {self._url} the address of the API?",
            ) from error

    def _told(self, path: str, answer: Answer) -> str:
        """The status and the server's words, its request's id, and no key."""
        id_ = answer.headers.get("X-Request-Id", "")
        words = f"{path}: {answer.status}"
        if text := _message(answer.body):
            words += f", {text[:_LONGEST]}"
        return self._key.masked(words + (f" (request {id_[:80]})" if id_ else ""))


def since(answer: Answer, began: float) -> datetime | None:
    """The earliest time, by the server's clock, of what it did before *answer*.

    The clock is its `Date`, which may have been read as late as the answer; *began*
    is our monotonic clock before it was asked for the first time.
    """
    try:
        date = parsedate_to_datetime(answer.headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    elapsed = timedelta(seconds=time.monotonic() - began)
    return date.replace(tzinfo=UTC) - elapsed - MARGIN


def _message(body: bytes) -> str:
    try:
        reply = msgspec.json.decode(body, type=_Reply)
    except msgspec.MsgspecError:
        text = body[:_LONGEST].decode("utf-8", "replace").strip()
        return "" if text.startswith(("<", "{")) else text
    return reply.message or _error(reply.error)


def _error(raw: msgspec.Raw) -> str:
    """`error` may be a text or an object with a message."""
    value = msgspec.json.decode(raw)
    if isinstance(value, dict):
        value = value.get("message")
    return value if isinstance(value, str) else ""


def _suggestion(unknown: Sequence[str], known: Sequence[str]) -> str:
    parts: list[str] = []
    for name in unknown:
        near = ", ".join(near_matches(name, known))
        parts.append(f"{name}: {f'did you mean {near}?' if near else 'unknown here'}")
    return "; ".join([*parts, "`eds tables` lists them"])
