"""The other side, complete: a server with its stream, look-ups and a shop."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import (
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Self, TypeVar

import nats
from nats.aio.client import Client

from eds_core.sandbox.closing import disconnect
from eds_core.sandbox.credentials import Permissions, issue_credentials, write_secret
from eds_core.sandbox.event import Encoding, ShopEvent, encode, message_headers
from eds_core.sandbox.model import Model, load_models
from eds_core.sandbox.nats_server import NatsServer, TlsFiles
from eds_core.sandbox.publisher import Publisher, create_stream
from eds_core.sandbox.responder import SchemaResponder
from eds_core.sandbox.shop import Shop

COMPANY = "6287a4154d1a72cc5ce091bb"
TOGETHER = 200

Part = TypeVar("Part")


class Sandbox:
    """A stand-in for the upstream service, on this machine, in *directory*.

    Everything is real but the shop. The server may be stopped, killed and
    started at any time (`sandbox.server`); publishing waits until it is back.

    A directory can be used again: keys and stream are kept. The shop begins anew
    then, so take another *seed*: of equal seeds the events have equal ids, and
    the stream drops them as duplicates.
    """

    def __init__(
        self,
        directory: Path,
        companies: Sequence[str] = (COMPANY,),
        *,
        tls: TlsFiles | None = None,
        seed: int = 1,
        stream_config: Mapping[str, object] | None = None,
        executable: str | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.directory = directory
        self.companies = tuple(companies)
        self.models = load_models()
        self.server = NatsServer(directory / "nats", tls=tls, executable=executable)
        self.shop = Shop(seed, self.companies, self.models, clock=clock)
        self.published: list[ShopEvent] = []
        self._encodings = Random(seed)  # noqa: S311 - repeatable is the point
        self._stream_config = dict(stream_config or {})
        self._resources = AsyncExitStack()
        self._responder: SchemaResponder | None = None
        self._publisher: Publisher | None = None
        self._issued = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as resources:
            await self._open(resources)
            self._resources = resources.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._resources.aclose()

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def credentials(self) -> Path:
        """A .creds file for all companies."""
        return self.directory / "shop.creds"

    @property
    def responder(self) -> SchemaResponder:
        """The look-up, to slow it down, silence it and count requests."""
        return _opened(self._responder)

    @property
    def publisher(self) -> Publisher:
        return _opened(self._publisher)

    def model(self, table: str) -> Model:
        """Return the latest model of *table*."""
        return self.shop.models[table]

    def use(self, model: Model) -> None:
        """Make *model* the latest of its table: for look-ups and the shop."""
        self.responder.add(model)
        self.shop.use(model)

    def issue(
        self,
        companies: Sequence[str] | None = None,
        *,
        name: str = "shop",
        expires: int | None = None,
        permissions: Permissions | None = None,
    ) -> Path:
        """Return a new .creds file, by default for all companies."""
        self._issued += 1
        path = self.directory / f"{name}-{self._issued}.creds"
        allowed = self.companies if companies is None else companies
        return self._issue(
            path, allowed, name=name, expires=expires, permissions=permissions
        )

    async def publish(
        self,
        event: ShopEvent,
        encoding: Encoding = "plain",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> int:
        """Publish one event and return its sequence in the stream.

        *headers* are added, *raw* replaces the message's bytes as they are.
        """
        data = encode(event.payload, encoding) if raw is None else raw
        all_headers = message_headers(event.message_id, encoding, headers)
        return await self.publisher.publish(event.subject, data, all_headers)

    async def publish_many(
        self,
        events: Iterable[ShopEvent],
        *,
        window: int = 1000,
        gzip_share: float = 0.0,
    ) -> list[int]:
        """Publish events in order, *window* of them on the way at a time.

        Returns their sequences.
        """
        messages = (self._message(event, gzip_share) for event in events)
        return await self.publisher.publish_many(messages, window)

    async def publish_raw(
        self, subject: str, data: bytes, headers: Mapping[str, str] | None = None
    ) -> int:
        """Publish any bytes on any subject of the stream; return the sequence."""
        return await self.publisher.publish(subject, data, dict(headers or {}))

    async def run_shop(
        self,
        rate: float | None = None,
        events: int | None = None,
        *,
        gzip_share: float = 0.3,
        remember: bool = True,
    ) -> int:
        """Publish what the shop does; return how many events that were.

        *rate* is in events per second, None as fast as it can. Without *events*
        it runs until it is cancelled. What was published is remembered in
        `published`; without *remember*, `shop.state()` still knows the rows.
        """
        count = 0
        async for due in _paced(rate, events):
            batch = [next(self.shop) for _ in range(due)]
            if remember:
                self.published.extend(batch)
            # What the shop has done is published, even when cancelled meanwhile.
            await _finish(self.publish_many(batch, gzip_share=gzip_share))
            count += due
        return count

    async def ready(self) -> None:
        """Return when look-ups are answered again after the server's restart."""
        await self.responder.ready()

    async def connect(self, credentials: Path | None = None) -> Client:
        """Return a client of one's own, by default with `credentials`.

        It reconnects for ever and is the caller's to close, with `disconnect`.
        """
        context = None
        if self.server.tls is not None:
            context = ssl.create_default_context(cafile=str(self.server.tls.ca))
        return await nats.connect(
            self.url,
            user_credentials=str(credentials or self.credentials),
            tls=context,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.05,
            error_cb=_ignore,  # else nats-py logs a traceback per lost connection
        )

    async def _open(self, resources: AsyncExitStack) -> None:
        resources.callback(self.server.stop)
        await asyncio.to_thread(self.server.start)
        service = self._issue(
            self.directory / "service.creds",
            (),
            name="service",
            permissions=Permissions.for_service(),
        )
        self._issue(self.credentials, self.companies, name="shop")
        client = await self.connect(service)
        resources.push_async_callback(disconnect, client)
        await create_stream(client, self._stream_config)
        self._publisher = Publisher(client)
        self._responder = SchemaResponder(client, self.models.values())
        await self._responder.start()
        resources.push_async_callback(self._responder.stop)

    def _issue(
        self,
        path: Path,
        companies: Sequence[str],
        *,
        name: str,
        expires: int | None = None,
        permissions: Permissions | None = None,
    ) -> Path:
        text = issue_credentials(
            self.server.keys,
            companies,
            name=name,
            expires=expires,
            permissions=permissions,
        )
        return write_secret(path, text)

    def _message(
        self, event: ShopEvent, gzip_share: float
    ) -> tuple[str, bytes, dict[str, str]]:
        zipped = gzip_share > 0 and self._encodings.random() < gzip_share
        encoding: Encoding = "gzip" if zipped else "plain"
        headers = message_headers(event.message_id, encoding)
        return event.subject, encode(event.payload, encoding), headers


async def _paced(rate: float | None, events: int | None) -> AsyncIterator[int]:
    """Yield how many events are due now, *events* in all."""
    clock = asyncio.get_running_loop().time
    start, done = clock(), 0
    while events is None or done < events:
        due = TOGETHER if rate is None else 1 + int((clock() - start) * rate) - done
        if rate is not None and due <= 0:
            await asyncio.sleep(max(0.0, start + done / rate - clock()))
            continue
        due = min(due, TOGETHER, TOGETHER if events is None else events - done)
        yield due
        done += due


async def _finish(work: Coroutine[None, None, object]) -> None:
    """Await *work* to its end; a cancellation is raised only then."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _ignore(_: Exception) -> None:
    """Take an error that the client mends by itself."""


def _opened(part: Part | None) -> Part:
    if part is None:
        raise RuntimeError("the sandbox is not open: use `async with`")
    return part
