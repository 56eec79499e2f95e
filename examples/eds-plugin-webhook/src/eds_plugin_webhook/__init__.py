"""Tells a webhook what went into quarantine: an observer, as an example.

``EDS_WEBHOOK_URL`` is where it is told; without it, nothing is. The rows themselves
are never sent, and neither is the reason, which may name values of them.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import urllib3

from eds_core import Background, Quarantined, hookimpl

_SECONDS = 5.0  # for one call, from connecting to the answer
_RETRIES = urllib3.Retry(0, redirect=0)


class Webhook:
    """Posts a JSON object for each batch that has quarantined something."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool = urllib3.PoolManager(timeout=urllib3.Timeout(total=_SECONDS))
        self._background = Background("the quarantine's webhook", self._post)

    @hookimpl
    def quarantined(self, entries: Sequence[Quarantined]) -> None:
        told = [
            {"id": e.id, "table": e.table, "company": e.company, "event": e.event_id}
            for e in entries
        ]
        self._background.put({"quarantined": told})

    def _post(self, item: object) -> None:
        answer = self._pool.request("POST", self._url, json=item, retries=_RETRIES)
        if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
            raise RuntimeError(f"it answers {answer.status}")


_URL = os.environ.get("EDS_WEBHOOK_URL")
plugin = Webhook(_URL) if _URL else object()
