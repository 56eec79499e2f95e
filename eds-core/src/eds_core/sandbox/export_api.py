"""The upstream export API over real HTTP, on a good day and on a bad one."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

from eds_core.sandbox.exports import write_export
from eds_core.sandbox.http_server import Asked, Faults, Reply, Server
from eds_core.sandbox.model import load_models
from eds_core.sandbox.oracle import State
from eds_core.sandbox.sandbox import Sandbox

KEY = "sandbox-key-5a1f9c"  # a key that opens nothing but a sandbox
Snapshot = Callable[[], tuple[State, int]]


@dataclass
class _Address:
    file: str
    until: float
    uses: int


class ExportApi:
    """Serves *snapshot*'s rows, as files in *directory*, to who has the key.

    *snapshot* returns the rows and the time, in nanoseconds, at which they are so.
    What was asked is in `asked`. Use it in a `with`; `url` is the API's address.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        directory: Path,
        *,
        key: str = KEY,
        file_name: Callable[[str], str] | None = None,
    ) -> None:
        self.key = key
        self.faults = Faults()
        self.asked: list[Asked] = []
        self._snapshot = snapshot
        self._directory = directory
        self._file_name = file_name or (lambda name: name)
        self._tables = frozenset(load_models())
        self._files: dict[str, Path] = {}
        self._jobs: dict[str, dict[str, list[str]]] = {}
        self._addresses: dict[str, _Address] = {}
        self._numbers = itertools.count(1)
        self._server = Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, asked: Asked, body: Mapping[str, object]) -> Reply:
        """Do what the API is asked for."""
        if asked.headers.get("Authorization") != f"Bearer {self.key}":
            return _failure(401, "Unauthorized")
        match asked.method, asked.path.split("/")[1:]:
            case "POST", ["v3", "export"]:
                return self._start(_texts(body, "tables"))
            case "POST", ["v3", "export", "presigned_url"]:
                return self._presign(str(body.get("fileName", "")))
            case "POST", ["v3", "export", "bulk"]:
                return self._start_bulk(_texts(body, "tables"))
            case "GET", ["v3", "export", "bulk", job]:
                return self._look(job)
        return _failure(404, "Not Found")

    def stored(self, name: str, signature: str) -> Path | Reply:
        """Return the file that the storage has at an address, or its refusal."""
        address = self._addresses.get(signature)
        if address is None or address.file != name:
            return Reply(403, b"<Error><Code>SignatureDoesNotMatch</Code></Error>")
        if time.monotonic() > address.until or address.uses <= 0:
            return Reply(400, b"<Error><Code>ExpiredToken</Code></Error>")
        address.uses -= 1
        if name not in self._files or self._is_pending():
            return Reply(404, b"<Error><Code>NoSuchKey</Code></Error>")
        return self._files[name]

    def address(self, name: str) -> str:
        """Return a new presigned address of the file *name*."""
        signature = secrets.token_hex(16)
        until = time.monotonic() + self.faults.lifetime
        uses = 1_000_000 if self.faults.uses is None else self.faults.uses
        self._addresses[signature] = _Address(name, until, uses)
        return f"{self.url}/files/{name}?X-Signature={signature}"

    def _start(self, tables: Sequence[str]) -> Reply:
        if unknown := self._unknown(tables) or not tables:
            return _failure(400, f"Invalid tables: {unknown}")
        paths = self._write(tables)
        path = paths[0] if len(paths) == 1 else self._zip(paths)
        name = self._file_name(path.name)
        self._files[name] = path
        return _success({"fileName": name})

    def _start_bulk(self, tables: Sequence[str]) -> Reply:
        if unknown := self._unknown(tables):
            return _failure(400, f"Invalid tables: {unknown}")
        wanted = sorted(tables or self._tables)
        job = f"job-{next(self._numbers)}"
        self._jobs[job] = {}
        for table, path in zip(wanted, self._write(wanted), strict=True):
            name = self._file_name(path.name)
            self._files[name] = path
            self._jobs[job][table] = [name] if self._rows[0].get(table) else []
        return _success({"jobId": job})

    def _presign(self, name: str) -> Reply:
        if name not in self._files:
            return _failure(404, "File not found")
        return _success({"url": self.address(name)})

    def _look(self, id_: str) -> Reply:
        job = self._jobs.get(id_)
        if job is None:
            return _failure(404, "Job not found")
        pending = self._is_pending()
        tables = {table: self._told(table, job[table], pending) for table in job}
        return _success({"completed": not pending, "tables": tables})

    def _told(
        self, table: str, names: Sequence[str], pending: bool
    ) -> Mapping[str, object]:
        cursor = str(self._rows[1])
        if pending:
            return {"status": "Pending", "error": "", "urls": [], "cursor": cursor}
        if error := self.faults.failed.get(table):
            return {"status": "Failed", "error": error, "urls": [], "cursor": cursor}
        urls = [self.address(name) for name in names]
        return {"status": "Completed", "error": "", "urls": urls, "cursor": cursor}

    def _write(self, tables: Sequence[str]) -> Sequence[Path]:
        self._rows = self._snapshot()
        state, moment = self._rows
        place = self._directory / str(next(self._numbers))
        return write_export(state, place, tables, moment)

    def _zip(self, paths: Sequence[Path]) -> Path:
        path = paths[0].with_name(f"export-{next(self._numbers)}.zip")
        with zipfile.ZipFile(path, "w") as archive:
            for member in paths:
                archive.write(member, member.name)
        return path

    def _is_pending(self) -> bool:
        self.faults.not_yet -= 1
        return self.faults.not_yet >= 0

    def _unknown(self, tables: Sequence[str]) -> str:
        return ", ".join(table for table in tables if table not in self._tables)


def export_api(sandbox: Sandbox) -> ExportApi:
    """Return the export API of a sandbox that runs in this event loop."""
    loop = asyncio.get_running_loop()

    def snapshot() -> tuple[State, int]:
        """The rows between two events of the shop, and a time of before that."""

        async def look() -> tuple[State, int]:
            moment = time.time_ns()
            return sandbox.shop.state(), moment

        return asyncio.run_coroutine_threadsafe(look(), loop).result(30)

    return ExportApi(snapshot, sandbox.directory / "exports")


def _success(data: Mapping[str, object]) -> Reply:
    return Reply(200, {"success": True, "data": data})


def _failure(status: int, message: str) -> Reply:
    return Reply(status, {"success": False, "message": message})


def _texts(body: Mapping[str, object], name: str) -> Sequence[str]:
    value = body.get(name)
    return [str(item) for item in value] if isinstance(value, list) else []
