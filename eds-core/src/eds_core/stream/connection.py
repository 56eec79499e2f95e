"""One connection to NATS: connect, ask, publish, and know when it is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eds_core.errors import ConfigError, FatalError, TransientError

log = logging.getLogger("eds.nats")

STREAM = "dbchange"
_API = "$JS.API."
_LOOPBACK = ("localhost", "127.", "::1")
_REFUSED = ("authorization", "authentication", "nkey", "jwt", "expired", "revoked")
_CLOSE_WITHIN = 5.0  # seconds
_SHOWN = 400  # characters of a payload in a trace

MessageHandler = Callable[[Msg], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Settings:
    """Where NATS is and who we are."""

    servers: tuple[str, ...]
    credentials: Path
    name: str = "eds-server"
    trace: bool = False
    timeout: float = 10.0  # seconds, for connecting and for each request


class NoAnswer(TransientError):  # noqa: N818 - a state of affairs, named as such
    """Nobody answered a request in time."""


class ApiError(TransientError):
    """JetStream answered a request with an error."""

    def __init__(self, subject: str, code: int, description: str) -> None:
        super().__init__(f"NATS answered {code} to {subject}: {description}")
        self.code = code
        self.description = description


class Connection:
    """A connection that is opened once and, when lost, replaced by a new one.

    nats-py's own reconnect is not used: consumers are made anew after every loss
    anyway, and a new client reads the credentials file again.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lost = asyncio.Event()
        self._client = Client()
        self._reason: Exception | None = None
        self._began = False

    async def open(self) -> None:
        """Connect within the time-out.

        Raises ConfigError when NATS refuses the credentials, FatalError when it
        cannot be reached.
        """
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._connect()
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await self.close()
            raise self._explain(error) from None
        except BaseException:
            await self.close()
            raise

    async def _connect(self) -> None:
        self._began = True
        await self._client.connect(
            servers=list(self.settings.servers),
            name=self.settings.name,
            user_credentials=str(self.settings.credentials),
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=1,
            connect_timeout=5,
            ping_interval=10,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
            tls=self._tls(),
        )
        where = self._client.connected_url
        log.debug("connected to %s", where.netloc if where else "NATS")

    def _tls(self) -> ssl.SSLContext | None:
        """Demand TLS of every host that is not this one."""
        if not any(needs_tls(server) for server in self.settings.servers):
            return None
        self._client._connect_command = self._guarded(self._client._connect_command)  # type: ignore[method-assign]  # noqa: SLF001 - nats-py sends the login in plain text when the server does not ask for TLS, and offers no switch
        return ssl.create_default_context()

    def _guarded(self, login: Callable[[], bytes]) -> Callable[[], bytes]:
        def guarded() -> bytes:
            where = self._client.connected_url
            info = self._client._server_info  # noqa: SLF001 - see _tls
            if not info.get("tls_required") and where and needs_tls(where.geturl()):
                raise nats.errors.Error(f"{where.netloc} offers no TLS")
            return login()

        return guarded

    def _explain(self, error: Exception) -> ConfigError | FatalError:
        cause = self._reason if isinstance(error, nats.errors.NoServersError) else error
        text = str(cause or error).removeprefix("nats: ").strip("'") or "no answer"
        servers = ", ".join(_shown(server) for server in self.settings.servers)
        if any(word in text.lower() for word in _REFUSED):
            return ConfigError(
                f"NATS at {servers} refused the credentials "
                f"{self.settings.credentials}: {text}",
                advice="check that the file is the newest one you were given",
            )
        if isinstance(cause, TimeoutError):
            text = f"no answer within {self.settings.timeout:g} s"
        return FatalError(
            f"cannot connect to NATS at {servers}: {text}",
            advice="check the address, the network and the firewall "
            "(outgoing TCP port 4222)",
        )

    async def _on_error(self, error: Exception) -> None:
        self._reason = error
        log.debug("nats: %s", error)

    async def _on_closed(self) -> None:
        self.lost.set()

    @property
    def reason(self) -> str:
        """Why the connection was lost, as far as is known."""
        return str(self._reason or "closed by the server").removeprefix("nats: ")

    async def close(self) -> None:
        if not self._began:
            return
        try:  # nats-py 2.16 waits for ever after a failed TLS handshake
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._client.close()
        except TimeoutError:
            log.debug("the connection to NATS did not close in time")

    def new_inbox(self) -> str:
        return self._client.new_inbox()

    async def subscribe(self, subject: str, handler: MessageHandler) -> Subscription:
        return await self._client.subscribe(subject, cb=handler)

    async def publish(self, subject: str, payload: bytes, reply: str) -> None:
        self.trace("tx", subject, payload)
        await self._client.publish(subject, payload, reply=reply)

    async def request(
        self, subject: str, payload: bytes, seconds: float | None = None
    ) -> bytes:
        """Ask *subject*; TransientError when nobody answers in time."""
        self.trace("tx", subject, payload)
        try:
            answer = await self._client.request(
                subject, payload, timeout=seconds or self.settings.timeout
            )
        except (nats.errors.Error, TimeoutError, OSError) as error:
            why = str(error).removeprefix("nats: ") or type(error).__name__
            raise NoAnswer(f"no answer to {subject}: {why}") from error
        self.trace("rx", subject, answer.data)
        return answer.data

    async def api(self, subject: str, body: object) -> dict[str, object]:
        """Call the JetStream API; ApiError when it answers with an error."""
        data = await self.request(_API + subject, json.dumps(body).encode())
        reply = cast(dict[str, object], json.loads(data))
        if isinstance(error := reply.get("error"), dict):
            raise ApiError(
                subject,
                int(error.get("err_code") or error.get("code") or 0),
                str(error.get("description", "")),
            )
        return reply

    def trace(self, direction: str, subject: str, payload: bytes) -> None:
        if self.settings.trace:
            text = payload[:_SHOWN].decode("utf-8", "backslashreplace")
            log.info("nats %s: %s: %s", direction, subject, text)


def needs_tls(server: str) -> bool:
    """Whether *server* may only be spoken to over TLS."""
    url = urlsplit(server if "://" in server else f"nats://{server}")
    host = url.hostname or ""
    return url.scheme == "tls" or not host.startswith(_LOOPBACK)


def _shown(server: str) -> str:
    """The server's address without a user or password."""
    scheme, separator, rest = server.rpartition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"
