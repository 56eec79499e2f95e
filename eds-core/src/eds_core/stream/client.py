"""nats-py's client, with what it lacks. All that reaches into its inside is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.subscription import Subscription

from .address import needs_tls

_Parse = Callable[[bytes], Coroutine[Any, Any, Any]]


class CarefulClient(Client):
    """Shows its credentials to nobody else, and knows when the server is alive."""

    def __init__(self) -> None:
        super().__init__()
        self._ps.parse = self._noting(self._ps.parse)  # type: ignore[method-assign, assignment]  # nats-py offers no place to listen

    @property
    def where(self) -> str:
        """The server's address, without a user or password."""
        server = self._current_server
        return server.uri.netloc.rpartition("@")[2] if server else "NATS"

    def _connect_command(self) -> bytes:
        """The login; only for a host that is this one, or has TLS.

        nats-py would send it in plain text when the server does not ask for TLS.
        """
        server = self._current_server
        remote = server is None or needs_tls(server.uri.geturl())
        if remote and not self._server_info.get("tls_required"):
            raise nats.errors.Error(f"{self.where} offers no TLS")
        return super()._connect_command()

    def _noting(self, parse: _Parse) -> _Parse:
        """Whatever the server says, it is alive.

        nats-py counts a PONG alone, and that comes behind all else on a slow line.
        """

        async def noting(data: bytes) -> None:
            self.is_alive()
            await parse(data)

        return noting

    def is_alive(self) -> None:
        """The server has just said something."""
        self._pings_outstanding = 0

    async def ping(self) -> asyncio.Future[bool]:
        """Send a PING; the future is done when it is answered.

        It must not be cancelled: nats-py breaks then, as it does after a `flush`
        that was cancelled.
        """
        pong: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        await self._send_ping(pong)
        return pong

    def abandon(self) -> None:
        """Let go of what nats-py keeps when its clean-up ends early."""
        for subscription in [*self._subs.values()]:
            subscription._stop_processing()  # noqa: SLF001 - see above
        for task in (self._reading_task, self._flusher_task, self._ping_interval_task):
            if task is not None:
                task.cancel()
        if self._transport is not None:
            self._transport.close()  # type: ignore[no-untyped-call]  # nats-py's


def stream_of(client: CarefulClient) -> tuple[asyncio.StreamReader, Any]:
    """What *client* reads from, and the transport that fills it.

    Raises AttributeError when this nats-py, or the kind of its connection, has no such
    parts.
    """
    transport: Any = client._transport  # noqa: SLF001 - nats-py has no other way in
    stream: asyncio.StreamReader = transport._io_reader  # noqa: SLF001 - as above
    return stream, transport._io_writer.transport  # noqa: SLF001 - as above


def sid_of(subscription: Subscription) -> bytes:
    """The subscription's id, as it is on the wire."""
    return str(subscription._id).encode()  # noqa: SLF001 - nats-py tells it nowhere else
