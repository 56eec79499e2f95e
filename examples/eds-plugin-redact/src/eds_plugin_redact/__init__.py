"""Masks values of columns but for their last four characters: a transformer.

``EDS_REDACT`` names the columns: ``customer.firstName,phone_number.number``. (EDS's own
``--redact-column`` leaves nothing of a value; this one lets people tell two apart.)
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import msgspec

from eds_core import (
    Columns,
    ColumnType,
    ConfigError,
    TableSchema,
    Transform,
    hookimpl,
)

_SHOWN = 4  # characters at the end of a value
_NULL = msgspec.Raw(b"null")


def mask(text: str) -> str:
    """*text* with a star for each character but the last; twice is as once."""
    return "*" * (len(text) - _SHOWN) + text[-_SHOWN:] if len(text) > _SHOWN else "****"


class Redact:
    """Masks *columns*, given as ``table.column``."""

    def __init__(self, columns: Iterable[str]) -> None:
        self._columns = frozenset(columns)

    @hookimpl
    def transform(self, table: TableSchema) -> Transform | None:
        names = [
            column.name
            for column in table.columns
            if f"{table.name}.{column.name}" in self._columns
        ]
        if not names:
            return None
        for name in names:
            if table.types[name] is not ColumnType.TEXT:
                raise ConfigError(
                    f"EDS_REDACT: {table.name}.{name} is no text",
                    advice="name columns of text only",
                )

        def row(columns: Columns) -> Columns:
            for name in names:
                token = columns.get(name, _NULL)
                if token != _NULL:
                    text = mask(msgspec.json.decode(token, type=str))
                    columns[name] = msgspec.Raw(msgspec.json.encode(text))
            return columns

        return Transform(table, row, f"mask {','.join(names)}")


_NAMED = [name.strip() for name in os.environ.get("EDS_REDACT", "").split(",")]
plugin = Redact(_NAMED) if any(_NAMED) else object()
