"""Lines that all have the same columns, taken apart at once. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from .schema import TableSchema

#: What is read of a line besides the columns of its table.
ASIDE = ("companyId", "meta", "updatedDate", "createdDate")
_NOTHING = msgspec.Raw(b"null")


class _Absent:
    """What a column is decoded as that no line of the shape has."""


class Shape:
    """Lines with the columns of *schema*, and no other column of *table*."""

    def __init__(self, table: TableSchema, schema: TableSchema) -> None:
        self.schema = schema
        there = [column.name for column in schema.columns]
        aside = [name for name in ASIDE if name not in table.types]
        absent = [name for name in table.types if name not in schema.types]
        fields = {name: f"c{i}" for i, name in enumerate((*there, *aside, *absent))}
        defined: list[Any] = [
            *((fields[name], msgspec.Raw) for name in there),
            *((fields[name], msgspec.Raw, _NOTHING) for name in aside),
            *((fields[name], _Absent, None) for name in absent),
        ]
        renamed = {field: name for name, field in fields.items()}
        made = msgspec.defstruct("Cells", defined, rename=renamed, gc=False)
        self._decode = msgspec.json.Decoder(made, dec_hook=_refuse).decode
        self.key = [fields[name] for name in schema.key]
        #: The fields of those of ASIDE that lines may have.
        self.aside = {name: fields[name] for name in ASIDE if name not in absent}

    def take(self, line: bytes) -> msgspec.Struct | None:
        """Each column's JSON text as it came, the schema's columns first, in order.

        None: the line has another shape, or is no row at all.
        """
        try:
            return self._decode(line)
        except (msgspec.MsgspecError, RecursionError):
            return None


def _refuse(kind: type, value: object) -> None:
    raise ValueError(f"{value!r} is not {kind.__name__}")
