"""What an author writes, for type checkers: `nox -s types`. It is never run.

Only what ``__all__`` names is imported; ``assert_type`` says what it has to be.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar, assert_type

from eds_core import (
    Background,
    BatchReport,
    Capabilities,
    ChangeEvent,
    Columns,
    ColumnType,
    ConfigError,
    Driver,
    Finding,
    Key,
    Ledger,
    Loaded,
    Quarantined,
    RejectedError,
    Row,
    SchemaChange,
    TableSchema,
    Transform,
    Value,
    Verdict,
    Version,
    VersionedKey,
    event_json,
    find_driver,
    hookimpl,
    parameters,
    parse_freshness,
    redact,
)
from eds_core.append import AppendDriver, Change
from eds_core.sql import ANSWERS, Answers, Fault, SqlDriver
from eds_core.testing import DriverConformance, MemoryDriver, rejected


class PlainDriver(Driver):
    """All that the contract asks for."""

    contract = 1
    title = "Plain"
    example_url = "plain://host"
    capabilities: ClassVar[Capabilities] = Capabilities(transactions=False)

    def __init__(self, url: str) -> None:
        if not url:
            raise ConfigError("no URL", advice="give one")
        self.ledger = MemoryDriver(url).ledger

    def open(self) -> None: ...

    def close(self) -> None: ...

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    def columns(self, table: str) -> Mapping[str, ColumnType | None]:
        return {table: None}

    @hookimpl
    def migrate(self, change: SchemaChange) -> int:
        assert_type(change.table, TableSchema)
        return 0

    @hookimpl
    def upsert(self, table: TableSchema, rows: Sequence[Row]) -> int:
        for row in rows:
            assert_type(row.key, Key)
            assert_type(row.version, Version)
            assert_type(row.event, ChangeEvent | None)
            value: Value = row.get("id", table.types["id"])
            if value is None:
                raise RejectedError("no id", signature="no id")
        return len(rows)

    @hookimpl
    def delete(self, table: TableSchema, keys: Sequence[VersionedKey]) -> int:
        assert_type(table.key, tuple[str, ...])
        events = [each.event for each in keys if each.event is not None]
        assert_type([event_json(event) for event in events], list[bytes])
        return len({each.key for each in keys})

    @hookimpl
    def bulk_load(self, table: TableSchema, rows: Iterable[Row]) -> Loaded:
        return Loaded(inserted=self.upsert(table, list(rows)))


class OneDriver(SqlDriver):
    """A driver on the SQL base."""

    title = "One"
    example_url = "one://host/database"
    drivername = "sqlite+pysqlite"
    types: ClassVar[Mapping[ColumnType, str]] = dict.fromkeys(ColumnType, "TEXT")
    answers: ClassVar[Answers] = {**ANSWERS, "23505": RejectedError}

    def read_fault(self, error: BaseException) -> Fault:
        return Fault("HY000", str(error))


class TopicDriver(AppendDriver):
    """A driver that only appends."""

    title = "Topic"
    example_url = "topic://host/name?state=/var/lib/eds/shop.db"

    def write(self, changes: Sequence[Change]) -> None:
        for each in changes:
            assert_type(each.table, TableSchema)
            assert_type(each.key, Key)
            assert_type(each.version, Version)
            assert_type(each.deleted, bool)
            assert_type(each.values, Mapping[str, Value])
            assert_type(each.source, Row | VersionedKey)

    def check(self, change: Change) -> None: ...


class Watching:
    """An observer."""

    @hookimpl
    def batch_written(self, report: BatchReport) -> None:
        assert_type(report.events, int)

    @hookimpl
    def quarantined(self, entries: Sequence[Quarantined]) -> None:
        for each in entries:
            assert_type(each.table, str)


class Changing:
    """A transformer."""

    @hookimpl
    def drops_table(self, table: str) -> bool:
        return table == "user"

    @hookimpl
    def transform(self, table: TableSchema) -> Transform | None:
        def row(columns: Columns) -> Columns | None:
            columns.pop("note", None)
            return columns or None

        return Transform(table, row, "no notes")


class Looking:
    """What adds to `eds doctor`."""

    def __init__(self) -> None:
        self._later = Background("told later", self._tell, most=10)

    def _tell(self, item: object) -> None: ...

    @hookimpl
    def diagnose(self, models: Mapping[str, TableSchema]) -> Iterable[Finding]:
        for name in models:
            assert_type(self._later.put(name), bool)
        yield Finding("audit", "all is well", Verdict.OK)


class TestPlain(DriverConformance):
    """A test on the kit."""

    scheme = "plain"
    driver = PlainDriver
    values: ClassVar = {"text: NUL": rejected("no NUL")}

    def fetch(self, driver: Driver, table: TableSchema) -> list[Mapping[str, Any]]:
        assert isinstance(driver, PlainDriver)
        return [dict.fromkeys(table.types)]

    def drop(self, driver: Driver, table: TableSchema) -> None: ...


made = PlainDriver("plain://host")
assert_type(made.ledger, Ledger)
transaction: AbstractContextManager[None] = made.transaction()
assert_type(made.capabilities.max_rows, int)

found = find_driver("plain://host")
assert_type(found, type[Driver])
assert_type(found("plain://host").count("order"), int)
assert_type(parse_freshness(parameters("plain://host").get("freshness"), 0.0), float)
assert_type(redact("plain://user:password@host"), str)
