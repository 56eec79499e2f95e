"""What installed distributions offer, looked for once: it means to read all of them."""

from __future__ import annotations

import importlib.metadata
import sys
from functools import lru_cache
from importlib.metadata import EntryPoints
from typing import cast


def entry_points(group: str, name: str | None = None) -> EntryPoints:
    """As ``importlib.metadata.entry_points``; a process sees no later installation."""
    found = _found(tuple(sys.path)).select(group=group)
    return found if name is None else found.select(name=name)


@lru_cache(maxsize=1)
def _found(path: tuple[str, ...]) -> EntryPoints:
    """All that there are; *path* is where they are looked for."""
    del path
    # Python 3.11 has another class for it, of which ``select`` is the same.
    return cast("EntryPoints", importlib.metadata.entry_points())
