"""How many bytes may be under way from NATS: one pool, an account per consumer.

nats-server cuts off a client for which more than 64 MiB are queued, so pulls ask
for no more than the pool holds. Bytes return when the writer has committed them.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

_MIB = 1024 * 1024
POOL = 32 * _MIB
_IDLE_MOST = _MIB // 2
_BUSY_MOST = 4 * _MIB
_MESSAGES = 1000  # in one pull


@dataclass(frozen=True, slots=True)
class Grant:
    """One pull: so many messages, so many bytes (0: no limit, for one message)."""

    messages: int
    bytes: int


class Pool:
    """The bytes that may be under way on one connection.

    So many *consumers* are to come, one after the other: the first shall not wait
    with pulls that leave nothing for the last.
    """

    def __init__(self, size: int = POOL, consumers: int = 1) -> None:
        self.size = size
        self._consumers = max(1, consumers)
        self.buffered = 0  # received, not yet written
        self.accounts: set[Account] = set()

    def account(self) -> Account:
        account = Account(self)
        self.accounts.add(account)
        return account

    @property
    def free(self) -> int:
        return self.size - self.buffered - sum(a.reserved for a in self.accounts)

    @property
    def idle_share(self) -> int:
        consumers = max(self._consumers, len(self.accounts))
        return min(_IDLE_MOST, self.size // 2 // consumers)

    def release(self, size: int) -> None:
        """*size* bytes have been written, or dropped."""
        self.buffered -= size
        for account in self.accounts:
            account.wake()


@dataclass(slots=True)
class _Pull:
    """What one pull may still bring, as far as can be told."""

    messages: int
    bytes: int


class Account:
    """What one consumer has asked for and not yet got."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._changed = asyncio.Event()
        self._oversized = False
        self._pulls: dict[int, _Pull] = {}
        self.waiting = 0  # messages

    @property
    def reserved(self) -> int:
        """Bytes that may be on their way."""
        return sum(max(0, pull.bytes) for pull in self._pulls.values())

    def grant(self, pending: int) -> Grant | None:
        """The next pull to send, or None for now.

        An idle consumer waits with one small pull; one with *pending* messages
        gets a large one, and the next before that is used up.
        """
        free = self._pool.free
        if free <= 0:
            return None
        if self._oversized:
            return None if self.waiting else Grant(1, 0)
        if not self.waiting and pending <= 0:
            return Grant(_MESSAGES, self._pool.idle_share)
        if self.waiting > _MESSAGES // 2 or (self.waiting and pending <= self.waiting):
            return None
        share = max(self._pool.idle_share, min(_BUSY_MOST, free // 2))
        return Grant(_MESSAGES, share)

    def sent(self, number: int, grant: Grant) -> None:
        """The pull with this *number* is at the server."""
        self.waiting += grant.messages
        self._pulls[number] = _Pull(grant.messages, grant.bytes)

    def received(self, size: int, unpacked: int = 0, messages: int = 1) -> None:
        """So many have come; *unpacked* bytes of their *size* were never on the way."""
        self._oversized = False
        self.waiting = max(0, self.waiting - messages)
        self._use(size - unpacked, messages)
        self._pool.buffered += size
        if self.waiting <= _MESSAGES // 2:
            self.wake()

    def _use(self, size: int, messages: int) -> None:
        """The server serves its pulls in turn, and says nothing of one used up."""
        if not self.waiting:
            self._pulls.clear()
        while messages and self._pulls:
            number, pull = next(iter(self._pulls.items()))
            some = min(messages, pull.messages)
            share = size * some // messages  # as if all were of one size
            pull.messages -= some
            pull.bytes -= share
            messages, size = messages - some, size - share
            if pull.messages <= 0:
                del self._pulls[number]

    def ended(self, number: int, messages: int, *, too_small: bool) -> None:
        """A pull ended with so many *messages* unused (-1: the server does not say)."""
        pull = self._pulls.pop(number, None)
        if messages < 0:
            messages = pull.messages if pull else 0
        self._oversized = too_small and messages == _MESSAGES
        self.waiting = max(0, self.waiting - messages)
        if not self.waiting:
            self._pulls.clear()
        self.wake()

    def wake(self) -> None:
        self._changed.set()

    async def wait(self, seconds: float) -> None:
        """Until something changed since the last call, or *seconds* have passed."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def close(self) -> None:
        self._pool.accounts.discard(self)
