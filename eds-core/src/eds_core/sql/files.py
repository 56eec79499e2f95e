"""Databases that are one file of this machine: its URL, and whether it can be there."""

from __future__ import annotations

import os
from pathlib import Path

from sqlalchemy import URL

from eds_core.errors import ConfigError
from eds_core.urls import redact

_MEMORY = (None, "", ":memory:")


def check_url(parsed: URL, url: str, example: str) -> None:
    """Raise ConfigError when *url* names a server."""
    if parsed.host or parsed.username or parsed.password:
        raise ConfigError(
            f"{redact(url)} names no file", advice=f"it should look like {example}"
        )


def check_place(parsed: URL, url: str, *, read_only: bool) -> None:
    """Raise ConfigError when the file can be neither opened nor made."""
    if parsed.database in _MEMORY:
        return
    path = Path(parsed.database or "")
    place = path.parent
    if not place.is_dir():
        wrong, advice = f"there is no directory {place}", f"mkdir -p {place}"
    elif path.is_dir():
        wrong, advice = "it is a directory", f"name a file, such as {path}/shop.db"
    elif read_only:
        return
    elif not os.access(path if path.exists() else place, os.W_OK):
        wrong, advice = "it cannot be written", f"let EDS's user own {place}"
    else:
        return
    raise ConfigError(f"cannot open {redact(url)}: {wrong}", advice=advice)
