"""Where a company begins when the destination has no checkpoint for it yet."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from eds_core.errors import ConfigError
from eds_core.moments import as_text

from .answers import ApiError
from .api import (
    NOT_FOUND,
    SKEW,
    ack_tokens,
    before_first,
    company_filter,
    delete_consumer,
    new_consumer,
    next_message,
)
from .connection import STREAM, Connection

_WATCHED = 3.0  # seconds a durable is watched for signs of life
_PROBE_LIVES = 10 * 1_000_000_000  # when we are gone before it is removed


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to *sequence* is taken as being in the destination."""

    sequence: int
    why: str  # for the log
    time: int = 0  # NATS time of the message there, nanoseconds; 0: not known


async def first_position(
    connection: Connection,
    company: str,
    durables: tuple[str, ...],
    look_back: timedelta | None,
) -> Position:
    """Find where *company* begins.

    The first of *durables* (an old Go server's) that exists decides; it is read,
    never changed. Then *look_back*; then the end of the stream. Raises
    ConfigError while the old server still runs.
    """
    for durable in durables:
        if (info := await _durable(connection, durable)) is None:
            continue
        if _filters(info, company):
            await _check_dead(connection, durable, info)
            return await _after_durable(connection, company, durable, info)
    if look_back is not None:
        start = _start_time((datetime.now(UTC) - look_back).isoformat())
        return Position(await probe(connection, company, start), f"{look_back} ago")
    return Position(await end_of_stream(connection, company), "the end of the stream")


async def end_of_stream(connection: Connection, company: str) -> int:
    """The stream's last sequence, of whatever company."""
    return await probe(connection, company, {"deliver_policy": "new"})


async def is_the_same_stream(
    connection: Connection, company: str, sequence: int, time: int
) -> bool:
    """Whether the stream still holds *company*'s message of the NATS *time*.

    In the stream that *sequence* and *time* are from, it was the company's last up
    to *sequence*, or the next. It may have expired; but if other messages of the
    company are in its place, or the stream goes back to its beginning without it,
    then the stream was made anew, or has lost its end and used the numbers again.
    """
    start = _start_time(as_text(time))
    others = False
    async with probing(connection, company, start) as (name, reply):
        while (message := await next_message(connection, name)) is not None:
            at, _, moment, _ = map(int, ack_tokens(message.reply))
            if moment == time:
                return True
            others = others or at <= sequence
            if at > sequence or moment > time + SKEW:
                break
    return not others and before_first(reply) > 0


async def probe(connection: Connection, company: str, start: dict[str, object]) -> int:
    """The sequence before the first that a consumer begun at *start* would get."""
    async with probing(connection, company, start) as (_, reply):
        return before_first(reply)


@asynccontextmanager
async def probing(
    connection: Connection, company: str, start: dict[str, object]
) -> AsyncIterator[tuple[str, dict[str, object]]]:
    """A consumer for a moment: its name, and what NATS says of it."""
    name = f"eds-server-{company}-probe-{secrets.token_hex(4)}"
    start = {**start, "inactive_threshold": _PROBE_LIVES, "headers_only": True}
    reply = await new_consumer(connection, name, company_filter(company), start)
    yield name, reply
    await delete_consumer(connection, name)


def _start_time(at: str) -> dict[str, object]:
    return {"deliver_policy": "by_start_time", "opt_start_time": at}


async def _durable(connection: Connection, name: str) -> dict[str, object] | None:
    try:
        return await connection.api(f"CONSUMER.INFO.{STREAM}.{name}", {})
    except ApiError as error:
        if error.number == NOT_FOUND:
            return None
        raise


def _filters(info: Mapping[str, object], company: str) -> bool:
    config = _part(info, "config")
    subjects = cast(list[str], config.get("filter_subjects") or [])
    return company_filter(company) in [*subjects, config.get("filter_subject")]


async def _check_dead(
    connection: Connection, name: str, before: Mapping[str, object]
) -> None:
    await asyncio.sleep(_WATCHED)
    after = await _durable(connection, name) or {}
    moved = _part(after, "delivered") != _part(before, "delivered")
    if moved or after.get("num_waiting"):
        raise ConfigError(
            f"the old EDS server is still running: its consumer {name} is in use",
            advice="stop it and start this server again; it goes on where the old "
            "one stood",
            code="E3009",
        )


async def _after_durable(
    connection: Connection, company: str, name: str, info: Mapping[str, object]
) -> Position:
    why = f"where the old server's consumer {name} stood"
    if floor := int(cast(int, _part(info, "ack_floor").get("stream_seq", 0))):
        return Position(floor, why)
    config = _part(info, "config")
    start: dict[str, object] = {
        "deliver_policy": "by_start_time",
        "opt_start_time": info.get("created"),
    }
    if config.get("deliver_policy") != "new":
        kept = ("deliver_policy", "opt_start_time", "opt_start_seq")
        start = {name: config[name] for name in kept if name in config}
    return Position(await probe(connection, company, start), why)


def _part(info: Mapping[str, object], name: str) -> Mapping[str, object]:
    return cast(Mapping[str, object], info.get(name) or {})
