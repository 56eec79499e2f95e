"""Publishes to the stream, through any failure of the server."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

from nats.aio.client import Client
from nats.errors import BadSubjectError, MaxPayloadError
from nats.errors import Error as NatsError
from nats.js.api import PubAck, StorageType, StreamConfig
from nats.js.errors import APIError, BadRequestError, ServiceUnavailableError

STREAM = "dbchange"
DAY_SECONDS = 24 * 3600.0
ACK_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
PAUSE_SECONDS = 0.05
MOST_ON_THE_WAY = 100_000

Message: TypeAlias = tuple[str, bytes, dict[str, str]]


async def create_stream(client: Client, changes: Mapping[str, object]) -> None:
    """Make the stream as upstream has it, but for *changes* to its config.

    *changes* are arguments of nats-py's `StreamConfig`; times are in seconds.
    A stream that is there already keeps its messages and gets this config.
    """
    config = _stream_config(changes)
    jetstream = client.jetstream()
    try:
        await jetstream.add_stream(config)
    except BadRequestError:  # it exists with another config
        await jetstream.update_stream(config)


class _Sent(NamedTuple):
    """A message on its way, and until when its acknowledgement is waited for."""

    message: Message
    ack: asyncio.Future[PubAck] | None
    due: float


class Publisher:
    """Publishes messages so that each is stored once.

    What was not acknowledged is published again with its `Nats-Msg-Id`, by
    which the stream knows it; a message without one may then be stored twice.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jetstream = client.jetstream(
            timeout=ACK_SECONDS, publish_async_max_pending=MOST_ON_THE_WAY
        )

    async def publish(self, subject: str, data: bytes, headers: dict[str, str]) -> int:
        """Return the message's sequence; raise after a minute of failures."""
        _check_subject(subject)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                ack = await self._jetstream.publish(
                    subject, data, headers=headers or None
                )
            except (NatsError, OSError, TimeoutError) as error:
                hopeless = _is_final(error) or self._client.is_closed
                if hopeless or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return ack.seq

    async def publish_many(self, messages: Iterable[Message], window: int) -> list[int]:
        """Return the sequences; at most *window* messages are on the way.

        They are stored in order, unless the server fails meanwhile.
        """
        sequences: list[int] = []
        on_the_way: deque[_Sent] = deque()
        try:
            for message in messages:
                if len(on_the_way) >= window:
                    sequences.append(await self._settle(on_the_way.popleft()))
                on_the_way.append(await self._send(message))
            while on_the_way:
                sequences.append(await self._settle(on_the_way.popleft()))
        finally:
            for sent in on_the_way:
                if sent.ack is not None:
                    sent.ack.cancel()
        return sequences

    async def _send(self, message: Message) -> _Sent:
        subject, data, headers = message
        _check_subject(subject)
        due = asyncio.get_running_loop().time() + ACK_SECONDS
        try:
            ack = await self._jetstream.publish_async(
                subject, data, headers=headers or None
            )
        except (NatsError, OSError):
            return _Sent(message, None, due)
        return _Sent(message, ack, due)

    async def _settle(self, sent: _Sent) -> int:
        if sent.ack is not None:
            try:
                # From when it was sent: what a crash swallowed is over all at once.
                async with asyncio.timeout_at(sent.due):
                    return (await sent.ack).seq
            except (NatsError, OSError, TimeoutError) as error:
                if _is_final(error):
                    raise
        return await self.publish(*sent.message)


def _is_final(error: Exception) -> bool:
    if isinstance(error, ServiceUnavailableError):  # it is just starting
        return False
    return isinstance(error, APIError | BadSubjectError | MaxPayloadError)


def _check_subject(subject: str) -> None:
    if not subject.startswith(f"{STREAM}."):
        raise ValueError(f"not a subject of the stream {STREAM}: {subject}")


def _stream_config(changes: Mapping[str, object]) -> StreamConfig:
    config: dict[str, object] = {
        "name": STREAM,
        "subjects": [f"{STREAM}.>"],
        "description": "The change events of all shops",
        "storage": StorageType.FILE,
        "max_age": 7 * DAY_SECONDS,
        "num_replicas": 1,
        **changes,
    }
    # The server takes no window that is longer than messages live.
    longest = float(str(config["max_age"])) or DAY_SECONDS
    config.setdefault("duplicate_window", min(DAY_SECONDS, longest))
    return StreamConfig().evolve(**config)
