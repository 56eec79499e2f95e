"""What went wrong lately, as the log had it."""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass, replace

_MOST = 50
_LONGEST = 500  # characters
#: These lines quote rows: who may see the page need not be allowed to see those.
_QUOTING = frozenset({"eds.writer", "eds.quarantine"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A warning or an error, and how often it came."""

    text: str
    level: str  # "warning" or "error"
    at: float  # when it came last, seconds since 1970
    count: int = 1


class Problems(logging.Handler):
    """Keeps the latest warnings and errors of EDS itself; those that repeat, once."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._kept: OrderedDict[str, Problem] = OrderedDict()

    def emit(self, record: logging.LogRecord) -> None:
        if record.name in _QUOTING:
            return
        text = record.getMessage()[:_LONGEST]
        level = "error" if record.levelno >= logging.ERROR else "warning"
        known = self._kept.pop(text, Problem(text, level, 0.0, 0))
        count = known.count + 1
        self._kept[text] = replace(known, level=level, at=record.created, count=count)
        if len(self._kept) > _MOST:
            self._kept.popitem(last=False)

    def latest(self) -> tuple[Problem, ...]:
        """The newest first. From any thread."""
        self.acquire()
        try:
            return tuple(reversed(self._kept.values()))
        finally:
            self.release()
