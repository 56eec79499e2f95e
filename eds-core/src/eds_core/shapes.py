"""Lines that all have the same columns, taken apart at once. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import msgspec

from .cells import joining
from .schema import TableSchema

#: What is read of a line besides the columns of its table.
ASIDE = ("companyId", "meta", "updatedDate", "createdDate")
_NOTHING = msgspec.Raw(b"null")


class _Absent:
    """What a column is decoded as that no line of the shape has."""


class Shape:
    """Lines with the columns of *schema*, and no other column of *table*.

    Those whose names are in the order of *names* take less time: msgspec looks for
    each name behind the one before it.
    """

    def __init__(
        self, table: TableSchema, schema: TableSchema, names: Iterable[str]
    ) -> None:
        self.schema = schema
        known = {*table.types, *ASIDE}
        listed = dict.fromkeys((*(n for n in names if n in known), *sorted(known)))
        fields = {name: f"c{i}" for i, name in enumerate(listed)}
        absent = table.types.keys() - schema.types.keys()
        defined = [
            (field, *_kind(name, schema, absent)) for name, field in fields.items()
        ]
        renamed = {field: name for name, field in fields.items()}
        made = msgspec.defstruct(
            "Taken", defined, rename=renamed, gc=False, kw_only=True
        )
        self._decode = msgspec.json.Decoder(made, dec_hook=_refuse).decode
        self.key = [fields[name] for name in schema.key]
        #: Makes a row's cells of what ``take`` returns.
        self.cells = joining(schema.types, [*listed])
        #: The fields of those of ASIDE that lines may have.
        self.aside = {name: fields[name] for name in ASIDE if name not in absent}

    def take(self, line: bytes) -> msgspec.Struct | None:
        """Each column's JSON text as it came, in the fields of the names.

        None: the line has another shape, or is no row at all.
        """
        try:
            return self._decode(line)
        except (msgspec.MsgspecError, RecursionError):
            return None


def _kind(name: str, schema: TableSchema, absent: Collection[str]) -> tuple[Any, ...]:
    if name in absent:
        return _Absent, None
    return (msgspec.Raw,) if name in schema.types else (msgspec.Raw, _NOTHING)


def _refuse(kind: type, value: object) -> None:
    raise ValueError(f"{value!r} is not {kind.__name__}")
