"""While NATS is away an import says so, waits, and tries again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eds_core.errors import TransientError
from eds_core.stream import ApiError, Unreachable
from eds_core.waiting import Backoff

log = logging.getLogger("eds.import")

R = TypeVar("R")


async def until_answered(ask: Callable[[], Awaitable[R]]) -> R:
    """What *ask* returns; again, for ever, after a failure that may pass.

    One that comes with advice of what to change does not pass by itself.
    """
    backoff = Backoff(first=0.25, most=15)
    while True:
        try:
            return await ask()
        except (Unreachable, TransientError) as error:
            if isinstance(error, ApiError) and error.advice:
                raise
            log.warning("%s (trying again)", error)
            await backoff.wait()
