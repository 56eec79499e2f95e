"""The harm that a soak does to a server and to all around it, one thing at a time.

Each function does its harm, heals it, and returns. What it does is drawn from the
soak's seeded dice; when the machine does it is not repeatable.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Protocol, TypeAlias

import psycopg
from tests.servers import OwnPostgres

from bench.events import SHARES
from bench.machine import backends
from eds_core.sandbox import NatsServer
from eds_core.testing.proxy import Harm, Proxy

PATIENCE = 60.0  # seconds that a statement of the user's waits for its locks


class Eds(Protocol):
    """The server under test, and how to begin it again."""

    def send(self, number: signal.Signals) -> None: ...

    def crash(self) -> None: ...

    def restart(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Scene:
    """All that can be harmed."""

    eds: Eds
    nats: NatsServer
    database: OwnPostgres
    url: str  # of the database, past the proxy
    links: Mapping[str, Proxy]  # to NATS, and to the database
    dice: Random


Fault: TypeAlias = Callable[[Scene], Awaitable[None]]


async def kill_eds(scene: Scene) -> None:
    await asyncio.to_thread(scene.eds.crash)


async def restart_eds(scene: Scene) -> None:
    await asyncio.to_thread(scene.eds.restart)


async def suspend_eds(scene: Scene) -> None:
    scene.eds.send(signal.SIGSTOP)
    await asyncio.sleep(scene.dice.uniform(1, 10))
    scene.eds.send(signal.SIGCONT)


async def restart_nats(scene: Scene) -> None:
    end = scene.dice.choice([scene.nats.stop, scene.nats.kill])
    await asyncio.to_thread(end)
    await asyncio.sleep(scene.dice.uniform(0, 4))
    await asyncio.to_thread(scene.nats.start)


async def restart_database(scene: Scene) -> None:
    await asyncio.to_thread(scene.database.stop, scene.dice.choice(MODES))
    await asyncio.sleep(scene.dice.uniform(0, 5))
    await asyncio.to_thread(scene.database.start)


async def end_sessions(scene: Scene) -> None:
    for pid in await asyncio.to_thread(backends, scene.url):
        await _as_administrator(scene, f"SELECT pg_terminate_backend({pid})")


async def cut(scene: Scene) -> None:
    _link(scene).cut(reset=scene.dice.random() < 0.5)


async def cut_in_the_middle(scene: Scene) -> None:
    """The next words, or the answer to them, are lost with their connection."""
    await _harm(scene, scene.dice.choice([Harm.CUT_REQUEST, Harm.CUT_ANSWER]), 1)


async def silence(scene: Scene) -> None:
    harms = [Harm.SILENCE, Harm.SILENT_SERVER]
    await _harm(scene, scene.dice.choice(harms), scene.dice.uniform(1, 8))


async def slow_down(scene: Scene) -> None:
    link = _link(scene)
    link.delay = scene.dice.uniform(0.01, 0.1)
    await asyncio.sleep(scene.dice.uniform(1, 8))
    link.heal()


async def lock_a_table(scene: Scene) -> None:
    await asyncio.to_thread(_do, scene, f"LOCK TABLE {_table(scene)}", _held(scene))


async def add_a_column(scene: Scene) -> None:
    table = _table(scene)
    change = f"ALTER TABLE {table} ADD COLUMN soak_note text DEFAULT 'mine'"
    await asyncio.to_thread(_do, scene, change)
    await asyncio.sleep(scene.dice.uniform(0, 4))
    await asyncio.to_thread(_do, scene, f"ALTER TABLE {table} DROP COLUMN soak_note")


async def add_an_index(scene: Scene) -> None:
    change = f'CREATE INDEX soak_index ON {_table(scene)} ("companyId")'
    await asyncio.to_thread(_do, scene, change)
    await asyncio.sleep(scene.dice.uniform(0, 4))
    await asyncio.to_thread(_do, scene, "DROP INDEX soak_index")


async def rewrite_a_table(scene: Scene) -> None:
    table = _table(scene)
    await _as_administrator(scene, f"VACUUM FULL {table}", scene.url)


MODES = ("fast", "immediate")
FAULTS: Mapping[str, Fault] = {
    "EDS killed (SIGKILL)": kill_eds,
    "EDS stopped and started": restart_eds,
    "EDS suspended": suspend_eds,
    "NATS restarted": restart_nats,
    "database restarted": restart_database,
    "database sessions ended": end_sessions,
    "connections cut": cut,
    "connections cut within a message": cut_in_the_middle,
    "connections silent": silence,
    "connections slow": slow_down,
    "table locked": lock_a_table,
    "column added, dropped": add_a_column,
    "index added, dropped": add_an_index,
    "table rewritten": rewrite_a_table,
}
#: These end the process whose memory is watched.
ENDING = frozenset({"EDS killed (SIGKILL)", "EDS stopped and started"})


def _link(scene: Scene) -> Proxy:
    return scene.links[scene.dice.choice(sorted(scene.links))]


async def _harm(scene: Scene, harm: Harm, seconds: float) -> None:
    link = _link(scene)
    link.harm = harm
    await asyncio.sleep(seconds)
    link.heal()
    link.cut()  # what was swallowed would be missing in the middle of a message


def _table(scene: Scene) -> str:
    return f'"{scene.dice.choice(sorted(SHARES))}"'


def _held(scene: Scene) -> float:
    return scene.dice.uniform(1, 14)  # EDS gives up, and tries again, after 10


def _do(scene: Scene, statement: str, seconds: float = 0.0) -> None:
    """Execute what a user does, and keep its transaction open for so long."""
    with psycopg.connect(scene.url) as connection:
        connection.execute(f"SET lock_timeout = '{PATIENCE:g}s'")
        connection.execute(statement)
        connection.execute("SELECT pg_sleep(%s)", (seconds,))


async def _as_administrator(scene: Scene, statement: str, url: str = "") -> None:
    def run() -> None:
        with psycopg.connect(url or scene.database.admin_url, autocommit=True) as it:
            it.execute(statement)

    await asyncio.to_thread(run)
