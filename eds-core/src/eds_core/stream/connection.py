"""One connection to NATS: connect, ask, publish, and know when it is gone."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import nats.errors
from nats.aio.client import RawCredentials
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from eds_core.credentials import Credentials, parse_credentials, read_credentials
from eds_core.errors import ConfigError, FatalError, TransientError

from .address import check_scheme, shown
from .answers import CHECK, ApiError, Unreachable, transient, words
from .client import CarefulClient, sid_of
from .denials import Denials
from .reader import Delivery, Handler, Reader

log = logging.getLogger("eds.nats")

STREAM = "dbchange"
_API = "$JS.API."
_REFUSED = ("authorization", "authentication", "nkey", "jwt", "expired", "revoked")
_CLOSE_WITHIN = 2.0  # seconds
_LOOK_EVERY = 0.5  # seconds between looks at whether the connection still is
_FOR_EVER = 86_400.0
_FIRST = asyncio.FIRST_COMPLETED
_TRIED_WITHIN = 3.0  # seconds for the first answer through our reader
_PING_EVERY = 5  # seconds; silent for three times as long, it is lost
_OF_OTHERS = "E1105"  # for `eds explain`: a file of another account or company
_SHOWN = 400  # characters of a payload in a trace


@dataclass(frozen=True, slots=True)
class Settings:
    """Where NATS is and who we are."""

    servers: tuple[str, ...] = field(repr=False)  # some with a password
    credentials: Path
    name: str = "eds-server"
    trace: bool = False
    timeout: float = 10.0  # seconds, for connecting and for each request
    account: str = ""  # the only one that is read from; empty: any
    companies: tuple[str, ...] = ()  # those that the credentials must name
    fast: bool = True  # read past nats-py's parser, if that can be done


class Connection:
    """A connection that is opened once and, when lost, replaced by a new one.

    nats-py's own reconnect is not used: consumers are made anew after every loss
    anyway, and a new client reads the credentials file again.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lost = asyncio.Event()
        self._client = CarefulClient()
        self._reader: Reader | None = None
        self._reason: Exception | None = None
        self._began = False
        self._denials = Denials()
        self._watching: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect within the time-out.

        Raises ConfigError for unusable credentials or addresses and when NATS
        refuses the credentials, Unreachable when it does not answer, FatalError when
        it offers no TLS.
        """
        for server in self.settings.servers:
            check_scheme(server)
        credentials = self._credentials()
        try:
            async with asyncio.timeout(self.settings.timeout):
                await self._connect(credentials)
                if self.settings.fast:
                    await self._read_fast()
        except (nats.errors.Error, OSError, TimeoutError) as error:
            await self.close()
            raise self._explain(error) from None
        except BaseException:
            await self.close()
            raise
        self._watching = asyncio.create_task(self._watch())

    def _credentials(self) -> RawCredentials:
        """The file's text as it is now, checked.

        nats-py never gets the file itself: one without a JWT (it is just being
        replaced) keeps it reading for ever.
        """
        path = self.settings.credentials
        self._check_companies(read_credentials(path))
        try:
            text = path.read_text("utf-8", "replace")
        except OSError as error:
            raise ConfigError(f"cannot read the credentials {path}") from error
        self._check_account(parse_credentials(text, path=path))
        return RawCredentials(text)

    def _check_account(self, credentials: Credentials) -> None:
        """A file that was replaced: sequences mean nothing in another account."""
        if self.settings.account not in ("", credentials.account):
            raise ConfigError(
                f"{credentials.path} is now of another account than before",
                advice="put the old file back, or start again with another database",
                code=_OF_OTHERS,
            )

    def _check_companies(self, credentials: Credentials) -> None:
        """Another company's file is a mistake: nothing else would refuse it."""
        missing = set(self.settings.companies) - set(credentials.companies)
        if missing:
            raise ConfigError(
                f"the credentials {self.settings.credentials} are not of company "
                f"{', '.join(sorted(missing))} any more",
                advice="put the right file in its place, or start EDS anew to go on "
                "without that company",
                code=_OF_OTHERS,
            )

    async def _read_fast(self) -> None:
        """Put our reader in its place, and see an answer come through it."""
        try:
            reader = Reader(self._client)
        except (AttributeError, TypeError) as error:
            log.debug("our reader does not fit this nats-py: %s", error)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_TRIED_WITHIN):
                await self.round_trip()
        if reader.units:
            self._reader = reader
        else:
            log.debug("this nats-py does not ask our reader; it reads by itself")
            reader.give_back()

    async def _connect(self, credentials: RawCredentials) -> None:
        self._began = True
        await self._client.connect(
            servers=list(self.settings.servers),
            name=self.settings.name,
            user_credentials=credentials,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            reconnect_time_wait=0,
            connect_timeout=5,
            ping_interval=_PING_EVERY,
            max_outstanding_pings=2,
            error_cb=self._on_error,
            closed_cb=self._on_closed,
        )
        log.debug("connected to %s", self._client.where)

    async def _watch(self) -> None:
        """Notice a loss that nats-py does not tell.

        When its last bytes cannot be sent, its clean-up ends before `closed_cb`.
        """
        while self._client.is_connected:  # noqa: ASYNC110 - nothing of nats-py's can be waited for
            await asyncio.sleep(_LOOK_EVERY)
        self.lost.set()

    def _explain(self, error: Exception) -> ConfigError | FatalError:
        cause = self._reason if isinstance(error, nats.errors.NoServersError) else error
        text = str(cause or error).removeprefix("nats: ").strip("'") or "no answer"
        servers = ", ".join(shown(server) for server in self.settings.servers)
        if isinstance(cause, ssl.SSLError):
            return FatalError(
                f"no TLS with NATS at {servers}: {text}",
                advice="check the address, and this machine's clock; a private CA "
                "goes into SSL_CERT_FILE",
                code="E3003",
            )
        if any(word in text.lower() for word in _REFUSED):
            return ConfigError(
                f"NATS at {servers} refused the credentials "
                f"{self.settings.credentials}: {text}",
                advice="check that the file is the newest one you were given",
                code="E3002",
            )
        if isinstance(cause, TimeoutError):
            text = f"no answer within {self.settings.timeout:g} s"
        return Unreachable(
            f"cannot connect to NATS at {servers}: {text}",
            advice="check the address, the network and the firewall "
            "(outgoing TCP port 4222)",
        )

    async def _on_error(self, error: Exception) -> None:
        self._reason = error
        level = logging.WARNING if self._denials.heard(error) else logging.DEBUG
        log.log(level, "nats: %s", words(error))

    async def _on_closed(self) -> None:
        self.lost.set()

    @property
    def reason(self) -> str:
        """Why the connection was lost, as far as is known."""
        known = self._client.last_error or self._reason
        return str(known or "closed by the server").removeprefix("nats: ")

    async def close(self) -> None:
        """Disconnect, in an orderly way if that can be done soon."""
        if self._watching is not None:
            self._watching.cancel()
        if not self._began:
            return
        try:  # nats-py 2.16 waits for ever after a failed TLS handshake
            async with asyncio.timeout(_CLOSE_WITHIN):
                await self._client.close()
        except (nats.errors.Error, OSError, TimeoutError) as error:
            log.debug("the connection to NATS was not closed in order: %s", error)
        finally:  # also when this is cancelled
            self._client.abandon()
            self.lost.set()

    def new_inbox(self) -> str:
        return self._client.new_inbox()

    async def subscribe(self, subject: str, handler: Handler) -> Subscription:
        """Hand what comes to *handler*, which must not raise.

        Raises TransientError when the connection is lost.
        """

        async def plainly(message: Msg) -> None:
            headers = message.headers or b""
            handler([Delivery(message.subject, message.reply, message.data, headers)])

        with transient(f"cannot subscribe to {subject}"):
            subscription = await self._client.subscribe(subject, cb=plainly)
        if self._reader is not None:
            self._reader.handlers[sid_of(subscription)] = handler
        return subscription

    async def unsubscribe(self, subscription: Subscription) -> None:
        """Raises TransientError when the connection is lost."""
        if self._reader is not None:
            self._reader.handlers.pop(sid_of(subscription), None)
        with transient(f"cannot unsubscribe from {subscription.subject}"):
            await subscription.unsubscribe()

    async def publish(self, subject: str, payload: bytes, reply: str) -> None:
        """Raises TransientError when the connection is lost."""
        self.trace("tx", subject, payload)
        with transient(f"cannot publish to {subject}"):
            await self._client.publish(subject, payload, reply=reply)

    async def request(
        self, subject: str, body: bytes, seconds: float | None = None, advice: str = ""
    ) -> bytes:
        """Ask *subject*; NoAnswer, with *advice*, when nobody answers in time.

        Disconnected when the connection is lost meanwhile. NotPermitted as soon as
        NATS says that the credentials do not permit it.
        """
        self.trace("tx", subject, body)
        with transient(f"no answer to {subject}", advice):
            asked = self._client.request(subject, body, _FOR_EVER)
            answer = await self._ask(asked, subject, seconds)
        self.trace("rx", subject, answer.data)
        return answer.data

    async def pull(self, subject: str, body: bytes) -> Msg:
        """As ``api``, but what comes keeps its own subject, as messages do."""
        subject = _API + subject
        with transient(f"no answer to {subject}"):
            asked = self._client.request(subject, body, _FOR_EVER, old_style=True)
            return await self._ask(asked, subject, None)

    async def _ask(
        self, asked: Coroutine[Any, Any, Msg], subject: str, seconds: float | None
    ) -> Msg:
        """Ask, and wait no longer than there is a connection and a permission.

        The time runs from the answer to a PING sent behind the question: on a slow
        line much else comes first.
        """
        asking = asyncio.ensure_future(asked)
        lost = asyncio.ensure_future(self.lost.wait())
        pong = asyncio.ensure_future(self.round_trip())
        seconds = seconds or self.settings.timeout
        try:
            with self._denials.of(subject) as denied:
                every = (asking, lost, denied)
                await asyncio.wait((*every, pong), return_when=_FIRST)
                await asyncio.wait(every, timeout=seconds, return_when=_FIRST)
                if denied.done():
                    denied.result()
            if asking.done():
                return asking.result()
            if lost.done():
                raise nats.errors.ConnectionClosedError
            raise nats.errors.TimeoutError
        finally:
            for waiting in (asking, lost, pong):
                waiting.cancel()

    async def round_trip(self) -> None:
        """Wait until all that the server has sent by now is here, or it is lost."""
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            if self._client.is_connected:
                pong = await self._client.ping()
                await asyncio.wait((pong, lost), return_when=_FIRST)
        finally:
            lost.cancel()

    async def api(self, subject: str, body: object) -> dict[str, object]:
        """Call the JetStream API; ApiError when it answers with an error."""
        question = json.dumps(body).encode()
        data = await self.request(_API + subject, question, advice=CHECK)
        try:
            reply = msgspec.json.decode(data, type=dict[str, object])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as reason:
            raise TransientError(f"no answer to {subject}: {reason}") from reason
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
