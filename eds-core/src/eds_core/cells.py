"""A row's tokens, put together by the types of their columns. Pure.

Cells are made where a line is taken apart anyway, for drivers that need no more of a
row than the JSON text of its values: see ``Capabilities.cells``. Each type's tokens
stand together, with a tab before and behind each, between two bytes ``BETWEEN``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter

import msgspec

from .schema import ColumnType

#: No token of JSON has this byte in it, nor a tab but for blanks between its parts.
BETWEEN = b"\x1e"
_BOUND = msgspec.Raw(BETWEEN)


def by_type(columns: Mapping[str, ColumnType]) -> list[tuple[ColumnType, list[str]]]:
    """The types that *columns* have, and in which order cells have the columns."""
    groups = [
        (kind, [name for name, its in columns.items() if its is kind])
        for kind in ColumnType
    ]
    return [(kind, names) for kind, names in groups if names]


def joining(
    columns: Mapping[str, ColumnType], names: Sequence[str]
) -> Callable[[msgspec.Struct], bytes]:
    """Makes the cells of *columns*, of structs whose fields hold tokens of *names*."""
    place = {name: index for index, name in enumerate(names)}
    bound = len(names)
    order = [
        index
        for _, group in by_type(columns)
        for index in (bound, *map(place.__getitem__, group))
    ]
    take = itemgetter(*order, bound)
    astuple = msgspec.structs.astuple
    return lambda taken: b"\t".join(take((*astuple(taken), _BOUND)))
