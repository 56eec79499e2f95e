"""What a column of SQL Server's is declared as, and how a value gets into it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from eds_core.schema import ColumnType
from eds_core.sql.tables import RealColumn, RealTable

#: Of keys and texts: equal means equal byte by byte.
BINARY = "Latin1_General_100_BIN2"
#: Of JSON, so that it can be told from text when it is read back.
JSON = "Latin1_General_BIN2"

#: Bytes that SQL Server puts into a clustered index for one key.
_KEY_BYTES = 900

TYPES: Mapping[ColumnType, str] = {
    ColumnType.TEXT: f"nvarchar(max) COLLATE {BINARY}",
    ColumnType.INTEGER: "bigint",
    ColumnType.NUMBER: "float",
    ColumnType.DECIMAL: "decimal(38,19)",  # any 64 bit integer fits
    ColumnType.BOOLEAN: "bit",
    ColumnType.TIMESTAMP: "datetimeoffset(7)",
    ColumnType.DATETIME: "datetime2(7)",
    ColumnType.JSON: f"nvarchar(max) COLLATE {JSON}",
    ColumnType.BYTES: "varbinary(max)",
}

_DECLARED = re.compile(r"(\w+)(?:\((max|\d+)(?:,(\d+))?\))?(?: COLLATE (\w+))?")
_KEY_TEXT = re.compile(rf"nvarchar\(\d+\) COLLATE {BINARY}")
_KEY_BINARY = re.compile(r"varbinary\(\d+\)")

_WIDE = frozenset({"nvarchar", "nchar", "ntext"})
_NARROW = frozenset({"varchar", "char", "text"})
_LONGEST = 4000  # an nvarchar that is no large object
_MONEY = {"money": (19, 4), "smallmoney": (10, 4)}
#: Read from JSON in their own type: the values were looked at before.
_READ_AS_THEY_ARE = frozenset(
    {
        "bigint",
        "bit",
        "datetime2",
        "datetimeoffset",
        "decimal",
        "float",
        "int",
        "numeric",
        "smallint",
        "tinyint",
    }
)
_WITHOUT_ZONE = frozenset({"date", "time", "datetime", "smalldatetime", "datetime2"})


@dataclass(frozen=True, slots=True)
class SqlServerColumn(RealColumn):
    """A column, with what its declaration says taken apart."""

    base: str = ""
    length: int = 0  # of characters or bytes; 0: none, or without a bound
    scale: int = 0
    collation: str = ""
    codec: str = ""  # of a varchar: what its code page can hold

    @property
    def is_text(self) -> bool:
        return self.base in _WIDE or self.base in _NARROW

    @property
    def is_binary(self) -> bool:
        return self.base in {"binary", "varbinary"}

    @property
    def keeps_no_zone(self) -> bool:
        return self.base in _WITHOUT_ZONE

    @property
    def digits(self) -> tuple[int, int] | None:
        """Of a decimal: all of them, and those behind the point."""
        if self.base in {"decimal", "numeric"}:
            return self.length, self.scale
        return _MONEY.get(self.base)

    @property
    def read_as(self) -> str:
        """The type that OPENJSON gives a value."""
        if self.base in _READ_AS_THEY_ARE:
            return self.plain
        if self.keeps_no_zone:
            return "datetime2(7)"
        return "nvarchar(max)"

    @property
    def read_in_key_as(self) -> str:
        """The same for a key: a type that an index can be searched by."""
        if self.read_as != "nvarchar(max)":
            return self.read_as
        return f"nvarchar({self.length or _LONGEST if self.is_text else _LONGEST})"

    @property
    def plain(self) -> str:
        """The declared type without its collation."""
        return self.declared.partition(" COLLATE ")[0]

    @property
    def is_converted(self) -> bool:
        """A value has to be converted by the server, which may not like it."""
        return not (self.base in _READ_AS_THEY_ARE or self.is_text or self.is_binary)

    def value(self, read: str, *, in_key: bool = False) -> str:
        """The expression for what was *read*, in the column's own type.

        Never one that cuts a value off: its length was looked at before.
        """
        if self.is_binary:
            declared = self.plain if in_key else "varbinary(max)"
            return f"CONVERT({declared}, {read}, 2)"
        if self.is_text:
            # By the column's own code page, not by the database's.
            own = f"{read} COLLATE {self.collation}" if self.codec else read
            return f"CONVERT({self.plain}, {own})" if in_key else read
        return f"CONVERT({self.plain}, {read})" if self.is_converted else read


def column(
    name: str,
    declared: str,
    kind: ColumnType | None,
    *,
    writable: bool = True,
    codec: str = "",
) -> SqlServerColumn:
    found = _DECLARED.fullmatch(declared)
    if found is None:
        return SqlServerColumn(name, declared, kind, writable, base=declared)
    base, length, scale, collation = found.groups()
    size = int(length) if length and length != "max" else 0
    return SqlServerColumn(
        name,
        declared,
        kind,
        writable,
        base,
        size,
        int(scale or 0),
        collation or "",
        codec,
    )


def type_of(declared: str) -> ColumnType | None:
    """Read a declared type back; None for what EDS would not have chosen."""
    if _KEY_TEXT.fullmatch(declared):
        return ColumnType.TEXT
    if _KEY_BINARY.fullmatch(declared):
        return ColumnType.BYTES
    return next((kind for kind, type_ in TYPES.items() if type_ == declared), None)


def key_type(kind: ColumnType, parts: int = 1) -> str:
    """The type of one of a key's *parts*: together they have to fit into an index."""
    share = _KEY_BYTES // parts
    if kind is ColumnType.BYTES:
        return f"varbinary({share})"
    if kind in {ColumnType.TEXT, ColumnType.JSON}:
        return f"nvarchar({share // 2}) COLLATE {BINARY}"
    return TYPES[kind]


def taken_apart(table: RealTable) -> RealTable:
    """Return *table* with its columns as this driver knows them."""
    columns = {
        name: column(name, found.declared, found.type)
        for name, found in table.columns.items()
    }
    return RealTable(table.name, columns, table.primary, table.unique)
