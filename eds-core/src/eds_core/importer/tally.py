"""What an import has done so far: counted where it happens, shown elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class FileTally:
    """One table's rows in one file."""

    name: str
    table: str
    size: int  # bytes as packed
    share: float = 0.0  # of it that has been read
    read: int = 0
    inserted: int = 0
    updated: int = 0
    quarantined: int = 0
    deleted: int = 0
    done: bool = False
    error: str = ""

    @property
    def written(self) -> int:
        return self.inserted + self.updated

    @property
    def stale(self) -> int:
        """Rows that changed nothing: repeated, deleted, or older than what is there."""
        return max(0, self.read - self.written - self.quarantined)


@dataclass(slots=True)
class Tally:
    """All files. Each is written to by one thread; anyone may look."""

    files: list[FileTally] = field(default_factory=list)
    started: float = field(default_factory=time.monotonic)
    unreadable: list[str] = field(default_factory=list)  # files that have no tally
    phase: str = ""  # what goes on instead of loading

    def by_table(self) -> list[FileTally]:
        """The sums by table, in the tables' order."""
        return [
            _sum(name, [f for f in self.files if f.table == name])
            for name in sorted({file.table for file in self.files})
        ]

    def total(self) -> FileTally:
        return _sum("", self.files)

    @property
    def rate(self) -> float:
        """Rows a second since the start."""
        seconds = time.monotonic() - self.started
        return sum(file.read for file in self.files) / seconds if seconds > 0 else 0.0

    @property
    def left(self) -> float | None:
        """Seconds until all is read, at the speed so far; None: nobody can tell."""
        share = self.total().share
        if not self.files or not 0 < share < 1:
            return None
        return (time.monotonic() - self.started) * (1 - share) / share

    @property
    def errors(self) -> list[str]:
        told = [file.error for file in self.files if file.error]
        return list(dict.fromkeys([*self.unreadable, *told]))


def _sum(table: str, files: Iterable[FileTally]) -> FileTally:
    several = list(files)
    size = sum(file.size for file in several)
    return FileTally(
        name="",
        table=table,
        size=size,
        share=sum(file.size * file.share for file in several) / size if size else 1.0,
        read=sum(file.read for file in several),
        inserted=sum(file.inserted for file in several),
        updated=sum(file.updated for file in several),
        quarantined=sum(file.quarantined for file in several),
        deleted=sum(file.deleted for file in several),
        done=all(file.done for file in several),
        error="; ".join(file.error for file in several if file.error),
    )
