"""The schema look-up of the upstream service."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from eds_core.sandbox.model import Model

EVERY_TABLE = "*"
PING = "schema._"
PING_SECONDS = 0.25
PAUSE_SECONDS = 0.02
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How look-ups of a table are answered: after *delay* seconds, or never."""

    delay: float = 0.0
    silent: bool = False


class SchemaResponder:
    """Answers `schema.<table>.<modelVersion>` and `schema.<table>.latest`.

    `counts` has the requests seen, by subject.
    """

    def __init__(self, client: Client, models: Iterable[Model] = ()) -> None:
        self.counts: Counter[str] = Counter()
        self._client = client
        self._models: dict[tuple[str, str], Model] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self._late: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        for model in models:
            self.add(model)

    def add(self, model: Model) -> None:
        """Make *model* known, and the latest of its table."""
        self._models[model.table, model.version] = model
        self._models[model.table, "latest"] = model

    def behave(
        self, table: str = EVERY_TABLE, *, delay: float = 0.0, silent: bool = False
    ) -> None:
        """Change how look-ups of *table* are answered; no arguments: as normal."""
        if table == EVERY_TABLE:
            self._behaviours.clear()
        self._behaviours[table] = Behaviour(delay, silent)

    def forget(self, table: str) -> None:
        """Answer look-ups of *table* as those of an unknown one."""
        for known in [key for key in self._models if key[0] == table]:
            del self._models[known]

    async def start(self) -> None:
        """Begin to answer; the client subscribes again after a reconnect."""
        self._subscription = await self._client.subscribe("schema.>", cb=self._seen)

    async def stop(self) -> None:
        """Answer no more."""
        for task in self._late:
            task.cancel()
        if self._subscription is not None and not self._client.is_closed:
            await self._subscription.unsubscribe()
        self._subscription = None

    async def ready(self) -> None:
        """Return when requests reach us, as after the server's restart.

        By a request of our own: nats-py's `flush` does not survive its time-out.
        """
        async with asyncio.timeout(READY_SECONDS):
            while not await self._reached():
                pass

    def reply(self, subject: str) -> dict[str, object]:
        """Return the reply to a request on *subject*."""
        model = self._models.get(_words(subject))
        if model is None:
            return {"success": False, "message": f"no such model: {subject}"}
        return {"success": True, "data": model.describe()}

    async def _reached(self) -> bool:
        try:
            await self._client.request(PING, timeout=PING_SECONDS)
        except (NatsError, OSError):
            await asyncio.sleep(PAUSE_SECONDS)
            return False
        return True

    async def _seen(self, request: Msg) -> None:
        if request.subject == PING:
            await request.respond(b"")
            return
        self.counts[request.subject] += 1
        behaviour = self._behaviour(_words(request.subject)[0])
        if behaviour.silent:
            return
        if not behaviour.delay:
            await self._answer(request)
            return
        # A slow answer does not hold up the others.
        task = asyncio.create_task(self._answer(request, behaviour.delay))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _behaviour(self, table: str) -> Behaviour:
        every = self._behaviours.get(EVERY_TABLE, Behaviour())
        return self._behaviours.get(table, every)

    async def _answer(self, request: Msg, delay: float = 0.0) -> None:
        await asyncio.sleep(delay)
        await request.respond(json.dumps(self.reply(request.subject)).encode())


def _words(subject: str) -> tuple[str, str]:
    _, _, rest = subject.partition(".")
    table, _, version = rest.partition(".")
    return table, version
