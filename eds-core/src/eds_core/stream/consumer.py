"""One incarnation of a consumer: made at a position, pulled, dropped when in doubt.

It hands on every message exactly once and in order, or says that it is lost.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from nats.aio.subscription import Subscription

from eds_core.errors import FatalError, TransientError
from eds_core.event import Message, parse_headers
from eds_core.failpoints import reached

from .answers import made_anew
from .api import ACK, SKEW, ack_tokens, create_consumer, delete_consumer
from .connection import STREAM, Connection
from .credit import Account
from .reader import Delivery

log = logging.getLogger("eds.stream")

HEARTBEAT = 5.0  # seconds; the server's minimum is 0.1
_EXPIRES = 30.0  # seconds a pull may wait at the server
_SILENCE = 3 * HEARTBEAT  # no heartbeat for so long: lost
_GONE_WITHIN = 5.0  # seconds to remove it; on a slow line that may take much longer
_SECOND = 1_000_000_000
_ENVELOPE = 256  # bytes of a message beside subject and payload, nearly
_ENDS_CONSUMER = re.compile("deleted|leadership|shutdown|push", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Everything of *company* up to *sequence* has been handed on."""

    company: str
    sequence: int
    subject: str  # the consumer's filter


@dataclass(frozen=True, slots=True)
class Gap:
    """The stream no longer holds what follows *after*: it begins at *first*."""

    company: str
    after: int
    first: int

    @property
    def missing(self) -> int:
        return self.first - self.after - 1


Item = Message | Heartbeat | Gap
#: Takes what came together, in its order.
Sink = Callable[[Sequence[Item]], None]


class Consumer:
    """One incarnation, with an inbox of its own."""

    def __init__(
        self,
        connection: Connection,
        account: Account,
        name: str,
        company: str,
        subject: str,
        *,
        sink: Sink,
        not_before: int = 0,
    ) -> None:
        self.name = name
        self.company = company
        self.lost = asyncio.Event()
        self.reason = ""
        self.error: FatalError | None = None  # what only a person can mend
        self.last = 0  # stream sequence handed on last
        self.time = not_before  # NATS time of that message
        self._not_before = not_before
        self.pending = 0  # messages that the server still holds for us
        self._connection = connection
        self._account = account
        self._subject = subject
        self._sink = sink
        self._delivered = 0  # consumer sequence handed on last
        self._awry = 0  # heartbeats in a row that disagree
        self._heard = time.monotonic()
        self._inbox = connection.new_inbox()
        self._pulls = 0
        self._subscription: Subscription | None = None
        self._making: asyncio.Future[int] | None = None
        self._pulling: asyncio.Task[None] | None = None

    async def start(self, after: int) -> None:
        """Make the consumer at *after* + 1 and begin to pull."""
        self._subscription = await self._connection.subscribe(
            f"{self._inbox}.*", self._on_deliveries
        )
        start = {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}
        reached("consumer.before")
        self._making = asyncio.ensure_future(
            create_consumer(self._connection, self.name, self._subject, start)
        )
        begin = await asyncio.shield(self._making)
        reached("consumer.after")
        self.last = after
        if begin > after:
            self._sink([Gap(self.company, after, begin + 1)])
            self.last = begin
        self._heard = time.monotonic()
        self._pulling = asyncio.create_task(self._pull_for_ever())

    async def stop(self) -> None:
        """Take no more, and remove the consumer if NATS can be reached."""
        self._lose("stopped")
        if self._pulling is not None:
            self._pulling.cancel()
        self._account.close()
        if self._connection.lost.is_set():
            return
        try:
            async with asyncio.timeout(_GONE_WITHIN):
                await self._remove()
        except (TransientError, TimeoutError) as error:  # it goes in five minutes
            log.debug("consumer %s not removed: %r", self.name, error)

    async def _remove(self) -> None:
        if self._subscription is not None:
            await self._connection.unsubscribe(self._subscription)
        if self._making is not None:  # else it may be made after it is deleted
            await self._making
        await delete_consumer(self._connection, self.name)

    @property
    def delivered(self) -> int:
        """How many messages this incarnation has handed on."""
        return self._delivered

    def abandon(self) -> None:
        """Hand on nothing more, from this moment."""
        self._lose("left")

    def _lose(self, reason: str) -> None:
        if not self.lost.is_set():
            self.reason = reason
            self.lost.set()

    async def _pull_for_ever(self) -> None:
        """Keep a pull at the server; notice when it falls silent."""
        try:
            while not self.lost.is_set():
                await self._pull()
                await self._account.wait(HEARTBEAT / 2)
                await self._check_silence()
        except Exception as error:  # noqa: BLE001 - whatever it was, a new incarnation answers it
            self._lose(f"cannot pull: {error}")

    async def _check_silence(self) -> None:
        """A slow line may have had no room for a heartbeat; what is sent is awaited."""
        heard = self._heard
        if self._account.waiting and time.monotonic() - heard > _SILENCE:
            await self._connection.round_trip()
            if self._heard == heard:
                silence = time.monotonic() - heard
                self._lose(f"no heartbeat for {silence:.0f} s")

    async def _pull(self) -> None:
        while (grant := self._account.grant(self.pending)) is not None:
            if not self._account.waiting:
                self._heard = time.monotonic()
            self._pulls += 1
            body: dict[str, int] = {
                "batch": grant.messages,
                "expires": int(_EXPIRES * _SECOND),
                "idle_heartbeat": int(HEARTBEAT * _SECOND),
            }
            if grant.bytes:
                body["max_bytes"] = grant.bytes
            self._account.sent(self._pulls, grant)
            reached("pull.before")
            await self._connection.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{self.name}",
                json.dumps(body).encode(),
                f"{self._inbox}.{self._pulls}",
            )
            reached("pull.after")

    def _on_deliveries(self, deliveries: Iterable[Delivery]) -> None:
        """Take what came together; what follows a loss is dropped."""
        self._heard = time.monotonic()
        try:
            for is_data, some in groupby(deliveries, _is_data):
                if self.lost.is_set():
                    return
                if is_data:
                    self._on_data(some)
                else:
                    for status in some:
                        self._on_status(status)
        except Exception as error:  # noqa: BLE001 - nothing must reach the reader, see there
            self.error = _not_taken(self.company, self.last, error)
            self._lose(str(self.error))

    def _on_data(self, deliveries: Iterable[Delivery]) -> None:
        messages = self._in_order(deliveries)
        if not messages:
            return
        wire = _size_of(messages)
        self._sink(messages)
        self.last = messages[-1].sequence
        self.time = max(self.time, *[message.time for message in messages])
        self._awry = 0
        size = _size_of(messages)  # some were packed
        self._account.received(size, size - wire, len(messages))

    def _in_order(self, deliveries: Iterable[Delivery]) -> list[Message]:
        """Make messages of what follows one another; with what does not we end."""
        last, number, pending = self.last, self._delivered, str(self.pending)
        earliest, usual = self._not_before - SKEW, f"{ACK}{STREAM}.{self.name}.1"
        messages: list[Message] = []
        for delivery in deliveries:
            head, told, counted, time_, pending = delivery.reply.rsplit(".", 4)
            if head != usual:
                told, counted, time_, pending = ack_tokens(delivery.reply)
            sequence, at = int(told), int(time_)
            if int(counted) != number + 1 or sequence <= last:
                self._lose(
                    f"message {counted} (sequence {told}) followed "
                    f"{number} (sequence {last})"
                )
                break
            if at < earliest:
                self._is_of_another_stream(sequence)
                break
            number, last = number + 1, sequence
            subject, data = delivery.subject, delivery.data
            size = len(subject) + len(data) + _ENVELOPE
            messages.append(
                Message(subject, data, sequence, at, delivery.raw_headers, size)
            )
        self._delivered, self.pending = number, int(pending)
        if self._connection.settings.trace:
            self._trace(messages)
        return messages

    def _is_of_another_stream(self, sequence: int) -> None:
        told = f"message {sequence} of company {self.company} is older than what "
        self.error = made_anew(self.company, told + "this destination already has")
        self._lose(str(self.error))

    def _trace(self, messages: Iterable[Message]) -> None:
        for message in messages:
            told = f"{len(message.data)} bytes, sequence {message.sequence}"
            self._connection.trace("rx", message.subject, told.encode())

    def _on_status(self, message: Delivery) -> None:
        headers = parse_headers(message.raw_headers)
        status = headers.get("Status", "")
        if status == "100":
            self._on_heartbeat(headers)
            return
        self._connection.trace("rx", message.subject, repr(headers).encode())
        description = headers.get("Description", "").strip()
        if status in ("404", "408", "409") and not _ENDS_CONSUMER.search(description):
            self._account.ended(
                int(message.subject.rpartition(".")[2]),
                int(headers.get("Nats-Pending-Messages", -1)),
                too_small="MaxBytes" in description,
            )
        else:
            self._lose(f"NATS ended the pull: {status} {description}")

    def _on_heartbeat(self, headers: Mapping[str, str]) -> None:
        if headers.get("Nats-Last-Consumer") != str(self._delivered):
            self._awry += 1
            if self._awry > 1:
                told = headers.get("Nats-Last-Consumer")
                self._lose(
                    f"a heartbeat tells of message {told}, "
                    f"the last that came is {self._delivered}"
                )
            return
        self._awry = 0
        sequence = int(headers.get("Nats-Last-Stream", 0))
        if sequence >= self.last:
            self.last = sequence
            self._sink([Heartbeat(self.company, sequence, self._subject)])


def _size_of(messages: Iterable[Message]) -> int:
    return sum([message.size for message in messages])


def _is_data(delivery: Delivery) -> bool:
    return delivery.reply.startswith(ACK)


def _not_taken(company: str, after: int, error: Exception) -> FatalError:
    fatal = FatalError(
        f"what NATS sent for company {company} behind {after} could not be taken: "
        f"{type(error).__name__}: {error}",
        advice="this is a fault of EDS: please report it",
    )
    fatal.__cause__ = error
    return fatal
