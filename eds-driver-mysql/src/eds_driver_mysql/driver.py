"""The MySQL and MariaDB driver: rows go in as literals made from their JSON."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import URL, Engine, NullPool, Numeric, create_engine, make_url
from sqlalchemy.dialects.mysql import LONGBLOB

from eds_core.driver import Capabilities, Loaded, hookimpl
from eds_core.errors import DestinationError, TransientError
from eds_core.event import Key, Row, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, SchemaChange, TableSchema
from eds_core.sql import SqlDriver, Step, portable
from eds_core.sql.books import Books
from eds_core.sql.errors import Fault
from eds_core.sql.portable import key_text
from eds_core.sql.tables import RealTable, Target
from eds_core.urls import redact

from . import connecting, diagnosis, faults, loading, spelling, statements, tables
from .literals import RowWriter, key_literal, quoted, tuple_of
from .writing import Writer

log = logging.getLogger("eds.mysql")

_LOADED_AT_ONCE = 5_000
_KEYS_AT_ONCE = 500  # of one WHERE: beyond some size, servers read whole tables


class MysqlDriver(SqlDriver):
    """One database of a MySQL or MariaDB server."""

    title = "MySQL"
    example_url = "mysql://user:password@host:3306/database"
    capabilities: ClassVar[Capabilities] = Capabilities(max_rows=2_000)
    port = 3306
    clock = "SELECT UTC_TIMESTAMP(6)"
    has_schemas = False
    folds_case = True  # names of columns, on every server
    version_type = "DECIMAL(30,10)"
    table_options = "ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4"
    types: ClassVar[Mapping[ColumnType, str]] = spelling.PLAIN
    key_types: ClassVar[Mapping[ColumnType, str]] = spelling.IN_KEYS

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._writer = Writer(self.session)
        self._folds = False  # the server keeps names of tables in lower case
        self._wants_loads = False  # the URL asks for LOAD DATA LOCAL
        self._loads = False  # and the server takes it
        self._told = False

    def parse(self, url: str) -> URL:
        self._place(url)
        return make_url("mysql+pymysql://")

    def _place(self, url: str) -> connecting.Place:
        return connecting.parse(super().parse(url), redact(url))

    def make_engine(self) -> Engine:
        place = self._place(self.url)
        return create_engine(
            "mysql+pymysql://",
            creator=lambda: connecting.connect(place, read_only=self.read_only),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,  # a connection is closed, not put back
        )

    def prepare_session(self) -> str | None:
        ((most, folds, loads),) = self._writer.ask(connecting.LIMITS)
        self._writer.most = min(int(most), connecting.MOST_BYTES) - 1024
        self._folds = bool(folds)
        self._wants_loads = self._place(self.url).local_infile
        self._loads = self._wants_loads and bool(loads)
        return super().prepare_session()

    def checks(self) -> Mapping[str, Check]:
        place = self._place(self.url)
        return diagnosis.checks(
            self.session, place, self.makes_tables, alters=self.alters
        )

    def make_books(self) -> Books:
        return Books(
            name=spelling.Exact(255),
            key=spelling.Exact(512),
            version=Numeric(30, 10),
            text=spelling.LongText(),
            data=LONGBLOB(),
        )

    def read_fault(self, error: BaseException) -> Fault:
        return faults.read_fault(error)

    def spelled(self, column: Column, table: TableSchema) -> str:
        return spelling.sized(super().spelled(column, table), len(table.key))

    def look(self, table: str) -> RealTable | None:
        with self.session.reading(), self.session.cursor() as cursor:
            return tables.look(cursor, table, folds=self._folds)

    def adopted(self, table: str) -> bool:
        real = self.look(self.real_name(table))
        loose = real is not None and tables.inexact(real, real.primary)
        return super().adopted(table) and not loose

    def steps(self, change: SchemaChange, real: RealTable | None) -> Iterator[Step]:
        """Keys that an old server compared loosely are told apart from now on."""
        yield from super().steps(change, real)
        name = self.real_name(change.table.name)
        for column in tables.inexact(real, change.table.key) if real else ():
            yield (spelling.make_exact(name, column, self.session.quote),)

    def _matched(self, table: TableSchema) -> Target:
        target = super()._matched(table)
        tables.check_exact(table, target.real)
        return target

    def widening(self, real: RealTable, column: Column) -> Step:
        step = spelling.widening(real, column, self.session.quote)
        return step or super().widening(real, column)

    def statements(self, target: Target) -> Mapping[str, str]:
        return statements.of(target, self.books.tombstone.name, self.session.quote)

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        alive = self._alive(target, rows)
        literals = [tuple_of(line) for line in map(RowWriter(target.columns), alive)]
        if tables.has_other_unique(target.table, target.real):
            return self._merge(target, literals).changed
        try:
            return self._upsert(target, alive, literals)
        except DestinationError as error:
            self._check_indexes(target, error)
            raise

    def _alive(self, target: Target, rows: Sequence[Row]) -> Sequence[Row]:
        """Without the rows whose deletion is newer than they are."""
        dead = self._dead(target, [key_text(row.key) for row in rows])
        if not dead:
            return rows
        return [
            row
            for row in rows
            if (died := dead.get(key_text(row.key))) is None
            or died <= Decimal(str(row.version))
        ]

    def _dead(self, target: Target, keys: list[str]) -> dict[str, Decimal]:
        name = quoted(target.real.name.encode())
        found: dict[str, Decimal] = {}
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            part = [quoted(k.encode()) for k in keys[start : start + _KEYS_AT_ONCE]]
            found |= self._writer.ask(target.statements["dead"], name, b",".join(part))
        return found

    def _upsert(
        self, target: Target, rows: Sequence[Row], literals: list[bytes]
    ) -> int:
        changed = start = 0
        for count, affected, there in self._writer.spread(
            target.statements["upsert"], literals
        ):
            part = rows[start : start + count]
            start += count
            if there is not None:
                changed += affected - there
            elif affected == count:  # new or stale: of one row, that is all it says
                changed += self._written(target, part)
            else:
                changed += affected // 2
        return changed

    def _written(self, target: Target, rows: Sequence[Row]) -> int:
        found = [
            b"(%b AND `_eds_version` = %b)"
            % (self._is_row(target, row.key), str(row.version).encode())
            for row in rows
        ]
        ((count,),) = self._writer.ask(
            target.statements["written"], b" OR ".join(found)
        )
        return int(count)

    def _is_row(self, target: Target, key: Key) -> bytes:
        quote, types_of = self.session.quote, target.table.types
        return b" AND ".join(
            b"%b = %b"
            % (
                quote(name).encode(),
                key_literal(value, target.columns.get(name, types_of[name]), name),
            )
            for name, value in zip(target.table.key, key, strict=True)
        )

    def _check_indexes(self, target: Target, error: DestinationError) -> None:
        """Raise TransientError when somebody has just added a unique index."""
        if isinstance(error, TransientError):
            return
        real = self.look(target.real.name)
        if real is not None and real.unique != target.real.unique:
            raise TransientError(
                f"the unique indexes of {real.name} were changed: {error}"
            ) from error

    def _merge(self, target: Target, literals: list[bytes]) -> Loaded:
        """Through a temporary table, which no other unique index can confuse."""
        self._make_stage(target)
        self._writer.fill(target.statements["fill"], literals)
        return self._take_stage(target)

    def _make_stage(self, target: Target) -> None:
        self._writer.run(statements.DROP_STAGE)
        self._writer.run(target.statements["stage"])

    def _take_stage(self, target: Target) -> Loaded:
        run, does = self._writer.run, target.statements
        updated, inserted = run(does["update"]), run(does["insert"])
        run(statements.DROP_STAGE)
        return Loaded(inserted, updated)

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        chunks = portable.chunks(rows, _LOADED_AT_ONCE)
        return sum((self._load(table, chunk) for chunk in chunks), Loaded())

    def _load(self, table: TableSchema, rows: Sequence[Row]) -> Loaded:
        if self._loads:
            with self.session.joined(), self._about(table.name):
                loaded = self._loaded(self._target(table), rows)
            if loaded is not None:
                return loaded
        self._tell_once()
        # Also when the server had something to say: this way it says of which row.
        size = self.capabilities.max_rows
        parts = (rows[start : start + size] for start in range(0, len(rows), size))
        every = (self._settled(self.load, table, part) for part in parts)
        return sum(every, Loaded())

    def _loaded(self, target: Target, rows: Sequence[Row]) -> Loaded | None:
        alive = self._alive(target, rows)
        lines = [*map(RowWriter(target.columns), alive)]
        self._make_stage(target)
        load = loading.statement(target, self.session.quote)
        taken = self._writer.load(load, lines)
        self._loads = taken is not None
        return self._take_stage(target) if taken else None

    def _tell_once(self) -> None:
        if self._wants_loads and not self._loads and not self._told:
            log.warning("the server has local_infile off: loading by INSERT")
            self._told = True

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        name = quoted(target.real.name.encode())
        tombstones = [
            b"(%b,%b,%b)"
            % (name, quoted(key_text(key.key).encode()), str(key.version).encode())
            for key in keys
        ]
        self._writer.fill(target.statements["tombstones"], tombstones)
        which = [
            b"(%b AND (`_eds_version` IS NULL OR `_eds_version` <= %b))"
            % (self._is_row(target, key.key), str(key.version).encode())
            for key in keys
        ]
        return sum(
            self._writer.run(
                target.statements["delete"],
                b" OR ".join(which[start : start + _KEYS_AT_ONCE]),
            )
            for start in range(0, len(which), _KEYS_AT_ONCE)
        )
