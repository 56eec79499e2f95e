"""Files that may hold the shop's data: only their owner reads them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)


def open_private(path: Path) -> BinaryIO:
    """Open *path* for reading and writing, as it is or made; mode 0600 from now on.

    In a folder that others may write to, somebody could have put there a link, or a
    file that he can read. Raises OSError for what is not a file of this user's alone.
    """
    descriptor = os.open(path, _FLAGS | getattr(os, "O_BINARY", 0), 0o600)
    try:
        _check_ours(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "r+b")


def _check_ours(descriptor: int, path: Path) -> None:
    if os.name != "posix":  # pragma: no cover - no owners and modes there
        return
    found = os.fstat(descriptor)
    alone = stat.S_ISREG(found.st_mode) and found.st_nlink == 1
    if not alone or found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it is not this user's alone", str(path))
    os.fchmod(descriptor, 0o600)


def mode_for_others(path: Path) -> int:
    """The permission bits of *path* if others than its owner may use it, else 0."""
    if os.name != "posix":  # pragma: no cover - no such bits there
        return 0
    mode = stat.S_IMODE(path.stat().st_mode)
    return mode if stat.S_ISREG(path.stat().st_mode) and mode & 0o077 else 0


def make_private(path: Path) -> None:
    """Make an empty file at *path*, for others to write to; one that exists stays."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
