"""The two calls of the JetStream API that EDS makes: create and delete a consumer."""

from __future__ import annotations

from eds_core.errors import TransientError

from .answers import ApiError
from .connection import STREAM, Connection

NOT_FOUND = 10014
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


async def create_consumer(
    connection: Connection, name: str, subject: str, start: dict[str, object]
) -> int:
    """Create a consumer; return the sequence before the first it will deliver."""
    config = consumer_config(name, subject, start)
    reply = await connection.api(
        f"CONSUMER.CREATE.{STREAM}.{name}.{subject}",
        {"stream_name": STREAM, "config": config, "action": "create"},
    )
    made = reply.get("config")
    if not isinstance(made, dict) or made.get("filter_subject") != subject:
        raise TransientError(f"NATS made consumer {name} without its filter")
    delivered = reply.get("delivered")
    return int(delivered.get("stream_seq", 0)) if isinstance(delivered, dict) else 0


async def delete_consumer(connection: Connection, name: str) -> None:
    """Remove the consumer; one that is gone is no error."""
    try:
        await connection.api(f"CONSUMER.DELETE.{STREAM}.{name}", {})
    except ApiError as error:
        if error.code != NOT_FOUND:
            raise
