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


def exposed(found: os.stat_result) -> int:
    """The permission bits of a file that holds a secret, if too many may read it.

    Else 0. Its group may, unless the file is this user's: a file of root's is meant
    to be read by the group that a service is in.
    """
    if os.name != "posix" or not stat.S_ISREG(found.st_mode):
        return 0
    mode = stat.S_IMODE(found.st_mode)
    return mode if mode & (0o077 if found.st_uid == os.geteuid() else 0o007) else 0


def make_private(path: Path) -> None:
    """Make an empty file at *path*, for others to write to; one that exists stays."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        return
