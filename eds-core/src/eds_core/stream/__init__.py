"""JetStream: one connection, disposable consumers, messages in stream order."""

from .answers import Disconnected, NoAnswer
from .connection import STREAM, Connection, Settings
from .consumer import Gap, Heartbeat
from .feed import Feed
from .position import first_position

__all__ = [
    "STREAM",
    "Connection",
    "Disconnected",
    "Feed",
    "Gap",
    "Heartbeat",
    "NoAnswer",
    "Settings",
    "first_position",
]
