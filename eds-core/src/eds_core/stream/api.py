"""The calls of the JetStream API that EDS makes: consumers come, tell and go."""

from __future__ import annotations

from nats.aio.msg import Msg

from eds_core.errors import TransientError

from .answers import ApiError
from .connection import STREAM, Connection

NOT_FOUND = 10014
ACK = "$JS.ACK."  # a message has such a reply subject, anything else has none
#: Nanoseconds by which the clocks of a cluster's servers may differ.
SKEW = 60 * 1_000_000_000
_ACK_TOKENS = 9  # $JS.ACK, stream, consumer, delivered, sequence, ...
_NOTHING_THERE = "404"
_INACTIVE = 300 * 1_000_000_000  # the server forgets the consumer after that


def company_filter(company: str, table: str = "*") -> str:
    return f"{STREAM}.{table}.*.{company}.*.PUBLIC.>"


def consumer_config(
    name: str, subject: str, start: dict[str, object]
) -> dict[str, object]:
    """A named, ephemeral consumer in memory that is never acknowledged."""
    return {
        "name": name,
        "ack_policy": "none",
        "replay_policy": "instant",
        "filter_subject": subject,
        "inactive_threshold": _INACTIVE,
        "mem_storage": True,
        "num_replicas": 1,
        **start,
    }


async def new_consumer(
    connection: Connection, name: str, subject: str, start: dict[str, object]
) -> dict[str, object]:
    """Create a consumer; return what NATS says of it."""
    config = consumer_config(name, subject, start)
    reply = await connection.api(
        f"CONSUMER.CREATE.{STREAM}.{name}.{subject}",
        {"stream_name": STREAM, "config": config, "action": "create"},
    )
    made = reply.get("config")
    if not isinstance(made, dict) or made.get("filter_subject") != subject:
        raise TransientError(f"NATS made consumer {name} without its filter")
    return reply


def before_first(reply: dict[str, object]) -> int:
    """The sequence before the first that the consumer just made will deliver."""
    delivered = reply.get("delivered")
    return int(delivered.get("stream_seq", 0)) if isinstance(delivered, dict) else 0


async def create_consumer(
    connection: Connection, name: str, subject: str, start: dict[str, object]
) -> int:
    """Create a consumer; return the sequence before the first it will deliver."""
    return before_first(await new_consumer(connection, name, subject, start))


async def next_message(connection: Connection, name: str) -> Msg | None:
    """What the consumer has to deliver next; None when there is nothing now."""
    answer = await connection.pull(
        f"CONSUMER.MSG.NEXT.{STREAM}.{name}", b'{"batch": 1, "no_wait": true}'
    )
    if answer.reply.startswith(ACK):
        return answer
    if (status := (answer.headers or {}).get("Status")) != _NOTHING_THERE:
        raise TransientError(f"NATS answered {status} to a pull of {name}")
    return None


async def delete_consumer(connection: Connection, name: str) -> None:
    """Remove the consumer; one that is gone is no error."""
    try:
        await connection.api(f"CONSUMER.DELETE.{STREAM}.{name}", {})
    except ApiError as error:
        if error.number != NOT_FOUND:
            raise


def ack_tokens(reply: str) -> list[str]:
    """Stream sequence, consumer sequence, time and pending of an ack subject.

    The newer form puts a domain and an account hash in front and a random token
    behind (nats-server's ADR-15).
    """
    tokens = reply.split(".")
    return tokens[5:9] if len(tokens) == _ACK_TOKENS else tokens[7:11]
