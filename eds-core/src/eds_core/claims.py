"""Become the one writer of each company, from the position where it stands."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from .credentials import Credentials
from .destination import Destination
from .errors import ConfigError, FatalError, TableError, TakenOver
from .failpoints import reached
from .ledger import Checkpoint, Heartbeat, Ledger, Role, row_gone
from .positions import Positions
from .stream import STREAM, Feed, first_position

log = logging.getLogger("eds.pipeline")

# No consumer has another name; and a subject that holds one must not break.
_CONSUMER = re.compile(r"[^\s.*>/\\]{1,255}")
_STALE = 60.0  # seconds without a sign of life; an import gives one every 5


class Call(Protocol):
    """Runs a function in the destination's thread."""

    def __call__(
        self, function: Callable[..., Any], /, *args: Any
    ) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who reads what: compared with what a checkpoint says."""

    owner: str
    account: str
    stream: str
    prefix: str
    durables: Callable[[str], tuple[str, ...]]  # an old server's, by company
    role: Role = "server"


def identity_of(
    credentials: Credentials, prefix: str, role: Role = "server"
) -> Identity:
    """This process, reading what *credentials* allow."""

    def durables(company: str) -> tuple[str, ...]:
        """The names that earlier servers gave their consumers."""
        names = f"{prefix}eds-server-{company}", f"eds-{credentials.name}"
        return tuple(name for name in names if _CONSUMER.fullmatch(name))

    return Identity(
        owner=this_process(),
        account=credentials.account,
        stream=STREAM,
        prefix=prefix,
        durables=durables,
        role=role,
    )


def this_process() -> str:
    """How this server is named to another one that it takes over from."""
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{socket.gethostname()}, process {os.getpid()}, since {since}"


def is_alive(heartbeat: Heartbeat) -> bool:
    """Whether the import still runs, as far as can be told from here."""
    return heartbeat.age < _STALE and not has_died(heartbeat.owner)


def has_died(owner: str) -> bool:
    """Whether *owner* is a process of this machine that is no more."""
    match = re.fullmatch(r"(.*), process (\d+), since .*", owner)
    if os.name != "posix" or not match or match[1] != socket.gethostname():
        return False
    try:
        os.kill(int(match[2]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # it is somebody else's
        return False
    return False


class Claims:
    """Takes companies, and notices when one is taken away."""

    def __init__(
        self,
        feed: Feed | None,
        destination: Destination,
        identity: Identity,
        call: Call,
    ) -> None:
        self.positions = Positions()
        self._feed = feed
        self._destination = destination
        self._identity = identity
        self._call = call

    @property
    def _ledger(self) -> Ledger:
        """The one in use: with the driver it may change when it is opened."""
        return self._destination.ledger

    async def establish_all(
        self, companies: Sequence[str], look_back: timedelta | None
    ) -> None:
        """See that every company has a checkpoint: the old one, or a first position."""
        await self._create()
        known: dict[str, Checkpoint] = await self._call(self._ledger.checkpoints)
        for checkpoint in known.values():
            if checkpoint.company in companies:
                self._check(checkpoint)
        missing = [company for company in companies if company not in known]
        # Side by side: an old server's durables are watched for a while each.
        await asyncio.gather(*(self._establish(name, look_back) for name in missing))

    async def known(self) -> list[str]:
        """The companies that have a checkpoint here."""
        await self._create()
        return sorted(await self._call(self._ledger.checkpoints))

    async def imports(self) -> dict[str, Heartbeat]:
        """The imports that run now, by company."""
        found: list[Heartbeat] = await self._call(self._ledger.heartbeats)
        return {beat.company: beat for beat in found if is_alive(beat)}

    async def _create(self) -> None:
        try:
            await self._call(self._ledger.create)
        except TableError as error:
            raise ConfigError(
                f"cannot make EDS's own tables in the database: {error}",
                advice="let its user create tables there: GRANT CREATE on the schema, "
                "or name a user in the URL that may",
                code=error.code,
            ) from error

    async def _establish(self, company: str, look_back: timedelta | None) -> None:
        """Commit a first position before any consumer exists."""
        if self._feed is None:
            raise ConfigError(
                f"company {company} has no position, and there is no NATS"
            )
        reached("position.before")
        durables = self._identity.durables(company)
        position = await first_position(
            self._feed.connection, company, durables, look_back
        )
        log.info(
            "company %s begins behind sequence %d: %s",
            company,
            position.sequence,
            position.why,
        )
        checkpoint = Checkpoint(
            company,
            position.sequence,
            position.time,
            self._identity.account,
            self._identity.stream,
            self._identity.prefix,
        )
        await self._call(self._ledger.establish, checkpoint)
        reached("position.after")

    def _check(self, checkpoint: Checkpoint) -> None:
        """The same account and stream, or the sequence means nothing."""
        mine = self._identity
        for what, theirs, ours in (
            ("account", checkpoint.account, mine.account),
            ("stream", checkpoint.stream, mine.stream),
        ):
            if theirs != ours:
                raise FatalError(
                    f"company {checkpoint.company} was read from {what} {theirs}, "
                    f"these credentials are of {what} {ours}: positions do not carry "
                    "over",
                    advice="use the old credentials, or another database",
                    code="E2009",
                )
        if checkpoint.prefix != mine.prefix:
            log.info(
                "company %s goes on where prefix %r stood: the position belongs to "
                "the destination",
                checkpoint.company,
                checkpoint.prefix,
            )

    async def claim(self, company: str) -> Checkpoint:
        """Take *company*, whoever had it."""
        reached("claim.before")
        found: Checkpoint | None = await self._call(
            self._ledger.claim, company, self._identity.owner, self._identity.role
        )
        if found is None:
            raise row_gone(company)
        reached("claim.after")
        self.positions.take(found)
        return found

    async def reclaim(self, company: str) -> Checkpoint:
        """After a lost connection: take *company* again if it is still ours."""
        epoch = self.positions.held[company].epoch
        found: Checkpoint = await self._call(
            self._ledger.reclaim, company, epoch, self._identity.owner
        )
        self.positions.take(found)
        return found

    async def lost(self) -> list[TakenOver]:
        """Companies that another EDS has claimed since."""
        found: dict[str, Checkpoint] = await self._call(self._ledger.checkpoints)
        taken = []
        for company, held in self.positions.held.items():
            if company not in found:
                raise row_gone(company)
            checkpoint = found[company]
            if checkpoint.epoch > held.epoch:
                taken.append(TakenOver(company, checkpoint.owner, checkpoint.role))
        return taken
