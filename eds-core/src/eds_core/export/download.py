"""One file from its address to the disk, however often the way breaks off."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urljoin

from eds_core.errors import ExportError
from eds_core.private import open_private

from .address import may_follow, shown
from .http import Body, Http, raise_if_later
from .patience import Again, NotYet, Patience

_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_EXPIRED = frozenset((400, 401, 403, 410))
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_MOST_REFUSALS = 3
_MOST_REDIRECTS = 5


class Progress(Protocol):
    """Is told how far each file is; by several threads."""

    def moved(self, name: str, done: int, total: int | None) -> None: ...

    def finished(self, name: str) -> None: ...


class Download:
    """A file on its way into *part*, which is continued if it is there.

    *patience* is for what goes wrong, *waiting* for a file that is not there yet.
    *url* gives an address, a fresh one each time. *part* is 0600 and is there after
    an error or a crash; beside it is a file with what tells the version of the
    remote file, so that it is never continued with another one.
    """

    def __init__(
        self,
        http: Http,
        url: Callable[[], str],
        part: Path,
        *,
        name: str,
        progress: Progress,
        patience: Patience,
        waiting: Patience,
    ) -> None:
        self._http = http
        self._fresh_url = url
        self._url = ""
        self._part = part
        self._tag = part.with_name(f"{part.name}.tag")
        self._name = name
        self._progress = progress
        self._patience = patience
        self._waiting = waiting
        self._total: int | None = None
        self._refusals = 0
        self._farthest = 0

    def run(self) -> None:
        """Return when the file is whole, by its announced length, and on the disk."""
        with _opened(self._part) as file:
            while file.tell() != self._total:
                self._patience.check()
                self._try(file)
            file.flush()
            os.fsync(file.fileno())
        self._tag.unlink(missing_ok=True)

    def _try(self, file: BinaryIO) -> None:
        try:
            self._pull(file)
        except NotYet as pending:
            self._patience.reset()
            self._waiting.after(pending)
        except Again as problem:
            self._patience.after(problem)

    def _pull(self, file: BinaryIO) -> None:
        """One request for what is missing."""
        self._url = self._url or self._fresh_url()
        with self._http.get(self._url, self._headers(file.tell())) as body:
            if body.status in _REDIRECTS:
                self._follow(body)
            elif body.status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                self._past_the_end(file, body.headers)
            elif self._accept(file, body):
                self._store(file, body)

    def _headers(self, done: int) -> dict[str, str]:
        if not done:
            return {}
        headers = {"Range": f"bytes={done}-"}
        if self._tag.exists():
            with open_private(self._tag) as tag:
                headers["If-Range"] = tag.read().decode("ascii")
        return headers

    def _accept(self, file: BinaryIO, body: Body) -> bool:
        """Whether rows follow; *file* is then where they belong."""
        if body.status == HTTPStatus.OK:
            self._begin(file, body.headers)
        elif body.status == HTTPStatus.PARTIAL_CONTENT:
            self._continue(file, body.headers)
        else:
            self._refused(file, body)
            return False
        self._refusals = 0
        return True

    def _begin(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        file.seek(0)
        file.truncate()
        self._total = _number(headers.get("Content-Length", ""))
        tag = headers.get("ETag", "")
        if tag.startswith('"') and tag.isascii() and tag.isprintable():
            with open_private(self._tag) as kept:
                kept.truncate()
                kept.write(tag.encode())
        else:  # a weak one does not tell versions apart to the byte
            self._tag.unlink(missing_ok=True)

    def _continue(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        match = _RANGE.fullmatch(headers.get("Content-Range", ""))
        if match is None or int(match[1]) != file.tell():
            self._start_over(file, "the storage sent another part than was asked for")
        else:
            self._total = _number(match[3])

    def _past_the_end(self, file: BinaryIO, headers: Mapping[str, str]) -> None:
        """All is here already, or what is here is not of this file."""
        size = _number(headers.get("Content-Range", "").rpartition("/")[2])
        if size is None or size != file.tell():
            self._start_over(file, "the file there is shorter than what is here")
        self._total = size

    def _start_over(self, file: BinaryIO, reason: str) -> None:
        file.seek(0)
        file.truncate()
        raise Again(f"{reason}; beginning anew")

    def _refused(self, file: BinaryIO, body: Body) -> None:
        raise_if_later(body.status, body.headers)
        if body.status == HTTPStatus.NOT_FOUND and not file.tell():
            raise NotYet("the file is not there yet")
        self._url = ""
        if body.status in _EXPIRED and self._refusals < _MOST_REFUSALS:
            self._refusals += 1
            raise Again(
                f"the address has expired ({body.status}); asking for a new one"
            )
        raise ExportError(
            f"{self._name}: the storage answers {body.status}",
            advice="the export may be gone: --fresh begins a new one",
        )

    def _follow(self, body: Body) -> None:
        target = urljoin(self._url, body.headers.get("Location", ""))
        self._refusals += 1
        if not may_follow(self._url, target) or self._refusals > _MOST_REDIRECTS:
            raise ExportError(
                f"{self._name}: sent on to {shown(target)}, which is not used"
            )
        self._url = target

    def _store(self, file: BinaryIO, body: Body) -> None:
        for chunk in body.chunks():
            file.write(chunk)
            file.flush()  # a process that is killed has not fetched it for nothing
            self._note_progress(file.tell())
            self._progress.moved(self._name, file.tell(), self._total)
            self._patience.check()
        if self._total is None:
            self._total = file.tell()  # it ended in good order, whatever its length

    def _note_progress(self, done: int) -> None:
        """Only what was never here before counts: beginning anew may go on for ever."""
        if done > self._farthest:
            self._farthest = done
            self._patience.reset()


def _opened(part: Path) -> BinaryIO:
    """Open for writing at the end."""
    file = open_private(part)
    file.seek(0, os.SEEK_END)
    return file


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None
