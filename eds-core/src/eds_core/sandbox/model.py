"""The tables of the upstream service, as its look-up describes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib import resources

PLAIN_TYPES = frozenset(
    (
        "BigInt", "Boolean", "Bytes", "DateTime", "Decimal", "Double", "Float", "Int",
        "Json", "String",
    )
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table; *values* are those of its enum, if it is one."""

    name: str
    type: str
    nullable: bool = True
    list: bool = False
    timestampz: bool = False
    values: tuple[str, ...] = ()

    @property
    def enum(self) -> bool:
        return self.type not in PLAIN_TYPES


@dataclass(frozen=True)
class Model:
    """One version of a table."""

    table: str
    keys: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def name(self) -> str:
        return "".join(word.capitalize() for word in self.table.split("_"))

    @cached_property
    def version(self) -> str:
        """The model_version: 16 hex digits that change with any column."""
        fields = json.dumps([self.table, self._fields()])
        return hashlib.sha256(fields.encode()).hexdigest()[:16]

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        return self.columns[self.column_names.index(name)]

    def has(self, name: str) -> bool:
        return name in self.column_names

    def with_column(
        self,
        name: str,
        type: str = "String",  # noqa: A002 - the model's own word
        *,
        nullable: bool = True,
        list: bool = False,  # noqa: A002 - the model's own word
        timestampz: bool = True,
        values: Sequence[str] = (),
    ) -> Model:
        """Return a later version of the table that has one more column.

        A *type* that is no plain one is the name of an enum of *values*.
        """
        zone = timestampz and type == "DateTime"
        column = Column(name, type, nullable, list, zone, tuple(values))
        _check(column, self.table)
        return replace(self, columns=(*self.columns, column))

    def with_type(self, name: str, type: str) -> Model:  # noqa: A002 - its word
        """Return a later version of the table with another type for a column."""
        old = self.column(name)
        new = replace(old, type=type, timestampz=type == "DateTime", values=())
        _check(new, self.table)
        return replace(
            self, columns=tuple(new if c is old else c for c in self.columns)
        )

    def without_column(self, name: str) -> Model:
        """Return a later version of the table that lacks a column."""
        kept = tuple(column for column in self.columns if column.name != name)
        return replace(self, columns=kept)

    def describe(self) -> dict[str, object]:
        """Return the `data` of a look-up's reply."""
        return {
            "name": self.name,
            "table": self.table,
            "modelVersion": self.version,
            "fields": self._fields(),
        }

    def _fields(self) -> list[dict[str, object]]:
        return [
            _describe(column, line, self.keys)
            for line, column in enumerate(self.columns, start=2)
        ]


def _describe(column: Column, line: int, keys: Sequence[str]) -> dict[str, object]:
    return {
        "name": column.name,
        "table": column.name,
        "type": column.type,
        "primary_key": column.name in keys,
        "unique": False,
        "optional": column.nullable,
        "timestampz": column.timestampz,
        "private": False,
        "list": column.list,
        "enum": column.enum,
        "line": line,
    }


def load_models() -> dict[str, Model]:
    """Return the latest model of each table, by table."""
    text = resources.files(__package__).joinpath("tables.txt").read_text("utf-8")
    return {model.table: model for model in parse_models(text)}


def parse_models(text: str) -> Iterator[Model]:
    """Yield the models of a text in the format that `tables.txt` explains."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    enums = dict(_enum(line) for line in lines if line.startswith("enum "))
    for line in lines:
        if not line.startswith("enum "):
            yield _model(line, enums)


def _enum(line: str) -> tuple[str, tuple[str, ...]]:
    name, _, values = line.removeprefix("enum ").partition(" = ")
    return name, tuple(values.split())


def _model(line: str, enums: dict[str, tuple[str, ...]]) -> Model:
    head, _, body = line.partition(": ")
    table, _, keys = head.partition(" ")
    columns = tuple(_columns(body.split(", "), enums, table))
    return Model(table, tuple(keys.split(",")), columns)


def _columns(
    words: Iterable[str], enums: dict[str, tuple[str, ...]], table: str
) -> Iterator[Column]:
    for word in words:
        name, _, type_ = word.partition(" ")
        bare = type_.removesuffix("!").removesuffix("[]")
        column = Column(
            name,
            bare.removeprefix("Local"),
            nullable=not type_.endswith("!"),
            list="[]" in type_,
            timestampz=bare == "DateTime",
            values=enums.get(bare, ()),
        )
        _check(column, table)
        yield column


def _check(column: Column, table: str) -> None:
    if column.enum and not column.values:
        raise ValueError(f"{table}.{column.name}: unknown type {column.type}")
