"""The folder that an export fills: private files, whole files, one export at a time."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from eds_core.errors import ConfigError
from eds_core.private import open_private

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows has no such locks
    fcntl = None  # type: ignore[assignment]  # tested for below

SNAPSHOT = ".snapshot"
_OURS = ".eds-export"


class Unfinished(msgspec.Struct, frozen=True, kw_only=True):
    """An export that was begun: what was asked for, and what is here already.

    *done* has the names here of the files there that are complete.
    """

    api: str
    bulk: bool
    tables: tuple[str, ...]
    id: str
    began: datetime
    snapshot: datetime | None
    done: dict[str, str] = {}

    def age(self) -> float:
        """Seconds since it was asked for, by our clock."""
        return (datetime.now(UTC) - self.began).total_seconds()


class Folder:
    """Made if it is not there. Raises ConfigError if another export fills it now."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._journal = path / f"{_OURS}.json"
        self._lock: BinaryIO | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        self._lock = open_private(self.path / f"{_OURS}.lock")
        try:
            if fcntl is not None:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ConfigError(
                f"another export is filling {self.path}",
                advice="wait for it, or name another folder with -o",
            ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._lock is not None:
            self._lock.close()

    def unfinished(self) -> Unfinished | None:
        """What `remember` was told last; None too if it cannot be understood."""
        if not self._journal.exists():
            return None
        try:
            with open_private(self._journal) as journal:
                return msgspec.json.decode(journal.read(), type=Unfinished)
        except msgspec.MsgspecError:
            return None

    def remember(self, unfinished: Unfinished) -> None:
        self._write(self._journal, msgspec.json.encode(unfinished))

    def forget(self) -> None:
        """Remove what is left of exports; what was delivered stays."""
        for path in self.path.glob(f"{_OURS}-*"):
            path.unlink()
        self._journal.unlink(missing_ok=True)

    def part(self, name: str) -> Path:
        """Where the file *name* is until it is complete; importers pass it over."""
        return self.path / f"{_OURS}-{name}.part"

    def deliver(self, part: Path, name: str, snapshot: datetime | None) -> Path:
        """Give a complete file its *name*, and tell beside it what it is a picture of.

        A crash in between leaves no snapshot, or that of an older file of this name:
        too early a time, which is safe.
        """
        path = self.path / name
        part.replace(path)
        if snapshot is not None:
            text = f"{snapshot.astimezone(UTC):%Y-%m-%dT%H:%M:%S}Z\n"
            self._write(self.path / f"{name}{SNAPSHOT}", text.encode())
        self._sync()
        return path

    def _write(self, path: Path, data: bytes) -> None:
        """Replace *path* as a whole or not at all."""
        new = path.with_name(f"{_OURS}-{path.name}.new")
        with open_private(new) as file:
            file.truncate()
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def _sync(self) -> None:
        if hasattr(os, "O_DIRECTORY"):
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            os.fsync(descriptor)
            os.close(descriptor)
