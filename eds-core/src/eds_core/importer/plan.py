"""Which file goes into which table, with which version, and in which order."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from eds_core.decode import MAX_AHEAD
from eds_core.errors import ConfigError, DecodeError
from eds_core.event import Version
from eds_core.line import LineReader, parse_line
from eds_core.schema import TableSchema
from eds_core.transforms import TableTransform, Transforms

from .files import Found, Source, digest_of
from .matching import Names, match
from .reading import read_lines
from .schemas import Guess, Schemas, all_known
from .unpack import FileError

log = logging.getLogger("eds.import")

_GUESSED_AT_MOST = 10_000  # sets of columns in one file


@dataclass(frozen=True, slots=True)
class Item:
    """The rows of one table in one file."""

    source: Source
    table: TableSchema
    snapshot: Version | None  # of all rows; None: each row tells its own
    only: frozenset[Names] | None = None  # lines with just these columns
    keeps_broken: bool = True  # lines that are no rows are this table's
    transform: TableTransform | None = None  # None: no table's rows are changed

    @property
    def id(self) -> str:
        """Equal only for the same bytes, for the same table, version and transform."""
        member = self.source.member.name if self.source.member else ""
        told = [self.source.digest, member, self.table.name, str(self.snapshot)]
        if self.transform is not None and self.transform.name:
            told.append(self.transform.name)
        return hashlib.sha256("\0".join(told).encode()).hexdigest()

    def reader(self, *, cells: bool = False) -> LineReader:
        """Makes rows of the file's lines."""
        change = self.transform.change if self.transform is not None else None
        return LineReader(self.table, self.only, cells=cells, change=change)


@dataclass(slots=True)
class Plan:
    """All that is to be imported."""

    items: list[Item] = field(default_factory=list)

    @property
    def tables(self) -> list[str]:
        return list(dict.fromkeys(item.table.name for item in self.items))

    def lanes(self) -> list[list[Item]]:
        """Items that one writer has to write, in their order.

        A table has one writer; so has a packed tar, which is read but once.
        """
        lanes: list[tuple[set[object], list[Item]]] = []
        for item in self.items:
            marks: set[object] = {item.table.name}
            if item.source.tape is not None:
                marks.add(item.source.path)
            joined = [lane for lane in lanes if lane[0] & marks]
            lanes = [lane for lane in lanes if not lane[0] & marks]
            items = [i for lane in joined for i in lane[1]]
            lanes.append((marks.union(*(lane[0] for lane in joined)), [*items, item]))
        return sorted((lane[1] for lane in lanes), key=_size, reverse=True)


def _size(lane: Sequence[Item]) -> int:
    return sum(item.source.size for item in lane)


class Planner:
    """Makes the plan of what was found."""

    def __init__(
        self,
        schemas: Schemas,
        names: Iterable[str],
        table: str = "",
        snapshot: Version | None = None,
        *,
        guesses: bool = False,
        transforms: Transforms | None = None,
    ) -> None:
        self._schemas = schemas
        self._names = list(names)
        self._asked_for = table
        self._snapshot = snapshot
        self._guesses = guesses
        self._transforms = transforms
        self._guessed: dict[str, Guess] = {}
        self._known: Mapping[str, TableSchema] | None = None

    async def plan(self, found: Found) -> Plan:
        """Say what each file is. Raises ConfigError when that is not clear."""
        plan = Plan()
        for source in found.sources:
            if self._drops(source.told.table):
                found.unwanted.append(source.name)
                continue
            try:
                items = await self._items(source)
                if items and not source.digest:
                    digest = await asyncio.to_thread(
                        digest_of, source.path, source.limits
                    )
                    source.digest = digest
            except FileError as error:
                found.errors.append(str(error))
                continue
            if items:
                plan.items += items
            else:
                found.foreign.append(source.name)
        found.tell()
        wanted = [item for item in plan.items if not self._drops(item.table.name)]
        plan.items = _once([self._final(item) for item in wanted])
        # Of one table the older file comes first: fewer rows are written twice.
        plan.items.sort(key=lambda item: item.snapshot or Version(0))
        return plan

    def _drops(self, table: str) -> bool:
        return self._transforms is not None and self._transforms.drops(table)

    def _final(self, item: Item) -> Item:
        """With what later files have told of its table, and as it is to be written."""
        guess = self._guessed.get(item.table.name)
        table = (guess.schema if guess else None) or item.table
        if self._transforms is None or not self._transforms.changes:
            return replace(item, table=table)
        transform = self._transforms.of(table)
        return replace(item, table=transform.table, transform=transform)

    async def _items(self, source: Source) -> list[Item]:
        snapshot = self._version(source)
        told = source.told.table
        if told and (table := await self._schemas.get(told)) is not None:
            return [Item(source, table, snapshot)]
        if self._asked_for:
            return _items_of(source, await self._wanted(source), snapshot)
        if self._guesses and source.told.is_export and told:
            return _items_of(source, await self._guess(source, told), snapshot)
        return await self._by_content(source, snapshot)

    def _version(self, source: Source) -> Version | None:
        snapshot = source.snapshot or self._snapshot
        if snapshot is not None and snapshot.wall > time.time_ns() + MAX_AHEAD:
            raise ConfigError(
                f"{source.name}: its snapshot is more than a day ahead",
                advice="its rows would win over all changes until then; "
                "correct the time",
            )
        return snapshot

    async def _wanted(self, source: Source) -> TableSchema | None:
        table = await self._schemas.get(self._asked_for)
        if table is None and self._guesses:
            return await self._guess(source, self._asked_for)
        if table is None:
            raise ConfigError(
                f"there is no table {self._asked_for}", advice="`eds tables` lists them"
            )
        return table

    async def _by_content(self, source: Source, snapshot: Version | None) -> list[Item]:
        seen = await asyncio.to_thread(_survey, source)
        if not seen:
            return []
        if self._known is None:
            self._known = await all_known(self._schemas, self._names)
        tables = match(seen, self._known, source.name)
        by_table: dict[str, set[Names]] = {}
        for names, table in tables.items():
            by_table.setdefault(table, set()).add(names)
        for table in by_table:
            log.info("%s holds the table %s, by its columns", source.name, table)
        mixed = len(by_table) > 1
        return [
            Item(
                source,
                self._known[table],
                snapshot,
                frozenset(names) if mixed else None,
                keeps_broken=index == 0,
            )
            for index, (table, names) in enumerate(by_table.items())
        ]

    async def _guess(self, source: Source, table: str) -> TableSchema | None:
        """What the rows say, in this file and others; None when there are none."""
        guess = self._guessed.setdefault(table, Guess(table))
        is_empty = await asyncio.to_thread(_learn, guess, source) == 0
        if guess.schema is None and is_empty:
            return None
        if guess.schema is None:
            raise ConfigError(
                f"the columns of {table} cannot be told from {source.name}",
                advice="with --creds EDS asks the shop's service for them",
            )
        log.info(
            "the columns of %s are guessed from %s: no --creds, and no such table yet",
            table,
            source.name,
        )
        return guess.schema


def _items_of(
    source: Source, table: TableSchema | None, snapshot: Version | None
) -> list[Item]:
    return [] if table is None else [Item(source, table, snapshot)]


def _once(items: Iterable[Item]) -> list[Item]:
    """Without files that are copies of others."""
    known: dict[str, Item] = {}
    for item in items:
        first = known.setdefault(item.id, item)
        if first is not item:
            log.info("%s is the same as %s", item.source.name, first.source.name)
    return list(known.values())


def _survey(source: Source) -> Counter[Names]:
    """The sets of columns in a file; none when its first line is no row."""
    seen: Counter[Names] = Counter()
    with source.open() as stream:
        for line in read_lines(stream, source.name):
            try:
                names = tuple(parse_line(line.data))
            except DecodeError:
                if not seen:
                    return seen
                continue
            if names in seen or len(seen) < _GUESSED_AT_MOST:
                seen[names] += 1
    return seen


def _learn(guess: Guess, source: Source) -> int:
    """How many lines there are."""
    count = 0
    with source.open() as stream:
        for line in read_lines(stream, source.name):
            count += 1
            try:
                guess.add(line.data, parse_line(line.data))
            except DecodeError:
                continue  # it will be found again, and kept
    return count
