"""Requests that will never be answered, because the credentials do not permit them.

NATS says so beside the request, in an error of the connection.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from eds_core.errors import TransientError

_DENIED = re.compile(
    r'permissions violation for (?P<what>publish|subscription) to "(?P<subject>[^"]+)"',
    re.IGNORECASE,
)
_INBOX = "_inbox."


class NotPermitted(TransientError):  # noqa: N818 - a state of affairs, named as such
    """The credentials do not permit what was tried."""

    code = "E3004"

    def __init__(self, what: str, subject: str) -> None:
        verb = "publish to" if what.lower() == "publish" else "subscribe to"
        super().__init__(
            f"these credentials do not permit to {verb} {subject}",
            advice="ask Shopmonkey for credentials that do",
        )


class Denials:
    """Ends waiting requests as soon as NATS denies them."""

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[None], str] = {}

    @contextmanager
    def of(self, subject: str) -> Iterator[asyncio.Future[None]]:
        """A future that fails with NotPermitted when *subject* is denied."""
        denied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[denied] = subject
        try:
            yield denied
        finally:
            del self._waiting[denied]
            denied.cancel()

    def heard(self, error: Exception) -> bool:
        """Take an error; say whether it is a denial that nobody waited for."""
        match = _DENIED.search(str(error))
        if match is None:
            return False
        no_inbox = match["subject"].lower().startswith(_INBOX)  # gets no answer at all
        unheard = True
        for denied, asked in self._waiting.items():
            # nats-py tells the subject in small letters.
            meant = match["subject"].lower() == asked.lower()
            if (meant or no_inbox) and not denied.done():
                subject = asked if meant else f"{_INBOX.upper()}>"
                denied.set_exception(NotPermitted(match["what"], subject))
                unheard = False
        return unheard
