"""The Snowflake driver: lines of JSON, merged by key."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from typing import Any, ClassVar
from uuid import uuid4

from sqlalchemy import (
    URL,
    ColumnElement,
    Engine,
    NullPool,
    Numeric,
    String,
    create_engine,
    func,
    literal_column,
)

from eds_core.driver import Capabilities, Loaded
from eds_core.errors import DestinationError, TableError, TransientError
from eds_core.event import Row, Version, VersionedKey
from eds_core.findings import Check
from eds_core.schema import Column, ColumnType, SchemaChange
from eds_core.sql import SqlDriver, Step
from eds_core.sql.books import Books
from eds_core.sql.errors import ANSWERS, Answers, Fault, decide
from eds_core.sql.ledger import SqlLedger
from eds_core.sql.parts import parts
from eds_core.sql.tables import RealColumn, RealTable, Target

from . import address, connecting, diagnosis, faults, lines, statements, tables
from .ledger import SnowflakeLedger
from .widening import ISO, half_done, rename, widening

_MOMENT: ColumnElement[str] = literal_column(ISO)
#: Bytes of lines that go as a parameter; more go as a file.
_BOUND_BYTES = 256 * 1024
_FILE_BYTES = 64 * 1024 * 1024


class SnowflakeDriver(SqlDriver):
    """One schema of a Snowflake database."""

    title = "Snowflake"
    example_url = address.EXAMPLE
    capabilities: ClassVar[Capabilities] = Capabilities(max_rows=20_000)
    port = 443
    clock = "SELECT CURRENT_TIMESTAMP()"
    begin = connecting.BEGIN
    version_type = statements.VERSION_TYPE
    answers: ClassVar[Answers] = {**ANSWERS, **faults.ANSWERS}
    types: ClassVar[Mapping[ColumnType, str]] = {
        ColumnType.TEXT: "VARCHAR",
        ColumnType.INTEGER: "NUMBER(38,0)",
        ColumnType.NUMBER: "FLOAT",
        ColumnType.DECIMAL: "NUMBER(38,18)",
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.TIMESTAMP: "TIMESTAMP_TZ(9)",
        ColumnType.DATETIME: "TIMESTAMP_NTZ(9)",
        ColumnType.JSON: "VARIANT",
        ColumnType.BYTES: "BINARY",
    }
    bound_bytes: ClassVar[int] = _BOUND_BYTES

    def __init__(self, url: str) -> None:
        self.address = address.parse(url)
        super().__init__(url)
        self.freshness = self.address.freshness

    def make_ledger(self) -> SqlLedger:
        return SnowflakeLedger(self.session, self.books, actor=lambda: self.actor)

    def parse(self, url: str) -> URL:
        address.parse(url)
        return URL.create("snowflake+eds")  # the address is read by ourselves

    def endpoint(self) -> tuple[str, int] | None:
        there = self.address
        host = there.host or f"{there.account}.snowflakecomputing.com"
        return host, there.port or self.port

    def make_engine(self) -> Engine:
        return create_engine(
            self.parse(self.url),
            creator=lambda: connecting.connect(self.address),
            poolclass=NullPool,
            hide_parameters=True,
            pool_reset_on_return=None,
        )

    def checks(self) -> Mapping[str, Check]:
        return diagnosis.checks(self.session, self.address, self.makes_tables)

    def make_books(self) -> Books:
        text = String()
        return Books(name=text, key=text, version=Numeric(38, 10))

    def read_fault(self, error: BaseException) -> Fault:
        return faults.advised(faults.read_fault(error), self.address)

    def type_of(self, declared: str) -> ColumnType | None:
        return super().type_of(tables.plain(declared))

    def version_value(self, version: Version) -> str:
        return str(version)

    def readable(
        self, column: ColumnElement[Any], real: RealColumn
    ) -> ColumnElement[Any]:
        """The connector makes a datetime of a moment, with six of its nine digits."""
        if real.type is ColumnType.TIMESTAMP:
            return func.to_varchar(func.convert_timezone("UTC", column), _MOMENT)
        if real.type is ColumnType.DATETIME:
            return func.to_varchar(column, _MOMENT)
        return column

    def prepare_session(self) -> str:
        with suppress(DestinationError):  # not everybody may
            self.session.run(connecting.TAG)
        ((schema, warehouse),) = self._rows(
            "SELECT CURRENT_SCHEMA(), CURRENT_WAREHOUSE()"
        )
        for missing, code in ((schema, "3F000"), (warehouse, faults.NO_WAREHOUSE)):
            if missing is None:
                fault = Fault(code, faults.WORDS[code])
                raise decide(faults.advised(fault, self.address), self.answers)
        if not self.read_only:
            self._make_stage()
        return str(schema)

    def _make_stage(self) -> None:
        """For this session only; a statement that makes something commits."""
        for kind, name, columns in (
            ("TABLE", statements.ROWS, ' ("v" VARIANT)'),
            ("STAGE", statements.FILES, ""),
        ):
            quoted = self.session.quote(name)
            self.session.run(f"CREATE OR REPLACE TEMPORARY {kind} {quoted}{columns}")

    def savepoint(self) -> AbstractContextManager[None]:
        """Snowflake has none, and none is missed.

        A statement that fails changes nothing, ``lines`` refuses rows before there
        is a statement, and whoever rejects an event has the whole transaction
        written again without it.
        """
        return nullcontext()

    def look(self, table: str) -> RealTable | None:
        try:
            return tables.read(
                self._rows, table, self.session.quote_table(table), self.type_of
            )
        except TableError as error:
            if error.table or "42P01" not in str(error):
                raise
            return None

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.session.reading(), self.session.cursor() as cursor:
            return [tuple(row) for row in cursor.execute(query).fetchall()]

    def steps(self, change: SchemaChange, real: RealTable | None) -> Iterator[Step]:
        whole = real
        if real is not None and change.adds and not change.creates:
            halves = half_done(real, change.table)
            for name, half in halves.items():
                yield (rename(real, half.name, name, self.session),)
            whole = replace(real, columns={**real.columns, **halves})
        yield from super().steps(change, whole)

    def widening(self, real: RealTable, column: Column) -> Step:
        if column.name in real.primary:
            return super().widening(real, column)
        step = widening(real, column, self.types, self.session)
        return step or super().widening(real, column)

    def statements(self, target: Target) -> Mapping[str, str]:
        place, quote = self.session.quote_table, self.session.quote
        table, graves = place(target.real.name), place(self.books.tombstone.name)
        sources = {
            "": statements.BOUND,
            "_staged": statements.staged(quote(statements.ROWS)),
        }
        return {
            f"{name}{suffix}": statement
            for suffix, source in sources.items()
            for name, statement in {
                "upsert": statements.upsert(target, table, graves, source, quote),
                "tombstone": statements.bury(graves, source),
                "delete": statements.delete(target, table, source, quote),
            }.items()
        }

    def write(self, target: Target, rows: Sequence[Row]) -> int:
        return self.load(target, rows).changed

    def load(self, target: Target, rows: Sequence[Row]) -> Loaded:
        every = lines.upserts(target, rows)  # refuses before anything is written
        steps = {"upsert": [target.real.name]}
        counts = (self._run(target, p, steps) for p in parts(every, _FILE_BYTES))
        return sum((Loaded(*count) for count in counts), Loaded())

    def remove(self, target: Target, keys: Sequence[VersionedKey]) -> int:
        name = target.real.name
        steps = {"tombstone": [name], "delete": []}
        every = lines.deletes(target, keys)
        counts = (self._run(target, p, steps) for p in parts(every, _FILE_BYTES))
        return sum(map(sum, counts))

    def _run(
        self, target: Target, part: list[bytes], steps: Mapping[str, list[str]]
    ) -> list[int]:
        """Execute *steps* on the lines of *part*; return what the last one tells.

        MERGE: how many rows were inserted, and how many updated; DELETE: one number.
        """
        bound = sum(map(len, part)) <= self.bound_bytes
        suffix, source = ("", [_array(part)]) if bound else ("_staged", [])
        counts: list[int] = []
        with self.session.cursor() as cursor:
            if not bound:
                self._stage(cursor, part)
            for name, parameters in steps.items():
                statement = target.statements[f"{name}{suffix}"]
                cursor.execute(statement, [*parameters, *source])
                counts = [int(count) for count in cursor.fetchone()]
        return counts

    def _stage(self, cursor: Any, part: list[bytes]) -> None:
        """Put the lines where ``_staged`` statements find them, and nothing else.

        The file is never on this machine's disk, and gone from the stage once read.
        """
        quote = self.session.quote
        rows, files = quote(statements.ROWS), f"@{quote(statements.FILES)}"
        name = f"{uuid4().hex}.json.gz"
        with io.BytesIO(gzip.compress(b"\n".join(part), compresslevel=1)) as data:
            put = f"PUT 'file://{name}' {files}"
            options = "SOURCE_COMPRESSION=GZIP AUTO_COMPRESS=FALSE OVERWRITE=TRUE"
            cursor.execute(f"{put} {options}", file_stream=data)
        cursor.execute(f"DELETE FROM {rows}")  # noqa: S608 - an identifier only, quoted
        kind = "FILE_FORMAT=(TYPE=JSON COMPRESSION=GZIP)"
        cursor.execute(f"COPY INTO {rows} FROM {files}/{name} {kind} PURGE=TRUE")
        _check_loaded(cursor.fetchall(), len(part))


def _check_loaded(report: Sequence[Sequence[Any]], expected: int) -> None:
    """Raise TransientError unless COPY took every line: MERGE would not miss any."""
    loaded = sum(int(row[3]) for row in report if len(row) > 3)  # noqa: PLR2004 - rows_loaded
    if loaded != expected:
        raise TransientError(f"{loaded} of {expected} lines came out of the stage")


def _array(part: list[bytes]) -> str:
    return b"[%b]".__mod__(b",".join(part)).decode()
