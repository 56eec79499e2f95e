"""One change event as the upstream service puts it on the wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from eds_core.sandbox.model import Model

Encoding = Literal["plain", "gzip", "msgpack"]
CONTENT_ENCODING = {"gzip": "gzip/json", "msgpack": "msgpack"}


@dataclass(frozen=True, slots=True)
class ShopEvent:
    """A change event before it is published; *payload* is its plain JSON.

    *key* has the values of the table's key columns, without the region that
    the payload's key may begin with.
    """

    id: str
    table: str
    operation: str
    company: str
    location: str | None
    key: tuple[str, ...]
    version: int
    model: Model
    payload: bytes

    @property
    def model_version(self) -> str:
        return self.model.version

    @property
    def message_id(self) -> str:
        """The header `Nats-Msg-Id`: publishing again stores nothing."""
        return self.id

    @property
    def subject(self) -> str:
        return ".".join(
            (
                "dbchange",
                self.table,
                self.operation,
                self.company,
                self.location or "NONE",
                "PUBLIC",
                str(self.version),
                self.id,
            )
        )


def encode(payload: bytes, encoding: Encoding) -> bytes:
    """Return the JSON *payload* as the bytes of a message."""
    if encoding == "gzip":
        # No time in the header: equal events are equal bytes. Fast, not small.
        return gzip.compress(payload, compresslevel=1, mtime=0)
    if encoding == "msgpack":
        return msgspec.msgpack.encode(json.loads(payload))
    return payload


def message_headers(
    message_id: str | None, encoding: Encoding, extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return a message's headers; *extra* ones win."""
    headers = {"Nats-Msg-Id": message_id} if message_id else {}
    if encoding in CONTENT_ENCODING:
        headers["content-encoding"] = CONTENT_ENCODING[encoding]
    return headers | dict(extra or {})
