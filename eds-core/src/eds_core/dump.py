"""Write each message as it came into a directory (``--dump-dir``)."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from .errors import ConfigError
from .event import Message

log = logging.getLogger("eds.dump")

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST = 64  # characters of a table or message id in a file name


class Dump:
    """Call it with a message: ``<table>_<time in ns>_<message id>.json[.gz]``.

    Ids and tables come from outside: whatever is no letter, digit, - or _ becomes
    _. Files hold the shop's data, so only their owner can read them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"cannot make the directory {directory} for --dump-dir: "
                f"{error.strerror}",
                advice="name a directory that this user may write to",
            ) from error

    def __call__(self, message: Message) -> None:
        gzipped = message.data[:2] == b"\x1f\x8b"
        name = (
            f"{_safe(message.table)}_{time.time_ns()}_"
            f"{_safe(message.id or str(message.sequence))}"
            f".json{'.gz' if gzipped else ''}"
        )
        try:
            self._write(name, message.data)
        except OSError as error:  # a full disk must not keep events from the database
            log.warning("--dump-dir: %s not written: %s", name, error.strerror)

    def _write(self, name: str, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        descriptor = os.open(self._directory / name, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text)[:_LONGEST] or "_"
