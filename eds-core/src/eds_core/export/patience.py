"""Trying again: what may succeed later is waited for, a little longer each time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from eds_core.errors import EdsError, ExportError
from eds_core.waiting import Backoff

T = TypeVar("T")

_log = logging.getLogger("eds.export")


class Again(Exception):  # noqa: N818 - not an error yet: it may work a moment later
    """What failed may succeed later, not before *wait* seconds if that is given."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


class NotYet(Again):
    """The other side is still working at it."""


class Stopped(EdsError):  # noqa: N818 - a state of affairs, named as such
    """Somebody asked to stop, or another part has failed."""

    code = "E6002"


class Patience:
    """Waits between tries, and gives up *seconds* after the last sign of life."""

    def __init__(
        self, what: str, seconds: float, stop: Event, backoff: Backoff | None = None
    ) -> None:
        self._what = what
        self._seconds = seconds
        self._stop = stop
        self._backoff = backoff or Backoff(0.5, 30)
        self.reset()

    def reset(self) -> None:
        """Something went well."""
        self._backoff.reset()
        self._end = time.monotonic() + self._seconds

    def check(self) -> None:
        """Raises Stopped when it is time to stop."""
        if self._stop.is_set():
            raise Stopped("stopped")

    def after(self, problem: Again) -> None:
        """Wait before the next try; raises EdsError when there shall be none."""
        wait = self._backoff.step()
        if problem.wait is not None:
            wait = max(wait, problem.wait)
        if time.monotonic() + wait > self._end:
            raise self._given_up(problem) from problem
        level = logging.DEBUG if isinstance(problem, NotYet) else logging.WARNING
        _log.log(level, "%s: %s; again in %.1f s", self._what, problem, wait)
        self._stop.wait(wait)
        self.check()

    def _given_up(self, problem: Again) -> EdsError:
        if problem.wait is not None and problem.wait > self._seconds:
            return ExportError(
                f"{self._what}: {problem}: not before {problem.wait:.0f} s from now",
                advice="run the same command again after that time",
            )
        return ExportError(
            f"{self._what}: {problem}; given up after {self._seconds:.0f} s",
            advice="run the same command again later: it goes on where it is now",
        )


def persist(ask: Callable[[], T], patience: Patience) -> T:
    """Return what *ask* returns at last; it makes its request anew each time."""
    while True:
        patience.check()
        try:
            return ask()
        except Again as problem:
            patience.after(problem)
