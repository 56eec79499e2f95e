"""Cutting many rows into parts that one statement takes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def parts(
    items: Iterable[T], most: int, size: Callable[[Any], int] = len
) -> Iterator[list[T]]:
    """Lists of *items* in order, none larger than *most* unless of a single one."""
    part: list[T] = []
    room = most
    for item in items:
        length = size(item)
        if part and length > room:
            yield part
            part, room = [], most
        part.append(item)
        room -= length
    if part:
        yield part
