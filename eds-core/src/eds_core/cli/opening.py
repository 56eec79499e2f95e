"""Open a destination for a command."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eds_core.destination import Destination


@contextmanager
def destination_at(
    url: str, plugins: Iterable[object] = (), *, read_only: bool, actor: str = ""
) -> Iterator[Destination]:
    """The destination at *url*; *read_only* makes nothing, not even a SQLite file."""
    from eds_core.destination import Destination, find_driver

    destination = Destination(find_driver(url)(url), plugins, actor=actor)
    destination.driver.read_only = read_only
    try:
        destination.open()
        yield destination
    finally:
        destination.close()
