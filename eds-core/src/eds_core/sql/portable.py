"""Reflection and the guarded writes in SQL that any database understands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    TableClause,
    and_,
    bindparam,
    cast,
    column,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    table,
    update,
)
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql import quoted_name
from sqlalchemy.sql.dml import Insert, Update
from sqlalchemy.types import TypeEngine, UserDefinedType

from eds_core.driver import Loaded
from eds_core.event import Key, Row, Version, VersionedKey
from eds_core.schema import ColumnType

from .books import Books
from .session import Session
from .tables import VERSION, RealColumn, RealTable, Target


class Dialect(Protocol):
    """What the portable statements need of a driver."""

    session: Session
    books: Books

    @property
    def typed_parameters(self) -> bool: ...

    def version_value(self, version: Version) -> str: ...

    def readable(
        self, column: ColumnElement[Any], real: RealColumn
    ) -> ColumnElement[Any]: ...


def key_text(key: Key) -> str:
    """A key as the tombstones have it: a compact JSON array."""
    return msgspec.json.encode(key).decode()


def look(
    session: Session, name: str, type_of: Callable[[str], ColumnType | None]
) -> RealTable | None:
    """Reflect one table of the session's schema, or a view."""
    with session.reading() as connection:
        inspector = session.inspector()
        place = name, session.schema
        try:
            found = inspector.get_columns(*place)
            primary = inspector.get_pk_constraint(*place)["constrained_columns"]
            indexes = inspector.get_indexes(*place)
            constraints = inspector.get_unique_constraints(*place)
        except NoSuchTableError:  # or dropped meanwhile, or there in another case
            return None
        if not found:  # SQLAlchemy has looked for it while it was being made
            return None
        spelled = [c["type"].compile(connection.dialect) for c in found]
        columns = {
            c["name"]: RealColumn(
                c["name"], declared, type_of(declared), "computed" not in c
            )
            for c, declared in zip(found, spelled, strict=True)
        }
    unique = {
        frozenset(filter(None, index["column_names"]))
        for index in indexes
        if index["unique"] and None not in index["column_names"]
    } | {frozenset(constraint["column_names"]) for constraint in constraints}
    return RealTable(name, columns, frozenset(primary), frozenset(unique))


class _Declared(UserDefinedType[Any]):
    """The type of a real column, as it was declared."""

    cache_ok = True

    def __init__(self, declared: str) -> None:
        self.declared = declared

    def get_col_spec(self, **_: object) -> str:
        return self.declared


class _Statements:
    """One target's statements. Parameters are numbered: names might clash."""

    def __init__(self, dialect: Dialect, target: Target) -> None:
        self.target = target
        self.typed = dialect.typed_parameters
        self.names = [*target.columns]
        self.to = named_table(dialect.session, target.real.name, [*self.names, VERSION])
        self.tombstone: TableClause = dialect.books.tombstone

    @property
    def _is_row(self) -> ColumnElement[bool]:
        return and_(
            *(self.to.c[name] == self._value(name) for name in self.target.table.key)
        )

    def _value(self, name: str) -> ColumnElement[Any]:
        return bindparam(f"c{self.names.index(name)}")

    @property
    def _not_newer(self) -> ColumnElement[bool]:
        held = self.to.c[VERSION]
        return or_(held.is_(None), held <= bindparam("v"))

    @property
    def _alive(self) -> ColumnElement[bool]:
        return ~exists().where(
            self._is_deleted, self.tombstone.c.version > bindparam("v")
        )

    @property
    def _is_deleted(self) -> ColumnElement[bool]:
        c = self.tombstone.c
        return and_(c.table_name == self.target.real.name, c.key == bindparam("k"))

    def update(self) -> Update:
        values = {name: self._value(name) for name in self.target.values}
        return (
            update(self.to)
            .where(self._is_row, self._not_newer, self._alive)
            .values({**values, VERSION: bindparam("v")})
        )

    def insert(self) -> Insert:
        declared = [self.target.real.columns[name].declared for name in self.names]
        values = [
            self._selected(self._value(name), _Declared(kind))
            for name, kind in zip(self.names, declared, strict=True)
        ]
        version = self._selected(bindparam("v"), self.tombstone.c.version.type)
        new = select(*values, version).where(~exists().where(self._is_row), self._alive)
        return insert(self.to).from_select([*self.names, VERSION], new)

    def _selected(
        self, value: ColumnElement[Any], kind: TypeEngine[Any]
    ) -> ColumnElement[Any]:
        """What is selected has no column beside it that would tell its type."""
        return cast(value, kind) if self.typed else value

    def delete(self) -> Any:
        return delete(self.to).where(self._is_row, self._not_newer)

    def raise_tombstone(self) -> Update:
        older = self.tombstone.c.version < bindparam("v")
        return (
            update(self.tombstone)
            .where(self._is_deleted, older)
            .values(version=bindparam("v"))
        )

    def insert_tombstone(self) -> Insert:
        c = self.tombstone.c
        parts: dict[str, ColumnElement[Any]] = {
            "table_name": literal(self.target.real.name),
            "key": bindparam("k"),
            "version": bindparam("v"),
        }
        selected = [self._selected(of, c[name].type) for name, of in parts.items()]
        new: Any = select(*selected).where(~exists().where(self._is_deleted))
        return insert(self.tombstone).from_select([*parts], new)


def named_table(session: Session, name: str, columns: Iterable[str]) -> TableClause:
    """A table of the session's schema; quoted, whatever SQLAlchemy has as reserved."""
    named: list[ColumnClause[Any]] = [
        column(quoted_name(name, quote=True)) for name in columns
    ]
    schema = session.schema and quoted_name(session.schema, quote=True)
    return table(quoted_name(name, quote=True), *named, schema=schema)


def write(dialect: Dialect, target: Target, rows: Sequence[Row]) -> int:
    """Update the rows that are there and not newer, then insert the others."""
    statements = _Statements(dialect, target)
    parameters = [_row(dialect, target, row) for row in rows]
    return _run(dialect, [statements.update(), statements.insert()], parameters)


def remove(dialect: Dialect, target: Target, keys: Sequence[VersionedKey]) -> int:
    """Raise the tombstones, then delete the rows that are not newer."""
    statements = _Statements(dialect, target)
    parameters = [_key(dialect, target, key) for key in keys]
    tombstones = [statements.raise_tombstone(), statements.insert_tombstone()]
    _run(dialect, tombstones, parameters)
    return _run(dialect, [statements.delete()], parameters)


def _run(
    dialect: Dialect, statements: Iterable[Any], parameters: list[dict[str, Any]]
) -> int:
    """Execute for all parameters; what a DBAPI does not count is no row."""
    session = dialect.session
    counts_all = session.dialect.supports_sane_multi_rowcount
    turns = [parameters] if counts_all else [[each] for each in parameters]
    done = (session.execute(some, turn) for some in statements for turn in turns)
    return sum(max(0, result.rowcount) for result in done)


def _row(dialect: Dialect, target: Target, row: Row) -> dict[str, Any]:
    values: Mapping[str, Any] = {
        f"c{index}": row.get(name, kind)
        for index, (name, kind) in enumerate(target.columns.items())
    }
    version = dialect.version_value(row.version)
    return {**values, "v": version, "k": key_text(row.key)}


def _key(dialect: Dialect, target: Target, key: VersionedKey) -> dict[str, Any]:
    names = [*target.columns]
    values: Mapping[str, Any] = {
        f"c{names.index(name)}": value
        for name, value in zip(target.table.key, key.key, strict=True)
    }
    version = dialect.version_value(key.version)
    return {**values, "v": version, "k": key_text(key.key)}


def chunks(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    """Lists of at most *size* rows, of each key the last word, sorted by key."""
    last: dict[Key, Row] = {}
    for row in rows:
        known = last.get(row.key)
        if known is None or row.version >= known.version:
            last[row.key] = row
        if len(last) == size:
            yield [last[key] for key in sorted(last)]
            last.clear()
    if last:
        yield [last[key] for key in sorted(last)]


def counted(size: int, there: Callable[[], int], write: Callable[[], int]) -> Loaded:
    """Tell the inserts from the updates when *size* rows are written.

    *there* says how many of their keys have a row, *write* how many rows changed: if
    all did, all have one.
    """
    before = there()
    changed = write()
    after = size if changed == size else there()
    inserted = min(max(after - before, 0), changed)  # somebody else may delete
    return Loaded(inserted, changed - inserted)


def count(session: Session, name: str) -> int:
    """How many rows the table *name* has."""
    every = select(func.count()).select_from(named_table(session, name, ()))
    with session.reading() as connection:
        return int(connection.execute(every).scalar_one())
