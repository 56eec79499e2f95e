"""What `eds doctor` looks at on SQLite: the file, and the disk that it is on."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from .findings import Check, Finding, Verdict
from .sql.diagnosis import ask, free_space, size
from .sql.session import Session

_ABOUT = "SELECT sqlite_version(), journal_mode FROM pragma_journal_mode"


def checks(session: Session, path: Path) -> Mapping[str, Check]:
    """What to look at of the database in the file *path*."""
    return {"file": partial(_file, session, path), "disk": partial(_disk, path.parent)}


def _file(session: Session, path: Path) -> Iterator[Finding]:
    if path.exists():
        ((version, mode),) = ask(session, _ABOUT)
        held = f"{size(path.stat().st_size)}, SQLite {version}, {mode} mode"
        yield Finding("file", f"{path}: {held}")
    else:
        yield Finding("file", f"{path} is not there yet: the server makes it")
    for place in (path, path.parent):
        if place.exists() and not os.access(place, os.W_OK):
            yield Finding(
                "file",
                f"{place} cannot be written by this user",
                Verdict.WRONG,
                why="rows go into the file, and a journal beside it",
                advice="run this as EDS's user, or let it own the place",
                paste=f"sudo chown eds {shlex.quote(str(place))}",
            )


def _disk(place: Path) -> Iterator[Finding]:
    yield free_space(place, shutil.disk_usage(place).free)
