"""Find the rows of a rejected list that are at fault; write the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from .errors import RejectedError, TableError
from .event import Row, VersionedKey

#: So many rejected alike and not one taken: the table is at fault, not the rows.
ALIKE = 20

T = TypeVar("T", Row, VersionedKey)


@dataclass(slots=True)
class Isolation(Generic[T]):
    """One rejected list of rows or keys.

    *write* is tried under *savepoint* on smaller and smaller parts; a single item
    that fails is tried as *mend* returns it. Raises TableError when everything is
    rejected alike: 2,000 good rows do not belong into quarantine.
    """

    write: Callable[[Sequence[T]], int]
    savepoint: Callable[[], AbstractContextManager[None]]
    mend: Callable[[T], T | None]
    rejected: list[tuple[T, RejectedError]] = field(default_factory=list)
    changed: int = 0
    taken: int = 0
    mended: list[T] = field(default_factory=list)  # taken once they were

    def run(self, items: Sequence[T], order: Callable[[T], int]) -> None:
        """Write what can be written; ``rejected`` holds the rest."""
        self._halve(items, items)
        again, self.rejected = self.rejected, []
        # One row may hold a unique value that another one gives up: once more,
        # alone, in stream order.
        for item, _ in sorted(again, key=lambda pair: order(pair[0])):
            self._single(item)

    def _halve(self, items: Sequence[T], everything: Sequence[T]) -> None:
        if len(items) == 1:
            self._single(items[0])
            self._check_table(everything)
            return
        try:
            self._write(items)
        except RejectedError:
            middle = len(items) // 2
            self._halve(items[:middle], everything)
            self._halve(items[middle:], everything)

    def _single(self, item: T) -> None:
        try:
            self._write([item])
        except RejectedError as error:
            if not self._written_mended(item):
                # Its traceback holds every value of the row, and thousands may come.
                error.__context__ = None
                self.rejected.append((item, error.with_traceback(None)))

    def _written_mended(self, item: T) -> bool:
        mended = self.mend(item)
        if mended is None:
            return False
        try:
            self._write([mended])
        except RejectedError:
            return False
        self.mended.append(item)
        return True

    def _write(self, items: Sequence[T]) -> None:
        with self.savepoint():
            changed = self.write(items)
        self.changed += changed
        self.taken += len(items)

    def _check_table(self, everything: Sequence[T]) -> None:
        """After many rejections alike, look at a sample before going on."""
        if self.taken or len(self.rejected) != ALIKE or not self._alike():
            return
        known = [item for item, _ in self.rejected]
        for item in everything[ALIKE :: max(1, len(everything) // ALIKE)]:
            if item not in known:
                self._single(item)
        if not self.taken and self._alike():
            error = self.rejected[0][1]
            raise TableError(
                f"every row is rejected alike: {error}",
                advice=error.advice,
                code=error.code,
            )
        del self.rejected[ALIKE:]  # the sample comes by again in its turn

    def _alike(self) -> bool:
        return len({error.signature for _, error in self.rejected}) == 1
