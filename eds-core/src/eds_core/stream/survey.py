"""What the stream holds for one company: for people, who want to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from eds_core.moments import as_nanoseconds

from .api import ack_tokens, before_first, next_message
from .connection import Connection
from .position import probing


@dataclass(frozen=True, slots=True)
class Survey:
    """A company's part of the stream, seen from one position."""

    first: int  # the sequence of the first message that is still kept; 0: none
    first_time: int  # its NATS time, nanoseconds since 1970
    end: int  # the stream's last sequence, of whatever company
    begin: int  # what is read from the position on lies behind this sequence
    pending: int  # messages behind the position
    clock: int  # NATS' clock when it was asked, nanoseconds since 1970
    asked: int  # ours at that moment: the middle of question and answer


async def survey(connection: Connection, company: str, after: int) -> Survey:
    """Look at *company*'s messages, and how many lie behind the sequence *after*.

    Makes consumers for a moment and removes them; reads one message's headers. Raises
    what ``Connection.api`` raises.
    """
    first, first_time = await _first(connection, company)
    begun = _now()
    async with probing(connection, company, {"deliver_policy": "new"}) as (_, reply):
        asked = (begun + _now()) // 2
    start: dict[str, object] = {
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": after + 1,
    }
    async with probing(connection, company, start) as (_, behind):
        pending = int(str(behind.get("num_pending", 0)))
    clock = as_nanoseconds(str(reply.get("created")))
    return Survey(
        first,
        first_time,
        before_first(reply),
        before_first(behind),
        pending,
        clock,
        asked,
    )


async def _first(connection: Connection, company: str) -> tuple[int, int]:
    async with probing(connection, company, {"deliver_policy": "all"}) as (name, _):
        message = await next_message(connection, name)
    if message is None:
        return 0, 0
    sequence, _, time, _ = map(int, ack_tokens(message.reply))
    return sequence, time


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1e9)
