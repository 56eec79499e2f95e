"""JetStream: one connection, disposable consumers, messages in stream order."""

from .answers import ApiError, Disconnected, NoAnswer, Unreachable
from .connection import STREAM, Connection, Settings
from .consumer import Gap, Heartbeat
from .feed import Feed
from .position import first_position

__all__ = [
    "STREAM",
    "ApiError",
    "Connection",
    "Disconnected",
    "Feed",
    "Gap",
    "Heartbeat",
    "NoAnswer",
    "Settings",
    "Unreachable",
    "first_position",
]
