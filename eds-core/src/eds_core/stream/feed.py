"""Every company's messages in stream order, over any number of connections."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from eds_core.errors import ConfigError, FatalError, TransientError, told
from eds_core.moments import as_text
from eds_core.waiting import Backoff

from .answers import made_anew
from .api import company_filter
from .connection import Connection, Settings
from .consumer import Consumer, Item, Sink
from .credit import Pool
from .position import end_of_stream, is_the_same_stream

log = logging.getLogger("eds.stream")

_LOOKS = 5  # before a stream that ends too early is taken for another one
_BETWEEN_LOOKS = 1.0  # seconds; a server that just came back may lag so much


@dataclass(slots=True)
class _Follower:
    """One subject being read: where it stands and the task that reads on."""

    company: str
    subject: str
    sink: Sink
    after: int
    time: int
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    consumer: Consumer | None = None
    task: asyncio.Task[None] | None = None


class Feed:
    """Follows companies from given positions, and mends whatever breaks.

    What it hands to a sink is in stream order and without holes; after a loss it
    goes on behind the last message handed on. ``failed`` is done when only a
    person can help.
    """

    def __init__(self, settings: Settings, prefix: str = "") -> None:
        self._settings = settings
        self._prefix = prefix
        self._instance = secrets.token_hex(4)
        self._incarnations = 0
        self._followers: dict[str, _Follower] = {}
        self._connected = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._leaving: set[asyncio.Task[None]] = set()
        self.pool = Pool(consumers=len(settings.companies))
        self.reconnects = 0
        self.connection = Connection(settings)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Connect for the first time; raises what ``Connection.open`` raises."""
        await self.connection.open()
        self._connected.set()
        self._keeper = asyncio.create_task(self._keep_connected())

    async def close(self) -> None:
        """Stop reading, remove the consumers, disconnect."""
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
        for subject in [*self._followers]:
            self.forget(subject)
        if self._leaving:
            await asyncio.wait(self._leaving)
        await self.connection.close()
        if not self.failed.cancel() and not self.failed.cancelled():
            self.failed.exception()  # whoever has not asked will not

    def follow(
        self, company: str, sink: Sink, *, after: int, time: int = 0, table: str = "*"
    ) -> str:
        """Read *company* (or one *table* of it) behind *after*; return its subject.

        *time* is the NATS time of the message at *after*. A subject that is
        followed already is left first: nothing more comes from where it was.
        """
        subject = company_filter(company, table)
        if (old := self._followers.pop(subject, None)) is not None:
            self._retire(old)
        follower = _Follower(company, subject, sink, after, time)
        self._followers[subject] = follower
        follower.task = asyncio.create_task(self._follow(follower))
        return subject

    async def ready(self, subject: str) -> None:
        """Wait until the subject's consumer exists."""
        await self._followers[subject].ready.wait()

    def forget(self, subject: str) -> asyncio.Task[None] | None:
        """Stop following *subject*, at once; the task removes its consumer."""
        if (follower := self._followers.pop(subject, None)) is None:
            return None
        self._retire(follower)
        return follower.task

    async def leave(self, subject: str) -> None:
        """Stop following *subject* and wait until its consumer is removed."""
        if (task := self.forget(subject)) is not None:
            await asyncio.wait([task])

    def _retire(self, follower: _Follower) -> None:
        follower.sink = _drop
        if follower.task is not None:
            follower.task.cancel()
            self._leaving.add(follower.task)
            follower.task.add_done_callback(self._leaving.discard)
        if follower.consumer is not None:
            follower.consumer.abandon()

    async def connected(self) -> Connection:
        """Wait until there is a connection."""
        await self._connected.wait()
        return self.connection

    @property
    def outage(self) -> str:
        """Why there is no connection; empty while there is one."""
        if self._connected.is_set():
            return ""
        return self.connection.reason if self._keeper else "not yet connected"

    @property
    def pending(self) -> int:
        """Messages that the stream still holds for us, as far as is known."""
        return sum(f.consumer.pending for f in self._followers.values() if f.consumer)

    async def _keep_connected(self) -> None:
        try:
            await self._keep()
        except Exception as error:  # noqa: BLE001 - without this task nobody connects again
            self._fail(error)

    async def _keep(self) -> None:
        """Replace the connection whenever it is lost, for ever."""
        while True:
            await self.connection.lost.wait()
            self._connected.clear()
            log.warning("connection to NATS lost: %s", self.connection.reason)
            await self.connection.close()
            self.connection = await self._reconnect()
            self.reconnects += 1
            self._connected.set()
            log.info("connected to NATS again")

    async def _reconnect(self) -> Connection:
        backoff = Backoff(first=0.25, most=15)
        while True:
            connection = Connection(self._settings)
            try:
                await connection.open()
            except (ConfigError, FatalError) as error:
                log.warning("%s (trying again for ever)", told(error))
                await backoff.wait()
            else:
                return connection

    async def _follow(self, follower: _Follower) -> None:
        backoff = Backoff(first=0.1, most=15)
        while self._followers.get(follower.subject) is follower:
            await self._connected.wait()
            try:
                await self._incarnate(follower, backoff)
            except TransientError as error:
                name = follower.company
                log.warning("company %s: %s (trying again)", name, told(error))
                await backoff.wait()
            except Exception as error:  # noqa: BLE001 - a company must not fall silent
                self._fail(error)
                return

    async def _incarnate(self, follower: _Follower, backoff: Backoff) -> None:
        """Make a consumer and read until it is lost."""
        connection = self.connection
        await self._check_stream(connection, follower)
        consumer = self._consumer(connection, follower)
        follower.consumer = consumer
        try:
            await consumer.start(follower.after)
            follower.ready.set()
            await self._until_lost(consumer, connection)
        finally:
            follower.after = max(follower.after, consumer.last)
            follower.time = consumer.time
            await consumer.stop()
        if consumer.error is not None:
            raise consumer.error
        if consumer.delivered:
            backoff.reset()
        if not connection.lost.is_set():
            log.warning("consumer %s made anew: %s", consumer.name, consumer.reason)
            await backoff.wait()

    def _consumer(self, connection: Connection, follower: _Follower) -> Consumer:
        self._incarnations += 1
        return Consumer(
            connection,
            self.pool.account(),
            f"{self._prefix}eds-server-{follower.company}"
            f"-{self._instance}-{self._incarnations}",
            follower.company,
            follower.subject,
            sink=follower.sink,
            not_before=follower.time,
        )

    @staticmethod
    async def _until_lost(consumer: Consumer, connection: Connection) -> None:
        waits = [
            asyncio.create_task(consumer.lost.wait()),
            asyncio.create_task(connection.lost.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    @staticmethod
    async def _check_stream(connection: Connection, follower: _Follower) -> None:
        """Raises FatalError when the position means nothing in this stream."""
        for look in range(_LOOKS):
            if not (wrong := await _what_is_wrong(connection, follower)):
                return
            if look < _LOOKS - 1:
                await asyncio.sleep(_BETWEEN_LOOKS)
        raise made_anew(follower.company, wrong)

    def _fail(self, error: Exception) -> None:
        if not self.failed.done():
            self.failed.set_exception(error)


async def _what_is_wrong(connection: Connection, follower: _Follower) -> str:
    """Why the stream cannot be the one that the position is of; empty if it can."""
    company, after, time = follower.company, follower.after, follower.time
    last = await end_of_stream(connection, company)
    if last < after:
        return (
            f"the stream ends at {last}, but this destination already has "
            f"company {company} up to {after}"
        )
    if time and not await is_the_same_stream(connection, company, after, time):
        return (
            f"this destination has company {company} up to {after}, but its message "
            f"of {as_text(time)} is not there in the stream"
        )
    return ""


def _drop(_items: Sequence[Item]) -> None:
    """Take nothing: the follower was left."""
